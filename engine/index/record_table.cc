// SPDX-License-Identifier: Apache-2.0
#include "index/record_table.h"

#include <algorithm>
#include <vector>

#include "base/bytes.h"

namespace stemedb::index {
namespace {

constexpr std::string_view kLoading = "loading";  // in "meta" while a loading goes on

}  // namespace

Status CheckRecord(std::string_view bytes) {
  if (model::IsOperationRecord(bytes)) {
    const auto operation = model::OperationView::OfRecord(bytes);
    return operation ? Status::Ok() : operation.error();
  }
  const auto claim = model::ClaimView::OfRecord(bytes);
  return claim ? Status::Ok() : claim.error();
}

std::span<const LoggedRecord> Above(std::span<const LoggedRecord> records, uint64_t sequence) {
  const auto first = std::partition_point(records.begin(), records.end(), [&](const LoggedRecord& record) {
    return record.sequence <= sequence;
  });
  return records.subspan(static_cast<size_t>(first - records.begin()));
}

Result<std::unique_ptr<RecordTable>> RecordTable::Open(const std::string& path, uint64_t map_bytes,
                                                       kv::Access access) {
  auto environment = kv::Environment::Open(
      {.path = path, .layout = kv::Layout::kSingleFile, .access = access, .map_bytes = map_bytes});
  if (!environment) return environment.error();
  std::unique_ptr<RecordTable> table(new RecordTable);
  table->environment_ = std::move(*environment);
  for (auto [name, database] : {std::pair{"records", &table->records_}, std::pair{"ids", &table->ids_},
                                std::pair{"meta", &table->meta_}}) {
    auto opened = table->environment_->OpenDatabase(name);
    if (!opened) return opened.error();
    *database = *opened;
  }
  return table;
}

Status RecordTable::Apply(kv::WriteTxn& txn, std::span<const LoggedRecord> records, const Checkpoint& after) {
  auto at = ReadCheckpoint(txn, meta_);
  if (!at) return at.error();
  if (after.sequence <= at->sequence) return Status::Ok();
  records = Above(records, at->sequence);
  STEMEDB_RETURN_IF_ERROR(AppendRecords(txn, records));
  // Ids go in by their own order: neighbours share pages, which LMDB then finds in its cursor's place.
  std::vector<const LoggedRecord*> by_id;
  by_id.reserve(records.size());
  for (const LoggedRecord& logged : records) by_id.push_back(&logged);
  std::sort(by_id.begin(), by_id.end(), [&](const LoggedRecord* a, const LoggedRecord* b) {
    txn.Step();
    return a->id() < b->id();
  });
  for (const LoggedRecord* logged : by_id)
    STEMEDB_RETURN_IF_ERROR(txn.Put(ids_, logged->id(), SequenceKey(logged->sequence)));
  return WriteCheckpoint(txn, meta_, after);
}

Status RecordTable::AppendRecords(kv::WriteTxn& txn, std::span<const LoggedRecord> records) {
  std::string value;
  for (const LoggedRecord& logged : records) {
    value.resize(sizeof logged.recorded_at_ms);
    StoreLittle(value.data(), logged.recorded_at_ms);
    value.append(logged.bytes);
    STEMEDB_RETURN_IF_ERROR(txn.Put(records_, SequenceKey(logged.sequence), value, kv::PutMode::kAppend));
  }
  return Status::Ok();
}

Status RecordTable::AppendIds(kv::WriteTxn& txn, std::span<const SortedRuns::Pair> pairs) {
  for (const auto& [id, sequence] : pairs)
    STEMEDB_RETURN_IF_ERROR(txn.Put(ids_, id, sequence, kv::PutMode::kAppend));
  return Status::Ok();
}

Status RecordTable::BeginLoading(kv::WriteTxn& txn) {
  const auto loading = txn.Get(meta_, kLoading);
  const auto records = txn.Count(records_);
  if (!loading || !records) return loading ? records.error() : loading.error();
  if (*records > 0 && !loading->has_value()) {
    return Status(
        Code::kCorruption, "checkpoint_lost",
        environment_->path() + ": holds " + std::to_string(*records) +
            " records and no checkpoint: it is damaged. If the log is whole, move the file away: it "
            "is made anew from the log");
  }
  for (kv::Database database : {records_, ids_, meta_}) STEMEDB_RETURN_IF_ERROR(txn.Clear(database));
  return txn.Put(meta_, kLoading, "1");
}

Status RecordTable::EndLoading(kv::WriteTxn& txn, const Checkpoint& after) {
  auto marked = txn.Delete(meta_, kLoading);
  if (!marked) return marked.error();
  return WriteCheckpoint(txn, meta_, after);
}

Result<std::optional<uint64_t>> RecordTable::Find(const kv::Txn& txn, std::string_view id) const {
  auto found = txn.Get(ids_, id);
  if (!found) return found.error();
  if (!found->has_value()) return std::optional<uint64_t>();
  if ((*found)->size() != 8)
    return Status(Code::kCorruption, "id_unreadable", "the entry of an id is not 8 bytes long");
  return std::optional<uint64_t>(LoadBig64((*found)->data()));
}

Result<LoggedRecord> RecordTable::DecodeStored(uint64_t sequence, std::string_view value) {
  if (value.size() < sizeof(int64_t)) {
    return Status(Code::kCorruption, "record_unreadable", "a stored record is shorter than its time stamp");
  }
  const LoggedRecord record{sequence, LoadLittle<int64_t>(value.data()), value.substr(sizeof(int64_t))};
  if (Status checked = CheckRecord(record.bytes); !checked.ok()) {
    return std::move(checked).Annotate("record " + std::to_string(sequence));
  }
  return record;
}

Result<std::optional<LoggedRecord>> RecordTable::Get(const kv::Txn& txn, uint64_t sequence) const {
  auto found = txn.Get(records_, SequenceKey(sequence));
  if (!found) return found.error();
  if (!found->has_value()) return std::optional<LoggedRecord>();
  auto stored = DecodeStored(sequence, **found);
  if (!stored) return stored.error();
  return std::optional<LoggedRecord>(*stored);
}

Result<uint64_t> RecordTable::SequenceAt(const kv::Txn& txn, int64_t time_ms, uint64_t sequence_max) const {
  // recorded_at never falls along the log, so the sequences divide into "not after the time" and "after it".
  uint64_t not_after = 0, after = sequence_max + 1;
  while (after - not_after > 1) {
    const uint64_t middle = not_after + (after - not_after) / 2;
    auto found = txn.Get(records_, SequenceKey(middle));
    if (!found) return found.error();
    if (!found->has_value() || (*found)->size() < sizeof(int64_t)) {
      return Status(Code::kCorruption, "record_missing", "record " + std::to_string(middle) + " is missing");
    }
    (LoadLittle<int64_t>((*found)->data()) <= time_ms ? not_after : after) = middle;
  }
  return not_after;
}

}  // namespace stemedb::index
