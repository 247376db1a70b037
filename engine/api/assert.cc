// SPDX-License-Identifier: Apache-2.0
// POST /v1/assert and /v1/assertions: one claim. The loop parses, verifies and encodes; the commit thread
// makes it durable and calls back; the answer is written on the loop again.
#include <span>
#include <string_view>
#include <vector>

#include "api/claim_intake.h"
#include "api/query_string.h"
#include "api/routes.h"
#include "api/stored_claims.h"
#include "http/loop.h"

namespace stemedb::api {
namespace {

constexpr size_t kClaimBodyMax =
    1024 * 1024;  // value 64 KiB and metadata 4 KiB, at six bytes for each escaped one

// A new claim is reached by nothing but a retraction of its source, and by what it rests on.
bool MayBeReached(const model::ClaimView& claim) {
  return claim.derived_from_count() > 0 || !claim.source_id().empty();
}

http::Response StoredResponse(LoopContext& context, const Hash256& id, const store::CommitResult& result,
                              bool may_be_reached) {
  const store::ItemResult& item = result.items.front();
  std::vector<std::string_view> statuses;
  if (result.has_operations && (item.duplicate || may_be_reached))
    AppendStatusesNow(context, {&item, 1}, statuses);
  http::Response response;
  response.status = item.duplicate ? 200 : 201;
  if (!item.duplicate) response.headers.emplace_back("Location", "/v1/assertions/" + ToHex(id));
  AppendStored(response.body, std::nullopt, id, item,
               statuses.empty() ? std::string_view() : statuses.front());
  return response;
}

void Commit(LoopContext& context, http::ExchangePtr exchange, store::PreparedRecord claim) {
  const Hash256 id = claim.id;
  const bool may_be_reached = MayBeReached(model::ClaimView::Trusted(claim.record));
  store::Submission submission;
  submission.records.push_back(std::move(claim));
  submission.done = [&context, exchange, id, may_be_reached](store::CommitResult&& result) {
    // When the loop has ended nobody waits for the answer any more.
    exchange->loop().Post([&context, exchange, id, may_be_reached, result = std::move(result)] {
      exchange->Respond(result.status.ok() ? StoredResponse(context, id, result, may_be_reached)
                                           : context.Refusal(exchange->request(), result.status));
    });
  };
  const Status queued = context.backend().store->Submit(std::move(submission), store::Wake::kWithOthers);
  context.has_submitted = true;
  if (!queued.ok()) exchange->Respond(context.Refusal(exchange->request(), queued));
}

void Assert(LoopContext& context, http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  const Status parameters = NoParameters(request.query);
  const auto refuse = [&](const Status& status, std::span<const http::FieldError> errors = {}) {
    exchange->Respond(context.Refusal(request, status, errors));
  };
  if (!parameters.ok()) return refuse(parameters);
  const Status priced = context.rates().Reprice(request, 1);
  if (!priced.ok()) return refuse(priced);
  const model::HeaderSignature header{request.header("x-agent-id"), request.header("x-agent-signature")};
  Intake intake =
      Admit(context.claim_parser().ParseClaim(request.body, request.body.size() + http::kBodyPadding, header),
            UnsignedClaimsFault(context.backend(), request), context.backend().clock->NowMs());
  if (!intake.status.ok()) return refuse(intake.status, intake.errors);
  const Status paid = intake.signer ? context.rates().PayProven(request, AsView(*intake.signer))
                                    : context.rates().PayUnproven(request);
  if (!paid.ok()) return refuse(paid);
  Commit(context, std::move(exchange), std::move(intake.claim));
}

}  // namespace

void AddAssertRoutes(http::Router& router, LoopContext& context) {
  for (const char* path : {"/v1/assert", "/v1/assertions"}) {
    router.Add({.path = path,
                .methods = {http::Method::kPost},
                .handler = [&context](http::ExchangePtr exchange) { Assert(context, std::move(exchange)); },
                .max_body_bytes = kClaimBodyMax,
                .param_names = {}});
  }
}

}  // namespace stemedb::api
