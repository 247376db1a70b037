// SPDX-License-Identifier: Apache-2.0
// Lines are judged when they are whole, so a fault is found at the same line whether the bytes came at once
// or one by one; only sizes are judged before that, so that an endless line can't grow.
#include "http/head_scanner.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "http/ascii.h"

namespace stemedb::http {
namespace {

enum CharClass : uint8_t { kToken = 1, kValue = 2, kTarget = 4, kRegName = 8 };

constexpr std::array<uint8_t, 256> MakeClasses() {
  std::array<uint8_t, 256> classes{};
  auto add = [&](std::string_view chars, uint8_t bit) {
    for (char c : chars) classes[static_cast<unsigned char>(c)] |= bit;
  };
  for (int c = 0; c < 256; ++c) {
    bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (alnum) classes[c] |= kToken | kTarget | kRegName;
    if (c == '\t' || (c >= 0x20 && c != 0x7F)) classes[c] |= kValue;
  }
  add("!#$%&'*+-.^_`|~", kToken);
  add("-._~!$&'()*+,;=:@/?%[]",
      kTarget);  // RFC 3986, and the brackets that many clients leave unencoded in queries
  add("-._~!$&'()*+,;=%", kRegName);  // RFC 3986 §3.2.2
  return classes;
}
constexpr std::array<uint8_t, 256> kClasses = MakeClasses();

bool Is(char c, CharClass wanted) { return (kClasses[static_cast<unsigned char>(c)] & wanted) != 0; }
bool All(std::string_view text, CharClass wanted) {
  return std::all_of(text.begin(), text.end(), [&](char c) { return Is(c, wanted); });
}

constexpr Refusal BadRequest(const char* detail) { return {400, "invalid_request", detail}; }
constexpr Refusal kBadLine = BadRequest("the request line must be: method, blank, target, blank, HTTP/1.1");

Refusal CheckVersion(std::string_view version) {
  auto digit = [&](size_t i) { return version[i] >= '0' && version[i] <= '9'; };
  if (version.size() != 8 || version.substr(0, 5) != "HTTP/" || !digit(5) || version[6] != '.' || !digit(7)) {
    return kBadLine;
  }
  if (version[5] == '1' && version[7] <= '1') return {};
  return {505, "http_version_not_supported", "this server speaks HTTP/1.1 and HTTP/1.0"};
}

Refusal CheckTarget(std::string_view method, std::string_view target) {
  if (!All(target, kTarget))
    return BadRequest("the request target has a character that must be percent-encoded");
  if (target.front() == '/') return {};
  if (target == "*") return method == "OPTIONS" ? Refusal{} : BadRequest("the target * is for OPTIONS alone");
  size_t scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) return BadRequest("the request target must begin with a slash");
  std::string_view scheme = target.substr(0, scheme_end), rest = target.substr(scheme_end + 3);
  if (!EqualsIgnoringCase(scheme, "http") && !EqualsIgnoringCase(scheme, "https")) {
    return BadRequest("the request target's scheme must be http or https");
  }
  std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  if (!IsValidHost(authority)) return BadRequest("the request target's host is not valid");
  return {};
}

}  // namespace

bool IsTokenChar(char c) { return Is(c, kToken); }
bool IsFieldValueChar(char c) { return Is(c, kValue); }

bool IsValidHost(std::string_view host) {
  if (host.empty() || host.size() > 255) return false;
  std::string_view port;
  if (host.front() == '[') {
    size_t end = host.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    std::string_view address = host.substr(1, end - 1);
    if (address.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) return false;
    port = host.substr(end + 1);
    if (!port.empty() && port.front() != ':') return false;
    if (!port.empty()) port.remove_prefix(1);
  } else {
    size_t colon = host.find(':');
    std::string_view name = host.substr(0, colon);
    if (name.empty() || !All(name, kRegName)) return false;
    if (colon != std::string_view::npos) port = host.substr(colon + 1);
  }
  return port.size() <= 5 &&
         std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Refusal CheckFieldLine(char* line, size_t size) {
  if (line[0] == ' ' || line[0] == '\t') return BadRequest("a header field must not be folded over lines");
  size_t colon = 0;
  for (; colon < size && line[colon] != ':'; ++colon) {
    char c = line[colon];
    if (!Is(c, kToken))
      return BadRequest("a header field's name must be a token, directly followed by a colon");
    if (c >= 'A' && c <= 'Z') line[colon] = static_cast<char>(c + 32);
  }
  if (colon == 0 || colon == size) return BadRequest("a header line must be: name, colon, value");
  if (!All({line + colon + 1, size - colon - 1}, kValue)) {
    return BadRequest("a header field's value has a control character");
  }
  return {};
}

HeadScanner::State HeadScanner::Refuse(Refusal refusal) {
  refusal_ = refusal;
  return State::kRefused;
}

Refusal HeadScanner::CheckSize(const PaddedBuffer& head, size_t size) const {
  constexpr size_t kAroundTarget = 32;  // the longest method and the version
  if (!seen_request_line_ && size > limits_->target_bytes_max + kAroundTarget) {
    return {414, "uri_too_long", "the request target is too long; put long questions into a body"};
  }
  if (line_start_ + size > limits_->header_bytes_max || head.size() > limits_->header_bytes_max) {
    return {431, "headers_too_large", "the request's header fields are too large"};
  }
  return {};
}

Refusal HeadScanner::CheckRequestLine(std::string_view line) const {
  size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == 0 || last == first) return kBadLine;
  std::string_view method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, last - first - 1);
  if (!All(method, kToken) || target.empty() || target.find(' ') != std::string_view::npos) return kBadLine;
  if (Refusal refusal = CheckVersion(line.substr(last + 1))) return refusal;
  if (target.size() > limits_->target_bytes_max) {
    return {414, "uri_too_long", "the request target is too long; put long questions into a body"};
  }
  if (!MethodFromName(method)) return {501, "method_not_implemented", "this server doesn't know the method"};
  return CheckTarget(method, target);
}

HeadScanner::State HeadScanner::EndLine(PaddedBuffer& head) {
  size_t size = head.size() - line_start_;
  char* line = head.data() + line_start_;
  if (size < 2 || line[size - 2] != '\r') return Refuse(BadRequest("lines must end in CR LF"));
  size -= 2;
  Refusal refusal;
  if (size == 0) {
    if (seen_request_line_) return State::kComplete;
    if (seen_empty_line_) return Refuse(BadRequest("empty lines before the request line"));
    seen_empty_line_ = true;
    head.Clear();
    return State::kMore;
  }
  if (!seen_request_line_) {
    refusal = CheckRequestLine({line, size});
    seen_request_line_ = true;
  } else if (++field_count_ > limits_->header_count_max) {
    refusal = {431, "headers_too_large", "the request has too many header fields"};
  } else {
    refusal = CheckFieldLine(line, size);
  }
  line_start_ = head.size();
  return refusal ? Refuse(refusal) : State::kMore;
}

HeadScanner::State HeadScanner::Feed(PaddedBuffer& head, const char* bytes, size_t count, size_t& used) {
  used = 0;
  while (used < count) {
    const char* at = bytes + used;
    // Judging the first byte at once answers a TLS handshake on this port without waiting for a line end.
    if (head.size() == 0 && !Is(*at, kToken) && *at != '\r') {
      return Refuse(BadRequest("this is not an HTTP request; the port speaks plain HTTP/1.1"));
    }
    const void* end = std::memchr(at, '\n', count - used);
    size_t size = end ? static_cast<size_t>(static_cast<const char*>(end) - at) + 1 : count - used;
    size_t line_size = head.size() - line_start_ + size;
    if (Refusal refusal = CheckSize(head, line_size)) return Refuse(refusal);
    head.Append(at, size);
    used += size;
    if (end == nullptr) break;
    State state = EndLine(head);
    if (state != State::kMore) return state;
  }
  return State::kMore;
}

}  // namespace stemedb::http
