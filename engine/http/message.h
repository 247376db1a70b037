// SPDX-License-Identifier: Apache-2.0
// What a handler reads and what it answers with: Request and Response as plain values.
//
// A Request is made of views into memory that its Exchange owns: they live exactly as long as an ExchangePtr
// is held. A Response owns what it carries, except content_type, which names static text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace stemedb::http {

struct Route;

enum class Method : uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions };
inline constexpr size_t kMethodCount = 7;

// "GET" and so on.
std::string_view MethodName(Method method);
// Case matters, as RFC 9110 §9.1 has it. Nothing for a method that this server doesn't know.
std::optional<Method> MethodFromName(std::string_view name);

// A field line. Names are in lower case; values carry no blanks around them and may hold any byte but
// controls.
struct Header {
  std::string_view name;
  std::string_view value;
};

inline constexpr size_t kMaxPathParams = 4;
// The bytes after body.data() + body.size() that may be read (they are zero), as fast JSON parsers want.
inline constexpr size_t kBodyPadding = 64;

struct Request {
  Method method = Method::kGet;
  std::string_view target;  // as it was sent
  std::string_view path;    // still percent-encoded, begins with '/'; "*" for OPTIONS *
  std::string_view query;   // without '?', still encoded: see ParseQuery
  std::vector<Header> headers;
  std::string_view body;  // followed by kBodyPadding readable bytes
  // The client's X-Request-Id when that was valid, else one that the server made. Never empty.
  std::string_view request_id;
  // The client's W3C traceparent when that was valid, else empty.
  std::string_view traceparent;
  std::string_view peer_address;  // numeric, without the port
  bool peer_is_loopback = false;
  uint64_t connection = 0;  // a number that no other connection of this process has
  const Route* route =
      nullptr;  // set before OnHeaders and the handler see the request; null for no such path
  // The service's own: what OnHeaders wants the handler and OnAnswer to find. Goes with the request.
  std::shared_ptr<void> note;
  std::array<std::string_view, kMaxPathParams> params;  // percent-decoded, in the order of the template

  // The first value of the field, empty if there is none. `lower_case_name` must be in lower case.
  std::string_view header(std::string_view lower_case_name) const;
  bool has_header(std::string_view lower_case_name) const;
  // The value of "{name}" in the route's template; empty if the template has no such name.
  std::string_view param(std::string_view name) const;
};

inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::string_view kProblemType = "application/problem+json";

struct Response {
  int status = 200;
  std::string_view content_type = kJsonType;  // static text; not sent when the body is empty
  // Date, Content-Length, Connection, X-Request-Id and the CORS fields are the server's own: don't set them.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

using QueryParams = std::vector<std::pair<std::string, std::string>>;

// Reads "a=1&b=two+words": pairs in their order, repeated names kept. '+' is a blank. An invalid escape, a
// NUL or bytes that aren't UTF-8 are kInvalidArgument with reason "invalid_query".
Result<QueryParams> ParseQuery(std::string_view query);

// Decodes %XX into `out` (replacing it); false on an invalid escape, a NUL or bytes that aren't UTF-8.
[[nodiscard]] bool PercentDecode(std::string_view text, std::string& out);

}  // namespace stemedb::http
