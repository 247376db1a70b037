// SPDX-License-Identifier: Apache-2.0
// Bytes: fixed-width integers in either byte order, and lower-case hex. Every on-disk format is
// little-endian; index keys are big-endian, so that their byte order is their numeric order.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace stemedb {

using Hash256 = std::array<uint8_t, 32>;

static_assert(std::endian::native == std::endian::little, "the on-disk formats are read in place");

template <typename T>
T LoadLittle(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <typename T>
void StoreLittle(void* to, T value) {
  std::memcpy(to, &value, sizeof value);
}
inline uint64_t LoadBig64(const void* from) { return __builtin_bswap64(LoadLittle<uint64_t>(from)); }
inline void StoreBig64(void* to, uint64_t value) { StoreLittle(to, __builtin_bswap64(value)); }

inline std::string_view AsView(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::span<const uint8_t> AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Lower-case hex, two digits for each byte.
std::string ToHex(std::span<const uint8_t> bytes);
void AppendHex(std::string& out, std::span<const uint8_t> bytes);
// Reads exactly out.size() bytes; false when the length or a digit is wrong. Upper-case digits are refused:
// one spelling for each value keeps ids comparable as text.
[[nodiscard]] bool FromHex(std::string_view hex, std::span<uint8_t> out);

}  // namespace stemedb
