// SPDX-License-Identifier: Apache-2.0
// The whole head lies in one piece of memory, so llhttp gives each name and value in one call and the views
// need no copies. It is fed no body: identity bodies need no parser, and chunked ones have a stricter one.
#include "http/head_parser.h"

#include <llhttp.h>

#include <algorithm>

#include "http/accept_encoding.h"
#include "http/ascii.h"

namespace stemedb::http {
namespace {

constexpr Refusal BadRequest(const char* detail) { return {400, "invalid_request", detail}; }

Request& RequestOf(llhttp_t* parser) { return *static_cast<Request*>(parser->data); }

// The framing is judged by our own code from here on: the parser stops before it looks for a body.
int OnHeadersComplete(llhttp_t*) { return HPE_PAUSED; }

const llhttp_settings_t& Settings() {
  static const llhttp_settings_t settings = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_url = [](llhttp_t* parser, const char* at, size_t length) {
      RequestOf(parser).target = {at, length};
      return 0;
    };
    s.on_header_field = [](llhttp_t* parser, const char* at, size_t length) {
      RequestOf(parser).headers.push_back({{at, length}, {}});
      return 0;
    };
    s.on_header_value = [](llhttp_t* parser, const char* at, size_t length) {
      RequestOf(parser).headers.back().value = Trim({at, length});
      return 0;
    };
    s.on_headers_complete = OnHeadersComplete;
    return s;
  }();
  return settings;
}

bool IsRequestId(std::string_view id) {
  return !id.empty() && id.size() <= 128 &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

// W3C Trace Context §3.2: version 00 is 00-<32 hex>-<16 hex>-<2 hex>, ids not all zero.
bool IsTraceParent(std::string_view text) {
  if (text.size() != 55 || text.substr(0, 2) != "00") return false;
  for (size_t i = 0; i < text.size(); ++i) {
    bool dash = i == 2 || i == 35 || i == 52;
    bool hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
    if (dash ? text[i] != '-' : !hex) return false;
  }
  return text.substr(3, 32).find_first_not_of('0') != std::string_view::npos &&
         text.substr(36, 16).find_first_not_of('0') != std::string_view::npos;
}

// Collects the fields that decide framing and routing, in one walk.
struct Collected {
  size_t hosts = 0;
  size_t lengths = 0;
  size_t codings = 0;  // elements of Transfer-Encoding
  bool has_transfer_encoding = false;
  bool last_is_chunked = false;
  size_t chunked = 0;
  bool close = false;
  bool keep_alive = false;
  std::string_view host;
  Refusal refusal;  // the first fault
};

void Refuse(Collected& c, Refusal refusal) {
  if (!c.refusal) c.refusal = refusal;
}

void CollectLength(std::string_view value, Collected& c, Framing& framing) {
  ++c.lengths;
  if (value.empty() || value.size() > 18 || value.find_first_not_of("0123456789") != std::string_view::npos) {
    return Refuse(c, BadRequest("Content-Length must be one decimal number"));
  }
  uint64_t length = 0;
  for (char digit : value) length = length * 10 + static_cast<uint64_t>(digit - '0');
  framing.content_length = length;
}

void CollectTransferEncoding(std::string_view value, Collected& c) {
  c.has_transfer_encoding = true;
  ForEachElement(value, [&](std::string_view coding) {
    ++c.codings;
    c.last_is_chunked = EqualsIgnoringCase(coding, "chunked");
    if (c.last_is_chunked) ++c.chunked;
  });
}

void Collect(const Header& header, Request& request, Collected& c, Framing& framing) {
  std::string_view name = header.name, value = header.value;
  switch (name.size()) {
    case 4:
      if (name == "host") ++c.hosts, c.host = value;
      break;
    case 6:
      if (name == "expect") {
        if (!EqualsIgnoringCase(value, "100-continue")) {
          Refuse(c, {417, "expectation_failed", "the only expectation served is 100-continue"});
        }
        framing.expects_continue = true;
      }
      break;
    case 10:
      if (name == "connection") {
        ForEachElement(value, [&](std::string_view option) {
          c.close |= EqualsIgnoringCase(option, "close");
          c.keep_alive |= EqualsIgnoringCase(option, "keep-alive");
        });
      }
      break;
    case 11:
      if (name == "traceparent" && IsTraceParent(value)) request.traceparent = value;
      break;
    case 12:
      if (name == "x-request-id" && IsRequestId(value)) request.request_id = value;
      break;
    case 14:
      if (name == "content-length") CollectLength(value, c, framing);
      break;
    case 15:
      if (name == "accept-encoding") framing.accepts_gzip = AcceptsGzip(value);
      break;
    case 16:
      if (name == "content-encoding" && !value.empty() && !EqualsIgnoringCase(value, "identity")) {
        Refuse(c, {415, "unsupported_content_encoding", "send the body without a content coding"});
      }
      break;
    case 17:
      if (name == "transfer-encoding") CollectTransferEncoding(value, c);
      break;
    default:
      break;
  }
}

Refusal JudgeFraming(const Collected& c, Framing& framing) {
  if (c.hosts > 1) return BadRequest("Host must be given once");
  if (c.hosts == 0 && !framing.http_1_0) return BadRequest("Host is missing");
  // An empty Host is right for a target without authority (RFC 9112 §3.2), and some HTTP/1.0 clients send it.
  if (c.hosts == 1 && !c.host.empty() && !IsValidHost(c.host)) return BadRequest("Host is not valid");
  if (c.lengths > 1) return BadRequest("Content-Length must be given once");
  if (!c.has_transfer_encoding) return c.refusal;
  if (framing.http_1_0) return BadRequest("Transfer-Encoding needs HTTP/1.1");
  if (c.lengths > 0) return BadRequest("Content-Length and Transfer-Encoding exclude each other");
  if (!c.last_is_chunked || c.chunked != 1)
    return BadRequest("the last transfer coding must be chunked, once");
  if (c.codings > 1)
    return {501, "transfer_coding_not_implemented", "the only transfer coding served is chunked"};
  framing.chunked = true;
  return c.refusal;
}

void SplitTarget(Request& request) {
  std::string_view rest = request.target;
  if (rest != "*" && !rest.empty() && rest.front() != '/') {
    rest.remove_prefix(rest.find("://") + 3);
    rest.remove_prefix(std::min(rest.size(), rest.find_first_of("/?")));
  }
  size_t question = rest.find('?');
  request.path = rest.substr(0, question);
  if (request.path.empty()) request.path = "/";
  request.query = question == std::string_view::npos ? std::string_view() : rest.substr(question + 1);
}

}  // namespace

Refusal ParseHead(const PaddedBuffer& head, Request& request, Framing& framing) {
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &Settings());
  parser.data = &request;
  request.headers.clear();
  std::string_view text = head.view();
  llhttp_errno_t error = llhttp_execute(&parser, text.data(), text.size());
  // The scanner has set the method and its spelling apart already; should the two ever disagree, refuse.
  std::optional<Method> method = MethodFromName(text.substr(0, text.find(' ')));
  if (!method || request.target.empty()) return BadRequest("the request's head can't be read");
  request.method = *method;
  SplitTarget(request);
  if (error != HPE_PAUSED) return BadRequest("the request's head can't be read");
  framing = Framing();
  framing.http_1_0 = llhttp_get_http_minor(&parser) == 0;
  Collected collected;
  for (const Header& header : request.headers) Collect(header, request, collected, framing);
  framing.keep_alive = !collected.close && (!framing.http_1_0 || collected.keep_alive);
  if (framing.http_1_0) framing.expects_continue = false;  // RFC 9110 §10.1.1: to be ignored
  return JudgeFraming(collected, framing);
}

}  // namespace stemedb::http
