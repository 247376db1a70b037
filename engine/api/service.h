// SPDX-License-Identifier: Apache-2.0
// The two services that the server runs: the API for clients, one for each loop, and the operations service,
// whose own loop answers health and metrics however busy the others are.
#pragma once

#include <string>
#include <vector>

#include "api/backend.h"
#include "http/service.h"

namespace stemedb::api {

// `backend` outlives the services that the factory makes.
http::ServiceFactory ClientServices(Backend& backend);
http::ServiceFactory OperationsServices(Backend& backend);

// "GET /v1/query" for every method and template that ClientServices serve, sorted.
std::vector<std::string> ListRoutes();

}  // namespace stemedb::api
