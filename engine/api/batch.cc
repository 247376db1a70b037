// SPDX-License-Identifier: Apache-2.0
// POST /v1/assert/batch. Checking ten thousand signatures takes most of a second, so a batch is worked off in
// slices: between two of them the loop serves everybody else. All that passed is then one submission: one
// place in the log's order, and with ?atomic=true all of it or nothing, also across a crash.
#include <algorithm>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "api/batch_items.h"
#include "api/claim_intake.h"
#include "api/errors.h"
#include "api/routes.h"
#include "api/stored_claims.h"
#include "base/json_writer.h"
#include "http/loop.h"

namespace stemedb::api {
namespace {

constexpr size_t kSliceSteps = 128;         // some 5 ms: an item is a step, and so is each of its signatures
constexpr size_t kLooksAtOnce = 1'000;      // at stored claims: some milliseconds
constexpr size_t kBatchesInFlightMax = 16;  // for each loop; every one holds its body
constexpr size_t kBatchBodyMax = 16 * 1024 * 1024;
constexpr size_t kErrorsShownMax = 100;          // of an atomic batch
constexpr size_t kItemsWithErrorsShown = 1'000;  // the fields at fault are listed for so many refused items

// What became of one item: its claim is the next one of the submission, or it was refused.
struct Item {
  Status status;
  std::vector<http::FieldError> errors;
  Hash256 id{};
};

class BatchJob : public std::enable_shared_from_this<BatchJob> {
 public:
  BatchJob(LoopContext& context, http::ExchangePtr exchange, BatchItems source, store::Atomicity atomicity)
      : context_(context),
        exchange_(std::move(exchange)),
        source_(std::move(source)),
        atomicity_(atomicity),
        unsigned_fault_(UnsignedClaimsFault(context.backend(), exchange_->request())),
        now_ms_(context.backend().clock->NowMs()),
        named_agent_(RateGate::NamedAgent(exchange_->request())) {
    items_.reserve(source_.count());
    ++context_.batches_in_flight;
  }
  ~BatchJob() = default;

  // One slice; posts itself for the next one.
  void Run();

 private:
  void Take(model::ParsedClaim&& parsed);
  Status Pay();
  void Commit();
  void Finish(store::CommitResult&& result);
  void LookAtStored();
  void Respond(http::Response&& response);
  http::Response RefuseWhole();
  http::Response Results();
  static void AppendRefused(std::string& out, size_t index, const Item& item, bool with_errors);

  LoopContext& context_;
  http::ExchangePtr exchange_;
  BatchItems source_;
  const store::Atomicity atomicity_;
  const Status unsigned_fault_;
  const int64_t now_ms_;
  const std::string named_agent_;  // who the request says that it comes from; 32 bytes, or empty
  bool is_all_by_named_ = true;    // every claim is right and signed by that agent
  std::vector<Item> items_;
  store::Submission submission_;
  std::vector<store::ItemResult> stored_;
  std::vector<std::string_view> statuses_;  // beside stored_; none where there are no operations
};

void BatchJob::Run() {
  if (!exchange_->peer_waits()) {  // nothing is stored yet
    --context_.batches_in_flight;
    return;
  }
  for (size_t steps = 0; steps < kSliceSteps;) {
    std::optional<model::ParsedClaim> parsed = source_.Next();
    if (!parsed) return Commit();
    steps += 1 + parsed->assertion.signatures.size();
    Take(std::move(*parsed));
  }
  exchange_->loop().Post([self = shared_from_this()] { self->Run(); });
}

void BatchJob::Take(model::ParsedClaim&& parsed) {
  Intake intake = Admit(std::move(parsed), unsigned_fault_, now_ms_);
  is_all_by_named_ = is_all_by_named_ && intake.signer && AsView(*intake.signer) == named_agent_;
  Item& item = items_.emplace_back();
  item.status = std::move(intake.status);
  item.errors = std::move(intake.errors);
  if (!item.status.ok()) return context_.CountError(item.status);
  item.id = intake.claim.id;
  submission_.records.push_back(std::move(intake.claim));
}

// A batch has one payer: the agent that the request names, if all of it is signed by that one.
Status BatchJob::Pay() {
  const http::Request& request = exchange_->request();
  return is_all_by_named_ && !items_.empty() ? context_.rates().PayProven(request, named_agent_)
                                             : context_.rates().PayUnproven(request);
}

void BatchJob::Commit() {
  const Status paid = Pay();
  if (!paid.ok()) return Respond(context_.Refusal(exchange_->request(), paid));
  const bool has_refused = submission_.records.size() < items_.size();
  if (has_refused && atomicity_ == store::Atomicity::kAllOrNothing) return Respond(RefuseWhole());
  if (submission_.records.empty()) return Respond(Results());
  submission_.atomicity = atomicity_;
  submission_.done = [self = shared_from_this()](store::CommitResult&& result) {
    self->exchange_->loop().Post(
        [self, result = std::move(result)]() mutable { self->Finish(std::move(result)); });
  };
  const Status queued = context_.backend().store->Submit(std::move(submission_));
  if (!queued.ok()) Respond(context_.Refusal(exchange_->request(), queued));
}

void BatchJob::Finish(store::CommitResult&& result) {
  if (!result.status.ok()) return Respond(context_.Refusal(exchange_->request(), result.status));
  stored_ = std::move(result.items);
  if (result.has_operations) return LookAtStored();
  Respond(Results());
}

// In slices as well.
void BatchJob::LookAtStored() {
  const auto left = std::span<const store::ItemResult>(stored_).subspan(statuses_.size());
  AppendStatusesNow(context_, left.first(std::min(left.size(), kLooksAtOnce)), statuses_);
  if (statuses_.size() == stored_.size()) return Respond(Results());
  exchange_->loop().Post([self = shared_from_this()] { self->LookAtStored(); });
}

void BatchJob::Respond(http::Response&& response) {
  --context_.batches_in_flight;
  exchange_->Respond(std::move(response));
}

http::Response BatchJob::RefuseWhole() {
  std::vector<http::FieldError> errors;
  Status first;  // gives the whole its code
  size_t refused = 0;
  for (size_t i = 0; i < items_.size(); ++i) {
    const Item& item = items_[i];
    if (item.status.ok()) continue;
    if (refused++ == 0) first = item.status;
    if (item.errors.empty()) errors.push_back({"/" + std::to_string(i), std::string(item.status.message())});
    errors.insert(errors.end(), item.errors.begin(), item.errors.end());
    if (errors.size() >= kErrorsShownMax) errors.resize(kErrorsShownMax);
  }
  const Status whole(first.code(), first.reason(),
                     "nothing was stored: " + std::to_string(refused) + " of " +
                         std::to_string(items_.size()) + " claims were refused; see errors");
  return ProblemOf(whole, errors);
}

http::Response BatchJob::Results() {
  http::Response response;
  std::string& out = response.body;
  out.reserve(items_.size() * 240 + 128);
  size_t duplicates = 0;
  size_t next = 0;
  size_t refused = 0;
  out += "{\"results\":[";
  for (size_t i = 0; i < items_.size(); ++i) {
    if (i > 0) out += ',';
    if (!items_[i].status.ok()) {
      AppendRefused(out, i, items_[i], refused++ < kItemsWithErrorsShown);
      continue;
    }
    duplicates += stored_[next].duplicate ? 1 : 0;
    AppendStored(out, i, items_[i].id, stored_[next],
                 statuses_.empty() ? std::string_view() : statuses_[next]);
    ++next;
  }
  const size_t created = next - duplicates;
  out += "],\"created\":" + std::to_string(created) + ",\"duplicates\":" + std::to_string(duplicates) +
         ",\"errors\":" + std::to_string(items_.size() - next) + "}";
  response.status = created > 0 ? 201 : 200;
  return response;
}

void BatchJob::AppendRefused(std::string& out, size_t index, const Item& item, bool with_errors) {
  JsonWriter json(out);
  json.BeginObject();
  json.Key("index");
  json.Unsigned(index);
  json.Field("status", "error");
  json.Field("code", Classify(item.status).reason);
  json.Field("detail", item.status.message());
  if (with_errors && !item.errors.empty()) {
    json.Key("errors");
    json.BeginArray();
    for (const http::FieldError& error : item.errors) {
      json.BeginObject();
      json.Field("pointer", error.pointer);
      json.Field("detail", error.detail);
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
}

Result<store::Atomicity> AtomicityOf(std::string_view query) {
  auto params = http::ParseQuery(query);
  if (!params) return params.error();
  store::Atomicity atomicity = store::Atomicity::kEachItem;
  for (const auto& [name, value] : *params) {
    if (params->size() > 1 || name != "atomic" || (value != "true" && value != "false")) {
      return Status(Code::kInvalidArgument, "invalid_request",
                    "the only query parameter is atomic, once, and it is true or false");
    }
    atomicity = value == "true" ? store::Atomicity::kAllOrNothing : store::Atomicity::kEachItem;
  }
  return atomicity;
}

Status HeaderFault(const http::Request& request) {
  if (!request.has_header("x-agent-signature")) return Status::Ok();
  return Status(
      Code::kInvalidArgument, "invalid_request",
      "the header X-Agent-Signature signs a single claim; in a batch each claim carries its own signature");
}

void AssertBatch(LoopContext& context, http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  const auto refuse = [&](const Status& status) { exchange->Respond(context.Refusal(request, status)); };
  if (context.batches_in_flight >= kBatchesInFlightMax) {
    return refuse(
        Status(Code::kResourceExhausted, "overloaded", "too many batches at once; send it again later"));
  }
  const Status header_fault = HeaderFault(request);
  if (!header_fault.ok()) return refuse(header_fault);
  const auto atomicity = AtomicityOf(request.query);
  if (!atomicity) return refuse(atomicity.error());
  auto items = BatchItems::Open(context.claim_parser(), request.body);
  if (!items) return refuse(items.error());
  const Status priced = context.rates().Reprice(request, items->count());
  if (!priced.ok()) return refuse(priced);
  std::make_shared<BatchJob>(context, std::move(exchange), std::move(*items), *atomicity)->Run();
}

}  // namespace

void AddBatchRoutes(http::Router& router, LoopContext& context) {
  router.Add(
      {.path = "/v1/assert/batch",
       .methods = {http::Method::kPost},
       .handler = [&context](http::ExchangePtr exchange) { AssertBatch(context, std::move(exchange)); },
       .max_body_bytes = kBatchBodyMax,
       .param_names = {}});
}

}  // namespace stemedb::api
