// SPDX-License-Identifier: Apache-2.0
// The one way into JSON text for this room: simdjson's parse of the whole document, and when it refuses, the
// slow walk that says why, or finds that nothing is wrong but an integer too wide for 64 bits. Internal to
// the room.
#pragma once

#include <simdjson.h>

#include <optional>
#include <string_view>

#include "model/json_scan.h"

namespace stemedb::model {

// Nothing, and the document in `root`, which lives until the parser's next use; or what is wrong. Reads in
// place when `capacity` leaves simdjson its padding behind the text.
std::optional<JsonProblem> ParseJson(simdjson::dom::parser& parser, std::string_view json, size_t capacity,
                                     simdjson::dom::element& root);

}  // namespace stemedb::model
