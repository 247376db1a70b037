// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <algorithm>

namespace stemedb {
namespace {

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// The digits of four bytes, in order: their nibbles are spread over eight bytes, high before low, and all
// turned into digits at once.
uint64_t HexOfFour(uint32_t bytes) {
  uint64_t spread = bytes;
  spread = (spread | spread << 16) & 0x0000FFFF0000FFFF;
  spread = (spread | spread << 8) & 0x00FF00FF00FF00FF;
  const uint64_t nibbles = (spread >> 4 | spread << 8) & 0x0F0F0F0F0F0F0F0F;
  const uint64_t is_letter = (nibbles + 0x0606060606060606) >> 4 & 0x0101010101010101;
  return nibbles + 0x3030303030303030 + is_letter * ('a' - '0' - 10);
}

}  // namespace

void AppendHex(std::string& out, std::span<const uint8_t> bytes) {
  char text[128];
  while (!bytes.empty()) {
    const size_t count = std::min(bytes.size(), sizeof text / 2);
    size_t i = 0;
    for (; i + 4 <= count; i += 4)
      StoreLittle(text + 2 * i, HexOfFour(LoadLittle<uint32_t>(bytes.data() + i)));
    for (; i < count; ++i) StoreLittle(text + 2 * i, static_cast<uint16_t>(HexOfFour(bytes[i])));
    out.append(text, 2 * count);
    bytes = bytes.subspan(count);
  }
}

std::string ToHex(std::span<const uint8_t> bytes) {
  std::string out;
  AppendHex(out, bytes);
  return out;
}

bool FromHex(std::string_view hex, std::span<uint8_t> out) {
  if (hex.size() != out.size() * 2) return false;
  for (size_t i = 0; i < out.size(); ++i) {
    int high = DigitOf(hex[2 * i]), low = DigitOf(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

}  // namespace stemedb
