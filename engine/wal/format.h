// SPDX-License-Identifier: Apache-2.0
// The bytes of the log, as docs/wal-format.md defines them: a segment header, then records. Integers are
// little-endian. A record is valid when, in this order,
//   1. its 60 header bytes are in the file, and its length is at most kPayloadBytesMax and ends inside the
//   file,
//   2. its CRC-32C holds over all of header and payload but the CRC itself,
//   3. no unknown bit is set in flags and marks,
//   4. its sequence is the one that is due,
//   5. its chain is the SHA-256 of the chain before it, its own fields and its payload.
// The chain leaves `marks` out: how records were batched into writes is this node's matter, what they say is
// not.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"

namespace stemedb::wal {

inline constexpr std::string_view kMagic = "STEMEWAL";
inline constexpr uint32_t kFormatVersion = 1;
inline constexpr size_t kSegmentHeaderBytes = 64;
inline constexpr size_t kRecordHeaderBytes = 60;
inline constexpr uint32_t kPayloadBytesMax = 16u << 20;

// flags, part of the record for ever:
inline constexpr uint8_t kFlagMore = 1;  // the next record belongs to the same atomic group
// marks, of this node's file:
inline constexpr uint16_t kMarkWriteBegins =
    1;  // everything before this record was synced before it was written

// Where the log stands between two records.
struct Position {
  uint64_t next_sequence = 1;
  Hash256 chain{};  // of the record before; zeros at the very beginning
  bool operator==(const Position&) const = default;
};

struct SegmentHeader {
  uint32_t number = 1;
  Position start;  // first sequence, and the chain before it
};

// What a writer is given.
struct RecordToWrite {
  uint8_t type = 0;
  uint8_t flags = 0;
  int64_t recorded_at_ms = 0;
  std::string_view payload;
};

// What a reader gets. `payload` points into the reader's buffer.
struct Record {
  uint8_t type = 0;
  uint8_t flags = 0;
  uint16_t marks = 0;
  uint64_t sequence = 0;
  int64_t recorded_at_ms = 0;
  Hash256 chain{};
  std::string_view payload;
  uint64_t size() const { return kRecordHeaderBytes + payload.size(); }
};

void AppendSegmentHeader(std::string& out, const SegmentHeader& header);
// kCorruption "wal_magic", "wal_version" or "wal_header" (message without the file's name).
Result<SegmentHeader> ParseSegmentHeader(std::span<const uint8_t> bytes);

Hash256 ChainOf(const Hash256& before, uint8_t type, uint8_t flags, uint64_t sequence, int64_t recorded_at_ms,
                std::string_view payload);
// Appends the record that `at` stands before, and moves `at` behind it.
void AppendRecord(std::string& out, const RecordToWrite& record, uint16_t marks, Position& at);

}  // namespace stemedb::wal
