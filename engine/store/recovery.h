// SPDX-License-Identifier: Apache-2.0
// Recovery: brings log, record table and claim index to one state before the threads start. Runs on the
// opening thread.
//
//   1. The log is read from the record table's checkpoint on (torn tail cut, damage refused) and applied.
//   2. A log that ends before the checkpoint (an older one was put back, or it is gone) is replayed against
//   the record
//      table: the same claims must stand there; the log then goes on behind the checkpoint.
//   3. A log that tells another story than the record table is refused: one of the two belongs to another
//   database.
//   4. The claim index is brought up to the record table, from nothing when it is missing.
#pragma once

#include <memory>

#include "base/status.h"
#include "index/claim_index.h"
#include "index/record_table.h"
#include "store/store.h"
#include "wal/recover.h"

namespace stemedb::store {

struct RecoveredState {
  index::Checkpoint at;  // of both tables
  wal::Recovered log;    // its end is where the Writer goes on
};

Result<RecoveredState> RecoverState(const Options& options, index::RecordTable& records,
                                    index::ClaimIndex& claims);

}  // namespace stemedb::store
