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

// For the calls that take no parameters: kInvalidArgument "invalid_request" when there are some. A misspelt
// or misplaced one must not be ignored: `POST /v1/assert?dry_run=true` would store.
Status NoParameters(std::string_view query);

}  // namespace stemedb::api
