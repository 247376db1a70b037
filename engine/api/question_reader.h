// SPDX-License-Identifier: Apache-2.0
// Reads a question from JSON or from a query string into query::Question, names every wrong field with its
// place and with what is allowed. Both spellings go through one reader: a query string is turned into the
// JSON that it stands for.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "http/problem.h"
#include "query/question.h"

namespace stemedb::api {

// What the endpoint asks with.
enum class LensField : uint8_t {
  kOptional,  // `lens` may name one
  kFixed,     // the path names it: `lens` may be left out, or say the same
  kList,      // `lenses` names several
};

struct QuestionForm {
  LensField lens_field = LensField::kOptional;
  std::string_view fixed_lens;
};

struct ReadQuestion {
  Status status;  // ok, or kInvalidArgument "invalid_json", "invalid_request", "invalid_query"
  std::vector<http::FieldError> errors;  // JSON pointers, or parameter names for a query string
  query::Question question;
  std::vector<std::string> lenses;  // kList
};

inline constexpr size_t kLensesMax = 16;  // of one comparison

// `parser` is the calling thread's own; nothing of it is kept.
ReadQuestion ReadQuestionJson(simdjson::dom::parser& parser, std::string_view body, const QuestionForm& form);
// The same of a question that is a member of another document; `at` is its pointer there.
ReadQuestion ReadQuestionElement(simdjson::dom::element root, const QuestionForm& form, std::string_view at);
ReadQuestion ReadQuestionString(simdjson::dom::parser& parser, std::string_view query,
                                const QuestionForm& form);

}  // namespace stemedb::api
