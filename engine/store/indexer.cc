// SPDX-License-Identifier: Apache-2.0
#include "store/indexer.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>

#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "telemetry/stopwatch.h"

namespace stemedb::store {
namespace {

constexpr auto kRetryAfter = std::chrono::seconds(1);
// Where loops and commit thread have no core to themselves, each hand-over between them would wait for the
// end of this thread's time slice, some milliseconds. So it works in short pieces, as long as it isn't
// behind.
constexpr auto kPiece = std::chrono::microseconds(200);
constexpr auto kRest = std::chrono::microseconds(200);
constexpr size_t kBehindInTransactions = 2;

}  // namespace

Status WriteWithRoom(kv::Environment& environment, const std::function<Status(kv::WriteTxn&)>& change) {
  for (;;) {
    auto txn = kv::WriteTxn::Begin(&environment);
    if (!txn) return txn.error();
    Status status = change(**txn);
    if (status.ok()) status = (*txn)->Commit();
    if (status.ok()) return status;
    (*txn)->Abort();
    if (status.reason() != "map_full") return status;
    const uint64_t larger = environment.stats().map_bytes * 2;
    telemetry::LogInfo("store", "growing the map of a database file",
                       {{"file", environment.path()}, {"bytes", larger}});
    STEMEDB_RETURN_IF_ERROR(environment.GrowMap(larger));
  }
}

Indexer::Indexer(const Options& options, const index::Checkpoint& start, index::RecordTable* records,
                 index::ClaimIndex* claims, Publisher* publisher)
    : options_(options),
      records_(records),
      claims_(claims),
      publisher_(publisher),
      added_(start.sequence),
      records_checkpoint_(start.sequence),
      checkpoint_(start.sequence) {
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "index");
}

Indexer::~Indexer() { Stop(); }

void Indexer::Add(BatchPtr batch) {
  const std::lock_guard lock(mutex_);
  queued_records_ += batch->entries.size();
  queued_bytes_ += batch->bytes();
  added_ = batch->last();
  backlog_.fetch_add(batch->entries.size(), std::memory_order_relaxed);
  backlog_bytes_.fetch_add(batch->bytes(), std::memory_order_relaxed);
  queue_.push_back(std::move(batch));
  if (queue_.size() == 1 || HasTransaction()) wake_.notify_one();
}

Status Indexer::Flush() {
  std::unique_lock lock(mutex_);
  const uint64_t target = added_;
  ++flushes_waiting_;
  in_hurry_.store(true, std::memory_order_relaxed);
  wake_.notify_one();
  moved_.wait(lock, [&] { return checkpoint() >= target || !failure_.ok(); });
  --flushes_waiting_;
  in_hurry_.store(stopping_ || flushes_waiting_ > 0, std::memory_order_relaxed);
  return checkpoint() >= target ? Status::Ok() : failure_;
}

Status Indexer::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void Indexer::Stop() {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_)
      stop_deadline_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(options_.stop_ms_max);
    stopping_ = true;
    in_hurry_.store(true, std::memory_order_relaxed);
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Indexer::Run() {
  ReadIds();
  std::vector<BatchPtr> work;
  while (TakeWork(work)) {
    for (Status status = Move(work); !status.ok(); status = Move(work)) {
      if (!WaitAfterFailure(status)) return;  // stopping: the log has it, the next start replays it
    }
    Done(work);
    for (BatchPtr& batch : work) {  // mostly these are the last to hold it
      batch.reset();
      Breathe();
    }
  }
}

// Here, and not in the start, which it would double: until it is done the commit thread searches LMDB.
void Indexer::ReadIds() {
  constexpr size_t kIdsBetweenLooks = 4096;  // for a stop
  auto txn = kv::ReadTxn::Open(&records_->environment());
  if (!txn) return;
  const kv::ReadScope scope(**txn);
  const auto at =
      scope.status().ok() ? records_->checkpoint(**txn) : Result<index::Checkpoint>(scope.status());
  auto cursor = kv::Cursor::Open(**txn, records_->ids());
  if (!at || !cursor) return;
  auto filter = std::make_unique<IdFilter>(2 * at->sequence);
  size_t count = 0;
  for (Status status = cursor->First(); cursor->valid(); status = cursor->Next()) {
    if (!status.ok() || cursor->key().size() != sizeof(Hash256)) return;
    Hash256 id;
    std::copy(cursor->key().begin(), cursor->key().end(), id.begin());
    filter->Add(id);
    if (++count % kIdsBetweenLooks != 0) continue;
    Breathe();
    const std::lock_guard lock(mutex_);
    if (stopping_ || IsBehind()) return;  // the filter is a help; claims that wait are not to wait for it
  }
  if (count != at->sequence) return;  // each record has an id
  const std::lock_guard lock(mutex_);
  id_filter_ = std::move(filter);
}

std::unique_ptr<IdFilter> Indexer::TakeIdFilter() {
  const std::lock_guard lock(mutex_);
  return std::move(id_filter_);
}

bool Indexer::TakeWork(std::vector<BatchPtr>& work) {
  work.clear();
  std::unique_lock lock(mutex_);
  const auto in_hurry = [this] { return stopping_ || flushes_waiting_ > 0; };
  wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
  // A transaction costs two syncs however small it is: wait a little for it to become worth that.
  wake_.wait_for(lock, std::chrono::milliseconds(options_.index_interval_ms),
                 [&] { return in_hurry() || HasTransaction(); });
  if (stopping_ && !queue_.empty() && std::chrono::steady_clock::now() >= stop_deadline_) {
    telemetry::LogInfo("store", "the index thread stops behind the log; the next start catches up",
                       {{"records", queued_records_}});
    failure_ = Status(Code::kUnavailable, "shutting_down", "the server is shutting down");
    moved_.notify_all();
    return false;
  }
  size_t records = 0, bytes = 0;
  const auto has_room = [&](const Batch& next) {
    return records + next.entries.size() <= options_.index_transaction_records &&
           bytes + next.bytes() <= options_.index_transaction_bytes;
  };
  while (!queue_.empty() && (work.empty() || has_room(*queue_.front()))) {
    records += queue_.front()->entries.size();
    bytes += queue_.front()->bytes();
    work.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queued_records_ -= records;
  queued_bytes_ -= bytes;
  return !work.empty();
}

Status Indexer::Move(const std::vector<BatchPtr>& work) {
  std::vector<index::LoggedRecord> records;
  for (const BatchPtr& batch : work) {
    for (const Entry& entry : batch->entries)
      records.push_back({entry.sequence, entry.recorded_at_ms, entry.record});
    Breathe();
  }
  const index::Checkpoint& after = work.back()->after;
  const auto timed = [&](const char* backend, kv::Environment& environment,
                         const std::function<Status(kv::WriteTxn&)>& change) {
    telemetry::StorageSeries series = options_.metrics->Storage("commit", backend);
    const telemetry::ScopedTimer timer(series.duration_seconds);
    series.operations.Increment();
    Status status = WriteWithRoom(environment, [&](kv::WriteTxn& txn) {
      txn.set_breather([this] { Breathe(); });
      return change(txn);
    });
    if (!status.ok()) series.errors.Increment();
    return status;
  };
  // A second try after a failure between the two finds the record table done.
  if (records_checkpoint() < after.sequence) {
    STEMEDB_RETURN_IF_ERROR(timed("assertions", records_->environment(),
                                  [&](kv::WriteTxn& txn) { return records_->Apply(txn, records, after); }));
    records_checkpoint_.store(after.sequence, std::memory_order_release);
  }
  return timed("indexes", claims_->environment(),
               [&](kv::WriteTxn& txn) { return claims_->Apply(txn, records, after); });
}

bool Indexer::IsBehind() const {
  return backlog() > kBehindInTransactions * options_.index_transaction_records ||
         backlog_bytes() > kBehindInTransactions * options_.index_transaction_bytes;
}

void Indexer::Breathe() {
  if (in_hurry_.load(std::memory_order_relaxed)) return;
  if (IsBehind()) return;
  if (std::chrono::steady_clock::now() - last_rest_ < kPiece) return;
  std::this_thread::sleep_for(kRest);
  last_rest_ = std::chrono::steady_clock::now();
}

void Indexer::Done(const std::vector<BatchPtr>& work) {
  const uint64_t sequence = work.back()->last();
  size_t records = 0, bytes = 0;
  for (const BatchPtr& batch : work) {
    records += batch->entries.size();
    bytes += batch->bytes();
  }
  publisher_->Trim(sequence);
  const std::lock_guard lock(mutex_);
  checkpoint_.store(sequence, std::memory_order_release);
  backlog_.fetch_sub(records, std::memory_order_relaxed);
  backlog_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  failure_ = Status::Ok();
  moved_.notify_all();
}

bool Indexer::WaitAfterFailure(const Status& failure) {
  telemetry::LogError("store", "index thread: " + std::string(failure.message()) + "; trying again",
                      {{"reason", failure.reason()}});
  std::unique_lock lock(mutex_);
  failure_ = failure;
  moved_.notify_all();
  return !wake_.wait_for(lock, kRetryAfter, [this] { return stopping_; });
}

}  // namespace stemedb::store
