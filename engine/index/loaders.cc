// SPDX-License-Identifier: Apache-2.0
#include "index/loaders.h"

namespace stemedb::index {

Status RecordLoader::Begin() {
  return transact_([&](kv::WriteTxn& txn) { return table_->BeginLoading(txn); });
}

Status RecordLoader::Add(std::span<const LoggedClaim> claims) {
  for (const LoggedClaim& logged : claims)
    STEMEDB_RETURN_IF_ERROR(ids_.Add(RecordTable::IdOf(logged), RecordTable::SequenceKey(logged.sequence)));
  return transact_([&](kv::WriteTxn& txn) { return table_->AppendRecords(txn, claims); });
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

Status ClaimLoader::Add(std::span<const LoggedClaim> claims) {
  std::string key;
  for (const LoggedClaim& logged : claims) {
    key.clear();
    ClaimIndex::AppendRowKey(key, logged);
    STEMEDB_RETURN_IF_ERROR(rows_.Add(key, logged.claim.row()));
  }
  const auto step = [] {};
  const auto add = [&](std::string_view concept_key, std::string_view counts) {
    return concepts_.Add(concept_key, counts);
  };
  return ClaimIndex::CountConcepts(claims, step, add);
}

Status ClaimLoader::Finish(const Checkpoint& after) {
  STEMEDB_RETURN_IF_ERROR(rows_.Drain([&](std::span<const SortedRuns::Pair> pairs) {
    return transact_([&](kv::WriteTxn& txn) { return table_->AppendRows(txn, pairs); });
  }));
  STEMEDB_RETURN_IF_ERROR(concepts_.Drain([&](std::span<const SortedRuns::Pair> pairs) {
    return transact_([&](kv::WriteTxn& txn) { return table_->AddConcepts(txn, pairs); });
  }));
  return transact_([&](kv::WriteTxn& txn) { return table_->SetCheckpoint(txn, after); });
}

}  // namespace stemedb::index
