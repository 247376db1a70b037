// SPDX-License-Identifier: Apache-2.0
// The file "mark" beside the trail's segments: whether the last one to write the trail stopped with nothing
// left to tell. A finished segment doesn't say that: what was counted as lost may still have waited for the
// disk, or no segment may have been begun. And it keeps the ids from being given out again when the newest
// segments are gone.
//
// It is replaced whole, at the start and at a clean stop: magic "STEMEMRK", u32 version, u32 flags (1 clean,
// 2 the newest segment was kept), u32 number of the next segment, u64 next id, i64 time, u32 CRC-32C of all
// that; 40 bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/status.h"
#include "env/env.h"

namespace stemedb::audit {

inline constexpr size_t kTrailMarkBytes = 40;

struct TrailMark {
  bool is_clean = false;     // stopped, and all that was lost is told
  bool has_newest = false;   // the entry before next_id was kept at that time
  uint32_t next_number = 1;  // of segments
  uint64_t next_id = 1;
  // Of a clean stop, when it was. Else: all that may be missing was asked from then on.
  int64_t time_ms = 0;
};

// kNotFound when there is none, kCorruption "trail_mark" when it makes no sense, or as reading fails.
Result<TrailMark> ReadTrailMark(env::Env& env, const std::string& directory);
// Durable when it returns Ok; after a failure the one before may still be there.
Status WriteTrailMark(env::Env& env, const std::string& directory, const TrailMark& mark);
// Durably; Ok when there is none.
Status RemoveTrailMark(env::Env& env, const std::string& directory);

}  // namespace stemedb::audit
