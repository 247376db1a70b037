// SPDX-License-Identifier: Apache-2.0
// GET /v1/assertions/{id}: one assertion with its status.
#include "api/routes.h"

namespace stemedb::api {
namespace {

http::Response Assertion(LoopContext& context, const http::Request& request) {
  Hash256 id;
  if (!FromHex(request.param("id"), id)) {
    const http::FieldError error{"id", "must be an assertion id: 64 lower-case hex digits"};
    return context.Refusal(request, Status(Code::kInvalidArgument, "invalid_request", "id " + error.detail),
                           {&error, 1});
  }
  http::Response response;
  const Status found = context.engine().Assertion(id, response.body);
  return found.ok() ? std::move(response) : context.Refusal(request, found);
}

}  // namespace

void AddAssertionsRoutes(http::Router& router, LoopContext& context) {
  router.Add({.path = "/v1/assertions/{id}",
              .methods = {http::Method::kGet},
              .handler =
                  [&context](http::ExchangePtr exchange) {
                    exchange->Respond(Assertion(context, exchange->request()));
                  },
              .param_names = {}});
}

}  // namespace stemedb::api
