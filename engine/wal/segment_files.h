// SPDX-License-Identifier: Apache-2.0
// Segment files by name: segment-00001.log, segment-00002.log, ... (five digits or more). Other names in the
// directory are left alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "env/env.h"
#include "wal/format.h"

namespace stemedb::wal {

// Larger files are none of ours.
inline constexpr uint64_t kSegmentFileBytesMax = uint64_t{1} << 30;

struct SegmentFile {
  uint32_t number = 0;
  std::string path;
  uint64_t bytes = 0;
};

std::string SegmentName(uint32_t number);
std::optional<uint32_t> SegmentNumber(std::string_view name);
// Sorted by number. A missing directory is an empty log.
Result<std::vector<SegmentFile>> ListSegments(env::Env* env, const std::string& dir);
// Header alone; kCorruption as ParseSegmentHeader, with the file's name.
Result<SegmentHeader> ReadSegmentHeader(env::Env* env, const SegmentFile& file);

// Removes the segments that hold only sequences below `sequence` (a prefix of the log; never the last
// segment). How many it removed.
Result<size_t> RemoveSegmentsBelow(env::Env* env, const std::string& dir, uint64_t sequence);

// A whole segment in memory; reused from file to file.
class SegmentBuffer {
 public:
  // Reads the file's present content.
  Status Load(env::Env* env, const SegmentFile& file);
  std::span<const uint8_t> bytes() const { return {data_.get(), size_}; }

 private:
  std::unique_ptr<uint8_t[]> data_;
  size_t capacity_ = 0;
  size_t size_ = 0;
};

}  // namespace stemedb::wal
