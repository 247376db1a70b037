// SPDX-License-Identifier: Apache-2.0
// GET and POST /v1/query, and the lenses that have a path of their own.
#include <memory>
#include <utility>

#include "api/asking.h"
#include "api/query_string.h"
#include "api/question_reader.h"
#include "api/routes.h"

namespace stemedb::api {
namespace {

constexpr size_t kQuestionBodyMax = 64 * 1024;

// How many lenses the answer may take: one that stands in for another is paid before anybody knows whether it
// must.
uint64_t LensesOf(const query::Question& question) {
  return (question.lens.empty() ? 0 : 1) + (question.fallback.empty() ? 0 : 1);
}

// A page of the claims on one concept: some microseconds, so that it needs no turn. What was said about them
// since may take longer to find.
bool IsShort(const query::Question& question) {
  return question.lens.empty() && !question.subtree && !question.since &&
         question.limit <= query::kLimitDefault;
}

void Answer(LoopContext& context, http::ExchangePtr exchange, ReadQuestion read, std::string_view endpoint) {
  const http::Request& request = exchange->request();
  if (!read.status.ok()) return exchange->Respond(context.Refusal(request, read.status, read.errors));
  const Status paid = context.rates().PayFor(request, LensesOf(read.question));
  if (!paid.ok()) return exchange->Respond(context.Refusal(request, paid));
  const bool is_short = IsShort(read.question);
  Asking asking{std::move(read.question), {}, endpoint};
  if (is_short) return AnswerNow(context, exchange, asking);
  AnswerInTurn(context, std::move(exchange), std::make_shared<const Asking>(std::move(asking)));
}

void Query(LoopContext& context, http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  if (request.method == http::Method::kPost) {
    const Status parameters = NoParameters(request.query);
    if (!parameters.ok()) return exchange->Respond(context.Refusal(request, parameters));
  }
  const QuestionForm form;
  ReadQuestion read = request.method == http::Method::kPost
                          ? ReadQuestionJson(context.json_parser(), request.body, form)
                          : ReadQuestionString(context.json_parser(), request.query, form);
  Answer(context, std::move(exchange), std::move(read), "query");
}

void AddLensPath(http::Router& router, LoopContext& context, std::string_view lens) {
  const QuestionForm form{LensField::kFixed, lens};
  router.Add({.path = "/v1/" + std::string(lens),
              .methods = {http::Method::kGet},
              .handler =
                  [&context, form](http::ExchangePtr exchange) {
                    ReadQuestion read =
                        ReadQuestionString(context.json_parser(), exchange->request().query, form);
                    Answer(context, std::move(exchange), std::move(read), form.fixed_lens);
                  },
              .param_names = {}});
}

}  // namespace

void AddQueryRoutes(http::Router& router, LoopContext& context) {
  router.Add({.path = "/v1/query",
              .methods = {http::Method::kGet, http::Method::kPost},
              .handler = [&context](http::ExchangePtr exchange) { Query(context, std::move(exchange)); },
              .max_body_bytes = kQuestionBodyMax,
              .param_names = {}});
  AddLensPath(router, context, "skeptic");
  AddLensPath(router, context, "layered");
  AddLensPath(router, context, "constraints");
}

}  // namespace stemedb::api
