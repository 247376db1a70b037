// SPDX-License-Identifier: Apache-2.0
// Resolutions as clients see them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/json_writer.h"
#include "query/answer_bound.h"
#include "query/candidates.h"
#include "query/question.h"
#include "script/outcome.h"

namespace stemedb::query {

// Ids are listed for each claim up to this many; `assertions_count` says how many there are.
inline constexpr size_t kAssertionIdsMax = 100;
// Candidates are included up to this many, newest first; `candidates_not_shown` says how many more there are.
inline constexpr size_t kCandidatesShownMax = 10'000;

// "unanimous" and so on.
std::string_view NameOf(script::Agreement agreement);
// The winner's value, or null.
void WriteWinningValue(JsonWriter& json, const script::Judgement& judgement, const CandidateSet& set);

struct ResolutionText {
  std::string_view concept_path;
  std::string_view predicate;
  const CandidateSet* set = nullptr;
  const script::Outcome* outcome = nullptr;
  const Weighing* weighing = nullptr;
  bool include_candidates = false;
  bool include_explain = false;  // where each number comes from, what the lens made of each claim
};

// Writes one resolution object. Claims are listed in the outcome's order, ids in the candidates'. Lists end
// early where the bound is exceeded; the caller must look at it.
void WriteResolution(JsonWriter& json, const ResolutionText& text, const AnswerBound& bound);

}  // namespace stemedb::query
