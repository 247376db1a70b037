// SPDX-License-Identifier: Apache-2.0
// Committer: the commit thread. Its inbox is the queue of submissions; its job is order: it recognises
// repeats, gives out sequences and times, appends to the log, syncs once for everything that has queued up
// meanwhile, publishes, and calls back. Batches form by themselves while the previous fsync runs. It must not
// judge content, and must not wait for anything but the disk.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "index/record_table.h"
#include "store/id_filter.h"
#include "store/publisher.h"
#include "store/store.h"
#include "wal/writer.h"

namespace stemedb::store {

class Indexer;

class Committer {
 public:
  // `start` is how the database stands after recovery. Everything pointed to outlives the committer.
  Committer(const Options& options, std::unique_ptr<wal::Writer> writer, const index::Checkpoint& start,
            index::RecordTable* records, Publisher* publisher, Indexer* indexer);
  ~Committer();

  // Any thread; as Store::Submit.
  Status Submit(Submission submission, Wake wake);
  // Any thread; as Store::Begin.
  void Begin();
  // Finishes what is queued, then ends the thread. Idempotent.
  void Stop();

  // Any thread. The commit thread's part of the figures.
  void FillStats(Stats& stats) const;

 private:
  struct Known {
    uint64_t sequence;
    int64_t recorded_at_ms;
  };
  // What one fsync will cover.
  struct Work {
    std::vector<Submission> submissions;
    std::vector<CommitResult> results;  // beside submissions
    std::shared_ptr<Batch> batch;
    int64_t recorded_at_min_ms = 0;  // no record of it may be earlier
  };

  void Run();
  // False when it is stopping and everything is done. Comes back with no work now and then while writes are
  // refused.
  bool TakeWork(Work& work);
  void Commit(Work& work);
  Status Order(Work& work);
  Status OrderOne(Submission& submission, CommitResult& result, Work& work);
  Result<bool> FindRepeat(const Hash256& id, ItemResult& item);
  Status WriteLog(Work& work);
  void Publish(Work& work);
  void Answer(Work& work, const Status& failure);
  void TakeIdFilter();
  void ForgetIndexed(uint64_t indexed, size_t batches_max);
  void CountFailure(const Status& failure);
  bool IsDurableRepeat(const Submission& submission, const CommitResult& result) const;
  void TryRefusalAgain();
  void Refuse(const Status& failure);
  void EndRefusal();
  void ExportLogMetrics();

  const Options options_;
  index::RecordTable* const records_;
  Publisher* const publisher_;
  Indexer* const indexer_;

  // The queue, guarded by mutex_.
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Submission> queue_;
  size_t queued_records_ = 0;
  size_t queued_bytes_ = 0;
  bool stopping_ = false;
  Status refusal_;  // why writes fail at present; ok when they don't. Written by the commit thread alone

  // The commit thread's own.
  std::unique_ptr<wal::Writer> writer_;
  std::unique_ptr<kv::ReadTxn> read_txn_;
  index::Checkpoint at_;
  RecentNames recent_names_;  // by operations that came with a judgement
  std::unordered_map<Hash256, Known, IdHasher>
      unindexed_ids_;                    // of records above the record table's checkpoint
  std::unique_ptr<IdFilter> id_filter_;  // of all ids; null until the index thread has read the older ones
  std::deque<BatchPtr> unindexed_;
  wal::Stats exported_;  // what the metrics know already

  std::atomic<uint64_t> sequence_{0};
  std::atomic<uint64_t> assertions_{0};
  std::atomic<uint64_t> wal_segments_{0};
  std::atomic<uint64_t> wal_bytes_{0};
  std::atomic<bool> has_id_filter_{false};

  std::thread thread_;  // last: it uses everything above
};

}  // namespace stemedb::store
