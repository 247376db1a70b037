// SPDX-License-Identifier: Apache-2.0
// The files of the trail: queries-00001.log and so on, each a header of 36 bytes and then entries
// (query_record.h). Ids are places: the entries of all segments are counted through, and a header says which
// id its first entry has. A finished segment ends with a seal; one without was being written when the process
// ended.
//
// The header: magic "STEMEQRY", u32 version, u32 number, u64 id of the first entry, i64 time of its
// beginning, u32 CRC-32C of all that.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "env/env.h"

namespace stemedb::audit {

inline constexpr std::string_view kSegmentMagic = "STEMEQRY";
inline constexpr uint32_t kTrailVersion = 1;
inline constexpr size_t kTrailHeaderBytes = 36;

// What is known of a segment without reading it whole.
struct SegmentInfo {
  uint32_t number = 0;
  std::string path;
  uint64_t first_id = 0;
  uint64_t entries = 0;  // that can be read, or that its seal says; the seal not counted
  uint64_t bytes = 0;    // of whole entries, header included; of a sealed one, the file's
  int64_t begun_ms = 0;
  int64_t time_min_ms = 0;  // that its entries speak of; both 0 when there are none
  int64_t time_max_ms = 0;
  bool is_sealed = false;
  bool is_readable = true;  // its header makes sense

  uint64_t end_id() const { return first_id + entries; }
  // Takes the times of one more entry, a frame.
  void AddTimes(std::string_view frame);
};

std::string SegmentPath(const std::string& directory, uint32_t number);
// The number in a segment's file name; nothing for any other name.
std::optional<uint32_t> SegmentNumberOf(std::string_view name);

void AppendTrailHeader(std::string& out, const SegmentInfo& info);
// Number, first id and beginning. kCorruption "trail_header".
Status ParseTrailHeader(std::string_view bytes, SegmentInfo& info);

// A segment's bytes as far as `bytes_max`, which may be more than there are.
Result<std::string> ReadSegment(env::Env& env, const std::string& path, uint64_t bytes_max);

// The frames behind a header, in order, up to the seal or the first that isn't whole.
struct SegmentFrames {
  std::vector<std::string_view> frames;  // without the seal
  bool is_sealed = false;
  uint64_t end = 0;  // behind the last of them, seal included, from the segment's beginning
};
SegmentFrames FramesOf(std::string_view segment);

// Opens the segment and finds out what is in it: by its seal, or, without one, by reading it. A header that
// makes no sense gives an info that isn't readable. kIoError.
Result<SegmentInfo> LookAtSegment(env::Env& env, const std::string& path, uint32_t number);

}  // namespace stemedb::audit
