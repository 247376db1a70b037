// SPDX-License-Identifier: Apache-2.0
#include "index/loaders.h"

#include <vector>

#include "base/bytes.h"

namespace stemedb::index {

Status RecordLoader::Begin() {
  return transact_([&](kv::WriteTxn& txn) { return table_->BeginLoading(txn); });
}

Status RecordLoader::Add(std::span<const LoggedRecord> records) {
  for (const LoggedRecord& logged : records)
    STEMEDB_RETURN_IF_ERROR(ids_.Add(logged.id(), RecordTable::SequenceKey(logged.sequence)));
  return transact_([&](kv::WriteTxn& txn) { return table_->AppendRecords(txn, records); });
}

Status RecordLoader::Finish(const Checkpoint& after) {
  STEMEDB_RETURN_IF_ERROR(ids_.Drain([&](std::span<const SortedRuns::Pair> pairs) {
    return transact_([&](kv::WriteTxn& txn) { return table_->AppendIds(txn, pairs); });
  }));
  return transact_([&](kv::WriteTxn& txn) { return table_->EndLoading(txn, after); });
}

Status ClaimLoader::Begin() {
  return transact_([&](kv::WriteTxn& txn) { return table_->Clear(txn); });
}

Status ClaimLoader::Add(std::span<const LoggedRecord> records) {
  std::string key;
  for (const LoggedRecord& logged : records) {
    if (logged.is_operation()) {
      STEMEDB_RETURN_IF_ERROR(
          operations_.Add(RecordTable::SequenceKey(logged.sequence), logged.operation().row()));
      continue;
    }
    STEMEDB_RETURN_IF_ERROR(
        ClaimIndex::LinkKeys(logged, [&](std::string_view link) { return links_.Add(link, {}); }));
    key.clear();
    ClaimIndex::AppendRowKey(key, logged);
    STEMEDB_RETURN_IF_ERROR(rows_.Add(key, logged.claim().row()));
  }
  const auto step = [] {};
  const auto add = [&](std::string_view concept_key, std::string_view counts) {
    return concepts_.Add(concept_key, counts);
  };
  return ClaimIndex::CountConcepts(records, step, add);
}

Status ClaimLoader::Finish(const Checkpoint& after) {
  STEMEDB_RETURN_IF_ERROR(rows_.Drain([&](std::span<const SortedRuns::Pair> pairs) {
    return transact_([&](kv::WriteTxn& txn) { return table_->AppendRows(txn, pairs); });
  }));
  STEMEDB_RETURN_IF_ERROR(concepts_.Drain([&](std::span<const SortedRuns::Pair> pairs) {
    return transact_([&](kv::WriteTxn& txn) { return table_->AddConcepts(txn, pairs); });
  }));
  STEMEDB_RETURN_IF_ERROR(links_.Drain([&](std::span<const SortedRuns::Pair> pairs) {
    return transact_([&](kv::WriteTxn& txn) { return table_->AppendLinks(txn, pairs); });
  }));
  STEMEDB_RETURN_IF_ERROR(operations_.Drain([&](std::span<const SortedRuns::Pair> pairs) {
    std::vector<LoggedRecord> records;
    for (const auto& [key, row] : pairs) records.push_back({LoadBig64(key.data()), 0, row});
    return transact_([&](kv::WriteTxn& txn) { return table_->ApplyOperations(txn, records); });
  }));
  return transact_([&](kv::WriteTxn& txn) { return table_->SetCheckpoint(txn, after); });
}

}  // namespace stemedb::index
