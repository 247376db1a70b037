// SPDX-License-Identifier: Apache-2.0
// A log is read by terminals, by grep and by collectors that split at line ends; each has bytes that mean
// something to it. So this file lets through what is surely text and writes all else as visible escapes.
#include "telemetry/log_text.h"

#include <algorithm>
#include <cstdint>

namespace stemedb::telemetry {
namespace {

struct Char {
  uint32_t code = 0;
  size_t width = 0;  // bytes; 0 = not valid UTF-8
};

bool IsContinuation(std::string_view text, size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
}

// Decodes one character by the table of Unicode 15 §3.9 D92: no overlong forms, no surrogates, none past
// U+10FFFF.
Char Decode(std::string_view text, size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) return {lead, 1};
  const size_t width = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) return {};
  uint32_t code = lead & (0x7fU >> width);
  for (size_t i = 1; i < width; ++i) {
    if (!IsContinuation(text, at + i)) return {};
    code = code << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3f);
  }
  const bool overlong = (width == 3 && code < 0x800) || (width == 4 && code < 0x10000);
  if (overlong || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, width};
}

// What may change how a reader sees the line: controls, line separators, direction marks.
bool IsDeceptive(uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
         (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

void AppendEscape(std::string& out, unsigned char byte) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (byte) {
    case '\n':
      out.append("\\n");
      return;
    case '\r':
      out.append("\\r");
      return;
    case '\t':
      out.append("\\t");
      return;
    default:
      out.append("\\x").push_back(kHex[byte >> 4]), out.push_back(kHex[byte & 15]);
  }
}

std::string_view Cut(std::string_view text) { return text.substr(0, kLogTextBytesMax); }

void AppendEscaped(std::string& out, std::string_view text, std::string_view also) {
  const std::string_view kept = Cut(text);
  for (size_t at = 0; at < kept.size();) {
    const Char c = Decode(kept, at);
    const size_t width = std::max<size_t>(c.width, 1);
    if (c.width == 0 || IsDeceptive(c.code)) {
      for (size_t i = 0; i < width; ++i) AppendEscape(out, static_cast<unsigned char>(kept[at + i]));
    } else {
      if (also.find(kept[at]) != std::string_view::npos) out.push_back('\\');
      out.append(kept, at, width);
    }
    at += width;
  }
  if (kept.size() < text.size()) out.append("...");
}

bool IsPlainWord(std::string_view text) {
  return !text.empty() && text.size() <= kLogTextBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("._:/@+-*%,").find(c) != std::string_view::npos;
         });
}

}  // namespace

void AppendVisible(std::string& out, std::string_view text) { AppendEscaped(out, text, ""); }

void AppendLogValue(std::string& out, std::string_view text) {
  if (IsPlainWord(text)) {
    out.append(text);
    return;
  }
  out.push_back('"');
  AppendEscaped(out, text, "\"\\");
  out.push_back('"');
}

std::string ToValidUtf8(std::string_view text) {
  const std::string_view kept = Cut(text);
  std::string out;
  for (size_t at = 0; at < kept.size();) {
    const Char c = Decode(kept, at);
    if (c.width == 0) {
      out.append("\xef\xbf\xbd");
    } else {
      out.append(kept, at, c.width);
    }
    at += std::max<size_t>(c.width, 1);
  }
  if (kept.size() < text.size()) out.append("...");
  return out;
}

}  // namespace stemedb::telemetry
