// SPDX-License-Identifier: Apache-2.0
// CandidateSet: the claims of one (concept, predicate) pair as a lens sees them: in canonical order, weighed,
// with equal values and equal voices numbered. Reused between questions; belongs to one thread. It borrows
// the rows' bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/assertion.h"
#include "query/standing.h"
#include "script/candidate.h"
#include "store/reader.h"

namespace stemedb::query {

// How claims are weighed before a lens looks at them.
struct Weighing {
  int64_t now_ms = 0;
  bool decays = false;
  std::array<double, model::kSourceClassCount> half_life_days{};
  std::array<double, model::kSourceClassCount> class_multipliers{};
};

class CandidateSet {
 public:
  // Of more than `candidates_max` rows it takes the best by (lowest tier, newest timestamp, smallest id): a
  // choice that depends on the claims alone, not on when they arrived, and in which volume doesn't beat
  // authority.
  // `standings` stands beside the rows; when it is empty, each has that of a claim of which nobody has said
  // anything.
  void Build(std::span<const store::Row> rows, std::span<const ClaimStanding> standings,
             const Weighing& weighing, size_t candidates_max = SIZE_MAX);

  // Empties the set when it is so large that keeping its memory for the next question would be a waste.
  void Trim();

  std::span<const script::Candidate> candidates() const { return candidates_; }
  uint32_t values_count() const { return values_count_; }
  uint32_t voices_count() const { return voices_count_; }
  uint64_t left_out() const { return left_out_; }  // rows beyond candidates_max

 private:
  // Numbers the candidates by first appearance: the same number where `same` holds. How many there are.
  template <typename Hash, typename Same>
  uint32_t Number(uint32_t script::Candidate::*index, Hash hash, Same same);

  std::vector<script::Candidate> candidates_;
  // An open-addressing table, twice as large as the set: position + 1 of the first candidate of its kind; 0
  // is free.
  std::vector<uint32_t> slots_;
  uint32_t values_count_ = 0;
  uint32_t voices_count_ = 0;
  uint64_t left_out_ = 0;
};

}  // namespace stemedb::query
