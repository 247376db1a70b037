// SPDX-License-Identifier: Apache-2.0
// Reader: streams valid records in order, from a sequence on, across segments. It changes no file, so that it
// may read a log that a Writer is writing to (backup, `stemedb wal inspect`): it stops before what is not
// whole yet. One thread at a time. It holds one segment in memory. Where the log has a gap that a checkpoint
// covered when it came about, the sequences jump; within a segment they don't.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "env/env.h"
#include "wal/format.h"
#include "wal/segment_files.h"
#include "wal/segment_scanner.h"

namespace stemedb::wal {

struct ReaderOptions {
  env::Env* env = nullptr;  // not owned
  std::string dir;
  uint64_t from_sequence = 1;
  uint64_t to_sequence =
      UINT64_MAX;  // the last one to return; give the last acknowledged one when a Writer is at work
};

class Reader {
 public:
  // kOutOfRange "wal_pruned" when the log begins after from_sequence.
  static Result<std::unique_ptr<Reader>> Open(ReaderOptions options);

  // True with the next record, false at the end. The record's payload is valid until the next call.
  // kCorruption when the log is damaged before its last segment's tail; see ended_early() for the tail
  // itself.
  Result<bool> Next(Record& record);

  // After Next gave false: whether bytes that are no whole record stand behind the end.
  bool ended_early() const { return ended_early_; }
  // Of the record that Next gave last.
  const std::string& segment_path() const { return files_[current_].path; }
  uint64_t record_offset() const { return record_offset_; }

 private:
  explicit Reader(ReaderOptions options) : options_(std::move(options)) {}
  Status LoadSegment(size_t index);
  Result<bool> EndOfSegment();

  const ReaderOptions options_;
  std::vector<SegmentFile> files_;
  size_t current_ = 0;
  SegmentBuffer buffer_;
  SegmentScanner scanner_;
  uint64_t record_offset_ = 0;
  bool done_ = false;
  bool ended_early_ = false;
};

}  // namespace stemedb::wal
