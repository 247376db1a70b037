// SPDX-License-Identifier: Apache-2.0
// GET /v1/assertions/{id}: one assertion with its status.
#include "api/looking.h"
#include "api/routes.h"

namespace stemedb::api {
namespace {

void Assertion(LoopContext& context, http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  Hash256 id;
  if (!FromHex(request.param("id"), id)) {
    const http::FieldError error{"id", "must be an assertion id: 64 lower-case hex digits"};
    return exchange->Respond(context.Refusal(
        request, Status(Code::kInvalidArgument, "invalid_request", "id " + error.detail), {&error, 1}));
  }
  AnswerLook(context, std::move(exchange),
             [id](query::Engine& engine, std::string& out) { return engine.Assertion(id, out); });
}

}  // namespace

void AddAssertionsRoutes(http::Router& router, LoopContext& context) {
  router.Add({.path = "/v1/assertions/{id}",
              .methods = {http::Method::kGet},
              .handler = [&context](http::ExchangePtr exchange) { Assertion(context, std::move(exchange)); },
              .param_names = {}});
}

}  // namespace stemedb::api
