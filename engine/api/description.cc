// SPDX-License-Identifier: Apache-2.0
// GET /api-doc/openapi.json: docs/openapi.yaml as JSON, built into the program so that server and document
// can't part.
#include "api/description.h"

#include "api/routes.h"

namespace stemedb::api {

void AddDescriptionRoutes(http::Router& router, LoopContext&) {
  router.Add({.path = "/api-doc/openapi.json",
              .methods = {http::Method::kGet},
              .handler =
                  [](http::ExchangePtr exchange) {
                    http::Response response;
                    response.body = kOpenApiJson;
                    exchange->Respond(std::move(response));
                  },
              .param_names = {}});
}

}  // namespace stemedb::api
