// SPDX-License-Identifier: Apache-2.0
// The JSON object that a question's query string stands for: ?concept_path=a/b&limit=5&params.k=3 is
// {"concept_path":"a/b","limit":5,"params":{"k":3}}. What the fields mean is the question reader's business.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

#include "base/status.h"

namespace stemedb::api {

// kInvalidArgument: "invalid_query" (the escapes are wrong) or "invalid_request" (a parameter is given
// twice).
Result<std::string> QuestionObjectOf(simdjson::dom::parser& parser, std::string_view query);

}  // namespace stemedb::api
