// SPDX-License-Identifier: Apache-2.0
// ResponseWriter: from a Response to bytes on the wire, with all that the server itself has to say: Date,
// framing, Connection, X-Request-Id, CORS, gzip. One for each loop; it keeps the text of the present second's
// date.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/gzip.h"
#include "http/message.h"
#include "http/server.h"

namespace stemedb::http {

// How the peer learns where the body ends.
enum class BodyFraming : uint8_t {
  kLength,
  kChunked,     // the body follows in chunks
  kUntilClose,  // the body follows, and the connection ends with it: HTTP/1.0 knows no chunks
};

// What the answer's form depends on besides the answer itself.
struct AnswerContext {
  std::string_view request_id;
  std::string_view origin;             // the Origin field; empty if there was none
  std::string_view preflight_method;   // Access-Control-Request-Method, for OPTIONS only
  std::string_view preflight_headers;  // Access-Control-Request-Headers, for OPTIONS only
  bool head = false;                   // the body is announced but not sent
  bool http_1_0 = false;
  bool keep_alive = true;
  bool accepts_gzip = false;
  BodyFraming framing = BodyFraming::kLength;
};

class ResponseWriter {
 public:
  // `options` must outlive the writer.
  explicit ResponseWriter(const Options& options);

  // Appends the whole answer to `out`, or, when its body follows, the head. `response` may be changed (its
  // body compressed or completed).
  void Append(std::string& out, Response& response, const AnswerContext& context);

 private:
  std::string_view Date();
  bool OriginAllowed(std::string_view origin) const;
  void AppendCors(std::string& out, const AnswerContext& context) const;
  bool MaybeCompress(Response& response, const AnswerContext& context);

  const Options& options_;
  const bool any_origin_;
  Gzip gzip_;
  std::string compressed_;
  int64_t date_second_ = -1;
  std::string date_;
};

}  // namespace stemedb::http
