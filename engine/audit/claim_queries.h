// SPDX-License-Identifier: Apache-2.0
// ClaimQueries: for each of the claims that answers rested on last, the newest queries whose answers did. In
// memory, bounded in both: so that a claim's trace can say who asked without reading the trail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "audit/query_record.h"

namespace stemedb::audit {

struct ClaimQuery {
  uint64_t id = 0;
  int64_t time_ms = 0;
  std::optional<std::string> agent;
};

// Any thread: a lock for one record's claims, or one claim's copy.
class ClaimQueries {
 public:
  static constexpr size_t kClaimsMax = 4096;
  static constexpr size_t kQueriesMax = 16;  // of each claim

  // The claims that the record tells of. Records come in the order of their ids.
  void Add(uint64_t id, const QueryRecord& record);
  // Of the claim with this sequence, newest first.
  std::vector<ClaimQuery> Of(uint64_t sequence) const;

 private:
  struct Claim {
    uint64_t sequence = 0;
    std::vector<ClaimQuery> queries;  // oldest first
  };
  using Line = std::list<Claim>;

  mutable std::mutex mutex_;  // guards both
  Line line_;                 // the claim that was added to last stands first
  std::unordered_map<uint64_t, Line::iterator> by_sequence_;
};

}  // namespace stemedb::audit
