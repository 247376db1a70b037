// SPDX-License-Identifier: Apache-2.0
// Errors as RFC 9457 problem details: {type, title, status, detail, code, request_id, errors?}.
//
// request_id is not known here: the server adds it to every body of type kProblemType when it sends the
// answer, so a problem must be a JSON object without that member.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "http/message.h"

namespace stemedb::http {

// One invalid field: `pointer` is a JSON pointer (RFC 6901) into the request's body, or a parameter's name.
struct FieldError {
  std::string pointer;
  std::string detail;
};

// `code` is a stable slug for programs, `detail` is for people; both must be valid UTF-8.
Response Problem(int status, std::string_view code, std::string_view detail,
                 std::span<const FieldError> errors = {});

// "Not Found" for 404; "Unknown" for a status that RFC 9110 and 6585 don't name.
std::string_view StatusPhrase(int status);

}  // namespace stemedb::http
