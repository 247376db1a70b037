// SPDX-License-Identifier: Apache-2.0
// SegmentScanner: steps through the records of one segment that is in memory, and says what is wrong where it
// stops. The rules of validity live here and nowhere else; recovery and Reader both step with it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "wal/format.h"

namespace stemedb::wal {

enum class Fault : uint8_t {
  kNone,
  kIncomplete,  // the bytes end before the record does, or its length is beyond the limit
  kChecksum,
  kUnknownBits,  // from here on the CRC holds: no torn write looks like this
  kSequence,
  kChain,
};
std::string_view DescribeFault(Fault fault);

class SegmentScanner {
 public:
  SegmentScanner() = default;
  // `bytes` is the whole segment with its header, and must outlive the scanner; `start` is what its header
  // says.
  SegmentScanner(std::span<const uint8_t> bytes, const Position& start)
      : bytes_(bytes), offset_(kSegmentHeaderBytes), at_(start) {}

  // True with the next record. False at the end (fault() is kNone) or at the first record that is not valid.
  // Zeros up to the end of the file are room that was prepared: the end is before them.
  bool Next(Record& record);

  Fault fault() const { return fault_; }
  // Where the next record begins, or the faulty one.
  uint64_t offset() const { return offset_; }
  const Position& position() const { return at_; }

 private:
  std::span<const uint8_t> bytes_;
  uint64_t offset_ = 0;
  Position at_;
  Fault fault_ = Fault::kNone;
};

// Whether a last segment was being made when its writer stopped: its header is synced before a record
// follows, so a file that ends in zeros from the header's last byte on holds nothing. It is as long as a
// prepared one is.
bool IsUnborn(std::span<const uint8_t> bytes);

// What stands behind the faulty record at `offset`.
enum class Behind : uint8_t {
  kNothing,     // no valid record: a torn tail
  kSameWrite,   // valid records of the same write, and blocks that were never written: a torn tail, too
  kLaterWrite,  // valid records that prove damage: the faulty one had been synced, or has no unwritten block
};

// Looks for valid records behind a fault; `due` is the sequence that the faulty record should have.
Behind LookBehind(std::span<const uint8_t> bytes, uint64_t offset, uint64_t due);

}  // namespace stemedb::wal
