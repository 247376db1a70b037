// SPDX-License-Identifier: Apache-2.0
// A slow, strict walk over JSON text (RFC 8259) for the documents that simdjson has refused: it says where
// and why, which simdjson's document parser doesn't; it finds the integers beyond 64 bits that a double holds
// all the same; and it cuts an array into its items so that one bad item doesn't spoil the rest. Internal to
// the room.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stemedb::model {

struct JsonProblem {
  bool readable = false;  // the grammar holds, but a number or string can't be kept as it is
  size_t offset = 0;      // byte in the document
  std::string pointer;    // RFC 6901, to the value at fault; set when readable
  std::string detail;
};

struct JsonScan {
  // The first syntax error, else the first value that can't be kept, else nothing.
  std::optional<JsonProblem> problem;
  // Where the integers end that survive as doubles but are beyond 64 bits, in order.
  std::vector<size_t> wide_integer_ends;
};
JsonScan ScanJson(std::string_view json);

// The items of an array as slices of `json`, at most `items_max` + 1 of them. Nothing when it is not an array
// of well-formed items.
std::optional<std::vector<std::string_view>> SplitJsonArray(std::string_view json, size_t items_max);

}  // namespace stemedb::model
