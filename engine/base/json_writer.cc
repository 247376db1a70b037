// SPDX-License-Identifier: Apache-2.0
#include "base/json_writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/bytes.h"
#include "base/check.h"
#include "base/time.h"

namespace stemedb {

namespace {

constexpr uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;

// Whether one of eight bytes must be escaped: below 0x20, a quote or a backslash. (A byte of 0x80 or more
// never must; it may be reported beside one that must, which costs a second look and no more.)
bool AnyEscape(uint64_t eight) {
  const uint64_t quote = eight ^ (kOnes * '"'), backslash = eight ^ (kOnes * '\\');
  const uint64_t below_space = eight - kOnes * 0x20;
  return (((below_space & ~eight) | ((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash)) &
          kHighs) != 0;
}

// The first byte from `at` on that must be escaped; text.size() when there is none.
size_t FindEscape(std::string_view text, size_t at) {
  while (at + 8 <= text.size() && !AnyEscape(LoadLittle<uint64_t>(text.data() + at))) at += 8;
  for (; at < text.size(); ++at) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c < 0x20 || c == '"' || c == '\\') break;
  }
  return at;
}

void AppendEscaped(std::string& out, unsigned char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  out.push_back('\\');
  switch (c) {
    case '"':
    case '\\':
      out.push_back(static_cast<char>(c));
      break;
    case '\b':
      out.push_back('b');
      break;
    case '\f':
      out.push_back('f');
      break;
    case '\n':
      out.push_back('n');
      break;
    case '\r':
      out.push_back('r');
      break;
    case '\t':
      out.push_back('t');
      break;
    default:
      out.append("u00");
      out.push_back(kHex[c >> 4]);
      out.push_back(kHex[c & 15]);
  }
}

}  // namespace

void AppendJsonString(std::string& out, std::string_view text) {
  out.push_back('"');
  size_t plain = 0;
  for (size_t at = FindEscape(text, 0); at < text.size(); at = FindEscape(text, plain)) {
    out.append(text, plain, at - plain);
    AppendEscaped(out, static_cast<unsigned char>(text[at]));
    plain = at + 1;
  }
  out.append(text, plain);
  out.push_back('"');
}

void AppendJsonNumber(std::string& out, double value) {
  STEMEDB_CHECK(std::isfinite(value));
  if (value == 0) {
    out.push_back('0');
    return;
  }
  if (value < 0) {
    out.push_back('-');
    value = -value;
  }
  // Shortest digits d1d2…dk and exponent n, so that value = 0.d1…dk × 10^n (the k and n of
  // ECMA-262 6.1.6.1.20).
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
  std::string_view all(text, static_cast<size_t>(end - text));
  const size_t mark = all.find('e');
  int exponent = 0;
  std::string_view exponent_text = all.substr(mark + 1);
  if (exponent_text.front() == '+') exponent_text.remove_prefix(1);
  std::from_chars(exponent_text.data(), exponent_text.data() + exponent_text.size(), exponent);
  char digits[24];
  int k = 0;
  for (char c : all.substr(0, mark)) {
    if (c != '.') digits[k++] = c;
  }
  const int n = exponent + 1;
  if (k <= n && n <= 21) {
    out.append(digits, static_cast<size_t>(k));
    out.append(static_cast<size_t>(n - k), '0');
  } else if (0 < n && n <= 21) {
    out.append(digits, static_cast<size_t>(n));
    out.push_back('.');
    out.append(digits + n, static_cast<size_t>(k - n));
  } else if (-6 < n && n <= 0) {
    out.append("0.");
    out.append(static_cast<size_t>(-n), '0');
    out.append(digits, static_cast<size_t>(k));
  } else {
    out.push_back(digits[0]);
    if (k > 1) {
      out.push_back('.');
      out.append(digits + 1, static_cast<size_t>(k - 1));
    }
    out.push_back('e');
    out.push_back(exponent < 0 ? '-' : '+');
    out.append(std::to_string(exponent < 0 ? -exponent : exponent));
  }
}

void JsonWriter::Separate() {
  if (!first_) out_.push_back(',');
  first_ = false;
}

void JsonWriter::Open(char c) {
  Separate();
  out_.push_back(c);
  first_ = true;
}

void JsonWriter::Close(char c) {
  out_.push_back(c);
  first_ = false;
}

void JsonWriter::Key(std::string_view name) {
  // One append for comma, quotes and name: keys are most of what an answer is made of.
  char text[64];
  if (name.size() > sizeof text - 4) {
    Separate();
    out_.append("\"").append(name).append("\":");
  } else {
    char* to = text;
    if (!first_) *to++ = ',';
    *to++ = '"';
    to = std::copy(name.begin(), name.end(), to);
    *to++ = '"';
    *to++ = ':';
    out_.append(text, static_cast<size_t>(to - text));
  }
  first_ = true;  // the value that follows stands alone
}

void JsonWriter::Hex(std::span<const uint8_t> bytes) {
  Separate();
  out_.push_back('"');
  AppendHex(out_, bytes);
  out_.push_back('"');
}

void JsonWriter::String(std::string_view text) {
  Separate();
  AppendJsonString(out_, text);
}

void JsonWriter::Number(double value) {
  Separate();
  AppendJsonNumber(out_, value);
}

void JsonWriter::Integer(int64_t value) {
  Separate();
  char text[24];
  out_.append(text, static_cast<size_t>(std::to_chars(text, text + sizeof text, value).ptr - text));
}

void JsonWriter::Unsigned(uint64_t value) {
  Separate();
  char text[24];
  out_.append(text, static_cast<size_t>(std::to_chars(text, text + sizeof text, value).ptr - text));
}

void JsonWriter::Bool(bool value) { Raw(value ? "true" : "false"); }

void JsonWriter::Null() { Raw("null"); }

void JsonWriter::Time(int64_t time_ms) {
  Separate();
  out_.push_back('"');
  AppendTime(out_, time_ms);
  out_.push_back('"');
}

void JsonWriter::Raw(std::string_view json) {
  Separate();
  out_.append(json);
}

}  // namespace stemedb
