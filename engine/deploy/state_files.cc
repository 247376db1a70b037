// SPDX-License-Identifier: Apache-2.0
#include "deploy/state_files.h"

#include "base/bytes.h"
#include "crypto/sha256.h"
#include "deploy/state_json.h"
#include "script/script_files.h"
#include "telemetry/log.h"

namespace stemedb::deploy {
namespace {

constexpr size_t kStateBytesMax = 64u << 20;
constexpr std::string_view kTextEnding = ".lua", kNewEnding = ".new", kDamagedEnding = ".damaged";

// Of the names that we give: SHA.lua, and SHA.lua.new while it is written.
std::optional<Hash256> ShaOf(std::string_view name) {
  if (name.ends_with(kNewEnding)) name.remove_suffix(kNewEnding.size());
  if (!name.ends_with(kTextEnding)) return std::nullopt;
  name.remove_suffix(kTextEnding.size());
  Hash256 sha256{};
  return FromHex(name, sha256) ? std::optional<Hash256>(sha256) : std::nullopt;
}

}  // namespace

std::string StateFiles::TextPath(const Hash256& sha256) const {
  return versions_directory_ + "/" + ToHex(sha256) + std::string(kTextEnding);
}

Result<std::string> StateFiles::ReadText(const std::string& path, size_t bytes_max) const {
  auto file = env_.OpenRead(path);
  if (!file) return file.error();
  if ((*file)->size() > bytes_max) return Status(Code::kCorruption, "state_damaged", path + ": is too large");
  std::string text((*file)->size(), '\0');
  auto got = (*file)->ReadAt(0, {reinterpret_cast<uint8_t*>(text.data()), text.size()});
  if (!got) return got.error();
  text.resize(*got);
  return text;
}

SavedState StateFiles::Read() {
  auto text = ReadText(state_path_, kStateBytesMax);
  if (!text && text.error().code() == Code::kNotFound) return {};
  auto saved = text ? ParseState(*text) : Result<SavedState>(text.error());
  if (!saved) {
    is_damaged_ = true;
    telemetry::LogError(
        "deploy",
        "what was kept of earlier versions can't be used: every script comes as its file is, and none is "
        "pinned",
        {{"file", state_path_},
         {"cause", saved.error().message()},
         {"remedy",
          "roll back again, or mend the files of, what must not be live; the damaged file is set aside as " +
              state_path_ + std::string(kDamagedEnding)}});
    return {};
  }
  written_ = std::move(*text);
  std::set<Hash256> lost;
  for (auto& [name, script] : saved->scripts) ReadVersions(name, script.record, lost);
  ListLeftovers(lost);
  return std::move(*saved);
}

void StateFiles::ReadVersions(const std::string& name, ScriptRecord& record, std::set<Hash256>& lost) {
  std::deque<Version> whole;
  for (Version& version : record.versions) {
    const Hash256 sha256 = version.info->sha256;
    auto text = ReadText(TextPath(sha256), script::kScriptBytesMax);
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
         {"remedy", "none is needed; the script's other versions are there"}});
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
  auto file = env_.OpenAppend(temporary);
  if (!file) return file.error();
  STEMEDB_RETURN_IF_ERROR((*file)->Truncate(0));
  STEMEDB_RETURN_IF_ERROR((*file)->Append(text));
  STEMEDB_RETURN_IF_ERROR((*file)->Sync());
  return env_.Rename(temporary, path);
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

Status StateFiles::Write(const Book& book, const script::ScriptSet& live) {
  const std::string text = StateText(book, live);
  if (text == written_) return Status::Ok();
  STEMEDB_RETURN_IF_ERROR(env_.MakeDirs(versions_directory_));
  std::set<Hash256> wanted;
  STEMEDB_RETURN_IF_ERROR(WriteVersions(book, wanted));
  if (is_damaged_) {
    STEMEDB_RETURN_IF_ERROR(env_.Rename(state_path_, state_path_ + std::string(kDamagedEnding)));
    is_damaged_ = false;
  }
  STEMEDB_RETURN_IF_ERROR(Replace(state_path_, text));
  STEMEDB_RETURN_IF_ERROR(env_.SyncDir(directory_));
  written_ = text;
  RemoveUnwanted(wanted);
  return Status::Ok();
}

}  // namespace stemedb::deploy
