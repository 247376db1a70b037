// SPDX-License-Identifier: Apache-2.0
// Telling a torn tail from damage. The Writer writes, syncs, and only then writes again; the first record of
// each write is marked. So a whole record behind the fault that begins a write proves that the faulty one had
// been on disk. A record of the same write proves it only if no block before it is missing: a power cut may
// lose any of the blocks of a write that was not synced, and a lost block of a growing file reads as zeros.
//
// Bytes that merely look like a record, because somebody stored a piece of a log as a payload, must not pass
// for one: inside of what the faulty record claims as its own, only its true successor counts, recognised by
// the chain.
#include "wal/segment_scanner.h"

#include <algorithm>

#include "base/crc32c.h"

namespace stemedb::wal {
namespace {

constexpr size_t kBlockBytes = 512;  // the least that a disk writes as a whole

constexpr uint8_t kKnownFlags = kFlagMore;
constexpr uint16_t kKnownMarks = kMarkWriteBegins;

uint32_t LengthAt(std::span<const uint8_t> bytes, uint64_t offset) {
  return LoadLittle<uint32_t>(bytes.data() + offset);
}

// Rules 1 and 2; the caller decides on the rest.
Fault ReadRecord(std::span<const uint8_t> bytes, uint64_t offset, Record& record) {
  if (bytes.size() - offset < kRecordHeaderBytes) return Fault::kIncomplete;
  const uint8_t* head = bytes.data() + offset;
  const uint32_t length = LengthAt(bytes, offset);
  if (length > kPayloadBytesMax || bytes.size() - offset - kRecordHeaderBytes < length)
    return Fault::kIncomplete;
  const uint32_t crc = Crc32cExtend(Crc32c({head, 4}), {head + 8, kRecordHeaderBytes - 8 + length});
  if (LoadLittle<uint32_t>(head + 4) != crc) return Fault::kChecksum;
  record.type = head[8];
  record.flags = head[9];
  record.marks = LoadLittle<uint16_t>(head + 10);
  record.sequence = LoadLittle<uint64_t>(head + 12);
  record.recorded_at_ms = LoadLittle<int64_t>(head + 20);
  std::memcpy(record.chain.data(), head + 28, record.chain.size());
  record.payload = AsView({head + kRecordHeaderBytes, length});
  return Fault::kNone;
}

bool FollowsInChain(const Record& record, const Hash256& before) {
  return record.chain ==
         ChainOf(before, record.type, record.flags, record.sequence, record.recorded_at_ms, record.payload);
}

// Whether some block, or what [from, to) has of it up to the file's end, is zeros throughout.
bool HasUnwrittenBlock(std::span<const uint8_t> bytes, uint64_t from, uint64_t to) {
  while (from < to) {
    const uint64_t end = std::min<uint64_t>(bytes.size(), from + kBlockBytes - from % kBlockBytes);
    const auto block = bytes.subspan(from, end - from);
    if (std::all_of(block.begin(), block.end(), [](uint8_t byte) { return byte == 0; })) return true;
    from = end;
  }
  return false;
}

// Cheap tests first: this runs at every byte behind a fault.
bool LooksLikeRecord(std::span<const uint8_t> bytes, uint64_t offset, uint64_t due) {
  const uint8_t* head = bytes.data() + offset;
  const auto sequence = LoadLittle<uint64_t>(head + 12);
  const uint64_t possible = bytes.size() / kRecordHeaderBytes;
  return sequence >= due && sequence - due <= possible &&
         LengthAt(bytes, offset) <= bytes.size() - offset - kRecordHeaderBytes;
}

// Where the faulty record ends by its own account; its offset when that is nonsense.
uint64_t ClaimedEnd(std::span<const uint8_t> bytes, uint64_t offset) {
  const uint32_t length = LengthAt(bytes, offset);
  return length > kPayloadBytesMax ? offset : offset + kRecordHeaderBytes + length;
}

bool IsZeros(std::span<const uint8_t> bytes) {
  return bytes.empty() ||
         (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace

bool IsUnborn(std::span<const uint8_t> bytes) {
  return IsZeros(bytes.subspan(std::min(bytes.size(), kSegmentHeaderBytes - 1)));
}

std::string_view DescribeFault(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      return "no fault";
    case Fault::kIncomplete:
      return "incomplete record";
    case Fault::kChecksum:
      return "wrong CRC-32C";
    case Fault::kUnknownBits:
      return "unknown flags";
    case Fault::kSequence:
      return "sequence out of order";
    case Fault::kChain:
      return "broken hash chain";
  }
  return "unknown fault";
}

bool SegmentScanner::Next(Record& record) {
  if (fault_ != Fault::kNone || offset_ >= bytes_.size()) return false;
  const Fault fault = ReadRecord(bytes_, offset_, record);
  if (fault != Fault::kNone) {
    if (!IsZeros(bytes_.subspan(offset_))) fault_ = fault;
    return false;
  }
  if ((record.flags & ~kKnownFlags) != 0 || (record.marks & ~kKnownMarks) != 0)
    fault_ = Fault::kUnknownBits;
  else if (record.sequence != at_.next_sequence)
    fault_ = Fault::kSequence;
  else if (!FollowsInChain(record, at_.chain))
    fault_ = Fault::kChain;
  if (fault_ != Fault::kNone) return false;
  offset_ += record.size();
  at_ = {record.sequence + 1, record.chain};
  return true;
}

Behind LookBehind(std::span<const uint8_t> bytes, uint64_t offset, uint64_t due) {
  if (bytes.size() - offset < kRecordHeaderBytes) return Behind::kNothing;
  const uint64_t claimed_end = ClaimedEnd(bytes, offset);
  Hash256 claimed_chain;
  std::memcpy(claimed_chain.data(), bytes.data() + offset + 28, claimed_chain.size());
  Behind behind = Behind::kNothing;
  for (uint64_t at = offset + 1; at + kRecordHeaderBytes <= bytes.size();) {
    Record record;
    const bool valid =
        LooksLikeRecord(bytes, at, due) && ReadRecord(bytes, at, record) == Fault::kNone &&
        (at >= claimed_end || (record.sequence == due + 1 && FollowsInChain(record, claimed_chain)));
    if (!valid) {
      ++at;
      continue;
    }
    if ((record.marks & kMarkWriteBegins) != 0) return Behind::kLaterWrite;
    if (behind == Behind::kNothing && !HasUnwrittenBlock(bytes, offset, at)) return Behind::kLaterWrite;
    behind = Behind::kSameWrite;
    at += record.size();
  }
  return behind;
}

}  // namespace stemedb::wal
