// SPDX-License-Identifier: Apache-2.0
#include "query/cursor.h"

#include <array>
#include <span>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/time.h"

namespace stemedb::query {
namespace {

// Of a question without `since`, and of one with it, which has one number more. Behind the numbers stand the
// question and the CRC-32C of all before it.
constexpr std::string_view kVersion = "c4", kVersionWithChanges = "c5";
constexpr size_t kNumbers = 24, kNumbersWithChanges = 32, kEnd = 8;
constexpr size_t kBytesMax = kNumbersWithChanges + kEnd;

uint32_t ChecksumOf(std::string_view version, std::span<const uint8_t> bytes) {
  return Crc32cExtend(Crc32c(AsBytes(version)), bytes);
}

}  // namespace

std::string EncodeCursor(const Cursor& cursor) {
  const std::string_view version = cursor.changes_after ? kVersionWithChanges : kVersion;
  const size_t numbers = cursor.changes_after ? kNumbersWithChanges : kNumbers;
  std::array<uint8_t, kBytesMax> bytes;
  StoreBig64(bytes.data(), cursor.before_sequence);
  StoreBig64(bytes.data() + 8, cursor.as_of_sequence);
  StoreBig64(bytes.data() + 16, static_cast<uint64_t>(cursor.now_ms));
  if (cursor.changes_after) StoreBig64(bytes.data() + kNumbers, *cursor.changes_after);
  StoreLittle(bytes.data() + numbers, cursor.question);
  StoreLittle(bytes.data() + numbers + 4, ChecksumOf(version, std::span(bytes).first(numbers + 4)));
  return std::string(version) + ToHex(std::span(bytes).first(numbers + kEnd));
}

std::optional<Cursor> DecodeCursor(std::string_view text) {
  std::array<uint8_t, kBytesMax> bytes{};
  const bool has_changes = text.starts_with(kVersionWithChanges);
  if (!has_changes && !text.starts_with(kVersion)) return {};
  const size_t numbers = has_changes ? kNumbersWithChanges : kNumbers;
  if (!FromHex(text.substr(kVersion.size()), std::span(bytes).first(numbers + kEnd))) return {};
  const uint32_t checksum = ChecksumOf(text.substr(0, kVersion.size()), std::span(bytes).first(numbers + 4));
  if (LoadLittle<uint32_t>(bytes.data() + numbers + 4) != checksum) return {};
  Cursor cursor{.before_sequence = LoadBig64(bytes.data()),
                .as_of_sequence = LoadBig64(bytes.data() + 8),
                .now_ms = static_cast<int64_t>(LoadBig64(bytes.data() + 16)),
                .changes_after = {},
                .question = LoadLittle<uint32_t>(bytes.data() + numbers)};
  if (has_changes) cursor.changes_after = LoadBig64(bytes.data() + kNumbers);
  if (cursor.now_ms < kTimeMin || cursor.now_ms > kTimeMax) return {};
  return cursor;
}

}  // namespace stemedb::query
