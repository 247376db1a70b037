// SPDX-License-Identifier: Apache-2.0
// RecordTable: data/db/assertions.kv. The records themselves by sequence, and where each id is.
//
//   records  sequence (8, big-endian) → recorded_at_ms (8), record (model/claim_record.h, operation_record.h)
//   ids      id (32) → sequence (8, big-endian)
//   meta     "checkpoint" → index/checkpoint.h
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "index/checkpoint.h"
#include "index/sorted_runs.h"
#include "kv/environment.h"
#include "kv/txn.h"
#include "model/claim_record.h"
#include "model/operation_record.h"

namespace stemedb::index {

// Address space of one environment at first; it grows when it is full.
inline constexpr uint64_t kMapBytes = uint64_t{1} << 34;

// One record of the log: a claim or an operation, whole. Its bytes are checked, and must outlive the call
// that it is given to.
struct LoggedRecord {
  uint64_t sequence = 0;
  int64_t recorded_at_ms = 0;
  std::string_view bytes;

  bool is_operation() const { return model::IsOperationRecord(bytes); }
  model::ClaimView claim() const { return model::ClaimView::Trusted(bytes); }  // unless is_operation()
  model::OperationView operation() const {
    return model::OperationView::Trusted(bytes);
  }  // if is_operation()
  // 32 bytes.
  std::string_view id() const {
    return is_operation() ? operation().id()
                          : std::string_view(reinterpret_cast<const char*>(claim().id()), sizeof(Hash256));
  }
};

// Whether the bytes are a claim's or an operation's record, whole. kCorruption.
Status CheckRecord(std::string_view bytes);

// The records above a sequence.
std::span<const LoggedRecord> Above(std::span<const LoggedRecord> records, uint64_t sequence);

// Thread-safe itself; transactions belong to their threads.
class RecordTable {
 public:
  static Result<std::unique_ptr<RecordTable>> Open(const std::string& path, uint64_t map_bytes = kMapBytes,
                                                   kv::Access access = kv::Access::kReadWrite);

  kv::Environment& environment() { return *environment_; }

  // Applies records in the order of their sequences, and moves the checkpoint. What the checkpoint covers
  // already is left alone, so that a commit that failed in doubt may be repeated. The caller commits.
  // kResourceExhausted "map_full": abort, grow, do it again.
  Status Apply(kv::WriteTxn& txn, std::span<const LoggedRecord> records, const Checkpoint& after);

  // The parts of Apply, for a RecordLoader (loaders.h): records in the order of their sequences, ids in
  // their own. What was there must come before what is appended.
  Status AppendRecords(kv::WriteTxn& txn, std::span<const LoggedRecord> records);
  Status AppendIds(kv::WriteTxn& txn, std::span<const SortedRuns::Pair> pairs);
  // Empties what an earlier loading that was broken off has left, and marks that one is going on. kCorruption
  // "checkpoint_lost" when there are records that no loading accounts for: they may be the only copy.
  Status BeginLoading(kv::WriteTxn& txn);
  Status EndLoading(kv::WriteTxn& txn, const Checkpoint& after);
  // The key of a record, and the value of an id.
  class SequenceKey {
   public:
    explicit SequenceKey(uint64_t sequence) { StoreBig64(bytes_, sequence); }
    operator std::string_view() const { return {bytes_, sizeof bytes_}; }

   private:
    char bytes_[8];
  };

  Result<Checkpoint> checkpoint(const kv::Txn& txn) const { return ReadCheckpoint(txn, meta_); }
  Result<std::optional<uint64_t>> Find(const kv::Txn& txn, std::string_view id) const;
  Result<std::optional<LoggedRecord>> Get(const kv::Txn& txn, uint64_t sequence) const;
  // The newest sequence up to `sequence_max` that was recorded at or before the time; 0 when there is none.
  Result<uint64_t> SequenceAt(const kv::Txn& txn, int64_t time_ms, uint64_t sequence_max) const;
  // For walking the ids: the keys are ids.
  kv::Database ids() const { return ids_; }
  // For walking the records: decode with DecodeStored.
  kv::Database records() const { return records_; }
  static Result<LoggedRecord> DecodeStored(uint64_t sequence, std::string_view value);

 private:
  RecordTable() = default;

  std::unique_ptr<kv::Environment> environment_;
  kv::Database records_, ids_, meta_;
};

}  // namespace stemedb::index
