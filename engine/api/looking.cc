// SPDX-License-Identifier: Apache-2.0
#include "api/looking.h"

#include <utility>

#include "api/slow_lane.h"
#include "http/loop.h"

namespace stemedb::api {
namespace {

void Finish(LoopContext& context, http::Exchange& exchange, const Status& status, http::Response&& response) {
  exchange.Respond(status.ok() ? std::move(response) : context.Refusal(exchange.request(), status));
}

}  // namespace

void AnswerLook(LoopContext& context, http::ExchangePtr exchange, Look look) {
  http::Response response;
  const Status looked = look(context.engine(), response.body);
  const bool lacks_room =
      looked.reason() == query::kLineageTooLarge || looked.reason() == query::kHandOverReason;
  if (!lacks_room || context.backend().slow_lane == nullptr)
    return Finish(context, *exchange, looked, std::move(response));
  context.backend().metrics->domain().query_slow_lane_total.Increment();
  auto work = [&context, exchange, look = std::move(look)](query::Engine* engine, const Status& ready) {
    http::Response answer;
    Status status = ready.ok() ? look(*engine, answer.body) : ready;
    exchange->loop().Post(
        [&context, exchange, status = std::move(status), answer = std::move(answer)]() mutable {
          Finish(context, *exchange, status, std::move(answer));
        });
  };
  const Status posted = context.backend().slow_lane->Post("look", exchange, std::move(work));
  if (!posted.ok()) Finish(context, *exchange, posted, {});
}

}  // namespace stemedb::api
