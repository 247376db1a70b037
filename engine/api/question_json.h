// SPDX-License-Identifier: Apache-2.0
// A question as JSON, in one spelling for each: the fields that say something else than their defaults, in a
// fixed order, concept_path first. What QuestionFields reads from it is the question again.
#pragma once

#include <span>
#include <string>

#include "query/question.h"

namespace stemedb::api {

// `lenses` are those of a comparison; none for any other question.
void AppendQuestionJson(std::string& out, const query::Question& question,
                        std::span<const std::string> lenses);

}  // namespace stemedb::api
