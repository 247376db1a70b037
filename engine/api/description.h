// SPDX-License-Identifier: Apache-2.0
// The API's OpenAPI document as JSON text: made from docs/openapi.yaml by scripts/dev/openapi_to_cc.py at
// build time.
#pragma once

#include <string_view>

namespace stemedb::api {
extern const std::string_view kOpenApiJson;
}  // namespace stemedb::api
