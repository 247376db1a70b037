// SPDX-License-Identifier: Apache-2.0
// The tables as they lie, and the log's end as one batch in the delta: what a reader of a running store sees
// between two rounds of the index thread.
#include "store/archive.h"

#include <algorithm>

#include "index/claim_index.h"
#include "index/record_table.h"
#include "store/publisher.h"
#include "store/snapshot_reader.h"
#include "wal/reader.h"

namespace stemedb::store {
namespace {

Status NoDatabase(const std::string& what) {
  return Status(Code::kNotFound, "no_database",
                what + ": start the server on it once, or give another directory");
}

class OpenArchive final : public Archive {
 public:
  explicit OpenArchive(const ArchiveOptions& options) : options_(options) {}
  Status Start();
  std::unique_ptr<Reader> NewReader() override {
    return std::make_unique<SnapshotReader>(&publisher_, records_.get(), claims_.get());
  }
  uint64_t records_from_log() const override { return records_from_log_; }

 private:
  Status OpenTables();
  Result<index::Checkpoint> IndexCheckpoint();
  Status CheckRecord(const wal::Record& record, const index::Checkpoint& at) const;
  Status ReadLog(index::Checkpoint at);

  const ArchiveOptions options_;
  std::unique_ptr<env::FileLock> db_lock_, wal_lock_;
  std::unique_ptr<index::RecordTable> records_;
  std::unique_ptr<index::ClaimIndex> claims_;
  Publisher publisher_;
  uint64_t records_from_log_ = 0;
};

Status OpenArchive::Start() {
  auto db_lock = options_.env->LockDirToRead(options_.db_dir);
  if (!db_lock) return db_lock.error();
  auto wal_lock = options_.env->LockDirToRead(options_.wal_dir);
  if (!wal_lock) return wal_lock.error();
  db_lock_ = std::move(*db_lock);
  wal_lock_ = std::move(*wal_lock);
  STEMEDB_RETURN_IF_ERROR(OpenTables());
  auto at = IndexCheckpoint();
  if (!at) return at.error();
  return ReadLog(*at);
}

Status OpenArchive::OpenTables() {
  const std::string records_path = options_.db_dir + "/assertions.kv",
                    index_path = options_.db_dir + "/indexes";
  for (const std::string& path : {records_path, index_path + "/data.mdb"}) {
    if (!options_.env->FileSize(path)) return NoDatabase(path + " isn't there");
  }
  auto records = index::RecordTable::Open(records_path, index::kMapBytes, kv::Access::kAtRest);
  if (!records) return records.error();
  records_ = std::move(*records);
  auto claims = index::ClaimIndex::Open(records_.get(), index_path, index::kMapBytes, kv::Access::kAtRest);
  if (!claims && claims.error().reason() == "no_such_database")
    return NoDatabase(index_path + " is of an earlier version");
  if (!claims) return claims.error();
  claims_ = std::move(*claims);
  return Status::Ok();
}

Result<index::Checkpoint> OpenArchive::IndexCheckpoint() {
  auto txn = kv::ReadTxn::Open(&claims_->environment());
  if (!txn) return txn.error();
  const kv::ReadScope scope(**txn);
  STEMEDB_RETURN_IF_ERROR(scope.status());
  auto at = claims_->checkpoint(**txn);
  if (!at || at->sequence > 0) return at;
  const auto rows = (*txn)->Count(claims_->claims());
  if (!rows) return rows.error();
  if (*rows > 0)
    return NoDatabase(options_.db_dir + "/indexes is of an earlier version, or was just being made");
  return at;
}

// `at` is the checkpoint before the record.
Status OpenArchive::CheckRecord(const wal::Record& record, const index::Checkpoint& at) const {
  if (record.sequence != at.sequence + 1) {
    return NoDatabase(options_.db_dir + "/indexes lacks records that the log hasn't got");
  }
  if (wal::ChainOf(at.chain, record.type, record.flags, record.sequence, record.recorded_at_ms,
                   record.payload) != record.chain) {
    return Status(Code::kCorruption, "log_diverged",
                  "the log in " + options_.wal_dir + " and the index in " + options_.db_dir +
                      " differ at sequence " + std::to_string(record.sequence) +
                      ": they belong to different databases");
  }
  return index::CheckRecord(record.payload).ok() && record.type == TypeOf(record.payload)
             ? Status::Ok()
             : Status(Code::kCorruption, "unknown_record_type",
                      "the log holds a record that this version doesn't know, at sequence " +
                          std::to_string(record.sequence) + ": use the version that wrote it");
}

// An older log, which ends before the checkpoint, has nothing to add.
Status OpenArchive::ReadLog(index::Checkpoint at) {
  auto log =
      wal::Reader::Open({.env = options_.env, .dir = options_.wal_dir, .from_sequence = at.sequence + 1});
  if (!log) return log.error();
  auto batch = std::make_shared<Batch>();
  size_t whole = 0;
  for (wal::Record record;;) {
    auto more = (*log)->Next(record);
    if (!more) return more.error();
    if (!*more) break;
    STEMEDB_RETURN_IF_ERROR(CheckRecord(record, at));
    Entry& entry = batch->entries.emplace_back();
    entry.sequence = record.sequence;
    entry.recorded_at_ms = record.recorded_at_ms;
    entry.record = record.payload;
    const index::LoggedRecord logged{entry.sequence, entry.recorded_at_ms, entry.record};
    std::copy_n(logged.id().begin(), entry.id.size(), entry.id.begin());
    at = {record.sequence, at.assertions + (entry.is_operation() ? 0 : 1), record.recorded_at_ms,
          record.chain};
    if ((record.flags & wal::kFlagMore) != 0) continue;
    batch->after = at;
    whole = batch->entries.size();
  }
  batch->entries.resize(whole);  // half a group was never acknowledged
  records_from_log_ = whole;
  if (!batch->entries.empty()) publisher_.Publish(batch);
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<Archive>> Archive::Open(const ArchiveOptions& options) {
  auto archive = std::make_unique<OpenArchive>(options);
  STEMEDB_RETURN_IF_ERROR(archive->Start());
  return std::unique_ptr<Archive>(std::move(archive));
}

}  // namespace stemedb::store
