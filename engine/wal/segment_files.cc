// SPDX-License-Identifier: Apache-2.0
#include "wal/segment_files.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace stemedb::wal {
namespace {

constexpr std::string_view kPrefix = "segment-", kSuffix = ".log";
constexpr size_t kDigitsMin = 5;

}  // namespace

std::string SegmentName(uint32_t number) {
  const std::string digits = std::to_string(number);
  return std::string(kPrefix) + std::string(kDigitsMin - std::min(kDigitsMin, digits.size()), '0') + digits +
         std::string(kSuffix);
}

std::optional<uint32_t> SegmentNumber(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return {};
  const std::string_view digits = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  // One spelling for each number: segment-1.log beside segment-00001.log would be two files of one number.
  if (error != std::errc() || number == 0 || SegmentName(number) != name) return {};
  return number;
}

Result<std::vector<SegmentFile>> ListSegments(env::Env* env, const std::string& dir) {
  std::vector<SegmentFile> files;
  const auto names = env->List(dir);
  if (!names) {
    if (names.error().code() == Code::kNotFound) return files;
    return names.error();
  }
  for (const std::string& name : *names) {
    const auto number = SegmentNumber(name);
    if (!number) continue;
    SegmentFile file{*number, dir, 0};
    file.path.append("/").append(name);
    const auto bytes = env->FileSize(file.path);
    if (!bytes) return bytes.error();
    file.bytes = *bytes;
    files.push_back(std::move(file));
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  return files;
}

Result<SegmentHeader> ReadSegmentHeader(env::Env* env, const SegmentFile& file) {
  auto opened = env->OpenRead(file.path);
  if (!opened) return opened.error();
  std::array<uint8_t, kSegmentHeaderBytes> bytes;
  const auto got = (*opened)->ReadAt(0, bytes);
  if (!got) return got.error();
  auto header = ParseSegmentHeader(std::span(bytes).first(*got));
  if (!header) return header.error().Annotate(file.path);
  if (header->number != file.number) {
    return Status(Code::kCorruption, "wal_header",
                  file.path + ": the header at byte 12 says segment " + std::to_string(header->number));
  }
  return header;
}

Result<size_t> RemoveSegmentsBelow(env::Env* env, const std::string& dir, uint64_t sequence) {
  const auto files = ListSegments(env, dir);
  if (!files) return files.error();
  size_t removed = 0;
  for (size_t i = 0; i + 1 < files->size(); ++i) {
    // What a segment holds ends where the next one begins.
    const auto next = ReadSegmentHeader(env, (*files)[i + 1]);
    if (!next) return next.error();
    if (next->start.next_sequence > sequence) break;
    STEMEDB_RETURN_IF_ERROR(env->Remove((*files)[i].path));
    ++removed;
  }
  if (removed > 0) STEMEDB_RETURN_IF_ERROR(env->SyncDir(dir));
  return removed;
}

Status SegmentBuffer::Load(env::Env* env, const SegmentFile& file) {
  size_ = 0;
  auto opened = env->OpenRead(file.path);
  if (!opened) return opened.error();
  const uint64_t bytes = (*opened)->size();
  if (bytes > kSegmentFileBytesMax) {
    return Status(Code::kCorruption, "wal_segment",
                  file.path + ": " + std::to_string(bytes) + " bytes are more than a segment has");
  }
  if (bytes > capacity_) {
    data_.reset(new uint8_t[bytes]);  // not zeroed: it is filled at once
    capacity_ = bytes;
  }
  const auto got = (*opened)->ReadAt(0, {data_.get(), bytes});
  if (!got) return got.error();
  size_ = *got;
  return Status::Ok();
}

}  // namespace stemedb::wal
