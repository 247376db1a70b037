// SPDX-License-Identifier: Apache-2.0
// Any bytes as a segment of the trail of queries: its reader stays inside them, and whatever entry is called
// valid is exactly what a writer would write.
//
// The first input byte says whether checksums are put right before the reading, so that mutations get past
// the CRC.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "audit/query_record.h"
#include "audit/trail_segment.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"

namespace {

using namespace stemedb;
using namespace stemedb::audit;

void MendChecksums(std::string& bytes) {
  if (bytes.size() < kTrailHeaderBytes) return;
  constexpr size_t kCovered = kTrailHeaderBytes - 4;
  StoreLittle(bytes.data() + kCovered, Crc32c(AsBytes(bytes).first(kCovered)));
  for (size_t at = kTrailHeaderBytes; bytes.size() - at >= kFrameHeaderBytes;) {
    const auto length = LoadLittle<uint32_t>(bytes.data() + at);
    if (length > bytes.size() - at - kFrameHeaderBytes) return;
    const auto payload = AsBytes(bytes).subspan(at + kFrameHeaderBytes, length);
    StoreLittle(bytes.data() + at + 4, Crc32cExtend(Crc32c(AsBytes(bytes).subspan(at, 4)), payload));
    at += kFrameHeaderBytes + length;
  }
}

void CheckFrame(std::string_view frame) {
  static_cast<void>(TimeOf(frame));
  static_cast<void>(EarliestOf(frame));
  TrailEntry entry;
  if (!ParsePayload(PayloadOf(frame), entry).ok()) return;
  STEMEDB_CHECK(std::holds_alternative<Seal>(entry) == IsSeal(frame));
  std::string again;
  std::visit([&](const auto& one) { AppendFrame(again, one); }, entry);
  STEMEDB_CHECK(again == frame);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 1) MendChecksums(bytes);
  SegmentInfo info;
  if (ParseTrailHeader(bytes, info).ok()) {
    std::string again;
    AppendTrailHeader(again, info);
    STEMEDB_CHECK(bytes.starts_with(again));
  }
  const SegmentFrames all = FramesOf(bytes);
  STEMEDB_CHECK(all.end <= bytes.size());
  size_t at = std::min(bytes.size(), kTrailHeaderBytes);
  for (const std::string_view frame : all.frames) {
    STEMEDB_CHECK(std::string_view(bytes).substr(at, frame.size()) == frame);
    STEMEDB_CHECK(FirstFrame(std::string_view(bytes).substr(at)) == frame);
    CheckFrame(frame);
    at += frame.size();
  }
  if (all.is_sealed) CheckFrame(FrameAt(std::string_view(bytes).substr(at)));
  // The same bytes as a payload.
  TrailEntry entry;
  static_cast<void>(ParsePayload(bytes, entry));
  return 0;
}
