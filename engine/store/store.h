// SPDX-License-Identifier: Apache-2.0
// Store: the database without its questions. It takes encoded claims and operations, makes them durable in
// the log, and shows them to readers at the moment of acknowledgement.
//
// Threads. Submit may be called by any thread. The *commit* thread gives out sequences, appends to the log,
// syncs, hands the batch to every reader and to the index thread, and then calls the callbacks. The *index*
// thread moves committed records into LMDB and advances the checkpoint. Each querying thread has a Reader of
// its own; nothing that a reader touches while it answers is shared and mutable.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "env/env.h"
#include "store/judgement.h"
#include "store/reader.h"
#include "telemetry/metrics.h"

namespace stemedb::store {

struct Options {
  env::Env* env = nullptr;                // outlives the store
  env::Clock* clock = nullptr;            // outlives the store
  telemetry::Metrics* metrics = nullptr;  // outlives the store
  std::string wal_dir = "data/wal";
  std::string db_dir = "data/db";
  uint64_t segment_bytes_max = 64u << 20;
  size_t queue_records_max = 65'536;  // waiting for the commit thread; beyond: "overloaded"
  size_t queue_bytes_max = 256u << 20;
  size_t submission_bytes_max = 64u << 20;  // of records with their headers; beyond: "batch_too_large"
  size_t batch_bytes_max = 16u << 20;       // one fsync covers at most this much, but always one submission
  size_t unindexed_records_max = 1u << 20;  // committed, not yet in LMDB; beyond: "overloaded"
  size_t unindexed_bytes_max = 512u << 20;  // likewise, bytes of records
  // One transaction of the index thread. Rows of unrelated concepts each dirty a page of their own, so the
  // larger it is, the fewer pages each claim costs; LMDB has room for 131,071 dirty pages.
  size_t index_transaction_records = 65'536;
  size_t index_transaction_bytes = 64u << 20;  // of records
  // Memory of a sort, when a table is filled from nothing; the rest goes to a scratch file in db_dir. A start
  // has at most two sorts at a time.
  size_t sort_bytes_max = 256u << 20;
  // Of Touches, for readers that keep answers (64 bits each, and a quarter as many again); 0: none are kept.
  size_t touch_slots = 0;
  int64_t stop_ms_max = 2'000;  // Close begins no index transaction after that; a start replays the rest
  int64_t index_interval_ms = 2'000;       // the index thread waits this long for a larger transaction
  uint64_t map_bytes = uint64_t{1} << 34;  // of each database file at first; it grows live
  bool salvage_wal = false;                // cut damage in the middle of the log off instead of refusing
};

// One claim or operation, ready to be logged.
struct PreparedRecord {
  Hash256 id{};
  std::string record;  // of model::EncodeClaim or model::EncodeOperation
};

enum class Atomicity { kEachItem, kAllOrNothing };
// When the commit thread is woken for a submission, if it sleeps: at once, or with enough others or the next
// Begin.
enum class Wake { kNow, kWithOthers };

struct ItemResult {
  bool duplicate = false;  // it was there already; sequence and time are those of its first arrival
  uint64_t sequence = 0;
  int64_t recorded_at_ms = 0;
};

// What became of a submission: `items` in the order of its records, or why none was taken: "disk_full",
// "wal_failed", "shutting_down", kConflict "names_changed".
struct CommitResult {
  Status status;
  std::vector<ItemResult> items;
  bool has_operations = false;  // whether there is any operation in the log by then, a failed commit aside
};
using CommitCallback = std::function<void(CommitResult&&)>;  // on the commit thread: hand over and return

struct Submission {
  std::vector<PreparedRecord> records;
  Atomicity atomicity = Atomicity::kEachItem;  // all or nothing also across a crash
  // For an operation that was judged by what names mean (an alias that must close no circle): it is refused
  // with "names_changed" when another such operation has been ordered since that is about one of the names
  // that the judgement relies on, so that the two can't contradict each other. Judge and submit again.
  std::optional<Judgement> judged;
  CommitCallback done;
};

struct Stats {
  uint64_t assertions = 0;
  uint64_t sequence = 0;    // of the newest acknowledged record
  uint64_t checkpoint = 0;  // everything up to it is in LMDB
  uint64_t wal_segments = 0;
  uint64_t wal_bytes = 0;
  uint64_t map_used_bytes = 0;  // both environments
  uint64_t map_size_bytes = 0;
  // False after a failed fsync for good; after a failed write until one succeeds, or until a second later the
  // disk has room (a full one) or is worth another try.
  bool accepting_writes = true;
  std::string not_accepting_reason;
  bool has_id_filter = false;  // whether new ids are known as such without a search
  std::string index_failure;   // why the index thread's last try failed; empty when it didn't
};

class Store {
 public:
  // Opens or creates, recovers, rebuilds what is missing, and starts the threads. Logs the operator's
  // phrases. kCorruption: the log or the record store is damaged; kConflict "already_running": another
  // process has the directories.
  static Result<std::unique_ptr<Store>> Open(const Options& options);

  // Finishes what is queued, checkpoints, closes. Readers must be gone.
  virtual ~Store() = default;

  // Queues the submission; `done` is called exactly once if and only if this returns ok. kResourceExhausted
  // "overloaded" when a queue is full; kTooLarge "batch_too_large"; kIoError "wal_failed"; kUnavailable
  // "shutting_down". Any thread.
  virtual Status Submit(Submission submission, Wake wake = Wake::kNow) = 0;
  // Starts on what waits for others. Any thread.
  virtual void Begin() = 0;

  // A reader for one thread. It must be destroyed before the store.
  virtual std::unique_ptr<Reader> NewReader() = 0;

  // Called on the commit thread whenever records have become visible to all readers: must be quick and must
  // not submit. One for the store, set before it is written to by many. Any thread.
  virtual void SetPublishListener(std::function<void()> listener) = 0;

  virtual Stats stats() const = 0;  // any thread

  // Everything acknowledged before the call is in LMDB when it returns. Any thread but the loops: it waits.
  virtual Status Flush() = 0;

  // Stops taking submissions, finishes those queued, checkpoints as far as stop_ms_max allows. Idempotent.
  virtual void Close() = 0;
};

}  // namespace stemedb::store
