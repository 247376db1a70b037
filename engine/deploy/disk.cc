// SPDX-License-Identifier: Apache-2.0
// A link that leads to no file has no signature to be listed with, but it isn't nothing: whoever put it there
// meant a script, and one that goes because its release directory was cleared must not go silently.
#include "deploy/disk.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace stemedb::deploy {
namespace {

// One that can be followed, or is none, has no reason.
struct LinkState {
  script::FileSignature signature;  // of the link itself
  std::string reason;
};

LinkState StateOf(const std::string& path) {
  struct stat link, target;
  LinkState state;
  if (::lstat(path.c_str(), &link) != 0 || !S_ISLNK(link.st_mode)) return state;
  if (::stat(path.c_str(), &target) == 0) return state;
  state.reason = std::generic_category().message(errno);
  const auto nanoseconds = [](const timespec& time) {
    return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  };
  state.signature = {static_cast<uint64_t>(link.st_dev), static_cast<uint64_t>(link.st_ino),
                     static_cast<uint64_t>(link.st_size), nanoseconds(link.st_mtim),
                     nanoseconds(link.st_ctim)};
  return state;
}

bool IsScriptName(std::string_view name) {
  return name.size() > script::kScriptEnding.size() && name.ends_with(script::kScriptEnding) &&
         name.front() != '.';
}

// The names of the directory that aren't listed, for what can't be followed isn't. Mostly one look at the
// names alone, since the directory says which of them are links.
std::vector<std::string> UnlistedLinks(const std::string& directory,
                                       const std::vector<script::ListedFile>& listed) {
  std::vector<std::string> names;
  std::error_code error, type_error;
  for (auto at = std::filesystem::directory_iterator(directory, error);
       !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    std::string name = at->path().filename().string();
    if (!IsScriptName(name) || !at->is_symlink(type_error)) continue;
    const bool is_listed = std::binary_search(
        listed.begin(), listed.end(), script::ListedFile{name, {}},
        [](const script::ListedFile& a, const script::ListedFile& b) { return a.name < b.name; });
    if (!is_listed && names.size() < script::kScriptsMax) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string PathOf(const std::string& directory, std::string_view name, std::string_view ending) {
  return std::string(directory).append("/").append(name).append(ending);
}

Warning LostSpec(const std::string& directory, const std::string& name) {
  return {PathOf(directory, name, script::kSpecEnding),
          "there is no " + name +
              ".lua beside this spec, so that nobody runs it: put the script there, or "
              "remove the spec"};
}

Warning MissingSpec(const std::string& directory, const std::string& name) {
  return {PathOf(directory, name, script::kScriptEnding),
          "there is no spec beside this script, so that nothing but the self-check holds it: write " + name +
              std::string(script::kSpecEnding)};
}

void Add(DiskLook& look, const std::string& kind, const std::string& directory,
         const std::vector<script::ListedFile>& files) {
  for (const script::ListedFile& file : files) {
    const std::string name = script::ScriptNameOf(file.name);
    DiskScript& script = look.scripts[name];
    if (!script.kind.empty() && script.kind != kind) {
      // The script itself is listed before its spec.
      if (!script::IsSpecFile(file.name)) script.is_twice = true;
      if (!script.is_twice) look.warnings.push_back(LostSpec(directory, name));
      continue;
    }
    script.kind = kind;
    script.directory = directory;
    (script::IsSpecFile(file.name) ? script.spec : script.script) = file.signature;
  }
}

void AddBrokenLinks(DiskLook& look, const std::string& kind, const std::string& directory,
                    const std::vector<script::ListedFile>& listed) {
  for (const std::string& name : UnlistedLinks(directory, listed)) {
    const std::string path = PathOf(directory, name, "");
    const LinkState state = StateOf(path);
    if (state.reason.empty()) continue;  // it was mended in between: the next look lists it
    Add(look, kind, directory, {{name, state.signature}});
    DiskScript& script = look.scripts[script::ScriptNameOf(name)];
    if (script.kind != kind || !script.broken_link.empty()) continue;
    script.broken_link = path;
    script.broken_link.append(": is a link that leads to no file (")
        .append(state.reason)
        .append("): mend the link, or remove it");
  }
}

void DropLostSpecs(DiskLook& look) {
  for (const auto& [name, script] : look.scripts) {
    if (!script.script) look.warnings.push_back(LostSpec(script.directory, name));
  }
  std::erase_if(look.scripts, [](const auto& entry) { return !entry.second.script; });
}

// Both directories are in it.
void FinishWarnings(DiskLook& look) {
  for (const auto& [name, script] : look.scripts) {
    const bool is_whole = script.broken_link.empty() && !script.is_twice;
    if (is_whole && !script.spec) look.warnings.push_back(MissingSpec(script.directory, name));
  }
  std::sort(look.warnings.begin(), look.warnings.end(),
            [](const Warning& a, const Warning& b) { return a.file < b.file; });
}

Result<std::string> ReadOne(const std::string& path, const script::FileSignature& expected) {
  auto read = script::ReadScriptFile(path);
  if (!read) return read.error();
  if (read->signature != expected) {
    return Status(Code::kUnavailable, "script_changing", path + ": is being changed");
  }
  return std::move(read->text);
}

}  // namespace

const DiskScript& DiskLook::Get(std::string_view name) const {
  static const DiskScript kNone;
  const auto found = scripts.find(name);
  return found != scripts.end() ? found->second : kNone;
}

Result<DiskLook> LookAt(const Directories& directories, bool policies_must_exist) {
  auto lenses = script::ListScriptFiles(directories.lenses);
  if (!lenses) return lenses.error();
  DiskLook look;
  Add(look, "lens", directories.lenses, *lenses);
  AddBrokenLinks(look, "lens", directories.lenses, *lenses);
  DropLostSpecs(look);  // before a policy's name could meet a lens's forgotten spec
  if (!directories.policies.empty()) {
    auto policies = script::ListScriptFiles(directories.policies);
    if (!policies && (policies.error().code() != Code::kNotFound || policies_must_exist))
      return policies.error();
    if (policies) {
      Add(look, "policy", directories.policies, *policies);
      AddBrokenLinks(look, "policy", directories.policies, *policies);
    }
    DropLostSpecs(look);
  }
  FinishWarnings(look);
  return look;
}

Result<DiskText> ReadTexts(const std::string& name, const DiskScript& disk) {
  if (!disk.broken_link.empty()) return Status(Code::kIoError, "script_unreadable", disk.broken_link);
  const std::string base = disk.directory + "/" + name;
  auto script = ReadOne(base + ".lua", *disk.script);
  if (!script) return script.error();
  DiskText text{{name + ".lua", std::move(*script)}, {}};
  if (!disk.spec) return text;
  auto spec = ReadOne(base + "_spec.lua", *disk.spec);
  if (!spec) return spec.error();
  text.spec = script::ScriptFile{name + "_spec.lua", std::move(*spec)};
  return text;
}

}  // namespace stemedb::deploy
