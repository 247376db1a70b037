// SPDX-License-Identifier: Apache-2.0
#include "store/delta.h"

#include <algorithm>

namespace stemedb::store {

void EntryLists::Add(std::string_view name, const Entry* entry) {
  auto at = lists_.find(name);
  if (at == lists_.end()) at = lists_.emplace(std::string(name), std::vector<const Entry*>()).first;
  at->second.push_back(entry);
}

void EntryLists::Prune(std::string_view name, uint64_t sequence) {
  const auto at = lists_.find(name);
  if (at == lists_.end() || at->second.front()->sequence > sequence) return;
  std::vector<const Entry*>& entries = at->second;
  const auto first_kept = std::partition_point(entries.begin(), entries.end(),
                                               [&](const Entry* e) { return e->sequence <= sequence; });
  if (first_kept == entries.end()) {
    lists_.erase(at);
  } else {
    entries.erase(entries.begin(), first_kept);
  }
}

const std::vector<const Entry*>* EntryLists::Find(std::string_view name) const {
  const auto at = lists_.find(name);
  return at == lists_.end() ? nullptr : &at->second;
}

template <typename Visit>
void Delta::ForEachList(const Entry& entry, Visit visit) {
  if (entry.is_operation()) {
    const model::OperationView operation = entry.operation();
    const auto by_subject = [&](const model::SubjectView& subject) {
      name_.clear();
      index::AppendSubjectPrefix(name_, subject);
      visit(by_subject_, name_);
    };
    by_subject(operation.subject());
    if (operation.has_second_subject()) by_subject(operation.second_subject());
    return;
  }
  const model::ClaimView claim = entry.claim();
  visit(by_concept_, claim.concept_path());
  index::ForEachLink(claim, [&](std::string_view name, index::LinkKind kind) {
    if (kind == index::LinkKind::kSource) return;  // rarely asked for, and nearly every claim has one
    name_.clear();
    index::AppendLinkPrefix(name_, name, kind);
    visit(by_link_, name_);
  });
}

void Delta::Add(BatchPtr batch) {
  for (const Entry& entry : batch->entries) {
    by_id_.emplace(entry.id, &entry);
    ForEachList(entry, [&](EntryLists& lists, std::string_view name) { lists.Add(name, &entry); });
    if (!entry.is_operation()) continue;
    for (const model::SubjectView& subject :
         {entry.operation().subject(), entry.operation().second_subject()})
      newest_operations_[static_cast<uint8_t>(subject.kind) & 127] = entry.sequence;
    for (const index::Effect effect : index::kEffects) {
      if (index::Has(entry.operation(), effect))
        newest_operations_[static_cast<uint8_t>(effect) & 127] = entry.sequence;
    }
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
      ForEachList(entry, [&](EntryLists& lists, std::string_view name) { lists.Prune(name, last); });
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

}  // namespace stemedb::store
