// SPDX-License-Identifier: Apache-2.0
// An operation is checked against the database as the loop sees it, and ordered by the commit thread. Between
// the two another one may have come in: the commit thread then refuses, and the loop checks again. What a
// retraction reaches is counted once, before that, however often it is checked: counting takes longest, and
// the more is reached the sooner something comes in between.
#include "api/operations.h"

#include <optional>
#include <span>
#include <utility>

#include "api/admin.h"
#include "api/claim_intake.h"
#include "api/peer.h"
#include "api/query_string.h"
#include "api/slow_lane.h"
#include "base/json_writer.h"
#include "base/time.h"
#include "http/loop.h"
#include "model/operation_parser.h"
#include "model/operation_record.h"

namespace stemedb::api {
namespace {

using model::OperationKind;

constexpr int kTriesMax = 20;  // as many others about the same names came first
// What reaches further is looked at in the slow lane, where everybody may have retractions tried.
constexpr query::ImpactBounds kOnLoop = {.claims_max = 1'000, .seconds_max = 0.01};
constexpr query::ImpactBounds kInLane = {.claims_max = 1'000'000, .seconds_max = 0.25};
constexpr query::ImpactBounds kInLaneForOperators = {.claims_max = 1'000'000, .seconds_max = 1};
constexpr std::string_view kNamesChanged = "names_changed";
constexpr std::string_view kNotYours = "not_yours";
// How far clocks may differ, time zones that somebody got wrong included.
constexpr int64_t kAheadMsMax = 24 * 3'600'000;

// One operation on its way through.
struct Taking {
  http::ExchangePtr exchange;
  model::Operation operation;
  bool dry_run = false;
  Status operator_fault;  // why it isn't the operator's; ok when it is
  Status sender_fault;    // of a dry run: why its sender couldn't do it, as far as is known
  Hash256 id{};
  std::string record;
  store::Judgement judgement;
  std::optional<query::Impact> impact;
  std::optional<bool> is_registered;  // of a retraction by a source's id: the source
  std::optional<OperatorsAct> act;
  int tries = 0;

  bool is_operators() const { return operator_fault.ok(); }
  const query::ImpactBounds& bounds() const { return is_operators() ? kInLaneForOperators : kInLane; }
};
using TakingPtr = std::shared_ptr<Taking>;

// Who is taken for an agent from elsewhere may have meant to speak as the operator.
Status WithOperatorFault(const Taking& taking, const Status& status) {
  if (status.reason() != kNotYours) return status;
  return Status(status.code(), status.reason(),
                std::string(status.message()).append("; ").append(taking.operator_fault.message()));
}

bool IsBySource(const model::Operation& operation) {
  return operation.kind == OperationKind::kRetraction && !operation.name.empty();
}

bool HasImpact(const model::Operation& operation) {
  return operation.kind == OperationKind::kRetraction ||
         (operation.kind == OperationKind::kSourceStatus &&
          operation.source_status == model::SourceStatus::kRetracted);
}

void Refuse(LoopContext& context, const Taking& taking, const Status& status,
            std::span<const http::FieldError> errors = {}) {
  if (taking.act) AuditBadRequest(context, taking.exchange->request(), status);
  taking.exchange->Respond(
      context.Refusal(taking.exchange->request(), WithOperatorFault(taking, status), errors));
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

void AppendAllowed(JsonWriter& json, const Taking& taking) {
  json.Key("allowed");
  json.Bool(taking.sender_fault.ok());
  if (taking.sender_fault.ok()) return;
  json.Field("code", taking.sender_fault.reason());
  json.Field("detail", WithOperatorFault(taking, taking.sender_fault).message());
}

// `stored` is null for a dry run. A repeat retracts nothing: its first arrival did.
http::Response Answer(const Taking& taking, const store::ItemResult* stored) {
  http::Response response;
  const bool is_repeat = stored != nullptr && stored->duplicate;
  JsonWriter json(response.body);
  json.BeginObject();
  if (stored != nullptr) {
    response.status = is_repeat ? 200 : 201;
    json.Field("status", is_repeat ? "duplicate" : "created");
    json.Field("kind", NameOf(taking.operation.kind));
    json.Field("id", ToHex(taking.id));
    json.Key("sequence");
    json.Unsigned(stored->sequence);
    json.Key("recorded_at");
    json.Time(stored->recorded_at_ms);
  } else {
    json.Field("status", "dry_run");
    json.Field("kind", NameOf(taking.operation.kind));
    AppendAllowed(json, taking);
  }
  if (taking.impact) {
    AppendImpact(json, response.body, is_repeat ? query::Impact() : *taking.impact, taking.operation.cascade);
  }
  if (taking.is_registered) {
    json.Key("registered");
    json.Bool(*taking.is_registered);
  }
  json.EndObject();
  return response;
}

// The store has answered. Of an operator's act the audit says what became of it, and for people what it was.
void Finish(LoopContext& context, const Taking& taking, const store::CommitResult& result) {
  const http::Request& request = taking.exchange->request();
  http::Response response =
      result.status.ok() ? Answer(taking, &result.items.front()) : context.Refusal(request, result.status);
  if (!taking.act) return taking.exchange->Respond(std::move(response));
  std::string detail;
  if (result.status.ok()) {
    JsonWriter(detail).Number(taking.operation.number);
    detail += ", sequence " + std::to_string(result.items.front().sequence);
    if (!taking.operation.reason.empty()) detail += ": " + taking.operation.reason;
  } else {
    detail = result.status.message();
  }
  const std::string_view outcome = !result.status.ok()              ? result.status.reason()
                                   : result.items.front().duplicate ? "duplicate"
                                                                    : "ok";
  RespondAudited(context, taking.exchange,
                 {.action = std::string(taking.act->action),
                  .subject = taking.act->subject,
                  .result = std::string(outcome),
                  .detail = std::move(detail)},
                 std::move(response));
}

void CheckAndConclude(LoopContext& context, const TakingPtr& taking);

void Submit(LoopContext& context, const TakingPtr& taking) {
  store::Submission submission;
  submission.records.push_back({taking->id, taking->record});
  if (query::DependsOnNames(taking->operation.kind)) submission.judged = std::move(taking->judgement);
  submission.done = [&context, taking](store::CommitResult&& result) {
    taking->exchange->loop().Post([&context, taking, result = std::move(result)] {
      if (result.status.reason() == kNamesChanged && ++taking->tries < kTriesMax)
        return CheckAndConclude(context, taking);
      Finish(context, *taking, result);
    });
  };
  const Status queued = context.backend().store->Submit(std::move(submission), store::Wake::kWithOthers);
  context.has_submitted = true;
  if (!queued.ok()) Refuse(context, *taking, queued);
}

// A dry run is judged by what is there: whether its sender may do it is said beside.
Status CheckBy(query::Engine& engine, Taking& taking) {
  const bool is_agents = !taking.is_operators() && !taking.dry_run;
  return engine.Check(taking.operation, taking.id,
                      is_agents ? query::Authority::kAgent : query::Authority::kOperator, taking.judgement);
}

using Next = void (*)(LoopContext& context, const TakingPtr& taking);

// Goes on when the operation may be taken in. A long chain is followed in the slow lane.
void Check(LoopContext& context, const TakingPtr& taking, Next next) {
  const auto go_on = [&context, taking, next](const Status& checked) {
    return checked.ok() ? next(context, taking) : Refuse(context, *taking, checked);
  };
  const Status checked = CheckBy(context.engine(), *taking);
  if (checked.reason() != query::kChainTooLong || context.backend().slow_lane == nullptr)
    return go_on(checked);
  auto work = [taking, go_on](query::Engine* engine, const Status& ready) {
    Status in_lane = ready.ok() ? CheckBy(*engine, *taking) : ready;
    taking->exchange->loop().Post([go_on, in_lane = std::move(in_lane)] { go_on(in_lane); });
  };
  const Status posted = context.backend().slow_lane->Post("check", taking->exchange, std::move(work));
  if (!posted.ok()) Refuse(context, *taking, posted);
}

// It has just been checked.
void Conclude(LoopContext& context, const TakingPtr& taking) {
  if (taking->dry_run) return taking->exchange->Respond(Answer(*taking, nullptr));
  Submit(context, taking);
}

void CheckAndConclude(LoopContext& context, const TakingPtr& taking) { Check(context, taking, Conclude); }

// A retraction whose reach can't be counted is taken in all the same, if that doesn't hang on it; a dry run
// is about nothing else.
void Weigh(LoopContext& context, const TakingPtr& taking, Result<query::Impact> impact) {
  if (!impact && (taking->dry_run || impact.error().reason() != query::kLineageTooLarge))
    return Refuse(context, *taking, impact.error());
  if (impact) {
    taking->impact = std::move(*impact);
  } else {
    taking->impact.emplace().is_cut = true;
  }
  if (!taking->is_operators()) {
    Status reach = query::CheckReach(taking->operation, *taking->impact);
    if (!reach.ok() && !taking->dry_run) return Refuse(context, *taking, reach);
    if (taking->sender_fault.ok()) taking->sender_fault = std::move(reach);
  }
  CheckAndConclude(context, taking);
}

// Comes back to the loop with what the slow lane found.
void LookFurther(LoopContext& context, const TakingPtr& taking) {
  auto work = [&context, taking](query::Engine* engine, const Status& ready) {
    auto impact =
        ready.ok() ? engine->ImpactOf(taking->operation, taking->bounds()) : Result<query::Impact>(ready);
    taking->exchange->loop().Post([&context, taking, impact = std::move(impact)]() mutable {
      Weigh(context, taking, std::move(impact));
    });
  };
  const Status posted = context.backend().slow_lane->Post("retract", taking->exchange, std::move(work));
  if (!posted.ok()) Refuse(context, *taking, posted);
}

void Count(LoopContext& context, const TakingPtr& taking) {
  const bool has_lane = context.backend().slow_lane != nullptr;
  auto impact = context.engine().ImpactOf(taking->operation, has_lane ? kOnLoop : taking->bounds());
  const std::string_view reason = impact ? std::string_view() : impact.error().reason();
  const bool is_too_large =
      impact ? impact->is_cut : reason == query::kLineageTooLarge || reason == query::kHandOverReason;
  if (is_too_large && has_lane) return LookFurther(context, taking);
  Weigh(context, taking, std::move(impact));
}

// Who makes a dry run signs nothing: it is the one who would sign if it is named, and else nobody.
Status SenderFault(LoopContext& context, const Taking& taking) {
  if (taking.is_operators()) return Status::Ok();
  if (!taking.operation.agent_id)
    STEMEDB_RETURN_IF_ERROR(UnsignedClaimsFault(context.backend(), taking.exchange->request()));
  return context.engine().CheckAgent(taking.operation);
}

// It has just been checked.
void TakeChecked(LoopContext& context, const TakingPtr& taking) {
  if (taking->dry_run) taking->sender_fault = SenderFault(context, *taking);
  if (!HasImpact(taking->operation)) return Conclude(context, taking);
  if (IsBySource(taking->operation)) {
    const auto is_registered = context.engine().IsRegisteredSource(taking->operation.name);
    if (!is_registered) return Refuse(context, *taking, is_registered.error());
    taking->is_registered = *is_registered;
  }
  const auto is_repeat = context.engine().IsThere(taking->id);
  if (!is_repeat) return Refuse(context, *taking, is_repeat.error());
  if (!*is_repeat) return Count(context, taking);
  taking->impact.emplace();
  Conclude(context, taking);
}

// A vote of a time to come would shut out all that its agent says until then.
Status CheckTime(const model::Operation& operation, int64_t now_ms) {
  if (*operation.timestamp_ms - now_ms <= kAheadMsMax) return Status::Ok();
  return Status(Code::kOutOfRange, "timestamp_in_future",
                "the " + std::string(NounOf(operation.kind)) + "'s timestamp, " +
                    FormatTime(*operation.timestamp_ms) +
                    ", is more than a day ahead of the server's clock, " + FormatTime(now_ms) +
                    "; give the time at which it is made");
}

// What parsing left to be done: who may speak unsigned, the server's clock, signatures, identity. Everybody
// may have a retraction tried, as everybody may read.
Status Admit(LoopContext& context, const http::Request& request, Taking& taking) {
  model::Operation& operation = taking.operation;
  const bool is_signed = !operation.signatures.empty();
  if (!is_signed && !taking.dry_run && !taking.act)
    STEMEDB_RETURN_IF_ERROR(UnsignedClaimsFault(context.backend(), request));
  const int64_t now_ms = context.backend().clock->NowMs();
  if (!operation.timestamp_ms) operation.timestamp_ms = now_ms;
  STEMEDB_RETURN_IF_ERROR(CheckTime(operation, now_ms));
  std::string canonical;
  model::AppendCanonicalJson(canonical, operation);
  if (is_signed) STEMEDB_RETURN_IF_ERROR(model::VerifySignatures(operation, canonical));
  taking.id = model::IdOf(operation.kind, canonical);
  if (!taking.dry_run) taking.record = model::EncodeOperation(operation, canonical, taking.id);
  return is_signed ? context.rates().PayProven(request, AsView(operation.signatures.front().agent_id))
                   : context.rates().PayUnproven(request);
}

}  // namespace

void TakeOperation(LoopContext& context, http::ExchangePtr exchange, OperationKind kind,
                   std::string_view url_id, std::optional<OperatorsAct> act) {
  const http::Request& request = exchange->request();
  const auto taking = std::make_shared<Taking>();
  taking->exchange = std::move(exchange);
  taking->act = std::move(act);
  const Status parameters = NoParameters(request.query);
  if (!parameters.ok()) return Refuse(context, *taking, parameters);
  const Status priced = context.rates().Reprice(request, 1);
  if (!priced.ok()) return Refuse(context, *taking, priced);
  const model::HeaderSignature header{request.header("x-agent-id"), request.header("x-agent-signature")};
  model::ParsedOperation parsed = context.operation_parser().Parse(
      kind, request.body, request.body.size() + http::kBodyPadding, header, url_id);
  if (!parsed.status.ok()) {
    std::vector<http::FieldError> errors;
    for (model::FieldError& error : parsed.errors)
      errors.push_back({std::move(error.pointer), std::move(error.detail)});
    return Refuse(context, *taking, parsed.status, errors);
  }
  taking->operation = std::move(parsed.operation);
  taking->dry_run = parsed.dry_run;
  taking->operator_fault = AdminFault(context.backend(), request);
  const Status admitted = Admit(context, request, *taking);
  if (!admitted.ok()) return Refuse(context, *taking, admitted);
  Check(context, taking, TakeChecked);
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
