// SPDX-License-Identifier: Apache-2.0
// Reach: which claims a retraction reaches: those that it names, and with a cascade all that are derived from
// them, over any number of steps. Found by going down from what is named; Standing goes up from a claim.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <unordered_set>
#include <vector>

#include "base/status.h"
#include "model/operation_record.h"
#include "query/patience.h"
#include "store/reader.h"
#include "telemetry/stopwatch.h"

namespace stemedb::query {

// Of one retraction. The reader outlives it, and isn't refreshed meanwhile.
class Reach {
 public:
  struct Bounds {
    size_t claims_max = 0;               // that are reached
    size_t steps_max = 0;                // along a path's index, to what is wanted or not
    uint64_t sequence_max = UINT64_MAX;  // of claims that count, inclusive
    double seconds_max = std::numeric_limits<double>::infinity();  // since this was made
  };
  Reach(store::Reader& reader, const Bounds& bounds)
      : reader_(reader), bounds_(bounds), patience_(telemetry::Stopwatch(), bounds.seconds_max) {}

  // The claims that the subject of a retraction names: the one with its id, those at its path or below it, or
  // those of its source; up to the sequence, and in the order of the log.
  Status AddNamed(const model::SubjectView& subject, uint64_t sequence_max);
  // One claim.
  void Add(uint64_t sequence) { Take(sequence); }
  // Everything that is derived from what was added. Last, and once.
  Status AddResting();

  // Sequences, each once; the first `named` of them are those that were named.
  const std::vector<uint64_t>& claims() const { return claims_; }
  size_t named() const { return named_; }
  // There are more: looking went no further.
  bool is_cut() const { return is_cut_; }
  // Steps that were taken along a path's index.
  size_t steps() const { return steps_; }

 private:
  // False when there is no room for it, or no time.
  bool Take(uint64_t sequence);
  Status AddAtPath(const model::SubjectView& subject, uint64_t sequence_max);

  store::Reader& reader_;
  const Bounds bounds_;
  std::vector<uint64_t> claims_;
  std::unordered_set<uint64_t> seen_;
  size_t named_ = 0;
  bool is_cut_ = false;
  size_t steps_ = 0;
  Patience patience_;
};

}  // namespace stemedb::query
