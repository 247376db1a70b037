// SPDX-License-Identifier: Apache-2.0
#include "audit/trail_mark.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/bytes.h"
#include "base/crc32c.h"

namespace stemedb::audit {
namespace {

constexpr std::string_view kMagic = "STEMEMRK";
constexpr uint32_t kVersion = 1;
constexpr uint32_t kClean = 1, kHasNewest = 2;
constexpr size_t kVersionAt = 8, kFlagsAt = 12, kNumberAt = 16, kIdAt = 20, kTimeAt = 28, kCrcAt = 36;

std::string PathOf(const std::string& directory) { return directory + "/mark"; }

Status WriteNew(env::Env& env, const std::string& path, std::string_view bytes) {
  auto file = env.OpenAppend(path);
  if (!file) return file.error();
  if ((*file)->size() > 0) STEMEDB_RETURN_IF_ERROR((*file)->Truncate(0));
  STEMEDB_RETURN_IF_ERROR((*file)->Append(bytes));
  return (*file)->Sync();
}

}  // namespace

Result<TrailMark> ReadTrailMark(env::Env& env, const std::string& directory) {
  auto file = env.OpenRead(PathOf(directory));
  if (!file) return file.error();
  std::array<uint8_t, kTrailMarkBytes> read{};
  const auto got = (*file)->ReadAt(0, read);
  if (!got) return got.error();
  const std::string_view bytes = AsView(read);
  const uint32_t crc = Crc32c(AsBytes(bytes.substr(0, kCrcAt)));
  const bool is_ours = *got == read.size() && bytes.starts_with(kMagic) &&
                       LoadLittle<uint32_t>(bytes.data() + kCrcAt) == crc &&
                       LoadLittle<uint32_t>(bytes.data() + kVersionAt) == kVersion;
  if (!is_ours) {
    return Status(Code::kCorruption, "trail_mark",
                  PathOf(directory) + " makes no sense; the trail is taken as one that was not stopped");
  }
  const auto flags = LoadLittle<uint32_t>(bytes.data() + kFlagsAt);
  TrailMark mark;
  mark.is_clean = (flags & kClean) != 0;
  mark.has_newest = (flags & kHasNewest) != 0;
  mark.next_number = LoadLittle<uint32_t>(bytes.data() + kNumberAt);
  mark.next_id = LoadLittle<uint64_t>(bytes.data() + kIdAt);
  mark.time_ms = LoadLittle<int64_t>(bytes.data() + kTimeAt);
  return mark;
}

Status WriteTrailMark(env::Env& env, const std::string& directory, const TrailMark& mark) {
  std::array<char, kTrailMarkBytes> bytes{};
  std::copy(kMagic.begin(), kMagic.end(), bytes.begin());
  StoreLittle(bytes.data() + kVersionAt, kVersion);
  StoreLittle(bytes.data() + kFlagsAt, (mark.is_clean ? kClean : 0) | (mark.has_newest ? kHasNewest : 0));
  StoreLittle(bytes.data() + kNumberAt, mark.next_number);
  StoreLittle(bytes.data() + kIdAt, mark.next_id);
  StoreLittle(bytes.data() + kTimeAt, mark.time_ms);
  StoreLittle(bytes.data() + kCrcAt, Crc32c(AsBytes({bytes.data(), kCrcAt})));
  const std::string made = PathOf(directory) + ".new";
  Status written = WriteNew(env, made, {bytes.data(), bytes.size()});
  if (written.ok()) written = env.Rename(made, PathOf(directory));
  if (!written.ok()) {
    static_cast<void>(env.Remove(made));
    return written;
  }
  return env.SyncDir(directory);
}

Status RemoveTrailMark(env::Env& env, const std::string& directory) {
  const Status removed = env.Remove(PathOf(directory));
  if (!removed.ok()) return removed.code() == Code::kNotFound ? Status::Ok() : removed;
  return env.SyncDir(directory);
}

}  // namespace stemedb::audit
