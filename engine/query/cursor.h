// SPDX-License-Identifier: Apache-2.0
// Cursor: where a listing of assertions goes on. It pins the page to the moment of the first one, so that
// pages fit together while writes go on. Opaque to clients.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stemedb::query {

struct Cursor {
  uint64_t before_sequence = 0;  // assertions with a smaller sequence come next
  uint64_t as_of_sequence = 0;   // the moment that the first page was read at,
  int64_t now_ms = 0;            // and the time that it weighed by
};

std::string EncodeCursor(const Cursor& cursor);
// Nothing when the text is no cursor of ours.
std::optional<Cursor> DecodeCursor(std::string_view text);

}  // namespace stemedb::query
