// SPDX-License-Identifier: Apache-2.0
// ClaimIndex: data/db/indexes/. Rows by question, the tree of concepts, and what was said about claims and
// names (operation_index.h). Everything in it can be made anew from the RecordTable, so it may be deleted
// while the server is down.
//
//   claims    PATH 00 PREDICATE 00 SEQUENCE → the claim's row (model/claim_record.h), marked when there are
//             operations about the claim
//   concepts  PATH → assertions at the path (8), below it (8), and the whole path when the key holds a long
//             one
//   meta      "checkpoint" → index/checkpoint.h; "layout" → which tables there are, else all is made anew
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "index/checkpoint.h"
#include "index/layout.h"
#include "index/operation_index.h"
#include "index/record_table.h"
#include "kv/environment.h"
#include "kv/txn.h"

namespace stemedb::index {

struct ConceptNode {
  std::string path;
  uint64_t assertions = 0;        // at exactly this path
  uint64_t assertions_below = 0;  // at paths below it
};

// Thread-safe itself; transactions and cursors belong to their threads.
class ClaimIndex {
 public:
  // `records`, where the claims that operations are about are found, outlives it.
  static Result<std::unique_ptr<ClaimIndex>> Open(RecordTable* records, const std::string& directory,
                                                  uint64_t map_bytes = kMapBytes,
                                                  kv::Access access = kv::Access::kReadWrite);

  kv::Environment& environment() { return *environment_; }

  // As RecordTable::Apply, repeats included. The record table must hold the same records already. Rows are
  // inserted in the order of their keys, which LMDB likes better than the log's.
  Status Apply(kv::WriteTxn& txn, std::span<const LoggedRecord> records, const Checkpoint& after);

  // Empties everything: the next checkpoint begins at zero. The caller commits.
  Status Clear(kv::WriteTxn& txn);

  // The parts of Apply, for a ClaimLoader (loaders.h). Rows come in the order of their keys, behind those
  // that are there; counts are added to what is there; links and operations come after all rows that they can
  // be about, in the order of the log.
  static void AppendRowKey(std::string& key, const LoggedRecord& logged);
  Status AppendRows(kv::WriteTxn& txn, std::span<const SortedRuns::Pair> pairs);
  // Calls add(key, value) for each concept that the claims count in, in the order of paths; the value is what
  // they add to it. Calls step() for each small piece of work before that.
  static Status CountConcepts(std::span<const LoggedRecord> records, const std::function<void()>& step,
                              const std::function<Status(std::string_view, std::string_view)>& add);
  Status AddConcepts(kv::WriteTxn& txn, std::span<const SortedRuns::Pair> pairs);
  // Calls add(key) for everything that the claim rests on.
  static Status LinkKeys(const LoggedRecord& claim, const std::function<Status(std::string_view)>& add);
  Status AppendLinks(kv::WriteTxn& txn, std::span<const SortedRuns::Pair> pairs);
  // With the marks of the claims that they are about. Passes claims over.
  Status ApplyOperations(kv::WriteTxn& txn, std::span<const LoggedRecord> records);
  Status SetCheckpoint(kv::WriteTxn& txn, const Checkpoint& after);

  // Zeros also for an index of another layout: it is to be made anew.
  Result<Checkpoint> checkpoint(const kv::Txn& txn) const;
  kv::Database claims() const { return claims_; }
  const OperationIndex& operations() const { return operations_; }

  // The children of a path in the order of their keys (byte order but for long paths, layout.h), after
  // `after` (a child's path, or empty), at most `limit`. Skips from child to child, so it costs what it
  // returns, not what lies below.
  Result<std::vector<ConceptNode>> Children(kv::Cursor& concepts_cursor, std::string_view path,
                                            std::string_view after, size_t limit) const;
  kv::Database concepts() const { return concepts_; }
  // One node of the tree; zero counts when there is none.
  Result<ConceptNode> Node(const kv::Txn& txn, std::string_view path) const;

 private:
  explicit ClaimIndex(RecordTable* records) : records_(records) {}
  Status ApplyRows(kv::WriteTxn& txn, std::span<const LoggedRecord> records);
  Status ApplyLinks(kv::WriteTxn& txn, std::span<const LoggedRecord> records);
  Status MarkClaim(kv::WriteTxn& txn, const kv::ReadTxn& records_txn, const model::SubjectView& subject);
  Status AddConcept(kv::WriteTxn& txn, std::string_view key, std::string_view value);

  RecordTable* const records_;
  std::unique_ptr<kv::Environment> environment_;
  kv::Database claims_, concepts_, meta_;
  OperationIndex operations_;
};

}  // namespace stemedb::index
