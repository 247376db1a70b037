// SPDX-License-Identifier: Apache-2.0
// Delta: one reader's acknowledged claims that are not (or not surely) in its LMDB snapshot yet, findable by
// id, sequence and concept. Belongs to the reader's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "store/publisher.h"

namespace stemedb::store {

class Delta {
 public:
  // Batches come in the order of the log, each once.
  void Add(BatchPtr batch);
  // Forgets whole batches up to the sequence.
  void Prune(uint64_t sequence);

  bool empty() const { return batches_.empty(); }
  // Of the newest batch; must not be empty.
  const Batch& newest() const { return *batches_.back(); }
  uint64_t first() const { return batches_.front()->first(); }

  const Entry* Find(const Hash256& id) const;
  const Entry* Get(uint64_t sequence) const;
  // The newest entry up to `sequence_max` recorded at or before the time, or null.
  const Entry* NewestAt(int64_t time_ms, uint64_t sequence_max) const;

  // The entries of one concept path in the order of the log; null when there are none.
  const std::vector<const Entry*>* OfConcept(std::string_view path) const;
  // Calls visit(path, entries) for each concept path, in no order.
  template <typename Visit>
  void ForEachConcept(Visit visit) const {
    for (const auto& [path, entries] : by_concept_) visit(std::string_view(path), entries);
  }

 private:
  struct PathHasher {
    using is_transparent = void;
    size_t operator()(std::string_view path) const { return std::hash<std::string_view>()(path); }
  };

  std::deque<BatchPtr> batches_;
  std::unordered_map<Hash256, const Entry*, IdHasher> by_id_;
  std::unordered_map<std::string, std::vector<const Entry*>, PathHasher, std::equal_to<>> by_concept_;
};

}  // namespace stemedb::store
