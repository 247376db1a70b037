// SPDX-License-Identifier: Apache-2.0
// SnapshotReader's way back in time: the newest claims first, without looking at all of a scope.
#include <algorithm>

#include "base/bytes.h"
#include "index/layout.h"
#include "store/scope_rules.h"
#include "store/snapshot_reader.h"

namespace stemedb::store {
namespace {

bool Covers(const Scope& scope, const Row& row) {
  if (!scope.predicate.empty() && row.predicate != scope.predicate) return false;
  return scope.subtree ? index::IsBelow(row.concept_path, scope.concept_path)
                       : row.concept_path == scope.concept_path;
}

template <typename Look>
bool LookAtRecord(const index::LoggedRecord& record, Look look) {
  if (record.is_operation()) return look(record.sequence, static_cast<const Row*>(nullptr));
  const Row row = RowOfRecord(record);
  return look(record.sequence, &row);
}

}  // namespace

Result<uint64_t> SnapshotReader::CountAtMost(const Scope& scope) {
  if (scope.subtree && scope.concept_path.empty()) return at_.assertions;
  const auto node = claims_->Node(*claim_txn_, scope.concept_path);
  if (!node) return node.error();
  const uint64_t indexed = scope.subtree ? node->assertions_below : node->assertions;
  return indexed + (at_.sequence - std::min(at_.sequence, claims_to_));
}

Result<uint64_t> SnapshotReader::ScanNewest(const Scope& scope,
                                            const std::function<bool(const Row&)>& visit) {
  uint64_t looked_from = UINT64_MAX;
  size_t steps = scope.steps_max;
  bool ended_early = false;
  // False: enough. `row` is null for what is no claim.
  const auto look = [&](uint64_t sequence, const Row* row) {
    if (steps-- == 0) {
      ended_early = true;
      return false;
    }
    looked_from = sequence;
    ended_early = row != nullptr && Covers(scope, *row) && !visit(*row);
    return !ended_early;
  };
  const Status walked = IsOnePair(scope) ? WalkPair(scope, look) : WalkRecords(scope, look);
  if (!walked.ok()) return walked;
  return ended_early ? looked_from : uint64_t{0};
}

// Newer ones are in the delta, the others behind each other in the index.
template <typename Look>
Status SnapshotReader::WalkPair(const Scope& scope, Look look) {
  if (const auto* entries = delta_.OfConcept(scope.concept_path)) {
    for (auto at = entries->rbegin(); at != entries->rend() && (*at)->sequence > claims_to_; ++at) {
      const Row row = RowOf((*at)->sequence, (*at)->claim());
      if (row.predicate == scope.predicate && WantsSequence(scope, row.sequence) && !look(row.sequence, &row))
        return Status::Ok();
    }
  }
  const size_t prefix_size = BeginKey(scope);
  const uint64_t newest = std::min(scope.sequence_max, claims_to_);
  index::AppendSequence(key_, newest + 1);
  const std::string_view prefix = std::string_view(key_).substr(0, prefix_size);
  kv::Cursor& cursor = *claim_cursor_;
  for (Status moved = cursor.SeekBefore(key_);; moved = cursor.Prev()) {
    if (!moved.ok()) return moved;
    if (!cursor.valid() || !cursor.key().starts_with(prefix)) return Status::Ok();
    if (cursor.key().size() != key_.size()) return Unreadable("a key");
    const uint64_t sequence = LoadBig64(cursor.key().data() + prefix_size);
    if (sequence < scope.sequence_min) return Status::Ok();
    const auto claim = model::ClaimView::OfRow(cursor.value());
    if (!claim) return Unreadable("a row");
    const Row row{scope.concept_path, scope.predicate, sequence, *claim};
    if (!look(sequence, &row)) return Status::Ok();
  }
}

template <typename Look>
Status SnapshotReader::WalkRecords(const Scope& scope, Look look) {
  uint64_t sequence = std::min(scope.sequence_max, at_.sequence);
  const uint64_t oldest = std::max<uint64_t>(scope.sequence_min, 1);
  for (; sequence > records_to_ && sequence >= oldest; --sequence) {
    const Entry* entry = delta_.Get(sequence);
    if (entry == nullptr) return Status(Code::kInternal, "internal", "a record in view is in no store");
    if (!LookAtRecord({sequence, entry->recorded_at_ms, entry->record}, look)) return Status::Ok();
  }
  if (sequence < oldest) return Status::Ok();
  if (!record_cursor_) {
    auto opened = kv::Cursor::Open(*record_txn_, records_->records());
    if (!opened) return opened.error();
    record_cursor_.emplace(std::move(*opened));
  } else {
    STEMEDB_RETURN_IF_ERROR(record_cursor_->Renew(*record_txn_));
  }
  kv::Cursor& cursor = *record_cursor_;
  key_.clear();
  index::AppendSequence(key_, sequence + 1);
  for (Status moved = cursor.SeekBefore(key_);; moved = cursor.Prev()) {
    if (!moved.ok()) return moved;
    if (!cursor.valid()) return Status::Ok();
    const uint64_t at = LoadBig64(cursor.key().data());
    if (at < oldest) return Status::Ok();
    const auto stored = index::RecordTable::DecodeStored(at, cursor.value());
    if (!stored) return stored.error();
    if (!LookAtRecord(*stored, look)) return Status::Ok();
  }
}

}  // namespace stemedb::store
