// SPDX-License-Identifier: Apache-2.0
// Recover: reads the log at start, hands out what was acknowledged, and leaves files that a Writer can go on
// with.
//
// A torn tail (the last write before a crash) is cut off and logged. Damage anywhere else refuses with
// kCorruption, with the file, the byte and the remedy, unless `damage` says kSalvage: then the log ends
// before the damage, and what is behind it is kept in files named *.damaged-TIMESTAMP. Running it again
// changes nothing more.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "env/env.h"
#include "wal/format.h"

namespace stemedb::wal {

enum class OnDamage : uint8_t { kRefuse, kSalvage };

struct RecoverOptions {
  env::Env* env = nullptr;  // not owned
  std::string dir;          // created when missing
  // The first sequence that is not yet durable elsewhere (checkpoint + 1). Segments below it may be gone and
  // are not read; a gap at or above it refuses.
  uint64_t first_needed_sequence = 1;
  OnDamage damage = OnDamage::kRefuse;
  std::function<void(std::string_view line)> log;  // told what is cut off or set aside; may be empty
};

struct Recovered {
  // Where the log ends. With no segment at all: first_needed_sequence and a chain of zeros, which is right
  // only for a new log; else set `end` to what the checkpoint knows before opening a Writer.
  Position end;
  // end.next_sequence < first_needed_sequence: an older log was restored (or the log was removed). Either
  // clamp the checkpoint to end.next_sequence - 1, or set `end` to the checkpoint's position (the Writer then
  // starts a segment).
  bool ends_before_needed = false;
  Position segment_end;             // where the last segment ends; `end` as long as nobody changes that
  uint32_t last_segment = 0;        // 0: there is none
  uint64_t last_segment_bytes = 0;  // 0: the Writer has to write its header
  uint64_t segments = 0;
  uint64_t disk_bytes = 0;        // of all segments, after the cut
  uint64_t records_read = 0;      // valid records seen
  uint64_t records_replayed = 0;  // handed to the callback
  uint64_t bytes_cut = 0;         // torn tail or salvage
  uint64_t files_set_aside = 0;   // salvage: *.damaged-TIMESTAMP
};

// Called for each record from first_needed_sequence on, in order, an atomic group only when it is whole. A
// failure ends the recovery and is returned. Valid records may have been handed out when the recovery then
// refuses.
using ReplayCallback = std::function<Status(const Record& record)>;

Result<Recovered> Recover(const RecoverOptions& options, const ReplayCallback& replay);

}  // namespace stemedb::wal
