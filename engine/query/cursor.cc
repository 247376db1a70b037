// SPDX-License-Identifier: Apache-2.0
#include "query/cursor.h"

#include <array>

#include "base/bytes.h"

namespace stemedb::query {
namespace {

constexpr std::string_view kVersion = "c1";

}  // namespace

std::string EncodeCursor(const Cursor& cursor) {
  std::array<uint8_t, 16> bytes;
  StoreBig64(bytes.data(), cursor.before_sequence);
  StoreBig64(bytes.data() + 8, cursor.as_of_sequence);
  return std::string(kVersion) + ToHex(bytes);
}

std::optional<Cursor> DecodeCursor(std::string_view text) {
  std::array<uint8_t, 16> bytes;
  if (!text.starts_with(kVersion) || !FromHex(text.substr(kVersion.size()), bytes)) return {};
  return Cursor{LoadBig64(bytes.data()), LoadBig64(bytes.data() + 8)};
}

}  // namespace stemedb::query
