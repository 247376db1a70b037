// SPDX-License-Identifier: Apache-2.0
// Ids ascend over both files, so a page goes on where the one before ended even when the file was changed in
// between. Lines are read back from the end, in a window that grows until it holds enough of them.
#include "audit/journal.h"

#include <simdjson.h>

#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "base/json_writer.h"
#include "base/path.h"
#include "telemetry/log.h"

namespace stemedb::audit {
namespace {

constexpr size_t kDetailBytesMax = 512;    // as it stands in the file
constexpr size_t kWindowBytes = 64 << 10;  // more than the longest line

// What a byte takes in a JSON string, at the most.
size_t WidthOf(char c) {
  if (static_cast<uint8_t>(c) < 0x20) return 6;
  return c == '"' || c == '\\' ? 2 : 1;
}

// Whoever may fill the detail must not fill the file with it: an error may have the caller's own words in it.
// Cut between two characters; what is cut off is said, with the length of the whole.
std::string Bounded(std::string_view text) {
  size_t end = 0;
  for (size_t width = 0; end < text.size(); ++end) {
    width += WidthOf(text[end]);
    if (width > kDetailBytesMax) break;
  }
  if (end == text.size()) return std::string(text);
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "… (cut; " + std::to_string(text.size()) + " bytes)";
}

std::string LineOf(const Entry& entry, uint64_t id) {
  std::string line;
  JsonWriter json(line);
  json.BeginObject();
  json.Key("id");
  json.Unsigned(id);
  json.Key("time");
  json.Time(entry.time_ms);
  json.Field("peer", entry.peer);
  if (!entry.actor.empty()) json.Field("actor", entry.actor);
  json.Field("action", entry.action);
  json.Field("subject", entry.subject);
  json.Field("result", entry.result);
  if (!entry.detail.empty()) json.Field("detail", Bounded(entry.detail));
  json.EndObject();
  line += '\n';
  return line;
}

Result<std::string> ReadFrom(const env::File& file, uint64_t from) {
  std::string text(file.size() - from, '\0');
  auto got = file.ReadAt(from, {reinterpret_cast<uint8_t*>(text.data()), text.size()});
  if (!got) return got.error();
  text.resize(*got);
  return text;
}

// Lines of a file from its end, whole ones only.
class Backwards {
 public:
  explicit Backwards(const env::File& file) : file_(file), from_(file.size()) {}

  // Appends lines to `lines`, newest first, until there are `count` of them that `wanted` takes or the file
  // ends.
  template <typename Wanted>
  Status Read(size_t count, Wanted wanted, std::vector<std::string>& lines) {
    uint64_t window = kWindowBytes;
    while (from_ > 0 && lines.size() < count) {
      from_ = file_.size() > window ? file_.size() - window : 0;
      window *= 4;
      auto text = ReadFrom(file_, from_);
      if (!text) return text.error();
      lines.clear();
      Take(*text, count, wanted, lines);
    }
    return Status::Ok();
  }

 private:
  template <typename Wanted>
  void Take(std::string_view text, size_t count, Wanted wanted, std::vector<std::string>& lines) const {
    if (from_ > 0) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);  // a line's rest
    text = text.substr(0, text.rfind('\n') == std::string_view::npos ? 0 : text.rfind('\n'));
    while (!text.empty() && lines.size() < count) {
      const size_t line_feed = text.rfind('\n');
      const size_t begin = line_feed == std::string_view::npos ? 0 : line_feed + 1;
      if (wanted(text.substr(begin))) lines.emplace_back(text.substr(begin));
      text = text.substr(0, begin == 0 ? 0 : line_feed);
    }
  }

  const env::File& file_;
  uint64_t from_;
};

// The id of a line that is one of ours; 0 of any other.
uint64_t IdOf(simdjson::dom::parser& parser, std::string_view line) {
  uint64_t id = 0;
  std::string_view text;
  simdjson::dom::element root;
  if (parser.parse(line.data(), line.size()).get(root) != simdjson::SUCCESS) return 0;
  for (const char* name : {"time", "peer", "action", "subject", "result"}) {
    if (root[name].get(text) != simdjson::SUCCESS) return 0;
  }
  return root["id"].get(id) == simdjson::SUCCESS ? id : 0;
}

}  // namespace

Result<std::unique_ptr<Journal>> Journal::Open(env::Env& env, const std::string& path, uint64_t bytes_max) {
  std::unique_ptr<Journal> journal(new Journal(env, path, bytes_max));
  STEMEDB_RETURN_IF_ERROR(journal->OpenFile());
  // Opened even when its ids aren't needed: what can't be read is to be known now, not at the next page.
  const auto old = env.OpenRead(journal->old_path_);
  if (!old && old.error().code() != Code::kNotFound) return old.error();
  auto newest = journal->NewestId(*journal->file_);
  if (newest && *newest == 0 && old) newest = journal->NewestId(**old);
  if (!newest) return newest.error();
  journal->next_id_ = *newest + 1;
  return journal;
}

Status Journal::OpenFile() {
  auto file = env_.OpenAppend(path_);
  if (!file) return file.error();
  file_ = std::move(*file);
  STEMEDB_RETURN_IF_ERROR(env_.SyncDir(ParentOf(path_)));
  const uint64_t from = file_->size() > kWindowBytes ? file_->size() - kWindowBytes : 0;
  auto tail = ReadFrom(*file_, from);
  if (!tail) return tail.error();
  const size_t line_feed = tail->rfind('\n');
  const uint64_t end = line_feed == std::string::npos ? from : from + line_feed + 1;
  return end < file_->size() ? file_->Truncate(end) : Status::Ok();
}

Result<uint64_t> Journal::NewestId(const env::File& file) const {
  simdjson::dom::parser parser;
  uint64_t newest = 0;
  std::vector<std::string> lines;
  const Status read = Backwards(file).Read(
      1, [&](std::string_view line) { return (newest = IdOf(parser, line)) != 0; }, lines);
  if (!read.ok()) return read;
  return newest;
}

Status Journal::Rotate() {
  file_.reset();
  STEMEDB_RETURN_IF_ERROR(env_.Rename(path_, old_path_));
  return OpenFile();  // which makes both names durable
}

Status Journal::CheckFile() {
  const std::lock_guard lock(mutex_);
  return MindFile();
}

Status Journal::Append(const Entry& entry) {
  const std::lock_guard lock(mutex_);
  STEMEDB_RETURN_IF_ERROR(MindFile());
  return Write(entry);
}

Status Journal::MindFile() {
  if (file_ != nullptr && !file_->IsInPlace()) {
    file_.reset();
    is_lost_ = true;
    telemetry::LogError(
        "audit", "the audit file was moved, removed, replaced or cut short under the running server",
        {{"file", path_},
         {"last_id", next_id_ - 1},
         {"remedy",
          "a new one begins, and says so in its first line; find out who did it and where the "
          "old one is"}});
  }
  if (!is_lost_) return Status::Ok();
  const Status written =
      Write({.time_ms = env_.clock()->NowMs(),
             .peer = "server",
             .actor = {},
             .action = "audit.file",
             .subject = path_.substr(path_.rfind('/') + 1),
             .result = "file_lost",
             .detail = "the file before this one was moved, removed, replaced or cut short while the server "
                       "ran; its last line had the id " +
                       std::to_string(next_id_ - 1)});
  if (written.ok()) is_lost_ = false;
  return written;
}

Status Journal::Write(const Entry& entry) {
  if (file_ == nullptr) STEMEDB_RETURN_IF_ERROR(OpenFile());
  const std::string line = LineOf(entry, next_id_);
  if (file_->size() > 0 && file_->size() + line.size() > bytes_max_) STEMEDB_RETURN_IF_ERROR(Rotate());
  Status status = file_->Append(line);
  if (status.ok()) status = file_->Sync();
  ++next_id_;                       // also of a line that perhaps is there: no two have one id
  if (!status.ok()) file_.reset();  // what is in it now is known when it is opened again
  return status;
}

Status Journal::WriteLine(const Tally::Line& line) {
  Status written = Append(line.ToEntry());
  if (!written.ok()) tally_.Return(line);
  return written;
}

Status Journal::WriteRest() {
  Status first;
  for (const Tally::Line& line : tally_.TakeAll()) {
    Status written = WriteLine(line);
    if (first.ok()) first = std::move(written);
  }
  return first;
}

Status Journal::List(size_t limit, std::optional<uint64_t> before, std::string& out) {
  const std::lock_guard lock(mutex_);
  simdjson::dom::parser parser;
  std::vector<std::string> lines;
  const auto wanted = [&](std::string_view line) {
    const uint64_t id = IdOf(parser, line);
    return id != 0 && (!before || id < *before);
  };
  for (const std::string& path : {path_, old_path_}) {
    if (lines.size() > limit) break;
    auto file = env_.OpenRead(path);
    if (!file && file.error().code() == Code::kNotFound) continue;
    if (!file) return file.error();
    std::vector<std::string> more;
    STEMEDB_RETURN_IF_ERROR(Backwards(**file).Read(limit + 1 - lines.size(), wanted, more));
    lines.insert(lines.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
  JsonWriter json(out);
  json.BeginObject();
  json.Key("entries");
  json.BeginArray();
  for (size_t i = 0; i < lines.size() && i < limit; ++i) json.Raw(lines[i]);
  json.EndArray();
  if (lines.size() > limit) json.Field("next_cursor", std::to_string(IdOf(parser, lines[limit - 1])));
  json.EndObject();
  return Status::Ok();
}

}  // namespace stemedb::audit
