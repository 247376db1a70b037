// SPDX-License-Identifier: Apache-2.0
// One case of a spec as C++ data, read from the table that the spec returned. spec.h has the format.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "script/lens.h"
#include "script/spec_fields.h"

struct lua_State;

namespace stemedb::script {

// What a case expects of one judgement; what it doesn't mention isn't looked at.
struct ExpectedJudgement {
  std::optional<int> winner;  // number in `given`; 0 for none (winner = false)
  std::optional<ParamValue> value;
  std::optional<double> confidence;
  std::optional<double> conflict_score;
  std::optional<std::string> status;
  std::optional<int> candidates_count;
  std::optional<std::vector<std::pair<ParamValue, double>>> shares;  // heaviest first
  int tier = -1;                                                     // of a layer
};

// Of an agent that nothing is known of (Candidate::trust).
inline constexpr double kTrustOfTheUnknown = 0.5;

struct GivenClaim {
  ParamValue value;
  double confidence = 0.8;
  double effective_confidence = 0.8;
  double weight = 0;
  int tier = 5;
  double age_s = 0;
  double trust = kTrustOfTheUnknown;
  double derived_trust = kTrustOfTheUnknown;
  uint32_t votes = 0;
  double vote_weight = 0;
  uint8_t lifecycle = 0;  // Candidate::lifecycle
  bool epoch_superseded = false;
  std::string epoch;
  std::string agent;
  std::string source = "s";
  std::array<uint8_t, 32> id{};
  std::array<uint8_t, 32> agent_id{};
};

struct SpecCase : CaseBase {
  std::vector<GivenClaim> given;
  std::string concept_path = "concept";  // what the claims are about
  std::string predicate = "predicate";
  ExpectedJudgement expected;
  std::optional<std::vector<ExpectedJudgement>> layers;
  std::optional<std::string> explain;  // a part of it
  std::map<int, std::string> notes;    // by number in `given`: a part of the note; empty for none
  std::optional<std::string> details;  // the whole JSON
};

inline constexpr int64_t kSpecNow = 1767225600000;  // 2026-01-01T00:00:00Z

// The cases in the table at this absolute stack index. Raises no Lua error as long as memory lasts.
std::vector<SpecCase> ReadCases(lua_State* lua, int index);

// Given claims as a call: rows in canonical order, values and voices numbered. Points into `given`.
struct PreparedClaims {
  std::vector<Candidate> rows;
  std::vector<int> numbers;  // by row: the claim's number in `given`, from 1
  uint32_t values_count = 0;
  uint32_t voices_count = 0;
};
PreparedClaims Prepare(const std::vector<GivenClaim>& given);

}  // namespace stemedb::script
