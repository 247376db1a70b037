// SPDX-License-Identifier: Apache-2.0
// Indexer: the index thread. Its inbox is the batches that are durable in the log; it moves them into LMDB in
// large transactions, first the record table, then the claim index, each with its checkpoint, and then lets
// the readers forget them. A failure (a full disk) is logged and tried again every second: nothing is lost,
// the log has it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "index/claim_index.h"
#include "index/record_table.h"
#include "store/id_filter.h"
#include "store/publisher.h"
#include "store/store.h"

namespace stemedb::store {

// Runs `change` in a write transaction and commits it; when the map is full, grows it and does it all again.
Status WriteWithRoom(kv::Environment& environment, const std::function<Status(kv::WriteTxn&)>& change);

class Indexer {
 public:
  // `start` is the checkpoint of both tables after recovery. Everything pointed to outlives the indexer.
  Indexer(const Options& options, const index::Checkpoint& start, index::RecordTable* records,
          index::ClaimIndex* claims, Publisher* publisher);
  ~Indexer();

  void Add(BatchPtr batch);                                                    // commit thread
  size_t backlog() const { return backlog_.load(std::memory_order_relaxed); }  // records; any thread
  size_t backlog_bytes() const {
    return backlog_bytes_.load(std::memory_order_relaxed);
  }  // of those records; any thread
  // Both tables hold everything up to here. Any thread.
  uint64_t checkpoint() const { return checkpoint_.load(std::memory_order_acquire); }
  // The record table alone; a little ahead at times. Any thread.
  uint64_t records_checkpoint() const { return records_checkpoint_.load(std::memory_order_acquire); }
  // Of the last try, ok when it moved what it had. Any thread.
  Status failure() const;
  // Returns when everything added before the call is in LMDB; the last failure when that can't be reached.
  Status Flush();
  // A filter that knows every id up to start's checkpoint, once; null as long as the thread hasn't read them
  // all, and when they couldn't be read. It is there before records_checkpoint() moves for the first time.
  // Any thread.
  std::unique_ptr<IdFilter> TakeIdFilter();
  // Moves what is left, as far as Options::stop_ms_max allows, then ends the thread. The log has the rest:
  // the next start replays it. Idempotent.
  void Stop();

 private:
  void Run();
  void ReadIds();
  // Whether what is queued fills a transaction. Under mutex_.
  bool HasTransaction() const {
    return queued_records_ >= options_.index_transaction_records ||
           queued_bytes_ >= options_.index_transaction_bytes;
  }
  bool IsBehind() const;
  bool TakeWork(std::vector<BatchPtr>& work);
  Status Move(const std::vector<BatchPtr>& work);
  void Breathe();
  void Done(const std::vector<BatchPtr>& work);
  bool WaitAfterFailure(const Status& failure);

  const Options options_;
  index::RecordTable* const records_;
  index::ClaimIndex* const claims_;
  Publisher* const publisher_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;   // to the thread
  std::condition_variable moved_;  // from it
  std::deque<BatchPtr> queue_;     // guarded by mutex_
  size_t queued_records_ = 0;      // guarded by mutex_
  size_t queued_bytes_ = 0;        // guarded by mutex_
  uint64_t added_ = 0;             // guarded by mutex_: the newest sequence that came in
  int flushes_waiting_ = 0;        // guarded by mutex_
  bool stopping_ = false;          // guarded by mutex_
  std::chrono::steady_clock::time_point stop_deadline_;  // guarded by mutex_; counts when stopping_
  Status failure_;                                       // guarded by mutex_: of the last try
  std::unique_ptr<IdFilter> id_filter_;                  // guarded by mutex_

  std::atomic<bool> in_hurry_{false};                // stopping_ or flushes_waiting_
  std::chrono::steady_clock::time_point last_rest_;  // the thread's own

  std::atomic<size_t> backlog_{0};
  std::atomic<size_t> backlog_bytes_{0};
  std::atomic<uint64_t> records_checkpoint_;
  std::atomic<uint64_t> checkpoint_;

  std::thread thread_;
};

}  // namespace stemedb::store
