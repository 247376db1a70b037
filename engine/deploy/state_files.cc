// SPDX-License-Identifier: Apache-2.0
#include "deploy/state_files.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/bytes.h"
#include "crypto/sha256.h"
#include "deploy/state_json.h"
#include "script/script_files.h"
#include "telemetry/log.h"

namespace stemedb::deploy {
namespace {

constexpr size_t kStateBytesMax = 64u << 20;
constexpr std::string_view kTextEnding = ".lua", kNewEnding = ".new", kDamagedEnding = ".damaged";
constexpr int kAsideMax = 100;

// Of the names that we give: SHA.lua, and SHA.lua.new while it is written.
std::optional<Hash256> ShaOf(std::string_view name) {
  if (name.ends_with(kNewEnding)) name.remove_suffix(kNewEnding.size());
  if (!name.ends_with(kTextEnding)) return std::nullopt;
  name.remove_suffix(kTextEnding.size());
  Hash256 sha256{};
  return FromHex(name, sha256) ? std::optional<Hash256>(sha256) : std::nullopt;
}

// The failures of OpenRead; kCorruption "state_damaged" beyond `bytes_max`.
Result<std::string> ReadWhole(env::Env& env, const std::string& path, size_t bytes_max) {
  const auto file = env.OpenRead(path);
  if (!file) return file.error();
  if ((*file)->size() > bytes_max) return Status(Code::kCorruption, "state_damaged", path + ": is too large");
  std::string text((*file)->size(), '\0');
  const auto got = (*file)->ReadAt(0, {reinterpret_cast<uint8_t*>(text.data()), text.size()});
  if (!got) return got.error();
  text.resize(*got);
  return text;
}

std::filesystem::file_type TypeOf(const std::string& path) {
  std::error_code error;
  return std::filesystem::symlink_status(path, error).type();
}

bool IsDirectory(const std::string& path) { return TypeOf(path) == std::filesystem::file_type::directory; }

// Renames it to PATH.damaged, over an older one; or to PATH.damaged.2 and so on, where a directory is in the
// way, or it is one itself. A rename puts nothing else in a directory's place.
Status SetAside(env::Env& env, const std::string& path, std::string_view what) {
  const bool is_directory = IsDirectory(path);
  for (int number = 1; number <= kAsideMax; ++number) {
    std::string aside = path + std::string(kDamagedEnding);
    if (number > 1) aside.append(".").append(std::to_string(number));
    const bool is_free = TypeOf(aside) == std::filesystem::file_type::not_found;
    if (!is_free && (is_directory || IsDirectory(aside))) continue;
    STEMEDB_RETURN_IF_ERROR(env.Rename(path, aside));
    telemetry::LogWarn("deploy", std::string(what) + " was set aside", {{"file", aside}});
    return Status::Ok();
  }
  return Status(Code::kIoError, "io_error",
                path + ": can't be set aside, as there are " + std::to_string(kAsideMax) +
                    " such already: remove those that end in " + std::string(kDamagedEnding));
}

}  // namespace

std::string StateFiles::TextPath(const Hash256& sha256) const {
  return versions_directory_ + "/" + ToHex(sha256) + std::string(kTextEnding);
}

SavedState StateFiles::Read() {
  auto text = ReadWhole(env_, state_path_, kStateBytesMax);
  if (!text && text.error().code() == Code::kNotFound) {
    TellThatStateIsMissing();
    return {};
  }
  auto saved = text ? ParseState(*text) : Result<SavedState>(text.error());
  if (!saved) {
    TellThatStateIsUnusable(saved.error());
    return {};
  }
  written_ = std::move(*text);
  std::set<Hash256> lost;
  for (auto& [name, script] : saved->scripts) ReadVersions(name, script.record, lost);
  ListLeftovers(lost);
  return std::move(*saved);
}

// Texts come first and go last, so without state.json there are none, but for what a first start that was
// killed may have left.
void StateFiles::TellThatStateIsMissing() const {
  const auto names = env_.List(versions_directory_);
  if (!names) return;
  const auto texts = std::count_if(names->begin(), names->end(), [](const std::string& name) {
    return name.ends_with(kTextEnding) && ShaOf(name).has_value();
  });
  if (texts == 0) return;
  telemetry::LogError(
      "deploy",
      "what was kept of earlier versions is gone, but for their texts: every script comes as its file is, "
      "none is pinned, there is nothing to go back to, and generations begin at 1",
      {{"file", state_path_},
       {"cause", "there is no such file, but a directory of texts beside it"},
       {"texts", texts},
       {"remedy",
        "stop the server, put the file back from a copy and start it again; else mend the files of what must "
        "not be live, and take what you need from " +
            versions_directory_ +
            " before the next start. Nothing is lost if it was only the first start that was interrupted"}});
}

void StateFiles::TellThatStateIsUnusable(const Status& why) {
  std::error_code error;
  const bool is_directory = std::filesystem::is_directory(directory_, error);
  if (!error && !is_directory) {
    telemetry::LogError(
        "deploy",
        "what is kept of scripts has no directory: every script comes as its file is, none is pinned, and "
        "nothing is kept for the next start",
        {{"directory", directory_},
         {"cause", directory_ + ": is there, but is no directory"},
         {"remedy",
          "move it away: the directory is made within 5 s then, without a restart. Roll back again, or mend "
          "the files of, what must not be live"}});
    return;
  }
  is_damaged_ = true;
  telemetry::LogError(
      "deploy",
      "what was kept of earlier versions can't be used: every script comes as its file is, and none is "
      "pinned",
      {{"file", state_path_},
       {"cause", why.message()},
       {"remedy",
        "roll back again, or mend the files of, what must not be live; the damaged file is to be set aside "
        "as " +
            state_path_ + std::string(kDamagedEnding)}});
}

void StateFiles::ReadVersions(const std::string& name, ScriptRecord& record, std::set<Hash256>& lost) {
  std::deque<Version> whole;
  for (Version& version : record.versions) {
    const Hash256 sha256 = version.info->sha256;
    auto text = ReadWhole(env_, TextPath(sha256), script::kScriptBytesMax);
    const bool is_whole = text && crypto::Sha256::Of(*text) == sha256;
    if (is_whole) {
      auto info = std::make_shared<script::ScriptInfo>(*version.info);
      info->source = std::move(*text);
      version.info = std::move(info);
      texts_.insert(sha256);
      whole.push_back(std::move(version));
      continue;
    }
    lost.insert(sha256);
    telemetry::LogError(
        "deploy", "a kept version is lost: nobody can go back to it any more",
        {{"script", name},
         {"version", version.info->version},
         {"file", TextPath(sha256)},
         {"cause", text ? "its SHA-256 is another one than its name" : text.error().message()},
         {"remedy", "none is needed; those of the script's versions whose files are whole are there"}});
  }
  record.versions = std::move(whole);
}

// What a crash between two steps of Write left behind. What couldn't be read is let be until the next start:
// perhaps somebody mends the disk.
void StateFiles::ListLeftovers(const std::set<Hash256>& lost) {
  const auto names = env_.List(versions_directory_);
  if (!names) return;
  for (const std::string& name : *names) {
    const std::optional<Hash256> sha256 = ShaOf(name);
    if (sha256 && !(name.ends_with(kTextEnding) && (texts_.contains(*sha256) || lost.contains(*sha256))))
      leftovers_.insert(name);
  }
}

Status StateFiles::Replace(const std::string& path, const std::string& text) {
  const std::string temporary = path + std::string(kNewEnding);
  for (const std::string& place : {temporary, path}) {
    if (IsDirectory(place))
      STEMEDB_RETURN_IF_ERROR(SetAside(env_, place, "a directory where a file of kept scripts belongs"));
  }
  static_cast<void>(env_.Remove(temporary));  // what a crash left, or what is no file and can't be written to
  auto file = env_.OpenAppend(temporary);
  if (!file) return file.error();
  STEMEDB_RETURN_IF_ERROR((*file)->Truncate(0));
  STEMEDB_RETURN_IF_ERROR((*file)->Append(text));
  STEMEDB_RETURN_IF_ERROR((*file)->Sync());
  return env_.Rename(temporary, path);
}

// Somebody may have removed texts, or their whole directory, under the running server. All are in memory.
Result<std::set<Hash256>> StateFiles::ForgetMissingTexts() {
  const auto names = env_.List(versions_directory_);
  if (!names) return names.error();
  std::set<Hash256> missing;
  std::erase_if(texts_, [&](const Hash256& sha256) {
    const std::string name = ToHex(sha256) + std::string(kTextEnding);
    const bool is_there = std::binary_search(names->begin(), names->end(), name);
    if (!is_there) missing.insert(sha256);
    return !is_there;
  });
  return missing;
}

Status StateFiles::WriteVersions(const Book& book, std::set<Hash256>& wanted) {
  std::set<Hash256> added;
  for (const auto& [name, record] : book.scripts) {
    for (const Version& version : record.versions) {
      const Hash256& sha256 = version.info->sha256;
      if (!wanted.insert(sha256).second || texts_.contains(sha256)) continue;
      STEMEDB_RETURN_IF_ERROR(Replace(TextPath(sha256), version.info->source));
      added.insert(sha256);
    }
  }
  if (added.empty()) return Status::Ok();
  STEMEDB_RETURN_IF_ERROR(env_.SyncDir(versions_directory_));
  texts_.merge(added);
  return Status::Ok();
}

// One that can't be removed is in nobody's way: it is tried again the next time.
void StateFiles::RemoveUnwanted(const std::set<Hash256>& wanted) {
  std::erase_if(texts_, [&](const Hash256& sha256) {
    return !wanted.contains(sha256) && env_.Remove(TextPath(sha256)).ok();
  });
  std::erase_if(leftovers_, [&](const std::string& name) {
    const bool is_text_again = name.ends_with(kTextEnding) && wanted.contains(*ShaOf(name));
    return is_text_again || env_.Remove(versions_directory_ + "/" + name).ok();
  });
}

bool StateFiles::IsOnDisk(const std::string& state) const {
  if (state != written_) return false;
  const auto there = ReadWhole(env_, state_path_, kStateBytesMax);
  return there && *there == state;
}

Status StateFiles::Write(const Book& book, const script::ScriptSet& live) {
  STEMEDB_RETURN_IF_ERROR(env_.MakeDirs(versions_directory_));
  const auto missing = ForgetMissingTexts();
  if (!missing) return missing.error();
  std::set<Hash256> wanted;
  STEMEDB_RETURN_IF_ERROR(WriteVersions(book, wanted));
  const auto again = std::count_if(missing->begin(), missing->end(),
                                   [&](const Hash256& sha256) { return wanted.contains(sha256); });
  if (again > 0) {
    telemetry::LogWarn("deploy", "texts of kept versions were gone from the disk and were written again",
                       {{"directory", versions_directory_}, {"texts", again}});
  }
  const std::string text = StateText(book, live);
  if (IsOnDisk(text)) return Status::Ok();
  if (is_damaged_) {
    const Status moved = SetAside(env_, state_path_, "the damaged file");
    // It isn't found when somebody has moved it away.
    if (!moved.ok() && moved.code() != Code::kNotFound) return moved;
    is_damaged_ = false;
  }
  STEMEDB_RETURN_IF_ERROR(Replace(state_path_, text));
  STEMEDB_RETURN_IF_ERROR(env_.SyncDir(directory_));
  written_ = text;
  RemoveUnwanted(wanted);
  return Status::Ok();
}

}  // namespace stemedb::deploy
