// SPDX-License-Identifier: Apache-2.0
#include "api/asking.h"

#include <optional>
#include <utility>

#include "api/slow_lane.h"
#include "base/bytes.h"
#include "crypto/sha256.h"
#include "http/loop.h"
#include "query/engine.h"
#include "telemetry/stopwatch.h"

namespace stemedb::api {
namespace {

Status Ask(const Asking& asking, query::Engine& engine, std::string& out) {
  return asking.lenses.empty() ? engine.Answer(asking.question, out)
                               : engine.Compare(asking.question, asking.lenses, out);
}

// Whose turn in the slow lane it takes. A comparison's lenses are not to be paid by one of them.
std::string LensOf(const Asking& asking) {
  return asking.lenses.empty() ? asking.question.lens : "lenses/compare";
}

void Finish(LoopContext& context, http::Exchange& exchange, const Asking& asking,
            const telemetry::Stopwatch& began, const query::Account& account, const Status& status,
            http::Response&& response, const std::optional<Hash256>& sha256 = std::nullopt) {
  const double seconds = began.Seconds();
  context.Queries(asking.endpoint).latency_seconds.Observe(seconds);
  context.recorder().Record({exchange.request(), asking.question, asking.lenses, asking.endpoint, seconds},
                            account, status, response.body, sha256);
  if (status.ok()) return exchange.Respond(std::move(response));
  if (status.code() == Code::kDeadlineExceeded)
    context.backend().metrics->domain().query_timeout_total.Increment();
  exchange.Respond(context.Refusal(exchange.request(), status));
}

// Comes back to the loop's thread with the answer.
void HandOver(LoopContext& context, const http::ExchangePtr& exchange,
              const std::shared_ptr<const Asking>& asking, const telemetry::Stopwatch& began) {
  auto work = [&context, exchange, asking, began](query::Engine* engine, const Status& ready) {
    http::Response response;
    Status status = ready.ok() ? Ask(*asking, *engine, response.body) : ready;
    query::Account account = ready.ok() ? engine->account() : query::Account();
    // Here, as the answer may be of megabytes, which the loop's other clients would wait for.
    std::optional<Hash256> sha256;
    if (status.ok() && context.backend().trail != nullptr) sha256 = crypto::Sha256::Of(response.body);
    exchange->loop().Post([&context, exchange, asking, began, account = std::move(account),
                           status = std::move(status), response = std::move(response), sha256]() mutable {
      Finish(context, *exchange, *asking, began, account, status, std::move(response), sha256);
    });
  };
  context.backend().metrics->domain().query_slow_lane_total.Increment();
  const Status posted = context.backend().slow_lane->Post(LensOf(*asking), exchange, std::move(work));
  if (!posted.ok()) Finish(context, *exchange, *asking, began, {}, posted, {});
}

}  // namespace

void AnswerNow(LoopContext& context, const http::ExchangePtr& exchange, const Asking& asking) {
  context.Queries(asking.endpoint).queries.Increment();
  const telemetry::Stopwatch began;
  http::Response response;
  const Status answered = Ask(asking, context.engine(), response.body);
  if (answered.reason() == query::kHandOverReason)
    return HandOver(context, exchange, std::make_shared<const Asking>(asking), began);
  Finish(context, *exchange, asking, began, context.engine().account(), answered, std::move(response));
}

void AnswerInTurn(LoopContext& context, http::ExchangePtr exchange, std::shared_ptr<const Asking> asking) {
  context.Queries(asking->endpoint).queries.Increment();
  context.turns().Run(
      std::move(exchange), [&context, asking = std::move(asking)](const http::ExchangePtr& waiting) {
        const telemetry::Stopwatch began;
        http::Response response;
        const Status answered = Ask(*asking, context.engine(), response.body);
        if (answered.reason() == query::kHandOverReason) return HandOver(context, waiting, asking, began);
        Finish(context, *waiting, *asking, began, context.engine().account(), answered, std::move(response));
      });
}

}  // namespace stemedb::api
