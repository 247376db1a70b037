// SPDX-License-Identifier: Apache-2.0
// Any bytes as a question, as JSON and as a query string, in each of its forms; and as a cursor. A question
// is taken or refused with a reason, and a cursor that is taken means what its own spelling means.
//
// The first input byte chooses the form.
#include <cstdint>
#include <string>
#include <string_view>

#include "api/question_reader.h"
#include "base/check.h"
#include "query/cursor.h"

namespace {

using namespace stemedb;

void Check(const api::ReadQuestion& read, const api::QuestionForm& form) {
  if (read.status.ok()) {
    STEMEDB_CHECK(read.errors.empty());
    STEMEDB_CHECK(read.lenses.size() <= api::kLensesMax);
    STEMEDB_CHECK((form.lens_field == api::LensField::kList) == !read.lenses.empty());
  } else {
    STEMEDB_CHECK(read.status.code() == Code::kInvalidArgument || read.status.code() == Code::kOutOfRange);
    STEMEDB_CHECK(!read.status.message().empty());
  }
}

void CheckCursor(std::string_view text) {
  const auto cursor = query::DecodeCursor(text);
  if (!cursor) return;
  const auto again = query::DecodeCursor(query::EncodeCursor(*cursor));
  STEMEDB_CHECK(again && again->before_sequence == cursor->before_sequence &&
                again->as_of_sequence == cursor->as_of_sequence);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static simdjson::dom::parser parser;
  std::string padded(reinterpret_cast<const char*>(data) + 1, size - 1);
  padded.resize(size - 1 + http::kBodyPadding);
  const std::string_view text = std::string_view(padded).substr(0, size - 1);
  api::QuestionForm form;
  form.lens_field = static_cast<api::LensField>(data[0] % 3);
  if (form.lens_field == api::LensField::kFixed) form.fixed_lens = "recency";
  Check(api::ReadQuestionJson(parser, text, form), form);
  Check(api::ReadQuestionString(parser, text, form), form);
  CheckCursor(text);
  return 0;
}
