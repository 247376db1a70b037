// SPDX-License-Identifier: Apache-2.0
// Look-ups in a request and the decoding of what clients put into targets. Decoding is strict: a target that
// two programs could read differently is refused rather than repaired.
#include "http/message.h"

#include <algorithm>

#include "http/ascii.h"
#include "http/router.h"

namespace stemedb::http {
namespace {

constexpr std::array<std::string_view, kMethodCount> kMethodNames = {"GET",   "HEAD",   "POST",   "PUT",
                                                                     "PATCH", "DELETE", "OPTIONS"};

// The length of the well-formed UTF-8 sequence at text[at], 0 if there is none (RFC 3629: no surrogates,
// nothing over-long, nothing above U+10FFFF).
size_t SequenceLength(std::string_view text, size_t at) {
  auto byte = [&](size_t i) -> unsigned { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0; };
  auto continues = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  unsigned first = byte(at), second = byte(at + 1);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(at + 1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    bool in_range = (first != 0xE0 || second >= 0xA0) && (first != 0xED || second < 0xA0);
    return in_range && continues(at + 1) && continues(at + 2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    bool in_range = (first != 0xF0 || second >= 0x90) && (first != 0xF4 || second < 0x90);
    return in_range && continues(at + 1) && continues(at + 2) && continues(at + 3) ? 4 : 0;
  }
  return 0;
}

bool IsUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    size_t length = SequenceLength(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

enum class Plus { kLiteral, kBlank };

bool Decode(std::string_view text, Plus plus, std::string& out) {
  out.clear();
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return false;
      int high = HexValue(text[i + 1]), low = HexValue(text[i + 2]);
      if (high < 0 || low < 0 || (high | low) == 0) return false;
      c = static_cast<char>(high << 4 | low);
      i += 2;
    } else if (c == '\0') {
      return false;
    } else if (c == '+' && plus == Plus::kBlank) {
      c = ' ';
    }
    out.push_back(c);
  }
  return IsUtf8(out);
}

Status InvalidQuery(std::string_view piece) {
  // The piece may hold anything; only what is plain ASCII is safe to repeat.
  std::string shown(piece.substr(0, 60));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < 0x20 || c > 0x7E; }, '?');
  return Status(
      Code::kInvalidArgument, "invalid_query",
      "query string: '" + shown + "' is not valid percent-encoded UTF-8; write %25 for a percent sign");
}

}  // namespace

std::string_view MethodName(Method method) { return kMethodNames[static_cast<size_t>(method)]; }

std::optional<Method> MethodFromName(std::string_view name) {
  for (size_t i = 0; i < kMethodCount; ++i) {
    if (kMethodNames[i] == name) return static_cast<Method>(i);
  }
  return std::nullopt;
}

std::string_view Request::header(std::string_view lower_case_name) const {
  for (const Header& header : headers) {
    if (header.name == lower_case_name) return header.value;
  }
  return {};
}

bool Request::has_header(std::string_view lower_case_name) const {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const Header& header) { return header.name == lower_case_name; });
}

std::string_view Request::param(std::string_view name) const {
  if (route == nullptr) return {};
  for (size_t i = 0; i < route->param_names.size(); ++i) {
    if (route->param_names[i] == name) return params[i];
  }
  return {};
}

bool PercentDecode(std::string_view text, std::string& out) { return Decode(text, Plus::kLiteral, out); }

Result<QueryParams> ParseQuery(std::string_view query) {
  QueryParams pairs;
  while (!query.empty()) {
    std::string_view piece = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), piece.size() + 1));
    if (piece.empty()) continue;
    size_t equals = std::min(piece.find('='), piece.size());
    auto& [name, value] = pairs.emplace_back();
    if (!Decode(piece.substr(0, equals), Plus::kBlank, name)) return InvalidQuery(piece);
    if (equals < piece.size() && !Decode(piece.substr(equals + 1), Plus::kBlank, value))
      return InvalidQuery(piece);
  }
  return pairs;
}

}  // namespace stemedb::http
