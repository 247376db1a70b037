// SPDX-License-Identifier: Apache-2.0
// UTF-8 by the table of well-formed sequences in the Unicode standard (table 3-7): no overlong forms, no
// surrogates.
#include "script/utf8.h"

#include <cstdint>

namespace stemedb::script {
namespace {

// Length of the well-formed character at the start of `text`, or 0.
size_t CharacterSize(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : uint8_t{0}; };
  const auto tail = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool overlong = lead == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = lead == 0xED && byte(1) >= 0xA0;
    return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool overlong = lead == 0xF0 && byte(1) < 0x90;
    const bool beyond = lead == 0xF4 && byte(1) >= 0x90;
    return tail(1) && tail(2) && tail(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

}  // namespace

void AppendCleanUtf8(std::string& out, std::string_view text, size_t bytes_max) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  constexpr std::string_view kEllipsis = "\xE2\x80\xA6";
  const size_t start = out.size();
  size_t whole = start;  // the longest prefix that leaves room for the ellipsis
  while (!text.empty()) {
    const size_t size = CharacterSize(text);
    const std::string_view piece = size == 0 ? kReplacement : text.substr(0, size);
    if (out.size() - start + piece.size() > bytes_max) {
      out.resize(whole);
      out += kEllipsis;
      return;
    }
    out += piece;
    if (out.size() - start + kEllipsis.size() <= bytes_max) whole = out.size();
    text.remove_prefix(size == 0 ? 1 : size);
  }
}

std::string CleanUtf8(std::string_view text, size_t bytes_max) {
  std::string out;
  AppendCleanUtf8(out, text, bytes_max);
  return out;
}

}  // namespace stemedb::script
