// SPDX-License-Identifier: Apache-2.0
// HeadScanner: the strict gate in front of the parser. It takes a request's head line by line, however the
// bytes arrive, and refuses what RFC 9112 forbids and llhttp 8.1 lets through. A head passes when
//   1. every line ends in CRLF, and no CR, LF, NUL or other control byte (but HTAB in values) stands
//   elsewhere;
//   2. at most one empty line comes before the request line;
//   3. the request line is method SP target SP HTTP/1.0 or HTTP/1.1, with single blanks;
//   4. the method is one that this server knows, the target origin-form, absolute-form of http(s) without
//      user information, or "*" for OPTIONS, of the characters that RFC 3986 allows (and [ ]);
//   5. every field line is token ":" value, without a blank before the colon and without folding;
//   6. the limits on target, bytes and count hold.
// What the fields mean together (Host, Content-Length, Transfer-Encoding) is judged by ParseHead.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/padded_buffer.h"
#include "http/server.h"

namespace stemedb::http {

// A refusal: the status and slug to answer with. `code` is null while all is well. Static text.
struct Refusal {
  int status = 0;
  const char* code = nullptr;
  const char* detail = nullptr;
  explicit operator bool() const { return code != nullptr; }
};

// Lower-cases the field's name in place; also judges the trailer fields of a chunked body. `line` is without
// CRLF.
Refusal CheckFieldLine(char* line, size_t size);

// Whether `host` is uri-host [":" port] of RFC 3986, without user information.
bool IsValidHost(std::string_view host);

// RFC 9110 §5.6.2, and what a field's value may hold (§5.5: no control but the tab).
bool IsTokenChar(char c);
bool IsFieldValueChar(char c);

class HeadScanner {
 public:
  enum class State { kMore, kComplete, kRefused };

  // `limits` must outlive the scanner.
  explicit HeadScanner(const Limits& limits) : limits_(&limits) {}

  void Reset() { *this = HeadScanner(*limits_); }

  // Appends bytes to `head` up to the head's end or the first fault and says how many it took in `used`. Once
  // complete, `head` is the head with its final empty line, without leading ones.
  State Feed(PaddedBuffer& head, const char* bytes, size_t count, size_t& used);
  const Refusal& refusal() const { return refusal_; }

 private:
  State Refuse(Refusal refusal);
  // Judges the line that ends at the buffer's end and started at line_start_.
  State EndLine(PaddedBuffer& head);
  // The refusal that `size` more bytes in the present line would deserve.
  Refusal CheckSize(const PaddedBuffer& head, size_t size) const;
  Refusal CheckRequestLine(std::string_view line) const;

  const Limits* limits_;
  Refusal refusal_;
  size_t line_start_ = 0;
  size_t field_count_ = 0;
  bool seen_empty_line_ = false;
  bool seen_request_line_ = false;
};

}  // namespace stemedb::http
