// SPDX-License-Identifier: Apache-2.0
// Writer: appends records to the log. One thread uses it (the commit thread); stats() is for that thread,
// too.
//
// Append buffers, Sync makes everything buffered durable with one write and one fdatasync. A Sync that fails
// consumes nothing: its sequences are given out again.
//   disk_full   the write was taken back; a later Append and Sync may succeed
//   io_error    the write was taken back
//   wal_failed  an fsync failed, or a write could not be taken back: what is on disk is unknown. Every later
//   call
//               fails the same way until the process has recovered the log anew.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "env/env.h"
#include "wal/format.h"
#include "wal/recover.h"
#include "wal/spare_segment.h"

namespace stemedb::wal {

struct WriterOptions {
  env::Env* env = nullptr;  // not owned
  std::string dir;
  // A segment is closed before the write that would make it larger. A single write may be larger.
  uint64_t segment_bytes_max = 64u << 20;
  // Disk space is reserved this far ahead, so that fdatasync seldom has to wait for the file system's
  // allocation; 0: not.
  uint64_t reserve_bytes = 4u << 20;
  // A log that is being written to gets its next segments prepared (see SpareSegment).
  bool prepare_segments = true;
  // What may be buffered between two Syncs; Append refuses more with "wal_buffer_full".
  uint64_t buffer_bytes_max = 64u << 20;
  std::function<void(std::string_view line)> log;  // may be empty
  std::function<void(int64_t ns)> on_fsync;        // latency of each fdatasync of records; may be empty
};

struct Stats {
  uint64_t records = 0;        // durable, written by this Writer
  uint64_t writes = 0;         // Syncs that had something to write
  uint64_t bytes_written = 0;  // headers of segments included
  uint64_t rotations = 0;
  uint64_t write_errors = 0;  // failed Syncs, whatever failed
  uint64_t segments = 0;      // files in the directory, as recovered and made since
  uint64_t disk_bytes = 0;    // of those
};

class Writer {
 public:
  // Goes on where `recovered` ends.
  static Result<std::unique_ptr<Writer>> Open(WriterOptions options, const Recovered& recovered);
  // Cuts off what was prepared and not used.
  ~Writer();

  // Buffers the records with the sequences from next_sequence() on. The last one must not carry kFlagMore.
  Status Append(std::span<const RecordToWrite> records);
  // Makes everything buffered durable; nothing to do when nothing is.
  Status Sync();
  // Forgets what was buffered since the last Sync.
  void Discard();

  // Of the next record to be appended: counts what is buffered.
  uint64_t next_sequence() const { return buffered_.next_sequence; }
  // Behind the last durable record.
  const Position& durable() const { return durable_; }
  // Of the last record appended: counts what is buffered.
  const Hash256& chain() const { return buffered_.chain; }
  uint64_t buffered_bytes() const { return buffer_.size(); }
  // Ok, or why the Writer is out of use for good.
  const Status& failed() const { return failed_; }
  const Stats& stats() const { return stats_; }

 private:
  explicit Writer(WriterOptions options) : options_(std::move(options)) {}

  Status Start(const Recovered& recovered);
  Status OpenNewSegment(uint32_t number);
  Status Rotate();
  Status WriteBuffer();
  Status TakeBack(const Status& cause);
  Status Poison(const Status& cause);
  bool RotationIsDue() const;
  Result<std::unique_ptr<env::File>> MakeSegmentFile(uint32_t number);
  void PrepareAhead();
  void ReserveAhead();
  void ReleaseReserved();
  void Log(std::string_view line) const;

  const WriterOptions options_;
  std::unique_ptr<env::File> file_;
  uint32_t number_ = 0;
  std::unique_ptr<SpareSegment> spare_;  // null: segments aren't prepared
  uint32_t half_made_ = 0;               // a spare has this number already, but the log isn't there yet
  bool is_prepared_ = false;             // file_ has zeros behind its end
  uint64_t written_size_ = 0;            // of file_, by this Writer
  uint64_t durable_size_ = 0;            // of file_
  uint64_t reserved_size_ = 0;           // of file_: what is allocated, as far as this Writer knows
  bool rotation_is_due_ = false;  // a rotation failed half-way and must be done before anything is written
  Position durable_;
  Position buffered_;
  std::string buffer_;
  Status failed_;
  Stats stats_;
};

}  // namespace stemedb::wal
