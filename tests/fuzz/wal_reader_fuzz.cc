// SPDX-License-Identifier: Apache-2.0
// Any bytes as a segment: the scanner and the search behind a fault stay inside them, and whatever is called
// valid is exactly what a writer would write.
//
// The first input byte says whether checksums are put right before the reading, so that mutations get past
// the CRC.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/check.h"
#include "base/crc32c.h"
#include "wal/format.h"
#include "wal/segment_scanner.h"

namespace {

using namespace stemedb;
using namespace stemedb::wal;

void MendChecksums(std::string& bytes) {
  if (bytes.size() < kSegmentHeaderBytes) return;
  StoreLittle(bytes.data() + 60, Crc32c(AsBytes(bytes).first(60)));
  for (size_t at = kSegmentHeaderBytes; bytes.size() - at >= kRecordHeaderBytes;) {
    const auto length = LoadLittle<uint32_t>(bytes.data() + at);
    if (length > bytes.size() - at - kRecordHeaderBytes) return;
    const auto rest = AsBytes(bytes).subspan(at + 8, kRecordHeaderBytes - 8 + length);
    StoreLittle(bytes.data() + at + 4, Crc32cExtend(Crc32c(AsBytes(bytes).subspan(at, 4)), rest));
    at += kRecordHeaderBytes + length;
  }
}

// What is valid can be written again to the same bytes.
void CheckRecord(const Record& record, const Position& before, std::string_view stored) {
  std::string again;
  Position at = before;
  AppendRecord(again, {record.type, record.flags, record.recorded_at_ms, record.payload}, record.marks, at);
  STEMEDB_CHECK(again == stored);
  STEMEDB_CHECK(at.chain == record.chain && at.next_sequence == record.sequence + 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 1) MendChecksums(bytes);
  const auto header = ParseSegmentHeader(AsBytes(bytes));
  if (!header) return 0;
  SegmentScanner scanner(AsBytes(bytes), header->start);
  Record record;
  Position before = scanner.position();
  uint64_t offset = scanner.offset();
  while (scanner.Next(record)) {
    CheckRecord(record, before, std::string_view(bytes).substr(offset, scanner.offset() - offset));
    before = scanner.position();
    offset = scanner.offset();
  }
  STEMEDB_CHECK(scanner.offset() <= bytes.size());
  // Nothing is wrong where nothing follows, or prepared room alone.
  const bool is_end = bytes.find_first_not_of('\0', scanner.offset()) == std::string::npos;
  STEMEDB_CHECK((scanner.fault() == Fault::kNone) == is_end);
  if (scanner.fault() != Fault::kNone) {
    (void)LookBehind(AsBytes(bytes), scanner.offset(), scanner.position().next_sequence);
  }
  return 0;
}
