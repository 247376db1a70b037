// SPDX-License-Identifier: Apache-2.0
// Fields that come from a handler are cleaned of control bytes here, in the one place where all pass: a value
// taken from a request must not be able to end a line.
#include "http/response_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "base/json_writer.h"
#include "http/problem.h"

namespace stemedb::http {
namespace {

void AppendNumber(std::string& out, uint64_t value) {
  std::array<char, 20> digits;
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

void AppendField(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void AppendCleaned(std::string& out, std::string_view text) {
  for (char c : text) out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c);
}

void AppendStatusLine(std::string& out, int status) {
  if (status == 200) {
    out.append("HTTP/1.1 200 OK\r\n");
    return;
  }
  out.append("HTTP/1.1 ");
  AppendNumber(out, static_cast<uint64_t>(status));
  out.append(" ").append(StatusPhrase(status)).append("\r\n");
}

bool HasNoBody(int status) { return status < 200 || status == 204 || status == 304; }

bool IsCompressible(std::string_view type) {
  return type.substr(0, 5) == "text/" || type.find("json") != std::string_view::npos ||
         type.find("text") != std::string_view::npos || type.find("yaml") != std::string_view::npos ||
         type.find("javascript") != std::string_view::npos || type.find("svg") != std::string_view::npos;
}

bool HasField(const Response& response, std::string_view name) {
  return std::any_of(response.headers.begin(), response.headers.end(),
                     [&](const auto& field) { return field.first == name; });
}

// A problem's body lacks its last member, which only the server knows.
void AddRequestId(std::string& body, std::string_view request_id) {
  if (body.size() < 2 || body.back() != '}') return;
  body.pop_back();
  body.append(body.size() > 1 ? ",\"request_id\":" : "\"request_id\":");
  AppendJsonString(body, request_id);
  body.push_back('}');
}

bool IsFieldList(std::string_view text) {
  return !text.empty() && text.size() <= 1024 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == ',' || c == ' ';
  });
}

}  // namespace

ResponseWriter::ResponseWriter(const Options& options)
    : options_(options),
      any_origin_(std::find(options.allowed_origins.begin(), options.allowed_origins.end(), "*") !=
                  options.allowed_origins.end()) {}

std::string_view ResponseWriter::Date() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != date_second_) {
    date_second_ = now.tv_sec;
    std::tm utc{};
    gmtime_r(&now.tv_sec, &utc);
    std::array<char, 48> text;
    // IMF-fixdate; the C locale's names are English, and this program never sets another.
    size_t size = std::strftime(text.data(), text.size(), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    date_.assign(text.data(), size);
  }
  return date_;
}

bool ResponseWriter::OriginAllowed(std::string_view origin) const {
  return any_origin_ || std::find(options_.allowed_origins.begin(), options_.allowed_origins.end(), origin) !=
                            options_.allowed_origins.end();
}

void ResponseWriter::AppendCors(std::string& out, const AnswerContext& context) const {
  if (context.origin.empty() || !OriginAllowed(context.origin)) return;
  AppendField(out, "Access-Control-Allow-Origin", any_origin_ ? std::string_view("*") : context.origin);
  if (context.preflight_method.empty()) {
    AppendField(out, "Access-Control-Expose-Headers", "*, X-Request-Id, Retry-After");
    return;
  }
  AppendField(out, "Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  if (IsFieldList(context.preflight_headers)) {
    AppendField(out, "Access-Control-Allow-Headers", context.preflight_headers);
  }
  AppendField(out, "Access-Control-Max-Age", "600");
}

bool ResponseWriter::MaybeCompress(Response& response, const AnswerContext& context) {
  if (!context.accepts_gzip || !gzip_.Compress(response.body, compressed_)) return false;
  response.body.swap(compressed_);
  return true;
}

void ResponseWriter::Append(std::string& out, Response& response, const AnswerContext& context) {
  if (response.content_type == kProblemType) AddRequestId(response.body, context.request_id);
  bool no_body = HasNoBody(response.status);
  bool has_length = context.framing == BodyFraming::kLength;
  bool negotiated = !no_body && has_length && response.body.size() >= options_.gzip_bytes_min &&
                    IsCompressible(response.content_type) && !HasField(response, "Content-Encoding");
  bool compressed = negotiated && MaybeCompress(response, context);

  AppendStatusLine(out, response.status);
  out.append(Date());
  if (!no_body) {
    if (!response.body.empty() || !has_length) AppendField(out, "Content-Type", response.content_type);
    if (compressed) AppendField(out, "Content-Encoding", "gzip");
    if (has_length) {
      out.append("Content-Length: ");
      AppendNumber(out, response.body.size());
      out.append("\r\n");
    } else if (context.framing == BodyFraming::kChunked) {
      AppendField(out, "Transfer-Encoding", "chunked");
    }
  }
  if (negotiated) AppendField(out, "Vary", "Accept-Encoding");
  if (!options_.allowed_origins.empty()) {
    if (!any_origin_) AppendField(out, "Vary", "Origin");
    AppendCors(out, context);
  }
  AppendField(out, "X-Request-Id", context.request_id);
  for (const auto& [name, value] : response.headers) {
    AppendCleaned(out, name);
    out.append(": ");
    AppendCleaned(out, value);
    out.append("\r\n");
  }
  if (!context.keep_alive) {
    AppendField(out, "Connection", "close");
  } else if (context.http_1_0) {
    AppendField(out, "Connection", "keep-alive");
  }
  out.append("\r\n");
  if (!no_body && has_length && !context.head) out.append(response.body);
}

}  // namespace stemedb::http
