// SPDX-License-Identifier: Apache-2.0
#include "wal/format.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "crypto/sha256.h"

namespace stemedb::wal {
namespace {

// Offsets inside the segment header.
constexpr size_t kVersionAt = 8, kNumberAt = 12, kFirstAt = 16, kStartChainAt = 24, kHeaderCrcAt = 60;

// What the chain covers besides the payload: 32 + 1 + 1 + 8 + 8 bytes.
constexpr size_t kChainFieldsBytes = 50;

}  // namespace

void AppendSegmentHeader(std::string& out, const SegmentHeader& header) {
  char bytes[kSegmentHeaderBytes] = {};
  std::memcpy(bytes, kMagic.data(), kMagic.size());
  StoreLittle(bytes + kVersionAt, kFormatVersion);
  StoreLittle(bytes + kNumberAt, header.number);
  StoreLittle(bytes + kFirstAt, header.start.next_sequence);
  std::memcpy(bytes + kStartChainAt, header.start.chain.data(), header.start.chain.size());
  StoreLittle(bytes + kHeaderCrcAt, Crc32c(AsBytes({bytes, kHeaderCrcAt})));
  out.append(bytes, sizeof bytes);
}

Result<SegmentHeader> ParseSegmentHeader(std::span<const uint8_t> bytes) {
  if (bytes.size() < kSegmentHeaderBytes || AsView(bytes.first(kMagic.size())) != kMagic) {
    return Status(Code::kCorruption, "wal_magic", "WAL magic byte validation failed at byte 0");
  }
  const auto version = LoadLittle<uint32_t>(bytes.data() + kVersionAt);
  if (LoadLittle<uint32_t>(bytes.data() + kHeaderCrcAt) != Crc32c(bytes.first(kHeaderCrcAt))) {
    return Status(Code::kCorruption, "wal_header", "Checksum mismatch in WAL: segment header at byte 0");
  }
  if (version != kFormatVersion) {
    return Status(Code::kCorruption, "wal_version",
                  "format version " + std::to_string(version) + " at byte 8, this server reads " +
                      std::to_string(kFormatVersion));
  }
  SegmentHeader header;
  header.number = LoadLittle<uint32_t>(bytes.data() + kNumberAt);
  header.start.next_sequence = LoadLittle<uint64_t>(bytes.data() + kFirstAt);
  std::memcpy(header.start.chain.data(), bytes.data() + kStartChainAt, header.start.chain.size());
  return header;
}

Hash256 ChainOf(const Hash256& before, uint8_t type, uint8_t flags, uint64_t sequence, int64_t recorded_at_ms,
                std::string_view payload) {
  char fields[kChainFieldsBytes];
  std::memcpy(fields, before.data(), before.size());
  fields[32] = static_cast<char>(type);
  fields[33] = static_cast<char>(flags);
  StoreLittle(fields + 34, sequence);
  StoreLittle(fields + 42, recorded_at_ms);
  thread_local crypto::Sha256 sha;
  return sha.Update({fields, sizeof fields}).Update(payload).Finish();
}

void AppendRecord(std::string& out, const RecordToWrite& record, uint16_t marks, Position& at) {
  STEMEDB_CHECK(record.payload.size() <= kPayloadBytesMax);
  at.chain =
      ChainOf(at.chain, record.type, record.flags, at.next_sequence, record.recorded_at_ms, record.payload);
  char header[kRecordHeaderBytes];
  StoreLittle(header, static_cast<uint32_t>(record.payload.size()));
  header[8] = static_cast<char>(record.type);
  header[9] = static_cast<char>(record.flags);
  StoreLittle(header + 10, marks);
  StoreLittle(header + 12, at.next_sequence);
  StoreLittle(header + 20, record.recorded_at_ms);
  std::memcpy(header + 28, at.chain.data(), at.chain.size());
  uint32_t crc = Crc32c(AsBytes({header, 4}));
  crc = Crc32cExtend(crc, AsBytes({header + 8, kRecordHeaderBytes - 8}));
  StoreLittle(header + 4, Crc32cExtend(crc, AsBytes(record.payload)));
  out.append(header, sizeof header);
  out.append(record.payload);
  ++at.next_sequence;
}

}  // namespace stemedb::wal
