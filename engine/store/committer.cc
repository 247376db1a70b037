// SPDX-License-Identifier: Apache-2.0
#include "store/committer.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "store/indexer.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "telemetry/stopwatch.h"
#include "wal/format.h"

namespace stemedb::store {
namespace {

// Of batches; each write adds one. To forget a whole index transaction at once would hold the next write up.
constexpr size_t kForgottenAtOnce = 4;
constexpr size_t kForgottenWhenIdle = 8192;  // each second without a write
constexpr size_t kEnoughToBegin = 64;        // submissions that wait for others
constexpr auto kTryAgainAfter = std::chrono::seconds(1);
constexpr uint64_t kRoomToGoOn = 16u << 20;  // free bytes after which a full disk is tried again

size_t BytesOf(const Submission& submission) {
  size_t bytes = 0;
  for (const PreparedRecord& one : submission.records) bytes += one.record.size() + wal::kRecordHeaderBytes;
  return bytes;
}

// An empty submission takes a place in the queue as well.
size_t RecordsOf(const Submission& submission) { return std::max<size_t>(submission.records.size(), 1); }

}  // namespace

Committer::Committer(const Options& options, std::unique_ptr<wal::Writer> writer,
                     const index::Checkpoint& start, index::RecordTable* records, Publisher* publisher,
                     Indexer* indexer)
    : options_(options),
      records_(records),
      publisher_(publisher),
      indexer_(indexer),
      writer_(std::move(writer)),
      at_(start),
      sequence_(start.sequence),
      assertions_(start.assertions) {
  ExportLogMetrics();
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "commit");
}

Committer::~Committer() { Stop(); }

Status Committer::Submit(Submission submission, Wake wake) {
  const size_t records = RecordsOf(submission), bytes = BytesOf(submission);
  if (bytes > options_.submission_bytes_max) {
    return Status(Code::kTooLarge, "batch_too_large",
                  "one submission of " + std::to_string(bytes) + " bytes is above the limit of " +
                      std::to_string(options_.submission_bytes_max) + "; send the claims in smaller batches");
  }
  const std::lock_guard lock(mutex_);
  if (stopping_) return Status(Code::kUnavailable, "shutting_down", "the server is shutting down");
  if (refusal_.reason() == "wal_failed") return refusal_;
  // A submission that is too large for the queue is still taken when it is alone.
  const bool full = queued_records_ + records > options_.queue_records_max ||
                    queued_bytes_ + bytes > options_.queue_bytes_max;
  const bool index_lags = indexer_->backlog() + queued_records_ > options_.unindexed_records_max ||
                          indexer_->backlog_bytes() + queued_bytes_ > options_.unindexed_bytes_max;
  if ((full && !queue_.empty()) || index_lags) {
    return Status(Code::kResourceExhausted, "overloaded",
                  "the write queue is full: the disk does not keep up; send more slowly and try again");
  }
  queued_records_ += records;
  queued_bytes_ += bytes;
  queue_.push_back(std::move(submission));
  if (wake == Wake::kNow || queue_.size() == kEnoughToBegin) wake_.notify_one();
  return Status::Ok();
}

void Committer::Begin() {
  const std::lock_guard lock(mutex_);
  if (!queue_.empty()) wake_.notify_one();
}

void Committer::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Committer::FillStats(Stats& stats) const {
  stats.sequence = sequence_.load();
  stats.assertions = assertions_.load();
  stats.wal_segments = wal_segments_.load();
  stats.wal_bytes = wal_bytes_.load();
  stats.has_id_filter = has_id_filter_.load();
  const std::lock_guard lock(mutex_);
  stats.accepting_writes = refusal_.ok();
  stats.not_accepting_reason = refusal_.message();
}

void Committer::Run() {
  Work work;
  while (TakeWork(work)) {
    if (!work.submissions.empty()) {
      Commit(work);
    } else {
      TryRefusalAgain();
      const uint64_t indexed = indexer_->records_checkpoint();  // before the filter is taken, as in Commit
      TakeIdFilter();
      ForgetIndexed(indexed, kForgottenWhenIdle);
    }
  }
}

bool Committer::TakeWork(Work& work) {
  work = Work();
  std::unique_lock lock(mutex_);
  const auto due = [this] { return stopping_ || !queue_.empty(); };
  // Whoever asks whether writes are accepted may wait for a yes before it sends one: the yes can't wait for a
  // write.
  const bool has_chores = !unindexed_.empty() || !(refusal_.ok() || refusal_.reason() == "wal_failed");
  if (!has_chores)
    wake_.wait(lock, due);
  else
    wake_.wait_for(lock, kTryAgainAfter, due);
  size_t bytes = 0;
  while (!queue_.empty()) {
    const size_t next = BytesOf(queue_.front());
    if (!work.submissions.empty() && bytes + next > options_.batch_bytes_max) break;
    bytes += next;
    queued_bytes_ -= next;
    queued_records_ -= RecordsOf(queue_.front());
    work.submissions.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return !work.submissions.empty() || !stopping_;
}

void Committer::Commit(Work& work) {
  // In this order: what was indexed by then, the filter had been made before.
  const uint64_t indexed = indexer_->records_checkpoint();
  TakeIdFilter();
  ForgetIndexed(indexed, kForgottenAtOnce);
  work.results.resize(work.submissions.size());
  work.batch = std::make_shared<Batch>();
  TimeLine& time_line = publisher_->time_line();
  work.recorded_at_min_ms = time_line.Begin(std::max(options_.clock->NowMs(), at_.recorded_at_ms));
  Status status = Order(work);
  if (status.ok()) status = WriteLog(work);
  if (status.ok()) {
    Publish(work);
  } else {
    for (const Entry& entry : work.batch->entries) unindexed_ids_.erase(entry.id);
    recent_names_.TakeBack(at_.sequence);
    CountFailure(status);
  }
  time_line.End(at_.sequence);
  if (!status.ok())
    Refuse(status);
  else if (!work.batch->entries.empty())
    EndRefusal();  // repeats alone are answered without a write, and prove nothing
  ExportLogMetrics();
  Answer(work, status);
}

Status Committer::Order(Work& work) {
  if (!read_txn_) {
    auto txn = kv::ReadTxn::Open(&records_->environment());
    if (!txn) return txn.error();
    read_txn_ = std::move(*txn);
  }
  const kv::ReadScope scope(*read_txn_);
  STEMEDB_RETURN_IF_ERROR(scope.status());
  for (size_t i = 0; i < work.submissions.size(); ++i) {
    STEMEDB_RETURN_IF_ERROR(OrderOne(work.submissions[i], work.results[i], work));
  }
  return Status::Ok();
}

Status Committer::OrderOne(Submission& submission, CommitResult& result, Work& work) {
  Batch& batch = *work.batch;
  // The wall clock may jump back; the log's times never do, so that "as of" a time is a place in the log.
  const int64_t before_ms =
      batch.entries.empty() ? work.recorded_at_min_ms : batch.entries.back().recorded_at_ms;
  const int64_t now_ms = std::max(options_.clock->NowMs(), before_ms);
  const size_t first_new = batch.entries.size();
  // Decided once for all of its records: the first that is new changes what the others would be held against.
  const bool is_stale = submission.judged && recent_names_.HasChanged(*submission.judged);
  result.items.resize(submission.records.size());
  for (size_t i = 0; i < submission.records.size(); ++i) {
    PreparedRecord& prepared = submission.records[i];
    ItemResult& item = result.items[i];
    auto repeat = FindRepeat(prepared.id, item);
    if (!repeat) return repeat.error();
    if (*repeat) continue;
    if (is_stale) {
      result.status =
          Status(Code::kConflict, "names_changed", "what this is about has just been changed; try again");
      result.items.clear();
      return Status::Ok();
    }
    item = {false, at_.sequence + batch.entries.size() + 1, now_ms};
    unindexed_ids_.emplace(prepared.id, Known{item.sequence, now_ms});
    batch.entries.push_back({item.sequence, now_ms, prepared.id, std::move(prepared.record)});
    const Entry& entry = batch.entries.back();
    if (submission.judged && entry.is_operation()) recent_names_.Change(entry.operation(), item.sequence);
  }
  std::vector<wal::RecordToWrite> records;
  for (size_t i = first_new; i < batch.entries.size(); ++i) {
    const bool more = submission.atomicity == Atomicity::kAllOrNothing && i + 1 < batch.entries.size();
    const std::string& record = batch.entries[i].record;
    records.push_back({TypeOf(record), more ? wal::kFlagMore : uint8_t{0}, now_ms, record});
  }
  return records.empty() ? Status::Ok() : writer_->Append(records);
}

Result<bool> Committer::FindRepeat(const Hash256& id, ItemResult& item) {
  const auto known = unindexed_ids_.find(id);
  if (known != unindexed_ids_.end()) {
    item = {true, known->second.sequence, known->second.recorded_at_ms};
    return true;
  }
  if (id_filter_ && !id_filter_->MayContain(id)) return false;
  auto sequence = records_->Find(*read_txn_, AsView(id));
  if (!sequence) return sequence.error();
  if (!sequence->has_value()) return false;
  auto stored = records_->Get(*read_txn_, **sequence);
  if (!stored) return stored.error();
  if (!stored->has_value()) {
    return Status(Code::kCorruption, "record_missing",
                  records_->environment().path() + ": there is an id of record " +
                      std::to_string(**sequence) + ", but no such record");
  }
  item = {true, **sequence, (*stored)->recorded_at_ms};
  return true;
}

Status Committer::WriteLog(Work& work) {
  if (work.batch->entries.empty()) return Status::Ok();
  const telemetry::Stopwatch stopwatch;
  STEMEDB_RETURN_IF_ERROR(writer_->Sync());
  const telemetry::WalMetrics& metrics = options_.metrics->wal();
  metrics.flush_latency_seconds.Observe(stopwatch.Seconds());
  metrics.batch_size.Observe(static_cast<double>(work.batch->entries.size()));
  return Status::Ok();
}

void Committer::Publish(Work& work) {
  Batch& batch = *work.batch;
  if (batch.entries.empty()) return;
  STEMEDB_CHECK(writer_->durable().next_sequence == batch.last() + 1);
  at_.sequence = batch.last();
  const auto assertions = static_cast<uint64_t>(std::count_if(
      batch.entries.begin(), batch.entries.end(), [](const Entry& entry) { return !entry.is_operation(); }));
  at_.assertions += assertions;
  at_.recorded_at_ms = batch.entries.back().recorded_at_ms;
  at_.chain = writer_->durable().chain;
  batch.after = at_;
  if (id_filter_) {
    for (const Entry& entry : batch.entries) id_filter_->Add(entry.id);
  }
  publisher_->Publish(work.batch);
  indexer_->Add(work.batch);
  unindexed_.push_back(work.batch);
  sequence_.store(at_.sequence);
  assertions_.store(at_.assertions);
  options_.metrics->CountIngested(assertions);
}

void Committer::Answer(Work& work, const Status& failure) {
  for (size_t i = 0; i < work.submissions.size(); ++i) {
    CommitResult& result = work.results[i];
    if (!failure.ok() && !IsDurableRepeat(work.submissions[i], result)) result = {failure, {}};
    result.has_operations = at_.sequence != at_.assertions;
    work.submissions[i].done(std::move(result));
  }
}

void Committer::TakeIdFilter() {
  if (id_filter_) return;
  id_filter_ = indexer_->TakeIdFilter();
  if (!id_filter_) return;
  for (const auto& [id, known] : unindexed_ids_) id_filter_->Add(id);
  has_id_filter_.store(true);
}

void Committer::ForgetIndexed(uint64_t indexed, size_t batches_max) {
  for (size_t i = 0; i < batches_max && !unindexed_.empty() && unindexed_.front()->last() <= indexed; ++i) {
    for (const Entry& entry : unindexed_.front()->entries) unindexed_ids_.erase(entry.id);
    unindexed_.pop_front();
  }
}

void Committer::CountFailure(const Status& failure) {
  writer_->Discard();
  options_.metrics->WalWriteError(failure.reason()).Increment();
}

// Nothing of it had to be written: it is answered whatever the disk says. A repeat of a claim of the same
// failed write is none.
bool Committer::IsDurableRepeat(const Submission& submission, const CommitResult& result) const {
  return result.items.size() == submission.records.size() &&
         std::all_of(result.items.begin(), result.items.end(), [this](const ItemResult& item) {
           return item.duplicate && item.sequence <= at_.sequence;
         });
}

// A full disk is tried again when it has room; any other failure that was taken back, at the next write.
void Committer::TryRefusalAgain() {
  if (refusal_.reason() == "disk_full") {
    const auto free = options_.env->FreeBytes(options_.wal_dir);
    if (!free || *free < kRoomToGoOn) return;
  }
  EndRefusal();
}

// Said when it begins and when it ends, not for each request that it hits. A poisoned log stays poisoned.
void Committer::Refuse(const Status& failure) {
  const std::lock_guard lock(mutex_);
  if (refusal_.reason() == "wal_failed") return;
  if (refusal_.reason() != failure.reason()) {
    telemetry::LogError("store", "writes refused: " + std::string(failure.message()),
                        {{"reason", failure.reason()}});
  }
  refusal_ = failure;
}

void Committer::EndRefusal() {
  const std::lock_guard lock(mutex_);
  if (refusal_.ok() || refusal_.reason() == "wal_failed") return;
  telemetry::LogInfo("store", "writes are accepted again");
  refusal_ = Status::Ok();
}

void Committer::ExportLogMetrics() {
  const wal::Stats& now = writer_->stats();
  const telemetry::WalMetrics& metrics = options_.metrics->wal();
  metrics.writes_total.Increment(static_cast<double>(now.records - exported_.records));
  metrics.bytes_written_total.Increment(static_cast<double>(now.bytes_written - exported_.bytes_written));
  metrics.rotations_total.Increment(static_cast<double>(now.rotations - exported_.rotations));
  metrics.segments_count.Set(static_cast<double>(now.segments));
  metrics.disk_usage_bytes.Set(static_cast<double>(now.disk_bytes));
  wal_segments_.store(now.segments);
  wal_bytes_.store(now.disk_bytes);
  exported_ = now;
}

}  // namespace stemedb::store
