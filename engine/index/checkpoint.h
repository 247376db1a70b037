// SPDX-License-Identifier: Apache-2.0
// Checkpoint: how far an LMDB environment has come with the log. It stands in the environment's own "meta"
// database and is written in the same transaction as the data that it covers, so the two can't disagree after
// a crash.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/status.h"
#include "kv/txn.h"

namespace stemedb::index {

struct Checkpoint {
  uint64_t sequence = 0;       // everything up to it is here
  uint64_t assertions = 0;     // how many of those records are assertions
  int64_t recorded_at_ms = 0;  // of the record at `sequence`
  Hash256 chain{};             // the log's chain hash of that record
};

// A new environment has a checkpoint of zeros. kCorruption "checkpoint_unreadable" when the bytes are of
// another format.
Result<Checkpoint> ReadCheckpoint(const kv::Txn& txn, kv::Database meta);
Status WriteCheckpoint(kv::WriteTxn& txn, kv::Database meta, const Checkpoint& checkpoint);

}  // namespace stemedb::index
