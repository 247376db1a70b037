// SPDX-License-Identifier: Apache-2.0
#include "store/snapshot_reader.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/check.h"
#include "index/layout.h"
#include "store/scope_rules.h"

namespace stemedb::store {
namespace {

bool InOrder(const Row& a, const Row& b) {
  return std::tie(a.concept_path, a.predicate, a.sequence) <
         std::tie(b.concept_path, b.predicate, b.sequence);
}

// Scan gives the scope a place to count in.
void CountLook(const Scope& scope) { ++*scope.looked_at; }

std::string PathKey(std::string_view path) {
  std::string key;
  index::AppendPathKey(key, path);
  return key;
}

}  // namespace

SnapshotReader::SnapshotReader(Publisher* publisher, index::RecordTable* records, index::ClaimIndex* claims)
    : publisher_(publisher), records_(records), claims_(claims), inbox_(publisher->Subscribe()) {}

SnapshotReader::~SnapshotReader() {
  claim_cursor_.reset();
  concept_cursor_.reset();
  operation_cursor_.reset();
  link_cursor_.reset();
  record_cursor_.reset();
  publisher_->Unsubscribe(inbox_);
}

Status SnapshotReader::OpenTransactions() {
  auto record_txn = kv::ReadTxn::Open(&records_->environment());
  if (!record_txn) return record_txn.error();
  auto claim_txn = kv::ReadTxn::Open(&claims_->environment());
  if (!claim_txn) return claim_txn.error();
  record_txn_ = std::move(*record_txn);
  claim_txn_ = std::move(*claim_txn);
  return Status::Ok();
}

Status SnapshotReader::RenewCursors() {
  if (claim_cursor_) {
    STEMEDB_RETURN_IF_ERROR(claim_cursor_->Renew(*claim_txn_));
    STEMEDB_RETURN_IF_ERROR(operation_cursor_->Renew(*claim_txn_));
    STEMEDB_RETURN_IF_ERROR(link_cursor_->Renew(*claim_txn_));
    return concept_cursor_->Renew(*claim_txn_);
  }
  auto operation_cursor = kv::Cursor::Open(*claim_txn_, claims_->operations().operations());
  if (!operation_cursor) return operation_cursor.error();
  auto link_cursor = kv::Cursor::Open(*claim_txn_, claims_->operations().links());
  if (!link_cursor) return link_cursor.error();
  auto claim_cursor = kv::Cursor::Open(*claim_txn_, claims_->claims());
  if (!claim_cursor) return claim_cursor.error();
  auto concept_cursor = kv::Cursor::Open(*claim_txn_, claims_->concepts());
  if (!concept_cursor) return concept_cursor.error();
  operation_cursor_.emplace(std::move(*operation_cursor));
  link_cursor_.emplace(std::move(*link_cursor));
  claim_cursor_.emplace(std::move(*claim_cursor));
  concept_cursor_.emplace(std::move(*concept_cursor));
  return Status::Ok();
}

Status SnapshotReader::Refresh() {
  if (!record_txn_) STEMEDB_RETURN_IF_ERROR(OpenTransactions());
  Release();

  taken_.clear();
  inbox_->Take(taken_);
  for (BatchPtr& batch : taken_) delta_.Add(std::move(batch));

  STEMEDB_RETURN_IF_ERROR(claim_txn_->Renew());  // the order matters, see the head of the header
  STEMEDB_RETURN_IF_ERROR(record_txn_->Renew());
  STEMEDB_RETURN_IF_ERROR(RenewCursors());
  STEMEDB_RETURN_IF_ERROR(ReadCheckpoints());
  claims_to_ = claims_at_.sequence;
  delta_.Prune(claims_to_);
  STEMEDB_CHECK(delta_.empty() || delta_.first() <= claims_to_ + 1);

  at_ = delta_.empty() ? claims_at_ : delta_.newest().after;
  records_to_ = std::min(records_at_.sequence, at_.sequence);
  return Status::Ok();
}

// Most questions see what the one before them saw.
Status SnapshotReader::ReadCheckpoints() {
  const std::pair snapshots{record_txn_->snapshot_id(), claim_txn_->snapshot_id()};
  if (snapshots == snapshots_) return Status::Ok();
  auto records_at = records_->checkpoint(*record_txn_);
  if (!records_at) return records_at.error();
  auto claims_at = claims_->checkpoint(*claim_txn_);
  if (!claims_at) return claims_at.error();
  for (size_t i = 0; i < kSubjectKinds.size(); ++i) {
    auto newest = claims_->operations().Newest(*claim_txn_, kSubjectKinds[i]);
    if (!newest) return newest.error();
    newest_operations_[i] = *newest;
  }
  for (size_t i = 0; i < newest_effects_.size(); ++i) {
    auto newest = claims_->operations().Newest(*claim_txn_, index::kEffects[i]);
    if (!newest) return newest.error();
    newest_effects_[i] = *newest;
  }
  countings_.clear();
  records_at_ = *records_at;
  claims_at_ = *claims_at;
  snapshots_ = snapshots;
  return Status::Ok();
}

void SnapshotReader::Release() {
  if (record_txn_) record_txn_->Reset();
  if (claim_txn_) claim_txn_->Reset();
}

// ScanIndex makes `in_order` false when a path stands in the keys by its digest.
Result<bool> SnapshotReader::Scan(const Scope& wanted, size_t rows_max, std::vector<Row>& rows) {
  const size_t before = rows.size();
  size_t looked_at = 0;
  Scope scope = wanted;
  scope.looked_at = &looked_at;
  bool in_order = true;
  auto more = ScanIndex(scope, rows_max, rows, in_order);
  if (!more) return more.error();
  const size_t from_index = rows.size();
  if (!ScanDelta(scope, rows)) *more = true;
  if (wanted.looked_at != nullptr) *wanted.looked_at += looked_at;
  // One (concept, predicate) pair is in order already: the delta's sequences are above the index's.
  if (!IsOnePair(scope) && (rows.size() > from_index || !in_order)) {
    std::sort(rows.begin() + static_cast<ptrdiff_t>(before), rows.end(), InOrder);
  }
  if (rows.size() - before > rows_max) {
    rows.resize(before + rows_max);
    *more = true;
  }
  return *more;
}

// What the keys of the scope begin with, into key_; where the scan begins follows for one pair. The prefix's
// size.
size_t SnapshotReader::BeginKey(const Scope& scope) {
  key_.clear();
  if (scope.subtree) {
    key_.append(index::SubtreePrefix(scope.concept_path), 0, index::kLongPathKept);
    if (!key_.empty()) return key_.size();
    key_.push_back('\x01');
    return 0;
  }
  index::AppendPathKey(key_, scope.concept_path);
  key_.push_back('\0');
  if (!scope.predicate.empty()) key_.append(scope.predicate).push_back('\0');
  return key_.size();
}

Result<bool> SnapshotReader::ScanIndex(const Scope& scope, size_t rows_max, std::vector<Row>& rows,
                                       bool& in_order) {
  const size_t prefix_size = BeginKey(scope);
  if (IsOnePair(scope)) return ScanPair(scope, prefix_size, rows_max, rows);
  const std::string_view prefix = std::string_view(key_).substr(0, prefix_size);
  kv::Cursor& cursor = *claim_cursor_;
  size_t left = rows_max, steps = scope.steps_max;
  for (Status moved = cursor.Seek(key_);; moved = cursor.Next()) {
    if (!moved.ok()) return moved;
    if (!cursor.valid() || !cursor.key().starts_with(prefix)) return false;
    if (steps-- == 0) return true;
    CountLook(scope);
    const auto key = index::ParseClaimKey(cursor.key());
    if (!key) return Unreadable("a key");
    if (!WantsSequence(scope, key->sequence)) continue;
    if (!scope.predicate.empty() && key->predicate != scope.predicate) continue;
    const auto claim = model::ClaimView::OfRow(cursor.value());
    if (!claim) return Unreadable("a row");
    Row row{key->path_key, key->predicate, key->sequence, *claim};
    if (!scope.subtree) {
      row.concept_path = scope.concept_path;
    } else {
      if (index::IsLongPathKey(key->path_key)) {
        auto record = Get(key->sequence);
        if (!record) return record.error();
        row.concept_path = record->claim().concept_path();
        in_order = false;
      }
      if (!index::IsBelow(row.concept_path, scope.concept_path)) continue;
    }
    if (left-- == 0) return true;
    rows.push_back(row);
  }
}

// One pair: behind the prefix stands the sequence and nothing else.
Result<bool> SnapshotReader::ScanPair(const Scope& scope, size_t prefix_size, size_t rows_max,
                                      std::vector<Row>& rows) {
  index::AppendSequence(key_, scope.sequence_min);
  const std::string_view prefix = std::string_view(key_).substr(0, prefix_size);
  kv::Cursor& cursor = *claim_cursor_;
  const size_t predicate_at = prefix_size - 1 - scope.predicate.size();
  size_t left = std::min(rows_max, scope.steps_max);
  for (Status moved = cursor.Seek(key_);; moved = cursor.Next()) {
    if (!moved.ok()) return moved;
    if (!cursor.valid() || !cursor.key().starts_with(prefix)) return false;
    if (cursor.key().size() != key_.size()) return Unreadable("a key");
    const uint64_t sequence = LoadBig64(cursor.key().data() + prefix_size);
    if (sequence > scope.sequence_max) return false;
    if (left-- == 0) return true;
    CountLook(scope);
    const auto claim = model::ClaimView::OfRow(cursor.value());
    if (!claim) return Unreadable("a row");
    rows.push_back(
        {scope.concept_path, cursor.key().substr(predicate_at, scope.predicate.size()), sequence, *claim});
  }
}

// False: there was more to look at than the scope has steps left.
bool SnapshotReader::ScanDelta(const Scope& scope, std::vector<Row>& rows) const {
  const auto take = [&](const std::vector<const Entry*>& entries) {
    for (const Entry* entry : entries) {
      if (entry->sequence <= claims_to_) continue;
      if (*scope.looked_at >= scope.steps_max) return false;
      CountLook(scope);
      if (!WantsSequence(scope, entry->sequence)) continue;
      const Row row = RowOf(entry->sequence, entry->claim());
      if (scope.predicate.empty() || row.predicate == scope.predicate) rows.push_back(row);
    }
    return true;
  };
  if (delta_.empty()) return true;
  if (!scope.subtree) {
    const auto* entries = delta_.OfConcept(scope.concept_path);
    return entries == nullptr || take(*entries);
  }
  return delta_.WhileConcepts([&](std::string_view path, const std::vector<const Entry*>& entries) {
    return !index::IsBelow(path, scope.concept_path) || take(entries);
  });
}

// Of what is indexed the concept's node knows; what the delta has of a concept is in the order of the log.
Result<bool> SnapshotReader::HasClaims(std::string_view concept_path, bool subtree) {
  if (subtree && concept_path.empty()) return at_.assertions > 0;
  const auto node = claims_->Node(*claim_txn_, concept_path);
  if (!node) return node.error();
  if ((subtree ? node->assertions_below : node->assertions) > 0) return true;
  const auto is_new = [&](const std::vector<const Entry*>& entries) {
    return entries.back()->sequence > claims_to_;
  };
  if (!subtree) {
    const auto* entries = delta_.OfConcept(concept_path);
    return entries != nullptr && is_new(*entries);
  }
  return !delta_.WhileConcepts([&](std::string_view path, const std::vector<const Entry*>& entries) {
    return !index::IsBelow(path, concept_path) || !is_new(entries);
  });
}

Result<Record> SnapshotReader::Get(uint64_t sequence) {
  if (sequence == 0 || sequence > at_.sequence)
    return Status(Code::kNotFound, "unknown_sequence", "there is no such record");
  // Every sequence up to the newest has a record: one that isn't there was damaged.
  const auto missing = [&] {
    return Status(Code::kCorruption, "record_missing",
                  records_->environment().path() + ": record " + std::to_string(sequence) +
                      " is missing though the log had it: the file is damaged; see the runbook "
                      "server-wont-start.md, section 6");
  };
  if (sequence > records_to_) {
    const Entry* entry = delta_.Get(sequence);
    if (entry == nullptr) return missing();
    return Record{sequence, entry->recorded_at_ms, entry->record};
  }
  auto stored = records_->Get(*record_txn_, sequence);
  if (!stored) return stored.error();
  if (!stored->has_value()) return missing();
  return **stored;
}

Result<std::optional<uint64_t>> SnapshotReader::Find(const Hash256& id) {
  if (const Entry* entry = delta_.Find(id)) return std::optional<uint64_t>(entry->sequence);
  auto stored = records_->Find(*record_txn_, AsView(id));
  if (stored && stored->has_value() && **stored > at_.sequence) stored->reset();
  return stored;
}

int64_t SnapshotReader::closed_time_ms(int64_t now_ms) {
  constexpr int kRefreshes = 3;
  for (int refreshes = 0; now_ms > at_.recorded_at_ms; ++refreshes) {
    if (const auto closed = publisher_->time_line().Close(now_ms, at_.sequence)) return *closed;
    if (refreshes == kRefreshes || !Refresh().ok())
      return at_.recorded_at_ms - 1;  // times don't fall along the log
  }
  return now_ms - 1;  // likewise
}

Result<uint64_t> SnapshotReader::SequenceAt(int64_t time_ms) {
  if (!delta_.empty()) {
    const Entry* entry = delta_.NewestAt(time_ms, UINT64_MAX);
    if (entry != nullptr && entry->sequence > records_to_) return entry->sequence;
  }
  return records_->SequenceAt(*record_txn_, time_ms, records_to_);
}

Result<std::vector<ConceptCount>> SnapshotReader::Children(std::string_view path, std::string_view after,
                                                           size_t limit) {
  auto stored = claims_->Children(*concept_cursor_, path, after, limit);
  if (!stored) return stored.error();
  std::map<std::string, ConceptCount> merged;  // by key: the order of the index
  for (index::ConceptNode& node : *stored) {
    merged[PathKey(node.path)] = {node.path, node.assertions, node.assertions_below};
  }
  // Behind the last child that a full page holds, the delta must wait for its page.
  const bool full = stored->size() >= limit && !stored->empty();
  const std::string last = full ? PathKey(stored->back().path) : std::string();
  const std::string after_key = PathKey(after);
  delta_.ForEachConcept([&](std::string_view concept_path, const std::vector<const Entry*>& entries) {
    if (!index::IsBelow(concept_path, path)) return;
    const std::string_view child = index::ChildOn(concept_path, path);
    const std::string child_key = PathKey(child);
    if (child_key <= after_key || (full && child_key > last)) return;
    const auto fresh = static_cast<uint64_t>(std::count_if(
        entries.begin(), entries.end(), [&](const Entry* entry) { return entry->sequence > claims_to_; }));
    if (fresh == 0) return;
    ConceptCount& count = merged[child_key];
    count.path = child;
    (child == concept_path ? count.assertions : count.assertions_below) += fresh;
  });
  std::vector<ConceptCount> children;
  for (auto& [child, count] : merged) {
    if (children.size() == limit) break;
    children.push_back(std::move(count));
  }
  return children;
}

}  // namespace stemedb::store
