// SPDX-License-Identifier: Apache-2.0
#include "query/reach.h"

#include <algorithm>
#include <string>

namespace stemedb::query {

using model::SubjectKind;

// Behind each new claim there are a record and links to look at; of links to those that were seen there may
// be very many, and each costs less than a look at the clock.
bool Reach::Take(uint64_t sequence) {
  const bool is_new = !seen_.contains(sequence);
  const bool has_time = (is_new ? patience_.CheckNow() : patience_.Check()).ok();
  if (!has_time || (is_new && claims_.size() >= bounds_.claims_max)) {
    is_cut_ = true;
    return false;
  }
  if (!is_new) return true;
  seen_.insert(sequence);
  claims_.push_back(sequence);
  return true;
}

Status Reach::AddNamed(const model::SubjectView& subject, uint64_t sequence_max) {
  sequence_max = std::min(sequence_max, bounds_.sequence_max);
  if (subject.kind == SubjectKind::kPath || subject.kind == SubjectKind::kSubtree) {
    STEMEDB_RETURN_IF_ERROR(AddAtPath(subject, sequence_max));
  } else if (subject.kind == SubjectKind::kAssertion) {
    Hash256 id{};
    std::copy_n(subject.name.begin(), std::min(subject.name.size(), id.size()), id.begin());
    auto sequence = reader_.Find(id);
    if (!sequence) return sequence.error();
    if (sequence->has_value() && **sequence <= sequence_max) Take(**sequence);
  } else if (subject.kind == SubjectKind::kSource) {
    STEMEDB_RETURN_IF_ERROR(reader_.VisitLinks(subject.name, index::LinkKind::kSource, 0, sequence_max,
                                               [&](uint64_t sequence) { return Take(sequence); }));
  }
  named_ = claims_.size();
  return Status::Ok();
}

Status Reach::AddAtPath(const model::SubjectView& subject, uint64_t sequence_max) {
  store::Scope scope;
  scope.concept_path = subject.name;
  scope.subtree = subject.kind == SubjectKind::kSubtree;
  scope.sequence_max = sequence_max;
  scope.steps_max = bounds_.steps_max;
  scope.looked_at = &steps_;
  if (bounds_.steps_max == 0) {
    is_cut_ = true;
    return Status::Ok();
  }
  std::vector<store::Row> rows;
  auto more = reader_.Scan(scope, bounds_.claims_max, rows);
  if (!more) return more.error();
  std::vector<uint64_t> sequences;
  for (const store::Row& row : rows) sequences.push_back(row.sequence);
  std::sort(sequences.begin(), sequences.end());
  is_cut_ = is_cut_ || *more;
  for (const uint64_t sequence : sequences) {
    if (!Take(sequence)) break;
  }
  return Status::Ok();
}

Status Reach::AddResting() {
  for (size_t at = 0; at < claims_.size(); ++at) {
    auto record = reader_.Get(claims_[at]);
    if (!record) return record.error();
    const std::string id(record->id());
    bool has_room = true;
    STEMEDB_RETURN_IF_ERROR(reader_.VisitLinks(id, index::LinkKind::kDerivedFrom, 0, bounds_.sequence_max,
                                               [&](uint64_t sequence) {
                                                 has_room = Take(sequence);
                                                 return has_room;
                                               }));
    if (!has_room) return Status::Ok();
  }
  return Status::Ok();
}

}  // namespace stemedb::query
