// SPDX-License-Identifier: Apache-2.0
#include "store/recovery.h"

#include <cstdio>
#include <functional>
#include <vector>

#include "store/batch.h"
#include "store/table_feed.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "telemetry/stopwatch.h"
#include "wal/reader.h"
#include "wal/segment_files.h"

namespace stemedb::store {
namespace {

constexpr const char* kRoom = "store";

std::string Seconds(const telemetry::Stopwatch& stopwatch) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", stopwatch.Seconds());
  return text;
}

Status Diverged(const Options& options, uint64_t sequence) {
  return Status(Code::kCorruption, "log_diverged",
                "the log in " + options.wal_dir + " and the records in " + options.db_dir +
                    " differ at sequence " + std::to_string(sequence) +
                    ": they belong to different databases");
}

template <typename Table>
Result<index::Checkpoint> CheckpointOf(Table& table) {
  auto txn = kv::ReadTxn::Open(&table.environment());
  if (!txn) return txn.error();
  const kv::ReadScope scope(**txn);
  STEMEDB_RETURN_IF_ERROR(scope.status());
  return table.checkpoint(**txn);
}

// Step 1: what the log has above the checkpoint goes into the record table.
Result<wal::Recovered> ReplayLog(const Options& options, index::RecordTable& records, index::Checkpoint& at) {
  RecordFeed feed(options, records, at);
  STEMEDB_RETURN_IF_ERROR(feed.Begin());
  const uint64_t checkpoint = at.sequence;
  wal::RecoverOptions recover{.env = options.env, .dir = options.wal_dir};
  recover.first_needed_sequence = checkpoint + 1;
  recover.damage = options.salvage_wal ? wal::OnDamage::kSalvage : wal::OnDamage::kRefuse;
  recover.log = [](std::string_view line) { telemetry::LogWarn("wal", line); };
  auto recovered = wal::Recover(recover, [&](const wal::Record& record) -> Status {
    if (record.sequence == checkpoint + 1 &&
        wal::ChainOf(at.chain, record.type, record.flags, record.sequence, record.recorded_at_ms,
                     record.payload) != record.chain) {
      return Diverged(options, record.sequence);
    }
    if (record.type != TypeOf(record.payload) || record.type > kTypeOperation) {
      return Status(Code::kCorruption, "unknown_record_type",
                    "the log in " + options.wal_dir + " holds a record of type " +
                        std::to_string(record.type) + " at sequence " + std::to_string(record.sequence) +
                        ": it was written by a later version of StemeDB; start that one");
    }
    STEMEDB_RETURN_IF_ERROR(feed.Add(record.sequence, record.recorded_at_ms, record.payload));
    at = {record.sequence, at.assertions + (record.type == kTypeAssertion ? 1 : 0), record.recorded_at_ms,
          record.chain};
    return feed.full() && (record.flags & wal::kFlagMore) == 0 ? feed.Flush(at) : Status::Ok();
  });
  if (!recovered) return recovered.error();
  STEMEDB_RETURN_IF_ERROR(feed.Finish(at));
  if (recovered->records_replayed == 0 && recovered->segments > 0 && !recovered->ends_before_needed &&
      recovered->end.next_sequence == checkpoint + 1 && recovered->end.chain != at.chain) {
    return Diverged(options, checkpoint);
  }
  return recovered;
}

// Step 2: an older log must say what the record table says. The number of records compared.
Result<uint64_t> ReplayOlderLog(const Options& options, index::RecordTable& records) {
  const auto files = wal::ListSegments(options.env, options.wal_dir);
  if (!files) return files.error();
  if (files->empty() || files->front().bytes == 0) return 0;  // its first segment was just being made
  const auto header = wal::ReadSegmentHeader(options.env, files->front());
  if (!header) return header.error();
  auto reader = wal::Reader::Open(
      {.env = options.env, .dir = options.wal_dir, .from_sequence = header->start.next_sequence});
  if (!reader) return reader.error();
  auto txn = kv::ReadTxn::Open(&records.environment());
  if (!txn) return txn.error();
  const kv::ReadScope scope(**txn);
  STEMEDB_RETURN_IF_ERROR(scope.status());
  uint64_t compared = 0;
  for (wal::Record record;; ++compared) {
    auto next = (*reader)->Next(record);
    if (!next) return next.error();
    if (!*next) return compared;
    auto stored = records.Get(**txn, record.sequence);
    if (!stored) return stored.error();
    if (!stored->has_value() || (*stored)->bytes != record.payload ||
        (*stored)->recorded_at_ms != record.recorded_at_ms) {
      return Diverged(options, record.sequence);
    }
  }
}

// Step 4.
Status CatchUpIndex(const Options& options, const index::Checkpoint& at, index::RecordTable& records,
                    index::ClaimIndex& claims, index::Checkpoint from) {
  const bool from_nothing = from.sequence == 0;
  if (from_nothing) telemetry::LogInfo(kRoom, "Index rebuild started...");
  telemetry::LogInfo(kRoom, "Rebuilding predicate index from " + std::to_string(at.sequence - from.sequence) +
                                " assertions...");
  telemetry::LogInfo(kRoom, "Rebuilding concept index...");
  auto txn = kv::ReadTxn::Open(&records.environment());
  if (!txn) return txn.error();
  const kv::ReadScope scope(**txn);
  STEMEDB_RETURN_IF_ERROR(scope.status());
  ClaimFeed feed(options, claims, from);
  STEMEDB_RETURN_IF_ERROR(feed.Begin());
  index::Checkpoint done = from;
  auto cursor = kv::Cursor::Open(**txn, records.records());
  if (!cursor) return cursor.error();
  char key[8];
  StoreBig64(key, from.sequence + 1);
  Status moved = cursor->Seek({key, sizeof key});
  for (; moved.ok() && cursor->valid(); moved = cursor->Next()) {
    const uint64_t sequence = LoadBig64(cursor->key().data());
    auto stored = index::RecordTable::DecodeStored(sequence, cursor->value());
    if (!stored) return stored.error();
    STEMEDB_RETURN_IF_ERROR(feed.Add(sequence, stored->recorded_at_ms, stored->bytes));
    done = {sequence, done.assertions + (stored->is_operation() ? 0 : 1), stored->recorded_at_ms, {}};
    if (!feed.full()) continue;
    if (done.sequence == at.sequence) done.chain = at.chain;
    STEMEDB_RETURN_IF_ERROR(feed.Flush(done));
    telemetry::LogInfo(kRoom, "index rebuild: " + std::to_string(done.sequence) + " of " +
                                  std::to_string(at.sequence) + " (" +
                                  std::to_string(done.sequence * 100 / at.sequence) + " %)");
  }
  STEMEDB_RETURN_IF_ERROR(moved);
  if (done.sequence != at.sequence || done.assertions != at.assertions) {
    return Status(Code::kCorruption, "record_missing",
                  records.environment().path() + ": holds " + std::to_string(done.assertions) +
                      " assertions up to sequence " + std::to_string(done.sequence) +
                      ", its checkpoint says " + std::to_string(at.assertions) + " up to " +
                      std::to_string(at.sequence));
  }
  done.chain = at.chain;
  return feed.Finish(done);
}

Result<bool> HasRowsWithoutCheckpoint(index::ClaimIndex& claims, const index::Checkpoint& at) {
  if (at.sequence > 0) return false;
  auto txn = kv::ReadTxn::Open(&claims.environment());
  if (!txn) return txn.error();
  const kv::ReadScope scope(**txn);
  STEMEDB_RETURN_IF_ERROR(scope.status());
  const auto rows = (*txn)->Count(claims.claims());
  if (!rows) return rows.error();
  return *rows > 0;
}

Status BringIndexUp(const Options& options, const index::Checkpoint& at, bool from_nothing,
                    index::RecordTable& records, index::ClaimIndex& claims) {
  auto from = CheckpointOf(claims);
  if (!from) return from.error();
  // Of an earlier layout, or left by a loading that was broken off: rows without a checkpoint.
  auto stale = HasRowsWithoutCheckpoint(claims, *from);
  if (!stale) return stale.error();
  if (from->sequence == at.sequence && from->chain == at.chain && !from_nothing && !*stale)
    return Status::Ok();
  const telemetry::Stopwatch stopwatch;
  telemetry::LogInfo(kRoom, "Rebuilding indexes...");
  if (from_nothing || from->sequence >= at.sequence) *from = {};
  STEMEDB_RETURN_IF_ERROR(CatchUpIndex(options, at, records, claims, *from));
  telemetry::LogInfo(kRoom, "Index rebuild complete in " + Seconds(stopwatch) + " s");
  return Status::Ok();
}

}  // namespace

Result<RecoveredState> RecoverState(const Options& options, index::RecordTable& records,
                                    index::ClaimIndex& claims) {
  const telemetry::Stopwatch stopwatch;
  telemetry::LogInfo("wal", "Starting WAL recovery...");
  options.metrics->wal().recovery_attempts_total.Increment();
  RecoveredState state;
  auto at = CheckpointOf(records);
  if (!at) return at.error();
  state.at = *at;
  auto recovered = ReplayLog(options, records, state.at);
  if (!recovered) return recovered.error();
  state.log = *recovered;

  uint64_t replayed = state.log.records_replayed;
  bool rebuild = false;
  if (state.at.sequence > 0 && (state.log.segments == 0 || state.log.ends_before_needed)) {
    if (state.log.segments > 0) {
      auto compared = ReplayOlderLog(options, records);
      if (!compared) return compared.error();
      replayed = *compared;
    }
    telemetry::LogWarn(
        "wal",
        "the log ends before the checkpoint: an older one was put back. It goes on behind the checkpoint",
        {{"log_end", state.log.segments == 0 ? 0 : state.log.end.next_sequence - 1},
         {"checkpoint", state.at.sequence}});
    state.log.end = {state.at.sequence + 1, state.at.chain};
    rebuild = true;
  }
  telemetry::LogInfo("wal", "Replayed " + std::to_string(replayed) + " entries from WAL");
  options.metrics->wal().recovery_duration_seconds.Observe(stopwatch.Seconds());
  STEMEDB_RETURN_IF_ERROR(BringIndexUp(options, state.at, rebuild, records, claims));
  return state;
}

}  // namespace stemedb::store
