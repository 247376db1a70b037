// SPDX-License-Identifier: Apache-2.0
// GET and POST /v1/query, and the lenses that have a path of their own. A question is answered on the loop
// that got it: at once when it needs no lens, else when its turn comes.
#include "api/query_string.h"
#include "api/question_reader.h"
#include "api/routes.h"
#include "telemetry/stopwatch.h"

namespace stemedb::api {
namespace {

constexpr size_t kQuestionBodyMax = 64 * 1024;

http::Response AnswerTo(LoopContext& context, const http::Request& request, const ReadQuestion& read,
                        std::string_view endpoint) {
  telemetry::QuerySeries& series = context.Queries(endpoint);
  const telemetry::ScopedTimer timer(series.latency_seconds);
  series.queries.Increment();
  http::Response response;
  const Status answered = context.engine().Answer(read.question, response.body);
  if (answered.ok()) return response;
  if (answered.code() == Code::kDeadlineExceeded)
    context.backend().metrics->domain().query_timeout_total.Increment();
  return context.Refusal(request, answered);
}

// How many lenses the answer may take: one that stands in for another is paid before anybody knows whether it
// must.
uint64_t LensesOf(const query::Question& question) {
  return (question.lens.empty() ? 0 : 1) + (question.fallback.empty() ? 0 : 1);
}

void AnswerInTurn(LoopContext& context, http::ExchangePtr exchange, ReadQuestion read,
                  std::string_view endpoint) {
  const http::Request& request = exchange->request();
  if (!read.status.ok()) return exchange->Respond(context.Refusal(request, read.status, read.errors));
  const Status paid = context.rates().PayFor(request, LensesOf(read.question));
  if (!paid.ok()) return exchange->Respond(context.Refusal(request, paid));
  if (read.question.lens.empty()) return exchange->Respond(AnswerTo(context, request, read, endpoint));
  context.turns().Run(std::move(exchange),
                      [&context, read = std::move(read), endpoint](const http::ExchangePtr& waiting) {
                        waiting->Respond(AnswerTo(context, waiting->request(), read, endpoint));
                      });
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
  AnswerInTurn(context, std::move(exchange), std::move(read), "query");
}

void AddLensPath(http::Router& router, LoopContext& context, std::string_view lens) {
  const QuestionForm form{LensField::kFixed, lens};
  router.Add({.path = "/v1/" + std::string(lens),
              .methods = {http::Method::kGet},
              .handler =
                  [&context, form](http::ExchangePtr exchange) {
                    ReadQuestion read =
                        ReadQuestionString(context.json_parser(), exchange->request().query, form);
                    AnswerInTurn(context, std::move(exchange), std::move(read), form.fixed_lens);
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
}

}  // namespace stemedb::api
