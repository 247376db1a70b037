// SPDX-License-Identifier: Apache-2.0
// Parts of JSON values as cells and words. Internal to the room.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

#include "console/table.h"

namespace stemedb::console {

using simdjson::dom::element;

// The member, or an element of type null when there is none.
element Member(element object, std::string_view name);
bool Has(element object, std::string_view name);
// Text as it is, a reference as "→ path", numbers as written, anything else as compact JSON; nothing for null.
std::string TextOf(element value);
std::string TextOf(element object, std::string_view name);
double NumberOf(element object, std::string_view name);
// A few digits, for shares and weights.
std::string Rounded(double number);
Cell CellOf(element value);
Cell CellOf(element object, std::string_view name);
// Of a number between 0 and 1, or a weight.
Cell RoundedCell(element object, std::string_view name);
// The first digits of an id or hash.
std::string ShortHash(std::string_view hex);
// "2026-01-01 00:00:00" of RFC 3339, without fraction when that is 0.
std::string ShortTime(std::string_view time);

}  // namespace stemedb::console
