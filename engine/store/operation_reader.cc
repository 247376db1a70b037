// SPDX-License-Identifier: Apache-2.0
// SnapshotReader's view of operations: what the index holds of a subject, and behind it what the delta holds.
#include <algorithm>
#include <map>

#include "base/bytes.h"
#include "index/layout.h"
#include "store/scope_rules.h"
#include "store/snapshot_reader.h"

namespace stemedb::store {
namespace {

using model::SubjectKind;

std::string_view IdOf(const Row& row) {
  return {reinterpret_cast<const char*>(row.claim.id()), sizeof(Hash256)};
}

OperationRow RowOf(const Entry& entry) { return {entry.sequence, entry.operation()}; }

}  // namespace

bool SnapshotReader::IsInDelta(const Row& row, SubjectKind kind) {
  if (!delta_.has_operations()) return false;
  operation_key_.clear();
  index::AppendSubjectPrefix(operation_key_, {kind, IdOf(row)});
  return delta_.OfSubject(operation_key_) != nullptr;
}

// A row of the delta carries no marks; what the index knows of its claim by now, the delta knows as well.
bool SnapshotReader::MayHaveVotes(const Row& row) {
  if (!row.has_marks) return NewestOperation(SubjectKind::kVotesOn) != 0;
  return row.claim.has_votes() || IsInDelta(row, SubjectKind::kVotesOn);
}

bool SnapshotReader::MayHaveOperations(const Row& row) {
  if (!row.has_marks) return NewestOperation(SubjectKind::kAssertion) != 0;
  return row.claim.has_operations() || IsInDelta(row, SubjectKind::kAssertion);
}

uint64_t SnapshotReader::NewestOperation(SubjectKind kind) const {
  const auto at = std::find(kSubjectKinds.begin(), kSubjectKinds.end(), kind) - kSubjectKinds.begin();
  return std::max(newest_operations_[static_cast<size_t>(at)], delta_.NewestOperation(kind));
}

uint64_t SnapshotReader::NewestEffect(index::Effect effect) const {
  const auto at = std::find(std::begin(index::kEffects), std::end(index::kEffects), effect);
  return std::max(newest_effects_[static_cast<size_t>(at - std::begin(index::kEffects))],
                  delta_.NewestEffect(effect));
}

Status SnapshotReader::VisitOperations(const model::SubjectView& subject, uint64_t sequence_min,
                                       uint64_t sequence_max, From from,
                                       const std::function<bool(const OperationRow&)>& visit) {
  const uint64_t newest = NewestOperation(subject.kind);
  if (newest == 0 || newest < sequence_min) return Status::Ok();
  sequence_max = std::min(sequence_max, at_.sequence);
  std::string prefix;
  index::AppendSubjectPrefix(prefix, subject);
  const auto indexed = [&]() -> Result<bool> {
    operation_key_ = prefix;
    return VisitIndexed(prefix.size(), sequence_min, std::min(sequence_max, claims_to_), from, visit);
  };
  const auto in_delta = [&] {
    return VisitInDelta(prefix, std::max(sequence_min, claims_to_ + 1), sequence_max, from, visit);
  };
  if (from == From::kNewest) {
    if (!in_delta()) return Status::Ok();
    auto visited = indexed();
    return visited ? Status::Ok() : visited.error();
  }
  auto more = indexed();
  if (!more) return more.error();
  if (*more) in_delta();
  return Status::Ok();
}

// The subject's prefix is in operation_key_.
Result<bool> SnapshotReader::VisitIndexed(size_t prefix_size, uint64_t sequence_min, uint64_t sequence_max,
                                          From from, const std::function<bool(const OperationRow&)>& visit) {
  if (sequence_min > sequence_max) return true;
  const bool forward = from == From::kOldest;
  index::AppendSequence(operation_key_, forward ? sequence_min : sequence_max + 1);
  const std::string key = operation_key_;  // visit may look at other things
  const std::string_view prefix = std::string_view(key).substr(0, prefix_size);
  kv::Cursor& cursor = *operation_cursor_;
  Status moved = forward ? cursor.Seek(key) : cursor.SeekBefore(key);
  for (;; moved = forward ? cursor.Next() : cursor.Prev()) {
    if (!moved.ok()) return moved;
    if (!cursor.valid() || !cursor.key().starts_with(prefix)) return true;
    if (cursor.key().size() != key.size()) return Unreadable("an operation's key");
    const uint64_t sequence = LoadBig64(cursor.key().data() + prefix_size);
    if (sequence < sequence_min || sequence > sequence_max) return true;
    const auto stored = index::DecodeOperation(cursor.value());
    if (!stored) return stored.error();
    if (!visit({sequence, stored->operation})) return false;
  }
}

bool SnapshotReader::VisitInDelta(std::string_view subject_prefix, uint64_t sequence_min,
                                  uint64_t sequence_max, From from,
                                  const std::function<bool(const OperationRow&)>& visit) const {
  const auto* entries = delta_.OfSubject(subject_prefix);
  if (entries == nullptr) return true;
  const auto begin = std::partition_point(entries->begin(), entries->end(),
                                          [&](const Entry* e) { return e->sequence < sequence_min; });
  const auto end = std::partition_point(begin, entries->end(),
                                        [&](const Entry* e) { return e->sequence <= sequence_max; });
  if (from == From::kOldest)
    return std::all_of(begin, end, [&](const Entry* entry) { return visit(RowOf(*entry)); });
  return std::all_of(std::make_reverse_iterator(end), std::make_reverse_iterator(begin),
                     [&](const Entry* entry) { return visit(RowOf(*entry)); });
}

// From subject to subject: it costs what it returns, however much was said about each.
Result<std::vector<std::string>> SnapshotReader::Subjects(SubjectKind kind, std::string_view after,
                                                          size_t limit) {
  std::map<std::string, std::string> found;  // by key
  const std::string first(1, static_cast<char>(kind));
  std::string after_key;
  if (!after.empty()) index::AppendSubjectPrefix(after_key, {kind, after});
  const auto name_of = [&](const model::OperationView& operation) {
    return std::string(operation.subject().kind == kind ? operation.subject().name
                                                        : operation.second_subject().name);
  };
  std::string from = after_key.empty() ? first : after_key.substr(0, after_key.size() - 1) + '\x01';
  kv::Cursor& cursor = *operation_cursor_;
  while (found.size() < limit) {
    STEMEDB_RETURN_IF_ERROR(cursor.Seek(from));
    if (!cursor.valid() || !cursor.key().starts_with(first) || cursor.key().size() <= sizeof(uint64_t)) break;
    const auto stored = index::DecodeOperation(cursor.value());
    if (!stored) return stored.error();
    std::string key(cursor.key().substr(0, cursor.key().size() - sizeof(uint64_t)));
    from = key.substr(0, key.size() - 1) + '\x01';  // a name holds no control character
    found.emplace(std::move(key), name_of(stored->operation));
  }
  delta_.ForEachSubject([&](std::string_view key, const std::vector<const Entry*>& entries) {
    if (key.starts_with(first) && key > after_key) found.emplace(key, name_of(entries.front()->operation()));
  });
  std::vector<std::string> names;
  for (auto& [key, name] : found) {
    if (names.size() == limit) break;
    names.push_back(std::move(name));
  }
  return names;
}

Result<index::Tally> SnapshotReader::IndexedVotesOn(std::string_view subject_prefix, uint64_t sequence_max) {
  std::string key(subject_prefix);
  index::AppendSequence(key, sequence_max + 1);
  STEMEDB_RETURN_IF_ERROR(operation_cursor_->SeekBefore(key));
  if (!operation_cursor_->valid() || !operation_cursor_->key().starts_with(subject_prefix))
    return index::Tally{};
  auto stored = index::DecodeOperation(operation_cursor_->value());
  if (!stored) return stored.error();
  return stored->tally;
}

Result<index::Tally> SnapshotReader::VotesOn(std::string_view assertion_id, uint64_t sequence_max) {
  std::string prefix;
  index::AppendSubjectPrefix(prefix, {SubjectKind::kVotesOn, assertion_id});
  const auto* entries = delta_.OfSubject(prefix);
  const bool has_newer = entries != nullptr && entries->back()->sequence > claims_to_;
  if (sequence_max <= claims_to_ || !has_newer)
    return IndexedVotesOn(prefix, std::min(sequence_max, claims_to_));

  // Of a moment in the past the counting begins anew, and isn't kept.
  Counting past;
  const bool is_present = sequence_max >= at_.sequence;
  Counting& counting = is_present ? countings_[prefix] : past;
  STEMEDB_RETURN_IF_ERROR(CountOn(assertion_id, prefix, *entries, sequence_max, counting));
  return counting.tally;
}

// Counts on from where the counting is. `entries` are all votes on the claim that the delta has.
Status SnapshotReader::CountOn(std::string_view assertion_id, std::string_view subject_prefix,
                               const std::vector<const Entry*>& entries, uint64_t sequence_max,
                               Counting& counting) {
  if (counting.to == 0) {
    auto indexed = IndexedVotesOn(subject_prefix, claims_to_);
    if (!indexed) return indexed.error();
    counting.tally = *indexed;
    counting.to = claims_to_;
  }
  auto next = std::partition_point(entries.begin(), entries.end(),
                                   [&](const Entry* e) { return e->sequence <= counting.to; });
  for (; next != entries.end() && (*next)->sequence <= sequence_max; ++next) {
    const model::OperationView vote = (*next)->operation();
    auto earlier = CountedBallot(assertion_id, vote.agent_id(), counting);
    if (!earlier) return earlier.error();
    const index::Ballot ballot = index::BallotOf(vote);
    if (index::Count(counting.tally, *earlier, ballot))
      counting.ballots[std::string(vote.agent_id())] = ballot;
    counting.to = (*next)->sequence;
  }
  return Status::Ok();
}

// The agent's vote that counts, as far as has been counted.
Result<std::optional<index::Ballot>> SnapshotReader::CountedBallot(std::string_view assertion_id,
                                                                   std::string_view agent_id,
                                                                   const Counting& counting) {
  const auto known = counting.ballots.find(std::string(agent_id));
  if (known != counting.ballots.end()) return std::optional<index::Ballot>(known->second);
  operation_key_.clear();
  index::AppendBallotKey(operation_key_, assertion_id, agent_id);
  return claims_->operations().FindBallot(*claim_txn_, operation_key_);
}

Result<std::optional<index::Ballot>> SnapshotReader::BallotOf(std::string_view assertion_id,
                                                              std::string_view agent_id) {
  std::string prefix;
  index::AppendSubjectPrefix(prefix, {SubjectKind::kVotesOn, assertion_id});
  const auto* entries = delta_.OfSubject(prefix);
  if (entries == nullptr || entries->back()->sequence <= claims_to_)
    return CountedBallot(assertion_id, agent_id, {});
  Counting& counting = countings_[prefix];
  STEMEDB_RETURN_IF_ERROR(CountOn(assertion_id, prefix, *entries, at_.sequence, counting));
  return CountedBallot(assertion_id, agent_id, counting);
}

Status SnapshotReader::VisitLinks(std::string_view name, index::LinkKind kind, uint64_t sequence_min,
                                  uint64_t sequence_max, const std::function<bool(uint64_t)>& visit) {
  sequence_max = std::min(sequence_max, at_.sequence);
  std::string key;
  index::AppendLinkPrefix(key, name, kind);
  const std::string prefix = key;
  index::AppendSequence(key, sequence_min);
  kv::Cursor& cursor = *link_cursor_;
  for (Status moved = cursor.Seek(key);; moved = cursor.Next()) {
    if (!moved.ok()) return moved;
    if (!cursor.valid() || !cursor.key().starts_with(prefix)) break;
    if (cursor.key().size() != key.size()) return Unreadable("a link");
    const uint64_t sequence = LoadBig64(cursor.key().data() + prefix.size());
    if (sequence > std::min(sequence_max, claims_to_)) break;
    if (!visit(sequence)) return Status::Ok();
  }
  if (kind == index::LinkKind::kSource) {
    for (uint64_t sequence = std::max(claims_to_ + 1, sequence_min); sequence <= sequence_max; ++sequence) {
      const Entry* entry = delta_.Get(sequence);
      const bool rests = entry != nullptr && !entry->is_operation() && entry->claim().source_id() == name;
      if (rests && !visit(sequence)) break;
    }
    return Status::Ok();
  }
  const auto* entries = delta_.OfLink(prefix);
  if (entries == nullptr) return Status::Ok();
  uint64_t last = std::max(claims_to_, sequence_min == 0 ? 0 : sequence_min - 1);
  for (const Entry* entry : *entries) {
    if (entry->sequence <= last || entry->sequence > sequence_max) continue;  // a claim may name one id twice
    last = entry->sequence;
    if (!visit(entry->sequence)) return Status::Ok();
  }
  return Status::Ok();
}

}  // namespace stemedb::store
