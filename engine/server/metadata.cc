// SPDX-License-Identifier: Apache-2.0
// A new file takes the old one's name only when it is whole and on disk, so a reader never sees half of one.
#include "server/metadata.h"

#include <array>
#include <charconv>

#include "base/bytes.h"
#include "base/json_writer.h"
#include "base/path.h"

namespace stemedb::server {
namespace {

constexpr size_t kBytesMax = 4096;
constexpr std::string_view kStartsKey = "\"starts\":";

std::string Text(const Metadata& metadata, int64_t now_ms) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Field("version", STEMEDB_VERSION);
  json.Key("timestamp");
  json.Time(now_ms);
  json.Key("assertion_count");
  json.Unsigned(metadata.assertion_count);
  json.Key("sequence");
  json.Unsigned(metadata.sequence);
  json.Key("wal_segment_count");
  json.Unsigned(metadata.wal_segment_count);
  json.Key("starts");
  json.Unsigned(metadata.starts);
  json.EndObject();
  out += '\n';
  return out;
}

std::string Beside(const std::string& path, std::string_view name) {
  const std::string dir = ParentOf(path);
  return (dir == "/" ? dir : dir + "/") + std::string(name);
}

}  // namespace

std::string MetadataPath(const std::string& wal_dir) { return Beside(wal_dir, "metadata.json"); }
std::string AuditPath(const std::string& wal_dir) { return Beside(wal_dir, "audit.jsonl"); }
std::string QueryTrailPath(const std::string& wal_dir) { return Beside(wal_dir, "audit"); }

Result<uint64_t> ReadStarts(env::Env& env, const std::string& path) {
  auto file = env.OpenRead(path);
  if (!file && file.error().code() == Code::kNotFound) return uint64_t{0};
  if (!file) return file.error();
  std::array<uint8_t, kBytesMax> bytes;
  const auto count = (*file)->ReadAt(0, bytes);
  if (!count) return count.error();
  const std::string_view text = AsView(std::span(bytes).first(*count));
  size_t at = text.find(kStartsKey);
  if (at == std::string_view::npos) return uint64_t{0};
  at = text.find_first_not_of(' ', at + kStartsKey.size());
  uint64_t starts = 0;
  if (at != std::string_view::npos) std::from_chars(text.data() + at, text.data() + text.size(), starts);
  return starts;
}

Status WriteMetadata(env::Env& env, const std::string& path, const Metadata& metadata) {
  const std::string temporary = path + ".new";
  auto file = env.OpenAppend(temporary);
  if (!file) return file.error();
  STEMEDB_RETURN_IF_ERROR((*file)->Truncate(0));
  STEMEDB_RETURN_IF_ERROR((*file)->Append(Text(metadata, env.clock()->NowMs())));
  STEMEDB_RETURN_IF_ERROR((*file)->Sync());
  STEMEDB_RETURN_IF_ERROR(env.Rename(temporary, path));
  return env.SyncDir(ParentOf(path));
}

}  // namespace stemedb::server
