// SPDX-License-Identifier: Apache-2.0
// Cursor: where a listing of assertions goes on, and with `since` that of changes as well. It pins the page
// to the moment of the first one, so that pages fit together while writes go on, and belongs to one question.
// Opaque to clients; a checksum tells one that was damaged. Nothing in it is secret, and nothing is taken on
// trust.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stemedb::query {

struct Cursor {
  uint64_t before_sequence = 0;  // assertions with a smaller sequence come next; 0: no more of them
  uint64_t as_of_sequence = 0;   // the moment that the first page was read at,
  int64_t now_ms = 0;            // and the time that it weighed by
  // Of a question with `since`: changes with a larger sequence come next.
  std::optional<uint64_t> changes_after;
  uint32_t question = 0;  // FingerprintOf the one that is listed for (question_key.h)
};

std::string EncodeCursor(const Cursor& cursor);
// Nothing when the text is no cursor of ours.
std::optional<Cursor> DecodeCursor(std::string_view text);

}  // namespace stemedb::query
