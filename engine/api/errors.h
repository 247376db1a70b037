// SPDX-License-Identifier: Apache-2.0
// Errors: the one table that turns a Status into an HTTP answer. A reason slug becomes the problem's `code`;
// the table says which status and layer belong to it, and a Status whose reason isn't listed goes by its
// Code.
#pragma once

#include <span>
#include <string_view>

#include "base/status.h"
#include "http/problem.h"

namespace stemedb::api {

struct ErrorClass {
  std::string_view reason;  // the problem's code
  int http_status = 500;
  std::string_view layer;  // where it arose: the label of errors_total
};

// Never fails: what nobody foresaw is 500 "internal".
ErrorClass Classify(const Status& status);

// The answer, with Retry-After where waiting helps and WWW-Authenticate where a key does. What went wrong
// inside the server is not told to clients: they get the code and the request id, the log gets the message.
http::Response ProblemOf(const Status& status, std::span<const http::FieldError> errors = {});

}  // namespace stemedb::api
