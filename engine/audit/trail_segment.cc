// SPDX-License-Identifier: Apache-2.0
#include "audit/trail_segment.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <variant>

#include "audit/query_record.h"
#include "base/bytes.h"
#include "base/crc32c.h"

namespace stemedb::audit {
namespace {

constexpr std::string_view kPrefix = "queries-", kSuffix = ".log";
constexpr size_t kDigitsMin = 5;
constexpr size_t kVersionAt = 8, kNumberAt = 12, kFirstIdAt = 16, kBegunAt = 24, kCrcAt = 32;

// The seal at the end of the file, if there is one.
std::optional<Seal> SealOf(const env::File& file) {
  if (file.size() < kTrailHeaderBytes + kSealFrameBytes) return std::nullopt;
  std::array<uint8_t, kSealFrameBytes> bytes;
  const auto got = file.ReadAt(file.size() - bytes.size(), bytes);
  if (!got || *got != bytes.size()) return std::nullopt;
  const std::string_view frame = FrameAt(AsView(bytes));
  TrailEntry entry;
  if (frame.size() != bytes.size() || !ParsePayload(PayloadOf(frame), entry).ok()) return std::nullopt;
  const Seal* seal = std::get_if<Seal>(&entry);
  const bool is_possible = seal != nullptr && seal->entries <= file.size();
  return is_possible ? std::optional<Seal>(*seal) : std::nullopt;
}

}  // namespace

void SegmentInfo::AddTimes(std::string_view frame) {
  const bool is_first = time_min_ms == 0 && time_max_ms == 0;
  const int64_t from_ms = EarliestOf(frame), to_ms = TimeOf(frame);
  time_min_ms = is_first ? from_ms : std::min(time_min_ms, from_ms);
  time_max_ms = is_first ? to_ms : std::max(time_max_ms, to_ms);
}

std::string SegmentPath(const std::string& directory, uint32_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < kDigitsMin) digits.insert(0, kDigitsMin - digits.size(), '0');
  return directory + "/" + std::string(kPrefix) + digits + std::string(kSuffix);
}

std::optional<uint32_t> SegmentNumberOf(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  if (name.size() < kSuffix.size() + kDigitsMin) return std::nullopt;
  name.remove_suffix(kSuffix.size());
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  // One name for each number: no further zeros in front.
  const bool is_ours = error == std::errc() && end == name.data() + name.size() && number > 0 &&
                       (name.size() == kDigitsMin || name.front() != '0');
  return is_ours ? std::optional<uint32_t>(number) : std::nullopt;
}

void AppendTrailHeader(std::string& out, const SegmentInfo& info) {
  std::array<char, kTrailHeaderBytes> bytes{};
  std::copy(kSegmentMagic.begin(), kSegmentMagic.end(), bytes.begin());
  StoreLittle(bytes.data() + kVersionAt, kTrailVersion);
  StoreLittle(bytes.data() + kNumberAt, info.number);
  StoreLittle(bytes.data() + kFirstIdAt, info.first_id);
  StoreLittle(bytes.data() + kBegunAt, info.begun_ms);
  StoreLittle(bytes.data() + kCrcAt, Crc32c(AsBytes({bytes.data(), kCrcAt})));
  out.append(bytes.data(), bytes.size());
}

Status ParseTrailHeader(std::string_view bytes, SegmentInfo& info) {
  const bool is_ours =
      bytes.size() >= kTrailHeaderBytes && bytes.starts_with(kSegmentMagic) &&
      LoadLittle<uint32_t>(bytes.data() + kCrcAt) == Crc32c(AsBytes(bytes.substr(0, kCrcAt)));
  if (!is_ours) return Status(Code::kCorruption, "trail_header", "the segment's header makes no sense");
  const auto version = LoadLittle<uint32_t>(bytes.data() + kVersionAt);
  if (version != kTrailVersion) {
    return Status(Code::kCorruption, "trail_header",
                  "the segment has format version " + std::to_string(version) + ", this server reads " +
                      std::to_string(kTrailVersion));
  }
  info.number = LoadLittle<uint32_t>(bytes.data() + kNumberAt);
  info.first_id = LoadLittle<uint64_t>(bytes.data() + kFirstIdAt);
  info.begun_ms = LoadLittle<int64_t>(bytes.data() + kBegunAt);
  return Status::Ok();
}

Result<std::string> ReadSegment(env::Env& env, const std::string& path, uint64_t bytes_max) {
  auto file = env.OpenRead(path);
  if (!file) return file.error();
  std::string bytes(std::min<uint64_t>((*file)->size(), bytes_max), '\0');
  const auto got = (*file)->ReadAt(0, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
  if (!got) return got.error();
  bytes.resize(*got);
  return bytes;
}

SegmentFrames FramesOf(std::string_view segment) {
  SegmentFrames all;
  all.end = std::min(segment.size(), kTrailHeaderBytes);
  while (!all.is_sealed) {
    const std::string_view frame = FrameAt(segment.substr(all.end));
    if (frame.empty()) break;
    all.end += frame.size();
    all.is_sealed = IsSeal(frame);
    if (!all.is_sealed) all.frames.push_back(frame);
  }
  return all;
}

Result<SegmentInfo> LookAtSegment(env::Env& env, const std::string& path, uint32_t number) {
  SegmentInfo info;
  auto file = env.OpenRead(path);
  if (!file) return file.error();
  std::array<uint8_t, kTrailHeaderBytes> header;
  const auto got = (*file)->ReadAt(0, header);
  if (!got) return got.error();
  const Status parsed = ParseTrailHeader(AsView(std::span(header).first(*got)), info);
  // What its name says holds, for who looks it up; another number inside is another file's header.
  info.is_readable = parsed.ok() && info.number == number;
  info.number = number;
  info.path = path;
  info.bytes = (*file)->size();
  if (!info.is_readable) return info;
  if (const auto seal = SealOf(**file)) {
    info.is_sealed = true;
    info.entries = seal->entries;
    info.time_min_ms = seal->time_min_ms;
    info.time_max_ms = seal->time_max_ms;
    return info;
  }
  auto bytes = ReadSegment(env, path, info.bytes);
  if (!bytes) return bytes.error();
  const SegmentFrames all = FramesOf(*bytes);
  info.entries = all.frames.size();
  info.bytes = all.end;
  for (const std::string_view frame : all.frames) info.AddTimes(frame);
  return info;
}

}  // namespace stemedb::audit
