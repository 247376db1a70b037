// SPDX-License-Identifier: Apache-2.0
#include "audit/claim_queries.h"

#include <iterator>

namespace stemedb::audit {

void ClaimQueries::Add(uint64_t id, const QueryRecord& record) {
  if (record.claims.empty()) return;
  const std::lock_guard lock(mutex_);
  for (const ClaimUsed& used : record.claims) {
    auto found = by_sequence_.find(used.sequence);
    if (found != by_sequence_.end()) {
      line_.splice(line_.begin(), line_, found->second);
    } else if (line_.size() == kClaimsMax) {
      by_sequence_.erase(line_.back().sequence);
      line_.splice(line_.begin(), line_, std::prev(line_.end()));
      line_.front().sequence = used.sequence;
      line_.front().queries.clear();
      by_sequence_.emplace(used.sequence, line_.begin());
    } else {
      line_.push_front({used.sequence, {}});
      by_sequence_.emplace(used.sequence, line_.begin());
    }
    std::vector<ClaimQuery>& queries = line_.front().queries;
    // A comparison may tell of a claim once for each lens.
    if (!queries.empty() && queries.back().id == id) continue;
    if (queries.size() == kQueriesMax) queries.erase(queries.begin());
    queries.push_back(
        {id, record.time_ms, record.agent ? std::optional<std::string>(*record.agent) : std::nullopt});
  }
}

std::vector<ClaimQuery> ClaimQueries::Of(uint64_t sequence) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_sequence_.find(sequence);
  if (found == by_sequence_.end()) return {};
  const std::vector<ClaimQuery>& queries = found->second->queries;
  return {queries.rbegin(), queries.rend()};
}

}  // namespace stemedb::audit
