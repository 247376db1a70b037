// SPDX-License-Identifier: Apache-2.0
// Loaders fill an empty table from the log, for a replay or a rebuild from nothing: whatever isn't in the
// order of the log is sorted first (sorted_runs.h), so each page is written once. Apply, which follows a
// table that is in use, visits pages all over the tree instead.
//
// Several transactions; the last one sets the checkpoint. A loading that was broken off leaves a table with
// data and a checkpoint of zeros: Begin empties it. Nobody else may write meanwhile. One thread.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "base/status.h"
#include "index/claim_index.h"
#include "index/record_table.h"
#include "index/sorted_runs.h"

namespace stemedb::index {

// Runs a change in a transaction of its own and commits it; runs it again when the map had to grow.
using Transact = std::function<Status(const std::function<Status(kv::WriteTxn&)>& change)>;

class RecordLoader {
 public:
  RecordLoader(RecordTable* table, Transact transact, SortedRuns::Options scratch)
      : table_(table), transact_(std::move(transact)), ids_(std::move(scratch)) {}

  Status Begin();
  // In the order of their sequences, across calls as well.
  Status Add(std::span<const LoggedRecord> records);
  Status Finish(const Checkpoint& after);

 private:
  RecordTable* const table_;
  const Transact transact_;
  SortedRuns ids_;
};

class ClaimLoader {
 public:
  ClaimLoader(ClaimIndex* table, Transact transact, SortedRuns::Options scratch)
      : table_(table),
        transact_(std::move(transact)),
        rows_(scratch),
        concepts_(scratch),
        links_(scratch),
        operations_(std::move(scratch)) {}

  Status Begin();
  Status Add(std::span<const LoggedRecord> records);
  Status Finish(const Checkpoint& after);

 private:
  ClaimIndex* const table_;
  const Transact transact_;
  SortedRuns rows_;
  SortedRuns concepts_;  // what each chunk of claims adds to a concept's counts
  SortedRuns links_;
  SortedRuns operations_;  // sequence → row
};

}  // namespace stemedb::index
