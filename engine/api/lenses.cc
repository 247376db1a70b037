// SPDX-License-Identifier: Apache-2.0
// GET /v1/lenses: what there is. POST /v1/lenses/compare: one question through several lenses.
#include <memory>
#include <utility>

#include "api/asking.h"
#include "api/query_string.h"
#include "api/question_reader.h"
#include "api/routes.h"

namespace stemedb::api {
namespace {

constexpr size_t kCompareBodyMax = 64 * 1024;

http::Response Lenses(LoopContext& context, const http::Request& request) {
  const Status parameters = NoParameters(request.query);
  if (!parameters.ok()) return context.Refusal(request, parameters);
  http::Response response;
  context.engine().Lenses(response.body);
  return response;
}

void Compare(LoopContext& context, http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  const Status parameters = NoParameters(request.query);
  if (!parameters.ok()) return exchange->Respond(context.Refusal(request, parameters));
  ReadQuestion read = ReadQuestionJson(context.json_parser(), request.body,
                                       {.lens_field = LensField::kList, .fixed_lens = {}});
  if (!read.status.ok()) return exchange->Respond(context.Refusal(request, read.status, read.errors));
  const Status paid = context.rates().PayFor(request, read.lenses.size());
  if (!paid.ok()) return exchange->Respond(context.Refusal(request, paid));
  AnswerInTurn(
      context, std::move(exchange),
      std::make_shared<const Asking>(Asking{std::move(read.question), std::move(read.lenses), "compare"}));
}

}  // namespace

void AddLensesRoutes(http::Router& router, LoopContext& context) {
  router.Add({.path = "/v1/lenses",
              .methods = {http::Method::kGet},
              .handler =
                  [&context](http::ExchangePtr exchange) {
                    exchange->Respond(Lenses(context, exchange->request()));
                  },
              .param_names = {}});
  router.Add({.path = "/v1/lenses/compare",
              .methods = {http::Method::kPost},
              .handler = [&context](http::ExchangePtr exchange) { Compare(context, std::move(exchange)); },
              .max_body_bytes = kCompareBodyMax,
              .param_names = {}});
}

}  // namespace stemedb::api
