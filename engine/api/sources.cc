// SPDX-License-Identifier: Apache-2.0
// POST /v1/source and /v1/sources: registers a source. GET /v1/sources: lists them. GET and PATCH
// /v1/sources/{id}: one with its content, and a new status for it.
#include "api/list_page.h"
#include "api/looking.h"
#include "api/operations.h"
#include "api/query_string.h"
#include "api/routes.h"

namespace stemedb::api {
namespace {

// A source's content may have 1 MiB, each byte of it up to six in JSON.
constexpr size_t kSourceBodyMax = 8 * 1024 * 1024;

void Sources(LoopContext& context, http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  auto page = ReadListPage(request.query, model::kSourceIdBytesMax);
  if (!page.status.ok()) return exchange->Respond(context.Refusal(request, page.status, page.errors));
  AnswerLook(context, std::move(exchange),
             [after = std::move(page.cursor), limit = page.limit](query::Engine& engine, std::string& out) {
               return engine.Sources(after, limit, out);
             });
}

http::Response Source(LoopContext& context, const http::Request& request) {
  const Status parameters = NoParameters(request.query);
  if (!parameters.ok()) return context.Refusal(request, parameters);
  http::Response response;
  const Status found = context.engine().Source(request.param("id"), response.body);
  return found.ok() ? std::move(response) : context.Refusal(request, found);
}

}  // namespace

void AddSourcesRoutes(http::Router& router, LoopContext& context) {
  AddOperationRoute(router, context, "/v1/source", model::OperationKind::kSource, kSourceBodyMax);
  router.Add({.path = "/v1/sources",
              .methods = {http::Method::kGet, http::Method::kPost},
              .handler =
                  [&context](http::ExchangePtr exchange) {
                    if (exchange->request().method == http::Method::kPost)
                      return TakeOperation(context, std::move(exchange), model::OperationKind::kSource);
                    Sources(context, std::move(exchange));
                  },
              .max_body_bytes = kSourceBodyMax,
              .param_names = {}});
  router.Add({.path = "/v1/sources/{id}",
              .methods = {http::Method::kGet, http::Method::kPatch},
              .handler =
                  [&context](http::ExchangePtr exchange) {
                    const std::string id(exchange->request().param("id"));
                    if (exchange->request().method == http::Method::kPatch)
                      return TakeOperation(context, std::move(exchange), model::OperationKind::kSourceStatus,
                                           id);
                    exchange->Respond(Source(context, exchange->request()));
                  },
              .max_body_bytes = kOperationBodyMax,
              .param_names = {}});
}

}  // namespace stemedb::api
