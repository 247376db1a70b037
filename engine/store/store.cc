// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

#include <algorithm>

#include "store/committer.h"
#include "store/indexer.h"
#include "store/recovery.h"
#include "store/snapshot_reader.h"
#include "telemetry/log.h"

namespace stemedb::store {
namespace {

class DurableStore final : public Store {
 public:
  explicit DurableStore(const Options& options)
      : options_(options),
        publisher_(options.touch_slots > 0 ? std::make_unique<Touches>(options.touch_slots) : nullptr) {}
  ~DurableStore() override { Close(); }

  Status Start();

  Status Submit(Submission submission, Wake wake) override {
    return committer_->Submit(std::move(submission), wake);
  }
  void Begin() override { committer_->Begin(); }
  std::unique_ptr<Reader> NewReader() override {
    return std::make_unique<SnapshotReader>(&publisher_, records_.get(), claims_.get());
  }
  void SetPublishListener(std::function<void()> listener) override {
    publisher_.SetListener(std::move(listener));
  }
  Stats stats() const override;
  Status Flush() override { return indexer_->Flush(); }
  void Close() override;

 private:
  Status TakeDirectories();

  const Options options_;
  std::unique_ptr<env::FileLock> wal_lock_, db_lock_;
  std::unique_ptr<index::RecordTable> records_;
  std::unique_ptr<index::ClaimIndex> claims_;
  Publisher publisher_;
  std::unique_ptr<Indexer> indexer_;
  std::unique_ptr<Committer> committer_;  // after the indexer: it feeds it
};

Status DurableStore::TakeDirectories() {
  env::Env& env = *options_.env;
  for (const std::string& dir : {options_.wal_dir, options_.db_dir})
    STEMEDB_RETURN_IF_ERROR(env.MakeDirs(dir));
  auto db_lock = env.LockDir(options_.db_dir);
  if (!db_lock) return db_lock.error();
  auto wal_lock = env.LockDir(options_.wal_dir);
  if (!wal_lock) return wal_lock.error();
  db_lock_ = std::move(*db_lock);
  wal_lock_ = std::move(*wal_lock);
  return Status::Ok();
}

Status DurableStore::Start() {
  STEMEDB_RETURN_IF_ERROR(TakeDirectories());
  auto records = index::RecordTable::Open(options_.db_dir + "/assertions.kv", options_.map_bytes);
  if (!records) return records.error();
  records_ = std::move(*records);
  auto claims = index::ClaimIndex::Open(records_.get(), options_.db_dir + "/indexes", options_.map_bytes);
  if (!claims) return claims.error();
  claims_ = std::move(*claims);

  auto state = RecoverState(options_, *records_, *claims_);
  if (!state) return state.error();
  telemetry::Metrics* metrics = options_.metrics;
  wal::WriterOptions writer_options{
      .env = options_.env, .dir = options_.wal_dir, .segment_bytes_max = options_.segment_bytes_max};
  writer_options.buffer_bytes_max = std::max(options_.batch_bytes_max, options_.submission_bytes_max);
  writer_options.log = [](std::string_view line) { telemetry::LogInfo("wal", line); };
  writer_options.on_fsync = [metrics](int64_t ns) {
    metrics->wal().fsync_latency_seconds.Observe(static_cast<double>(ns) * 1e-9);
  };
  auto writer = wal::Writer::Open(std::move(writer_options), state->log);
  if (!writer) return writer.error();
  metrics->domain().assertions_total.Increment(static_cast<double>(state->at.assertions));
  indexer_ = std::make_unique<Indexer>(options_, state->at, records_.get(), claims_.get(), &publisher_);
  committer_ = std::make_unique<Committer>(options_, std::move(*writer), state->at, records_.get(),
                                           &publisher_, indexer_.get());
  return Status::Ok();
}

Stats DurableStore::stats() const {
  Stats stats;
  committer_->FillStats(stats);
  stats.checkpoint = indexer_->checkpoint();
  stats.index_failure = indexer_->failure().message();
  for (kv::Environment* environment : {&records_->environment(), &claims_->environment()}) {
    const kv::EnvironmentStats figures = environment->stats();
    stats.map_used_bytes += figures.used_bytes;
    stats.map_size_bytes += figures.map_bytes;
  }
  return stats;
}

void DurableStore::Close() {
  if (committer_) committer_->Stop();
  if (indexer_) indexer_->Stop();
}

}  // namespace

Result<std::unique_ptr<Store>> Store::Open(const Options& options) {
  auto store = std::make_unique<DurableStore>(options);
  STEMEDB_RETURN_IF_ERROR(store->Start());
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace stemedb::store
