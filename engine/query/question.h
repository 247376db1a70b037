// SPDX-License-Identifier: Apache-2.0
// Question: what a client wants to know, as a value. Parsed from JSON or from a query string by the api room.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "model/assertion.h"
#include "script/lens.h"

namespace stemedb::query {

// A moment on the recorded axis: a sequence or a time.
struct Moment {
  std::optional<uint64_t> sequence;
  std::optional<int64_t> time_ms;
};

// Which claims count: by default those that are neither superseded nor retracted.
enum class StatusFilter : uint8_t { kActive, kSuperseded, kRetracted, kAny };

inline constexpr size_t kLimitDefault = 100;
inline constexpr size_t kLimitMax = 10'000;
inline constexpr int64_t kMaxStaleMs = 3'600'000;

struct Question {
  std::string concept_path;  // without the trailing /*
  bool subtree = false;      // the client asked for concept_path/*
  std::string predicate;     // empty: all
  std::string lens;          // empty: assertions alone
  std::map<std::string, script::ParamValue> params;
  std::string fallback;  // the lens, with its default parameters, that answers when `lens` fails; empty: none

  std::optional<Moment> as_of;         // answer as the database knew then
  std::optional<int64_t> valid_at_ms;  // claims whose period [valid_from, valid_to) holds the moment
  std::optional<Moment> since;         // claims recorded after it, and what was said after it (changes.h)
  StatusFilter status = StatusFilter::kActive;
  std::optional<model::Lifecycle> lifecycle;
  std::optional<model::SourceClass> source_class;
  std::optional<model::AgentId> agent_id;
  std::string epoch;          // empty: any
  double min_confidence = 0;  // as asserted, before decay

  // Half-lives in days by tier; infinity: no decay. Absent: no decay at all.
  std::optional<std::array<double, model::kSourceClassCount>> decay;
  std::optional<std::array<double, model::kSourceClassCount>> class_multipliers;  // absent: the defaults

  bool include_candidates = false;  // in each resolution: the claims that it weighed
  bool include_explain =
      false;  // in each candidate: weights and voices, so that the answer can be recomputed
  size_t limit = kLimitDefault;  // of `assertions`, and of `changes`; resolutions see all candidates anyway
  // By which clock it weighs, when as_of doesn't say: the first page's, from a cursor; an answer's, to repeat
  // it.
  std::optional<int64_t> now_ms;
  std::optional<uint64_t> before_sequence;  // from the cursor: assertions with a smaller sequence
  std::optional<uint64_t> changes_after;    // likewise, with `since`: changes with a larger sequence
  // How old an answer may be that was right when it was made, and may not be now; at most kMaxStaleMs. 0: it
  // is to be right now.
  int64_t max_stale_ms = 0;
};

}  // namespace stemedb::query
