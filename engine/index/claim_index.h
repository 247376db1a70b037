// SPDX-License-Identifier: Apache-2.0
// ClaimIndex: data/db/indexes/. Rows by question, and the tree of concepts. Everything in it can be made anew
// from the RecordTable, so it may be deleted while the server is down.
//
//   claims    PATH 00 PREDICATE 00 SEQUENCE → the claim's row (model/claim_record.h)
//   concepts  PATH → assertions at the path (8), below it (8), and the whole path when the key holds a long
//   one meta      "checkpoint" → index/checkpoint.h
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
  static Result<std::unique_ptr<ClaimIndex>> Open(const std::string& directory,
                                                  uint64_t map_bytes = kMapBytes,
                                                  kv::Access access = kv::Access::kReadWrite);

  kv::Environment& environment() { return *environment_; }

  // As RecordTable::Apply, repeats included. Rows are inserted in the order of their keys, which LMDB likes
  // better than the log's.
  Status Apply(kv::WriteTxn& txn, std::span<const LoggedClaim> claims, const Checkpoint& after);

  // Empties everything: the next checkpoint begins at zero. The caller commits.
  Status Clear(kv::WriteTxn& txn);

  // The parts of Apply, for a ClaimLoader (loaders.h). Rows come in the order of their keys, behind those
  // that are there; counts are added to what is there.
  static void AppendRowKey(std::string& key, const LoggedClaim& logged);
  Status AppendRows(kv::WriteTxn& txn, std::span<const SortedRuns::Pair> pairs);
  // Calls add(key, value) for each concept that the claims count in, in the order of paths; the value is what
  // they add to it. Calls step() for each small piece of work before that.
  static Status CountConcepts(std::span<const LoggedClaim> claims, const std::function<void()>& step,
                              const std::function<Status(std::string_view, std::string_view)>& add);
  Status AddConcepts(kv::WriteTxn& txn, std::span<const SortedRuns::Pair> pairs);
  Status SetCheckpoint(kv::WriteTxn& txn, const Checkpoint& after) {
    return WriteCheckpoint(txn, meta_, after);
  }

  Result<Checkpoint> checkpoint(const kv::Txn& txn) const { return ReadCheckpoint(txn, meta_); }
  kv::Database claims() const { return claims_; }

  // The children of a path in the order of their keys (byte order but for long paths, layout.h), after
  // `after` (a child's path, or empty), at most `limit`. Skips from child to child, so it costs what it
  // returns, not what lies below.
  Result<std::vector<ConceptNode>> Children(kv::Cursor& concepts_cursor, std::string_view path,
                                            std::string_view after, size_t limit) const;
  kv::Database concepts() const { return concepts_; }
  // One node of the tree; zero counts when there is none.
  Result<ConceptNode> Node(const kv::Txn& txn, std::string_view path) const;

 private:
  ClaimIndex() = default;
  Status ApplyRows(kv::WriteTxn& txn, std::span<const LoggedClaim> claims);
  Status AddConcept(kv::WriteTxn& txn, std::string_view key, std::string_view value);

  std::unique_ptr<kv::Environment> environment_;
  kv::Database claims_, concepts_, meta_;
};

}  // namespace stemedb::index
