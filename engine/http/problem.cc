// SPDX-License-Identifier: Apache-2.0
// `type` is always about:blank, so RFC 9457 §4.2.1 makes `title` the status phrase; what sets one problem
// apart from another is `code`.
#include "http/problem.h"

#include "base/json_writer.h"

namespace stemedb::http {

std::string_view StatusPhrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

Response Problem(int status, std::string_view code, std::string_view detail,
                 std::span<const FieldError> errors) {
  Response response;
  response.status = status;
  response.content_type = kProblemType;
  JsonWriter json(response.body);
  json.BeginObject();
  json.Field("type", "about:blank");
  json.Field("title", StatusPhrase(status));
  json.Key("status");
  json.Integer(status);
  json.Field("detail", detail);
  json.Field("code", code);
  if (!errors.empty()) {
    json.Key("errors");
    json.BeginArray();
    for (const FieldError& error : errors) {
      json.BeginObject();
      json.Field("pointer", error.pointer);
      json.Field("detail", error.detail);
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
  return response;
}

}  // namespace stemedb::http
