// SPDX-License-Identifier: Apache-2.0
#include "query/cursor.h"

#include <array>

#include "base/bytes.h"
#include "base/time.h"

namespace stemedb::query {
namespace {

constexpr std::string_view kVersion = "c2";
constexpr size_t kBytes = 24;

}  // namespace

std::string EncodeCursor(const Cursor& cursor) {
  std::array<uint8_t, kBytes> bytes;
  StoreBig64(bytes.data(), cursor.before_sequence);
  StoreBig64(bytes.data() + 8, cursor.as_of_sequence);
  StoreBig64(bytes.data() + 16, static_cast<uint64_t>(cursor.now_ms));
  return std::string(kVersion) + ToHex(bytes);
}

std::optional<Cursor> DecodeCursor(std::string_view text) {
  std::array<uint8_t, kBytes> bytes;
  if (!text.starts_with(kVersion) || !FromHex(text.substr(kVersion.size()), bytes)) return {};
  const Cursor cursor{LoadBig64(bytes.data()), LoadBig64(bytes.data() + 8),
                      static_cast<int64_t>(LoadBig64(bytes.data() + 16))};
  if (cursor.now_ms < kTimeMin || cursor.now_ms > kTimeMax) return {};
  return cursor;
}

}  // namespace stemedb::query
