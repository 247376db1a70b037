// SPDX-License-Identifier: Apache-2.0
// Delta: one reader's acknowledged records that are not (or not surely) in its LMDB snapshot yet, findable by
// id, sequence, concept, and what they are about. Belongs to the reader's thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "index/operation_index.h"
#include "store/publisher.h"

namespace stemedb::store {

// Lists of entries by name, each in the order of the log.
class EntryLists {
 public:
  void Add(std::string_view name, const Entry* entry);
  // Forgets what is in the list of the name up to the sequence. A list that begins behind it is left alone:
  // the first of many calls for one list does it all.
  void Prune(std::string_view name, uint64_t sequence);
  // Null when there is none.
  const std::vector<const Entry*>* Find(std::string_view name) const;
  bool empty() const { return lists_.empty(); }
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const auto& [name, entries] : lists_) visit(std::string_view(name), entries);
  }
  // Until one says false; whether none has.
  template <typename Visit>
  bool While(Visit visit) const {
    return std::all_of(lists_.begin(), lists_.end(),
                       [&](const auto& list) { return visit(std::string_view(list.first), list.second); });
  }

 private:
  struct Hasher {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };
  std::unordered_map<std::string, std::vector<const Entry*>, Hasher, std::equal_to<>> lists_;
};

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

  // The claims of one concept path in the order of the log; null when there are none.
  const std::vector<const Entry*>* OfConcept(std::string_view path) const { return by_concept_.Find(path); }
  // Calls visit(path, entries) for each concept path, in no order.
  template <typename Visit>
  void ForEachConcept(Visit visit) const {
    by_concept_.ForEach(visit);
  }
  // Likewise, until one says false; whether none has.
  template <typename Visit>
  bool WhileConcepts(Visit visit) const {
    return by_concept_.While(visit);
  }

  bool has_operations() const { return !by_subject_.empty(); }
  // Operations by what stands for their subject in keys; null when there are none.
  const std::vector<const Entry*>* OfSubject(std::string_view subject_prefix) const {
    return by_subject_.Find(subject_prefix);
  }
  template <typename Visit>
  void ForEachSubject(Visit visit) const {
    by_subject_.ForEach(visit);
  }
  // Claims by what they rest on, by index::AppendLinkPrefix.
  const std::vector<const Entry*>* OfLink(std::string_view link_prefix) const {
    return by_link_.Find(link_prefix);
  }
  // The newest sequence with a subject of the kind that was ever here.
  uint64_t NewestOperation(model::SubjectKind kind) const {
    return newest_operations_[static_cast<uint8_t>(kind) & 127];
  }
  // Likewise, with the effect.
  uint64_t NewestEffect(index::Effect effect) const {
    return newest_operations_[static_cast<uint8_t>(effect) & 127];
  }

 private:
  // Calls visit(list, name) for each list that the entry is in.
  template <typename Visit>
  void ForEachList(const Entry& entry, Visit visit);

  std::deque<BatchPtr> batches_;
  std::unordered_map<Hash256, const Entry*, IdHasher> by_id_;
  EntryLists by_concept_;
  EntryLists by_subject_;
  EntryLists by_link_;
  std::array<uint64_t, 128> newest_operations_{};  // by the letters of subjects' kinds and of effects
  std::string name_;
};

}  // namespace stemedb::store
