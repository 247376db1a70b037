// SPDX-License-Identifier: Apache-2.0
#include "store/delta.h"

#include <algorithm>

namespace stemedb::store {

void Delta::Add(BatchPtr batch) {
  for (const Entry& entry : batch->entries) {
    by_id_.emplace(entry.id, &entry);
    const std::string_view path = entry.claim().concept_path();
    auto at = by_concept_.find(path);
    if (at == by_concept_.end())
      at = by_concept_.emplace(std::string(path), std::vector<const Entry*>()).first;
    at->second.push_back(&entry);
  }
  batches_.push_back(std::move(batch));
}

void Delta::Prune(uint64_t sequence) {
  const auto kept = std::partition_point(batches_.begin(), batches_.end(),
                                         [&](const BatchPtr& batch) { return batch->last() <= sequence; });
  if (kept == batches_.begin()) return;
  const uint64_t last = (*(kept - 1))->last();
  while (!batches_.empty() && batches_.front()->last() <= last) {
    for (const Entry& entry : batches_.front()->entries) {
      by_id_.erase(entry.id);
      const auto at = by_concept_.find(entry.claim().concept_path());
      // The first entry of a concept takes all with it that must go: a concept's vector is moved once, not
      // once a batch.
      if (at == by_concept_.end() || at->second.front()->sequence > last) continue;
      std::vector<const Entry*>& entries = at->second;
      const auto first_kept = std::partition_point(entries.begin(), entries.end(),
                                                   [&](const Entry* e) { return e->sequence <= last; });
      if (first_kept == entries.end()) {
        by_concept_.erase(at);
      } else {
        entries.erase(entries.begin(), first_kept);
      }
    }
    batches_.pop_front();
  }
}

const Entry* Delta::Find(const Hash256& id) const {
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : at->second;
}

const Entry* Delta::Get(uint64_t sequence) const {
  const auto batch = std::partition_point(batches_.begin(), batches_.end(),
                                          [&](const BatchPtr& b) { return b->last() < sequence; });
  if (batch == batches_.end() || sequence < (*batch)->first()) return nullptr;
  return &(*batch)->entries[sequence - (*batch)->first()];
}

const Entry* Delta::NewestAt(int64_t time_ms, uint64_t sequence_max) const {
  for (auto batch = batches_.rbegin(); batch != batches_.rend(); ++batch) {
    const std::vector<Entry>& entries = (*batch)->entries;
    if (entries.front().recorded_at_ms > time_ms || entries.front().sequence > sequence_max) continue;
    const auto after = std::partition_point(entries.begin(), entries.end(), [&](const Entry& e) {
      return e.recorded_at_ms <= time_ms && e.sequence <= sequence_max;
    });
    return &*(after - 1);
  }
  return nullptr;
}

const std::vector<const Entry*>* Delta::OfConcept(std::string_view path) const {
  const auto at = by_concept_.find(path);
  return at == by_concept_.end() ? nullptr : &at->second;
}

}  // namespace stemedb::store
