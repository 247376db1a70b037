// SPDX-License-Identifier: Apache-2.0
// An operation is checked against the database as the loop sees it, and ordered by the commit thread. Between
// the two another one may have come in: the commit thread then refuses, and the loop checks again.
#include "api/operations.h"

#include <optional>
#include <span>
#include <utility>

#include "api/claim_intake.h"
#include "api/peer.h"
#include "api/query_string.h"
#include "api/slow_lane.h"
#include "base/json_writer.h"
#include "http/loop.h"
#include "model/operation_parser.h"
#include "model/operation_record.h"

namespace stemedb::api {
namespace {

using model::OperationKind;

constexpr int kTriesMax = 20;            // others' operations in between
constexpr size_t kImpactOnLoop = 1'000;  // claims; what reaches further is looked at in the slow lane
constexpr size_t kImpactMax = 1'000'000;
constexpr std::string_view kNamesChanged = "names_changed";

// One operation on its way through.
struct Taking {
  http::ExchangePtr exchange;
  model::Operation operation;
  bool dry_run = false;
  query::Authority authority = query::Authority::kAgent;
  Hash256 id{};
  std::string record;
  std::optional<query::Impact> impact;
  int tries = 0;
};
using TakingPtr = std::shared_ptr<Taking>;

bool HasImpact(const model::Operation& operation) {
  return operation.kind == OperationKind::kRetraction ||
         (operation.kind == OperationKind::kSourceStatus &&
          operation.source_status == model::SourceStatus::kRetracted);
}

void Refuse(LoopContext& context, const Taking& taking, const Status& status,
            std::span<const http::FieldError> errors = {}) {
  taking.exchange->Respond(context.Refusal(taking.exchange->request(), status, errors));
}

void AppendImpact(JsonWriter& json, std::string& out, const query::Impact& impact, bool cascade) {
  json.Key("retracted");
  json.Unsigned(impact.retracted);
  json.Key("cascaded");
  json.Unsigned(impact.cascaded);
  json.Key("cascade");
  json.Bool(cascade);
  if (impact.is_cut) {
    json.Key("at_least");
    json.Bool(true);
  }
  json.Key("ids_sample");
  json.BeginArray();
  for (const Hash256& id : impact.sample) {
    json.Raw("\"");
    AppendHex(out, id);
    out.push_back('"');
  }
  json.EndArray();
}

// `stored` is null for a dry run.
http::Response Answer(const Taking& taking, const store::ItemResult* stored) {
  http::Response response;
  JsonWriter json(response.body);
  json.BeginObject();
  if (stored != nullptr) {
    response.status = stored->duplicate ? 200 : 201;
    json.Field("status", stored->duplicate ? "duplicate" : "created");
    json.Field("kind", NameOf(taking.operation.kind));
    json.Field("id", ToHex(taking.id));
    json.Key("sequence");
    json.Unsigned(stored->sequence);
    json.Key("recorded_at");
    json.Time(stored->recorded_at_ms);
  } else {
    json.Field("status", "dry_run");
    json.Field("kind", NameOf(taking.operation.kind));
  }
  if (taking.impact) AppendImpact(json, response.body, *taking.impact, taking.operation.cascade);
  json.EndObject();
  return response;
}

void CheckAndSubmit(LoopContext& context, const TakingPtr& taking);

void Submit(LoopContext& context, const TakingPtr& taking, uint64_t as_of) {
  store::Submission submission;
  submission.records.push_back({taking->id, taking->record});
  if (query::DependsOnNames(taking->operation.kind)) submission.names_as_of = as_of;
  submission.done = [&context, taking](store::CommitResult&& result) {
    taking->exchange->loop().Post([&context, taking, result = std::move(result)] {
      if (result.status.reason() == kNamesChanged && ++taking->tries < kTriesMax) {
        taking->impact.reset();
        return CheckAndSubmit(context, taking);
      }
      if (!result.status.ok()) return Refuse(context, *taking, result.status);
      taking->exchange->Respond(Answer(*taking, &result.items.front()));
    });
  };
  const Status queued = context.backend().store->Submit(std::move(submission), store::Wake::kWithOthers);
  context.has_submitted = true;
  if (!queued.ok()) Refuse(context, *taking, queued);
}

void Conclude(LoopContext& context, const TakingPtr& taking, uint64_t as_of) {
  if (taking->dry_run) return taking->exchange->Respond(Answer(*taking, nullptr));
  Submit(context, taking, as_of);
}

// A retraction whose reach can't be counted is taken in all the same; a dry run is about nothing else.
void Weigh(LoopContext& context, const TakingPtr& taking, uint64_t as_of, Result<query::Impact> impact) {
  if (!impact && (taking->dry_run || impact.error().reason() != query::kLineageTooLarge))
    return Refuse(context, *taking, impact.error());
  if (impact) {
    taking->impact = std::move(*impact);
  } else {
    taking->impact.emplace().is_cut = true;
  }
  Conclude(context, taking, as_of);
}

// Comes back to the loop with what the slow lane found.
void LookFurther(LoopContext& context, const TakingPtr& taking, uint64_t as_of) {
  auto work = [&context, taking, as_of](query::Engine* engine, const Status& ready) {
    auto impact = ready.ok() ? engine->ImpactOf(taking->operation, kImpactMax) : Result<query::Impact>(ready);
    taking->exchange->loop().Post([&context, taking, as_of, impact = std::move(impact)]() mutable {
      Weigh(context, taking, as_of, std::move(impact));
    });
  };
  const Status posted = context.backend().slow_lane->Post("retract", taking->exchange, std::move(work));
  if (!posted.ok()) Refuse(context, *taking, posted);
}

void CheckAndSubmit(LoopContext& context, const TakingPtr& taking) {
  uint64_t as_of = 0;
  const Status checked = context.engine().Check(taking->operation, taking->id, taking->authority, as_of);
  if (!checked.ok()) return Refuse(context, *taking, checked);
  if (!HasImpact(taking->operation)) return Conclude(context, taking, as_of);
  auto impact = context.engine().ImpactOf(taking->operation, kImpactOnLoop);
  const bool is_too_large = impact ? impact->is_cut : impact.error().reason() == query::kLineageTooLarge;
  if (is_too_large && context.backend().slow_lane != nullptr) return LookFurther(context, taking, as_of);
  Weigh(context, taking, as_of, std::move(impact));
}

// What parsing left to be done: who may speak unsigned, the server's clock, signatures, identity.
Status Admit(LoopContext& context, const http::Request& request, Taking& taking) {
  model::Operation& operation = taking.operation;
  const bool is_signed = !operation.signatures.empty();
  if (!is_signed) STEMEDB_RETURN_IF_ERROR(UnsignedClaimsFault(context.backend(), request));
  if (!operation.timestamp_ms) operation.timestamp_ms = context.backend().clock->NowMs();
  std::string canonical;
  model::AppendCanonicalJson(canonical, operation);
  if (is_signed) STEMEDB_RETURN_IF_ERROR(model::VerifySignatures(operation, canonical));
  taking.id = model::IdOf(operation.kind, canonical);
  taking.record = model::EncodeOperation(operation, canonical, taking.id);
  return is_signed ? context.rates().PayProven(request, AsView(operation.signatures.front().agent_id))
                   : context.rates().PayUnproven(request);
}

}  // namespace

void TakeOperation(LoopContext& context, http::ExchangePtr exchange, OperationKind kind,
                   std::string_view source_id) {
  const http::Request& request = exchange->request();
  const auto taking = std::make_shared<Taking>();
  taking->exchange = std::move(exchange);
  const Status parameters = NoParameters(request.query);
  if (!parameters.ok()) return Refuse(context, *taking, parameters);
  const Status priced = context.rates().Reprice(request, 1);
  if (!priced.ok()) return Refuse(context, *taking, priced);
  const model::HeaderSignature header{request.header("x-agent-id"), request.header("x-agent-signature")};
  model::ParsedOperation parsed = context.operation_parser().Parse(
      kind, request.body, request.body.size() + http::kBodyPadding, header, source_id);
  if (!parsed.status.ok()) {
    std::vector<http::FieldError> errors;
    for (model::FieldError& error : parsed.errors)
      errors.push_back({std::move(error.pointer), std::move(error.detail)});
    return Refuse(context, *taking, parsed.status, errors);
  }
  taking->operation = std::move(parsed.operation);
  taking->dry_run = parsed.dry_run;
  if (AdminFault(context.backend(), request).ok()) taking->authority = query::Authority::kOperator;
  const Status admitted = Admit(context, request, *taking);
  if (!admitted.ok()) return Refuse(context, *taking, admitted);
  CheckAndSubmit(context, taking);
}

void AddOperationRoute(http::Router& router, LoopContext& context, std::string path, OperationKind kind,
                       size_t body_max) {
  router.Add(
      {.path = std::move(path),
       .methods = {http::Method::kPost},
       .handler = [&context,
                   kind](http::ExchangePtr exchange) { TakeOperation(context, std::move(exchange), kind); },
       .max_body_bytes = body_max,
       .param_names = {}});
}

}  // namespace stemedb::api
