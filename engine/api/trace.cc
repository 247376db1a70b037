// SPDX-License-Identifier: Apache-2.0
// GET /v1/trace/{id}: where a claim comes from and what was said about it. GET /v1/feed: what came in last.
#include <charconv>

#include "api/list_page.h"
#include "api/looking.h"
#include "api/query_string.h"
#include "api/routes.h"

namespace stemedb::api {
namespace {

void Trace(LoopContext& context, http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  const Status parameters = NoParameters(request.query);
  if (!parameters.ok()) return exchange->Respond(context.Refusal(request, parameters));
  Hash256 id;
  if (!FromHex(request.param("id"), id)) {
    const http::FieldError error{"id", "must be an assertion id: 64 lower-case hex digits"};
    return exchange->Respond(context.Refusal(
        request, Status(Code::kInvalidArgument, "invalid_request", "id " + error.detail), {&error, 1}));
  }
  AnswerLook(context, std::move(exchange),
             [id](query::Engine& engine, std::string& out) { return engine.Trace(id, out); });
}

void Feed(LoopContext& context, http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  constexpr size_t kDigitsMax = 20;
  ListPage page = ReadListPage(request.query, kDigitsMax);
  uint64_t before = UINT64_MAX;
  if (page.status.ok() && !page.cursor.empty()) {
    const char* end = page.cursor.data() + page.cursor.size();
    const auto [stop, error] = std::from_chars(page.cursor.data(), end, before);
    if (error != std::errc() || stop != end) {
      page.errors.push_back({"cursor", "must be the next_cursor of an earlier page"});
      page.status = Status(Code::kInvalidArgument, "invalid_request", "cursor " + page.errors.back().detail);
    }
  }
  if (!page.status.ok()) return exchange->Respond(context.Refusal(request, page.status, page.errors));
  AnswerLook(context, std::move(exchange),
             [before, limit = page.limit](query::Engine& engine, std::string& out) {
               return engine.Feed(before, limit, out);
             });
}

}  // namespace

void AddTraceRoutes(http::Router& router, LoopContext& context) {
  router.Add({.path = "/v1/trace/{id}",
              .methods = {http::Method::kGet},
              .handler = [&context](http::ExchangePtr exchange) { Trace(context, std::move(exchange)); },
              .param_names = {}});
  router.Add({.path = "/v1/feed",
              .methods = {http::Method::kGet},
              .handler = [&context](http::ExchangePtr exchange) { Feed(context, std::move(exchange)); },
              .param_names = {}});
}

}  // namespace stemedb::api
