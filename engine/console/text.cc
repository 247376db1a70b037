// SPDX-License-Identifier: Apache-2.0
#include "console/text.h"

#include <langinfo.h>

#include <clocale>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <cwchar>

namespace stemedb::console {
namespace {

struct Character {
  char32_t code = 0;
  size_t bytes = 1;
  bool is_valid = false;
};

// The character that the text begins with; one invalid byte when it begins with none.
Character First(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return {lead, 1, false};
  char32_t code = lead & (0xFF >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {lead, 1, false};
    code = code << 6 | (byte(i) & 0x3F);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xD800 && code < 0xE000;
  return code < kSmallest[size] || is_surrogate || code > 0x10FFFF ? Character{lead, 1, false}
                                                                   : Character{code, size, true};
}

int ColumnsOf(char32_t code) { return ::wcwidth(static_cast<wchar_t>(code)); }

// Has no look of its own, or changes that of others: not to be sent to a terminal as it is.
bool IsHidden(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0xAD || (code >= 0x200B && code <= 0x200F) ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF ||
         (code >= 0xE0000 && code <= 0xE007F) || ColumnsOf(code) < 0;
}

void AppendEscaped(std::string& out, const Character& character) {
  char text[16];
  const auto code = static_cast<unsigned>(character.code);
  if (character.is_valid && code >= 0x80) {
    std::snprintf(text, sizeof text, "\\u{%x}", code);
  } else if (code == '\n' || code == '\t' || code == '\r') {
    std::snprintf(text, sizeof text, "\\%c", code == '\n' ? 'n' : code == '\t' ? 't' : 'r');
  } else {
    std::snprintf(text, sizeof text, "\\x%02x", code);
  }
  out += text;
}

}  // namespace

void UseUtf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::strcmp(::nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

std::string Visible(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character character = First(text);
    if (character.is_valid && !IsHidden(character.code)) {
      out.append(text.substr(0, character.bytes));
    } else {
      AppendEscaped(out, character);
    }
    text.remove_prefix(character.bytes);
  }
  return out;
}

size_t WidthOf(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const Character character = First(text);
    const int columns = character.is_valid ? ColumnsOf(character.code) : 1;
    width += columns > 0 ? static_cast<size_t>(columns) : 0;
    text.remove_prefix(character.bytes);
  }
  return width;
}

std::string Shorten(std::string_view text, size_t width) {
  if (WidthOf(text) <= width) return std::string(text);
  if (width == 0) return "";
  size_t used = 0, end = 0;
  while (end < text.size()) {
    const Character character = First(text.substr(end));
    const int columns = character.is_valid ? ColumnsOf(character.code) : 1;
    if (used + static_cast<size_t>(columns > 0 ? columns : 0) > width - 1) break;
    used += columns > 0 ? static_cast<size_t>(columns) : 0;
    end += character.bytes;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string ShortenFront(std::string_view text, size_t width) {
  size_t left = WidthOf(text);
  if (left <= width) return std::string(text);
  if (width == 0) return "";
  while (left > width - 1) {
    const size_t bytes = First(text).bytes;
    left -= WidthOf(text.substr(0, bytes));
    text.remove_prefix(bytes);
  }
  return "…" + std::string(text);
}

std::string Fit(std::string_view text, size_t width, Align align) {
  std::string fitting = Shorten(text, width);
  const std::string blanks(width - WidthOf(fitting), ' ');
  return align == Align::kLeft ? fitting + blanks : blanks + fitting;
}

}  // namespace stemedb::console
