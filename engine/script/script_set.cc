// SPDX-License-Identifier: Apache-2.0
// ScriptSet: from files to checked scripts. A script is compiled and run once in a state of its own, under
// the same prelude as in production, and its description is read from the table that it returns.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "crypto/sha256.h"
#include "script/describe.h"
#include "script/lens.h"
#include "script/spec.h"
#include "script/state.h"

namespace stemedb::script {
namespace {

constexpr size_t kScriptBytesMax = 256 << 10;
constexpr size_t kScriptsMax = 256;

bool IsSpec(const std::string& name) { return name.size() > 9 && name.ends_with("_spec.lua"); }

Result<std::string> ReadScript(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Status(Code::kIoError, "script_unreadable",
                  path.string() + ": can't be opened: check its permissions");
  }
  std::string text(kScriptBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (file.bad()) return Status(Code::kIoError, "script_unreadable", path.string() + ": can't be read");
  if (text.size() > kScriptBytesMax) {
    return Status(Code::kTooLarge, "script_invalid",
                  path.string() + ": larger than 256 KiB: is it a script?");
  }
  return text;
}

Result<std::vector<ScriptFile>> ReadFiles(const std::string& directory, bool (*wanted)(const std::string&)) {
  std::error_code error;
  std::filesystem::directory_iterator entries(directory, error);
  std::vector<ScriptFile> files;
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    const auto& path = entries->path();
    const std::string name = path.filename().string();
    if (path.extension() != ".lua" || name.front() == '.' || !wanted(name)) continue;
    if (files.size() == kScriptsMax) {
      return Status(Code::kTooLarge, "script_invalid", directory + ": more than 256 scripts");
    }
    auto text = ReadScript(path);
    if (!text) return text.error();
    files.push_back({name, std::move(text).value()});
  }
  if (error) {
    return Status(Code::kIoError, "scripts_unreadable",
                  directory + ": " + error.message() + ": give the directory with the lenses");
  }
  std::sort(files.begin(), files.end(),
            [](const ScriptFile& a, const ScriptFile& b) { return a.name < b.name; });
  return files;
}

}  // namespace

Result<ScriptInfo> CheckScript(const ScriptFile& file) {
  auto state = State::Open(file.name, file.text, {});
  if (!state) {
    return Status(Code::kInvalidArgument, "script_invalid", std::string(state.error().message()));
  }
  (*state)->LiftCap(1 << 20);
  auto info = DescribeScript((*state)->lua(), State::kScriptTable, file.name);
  if (!info) return info.error();
  info->sha256 = crypto::Sha256::Of(file.text);
  info->source = file.text;
  return info;
}

Result<std::shared_ptr<const ScriptSet>> ScriptSet::Build(const std::vector<ScriptFile>& files,
                                                          uint64_t generation) {
  auto set = std::make_shared<ScriptSet>();
  set->generation_ = generation;
  for (const auto& file : files) {
    auto info = CheckScript(file);
    if (!info) return info.error();
    set->scripts_.push_back(std::move(info).value());
  }
  std::sort(set->scripts_.begin(), set->scripts_.end(),
            [](const ScriptInfo& a, const ScriptInfo& b) { return a.name < b.name; });
  return std::shared_ptr<const ScriptSet>(std::move(set));
}

Result<std::vector<ScriptFile>> ReadScripts(const std::string& directory) {
  return ReadFiles(directory, [](const std::string& name) { return !IsSpec(name); });
}

Result<std::vector<ScriptFile>> ReadSpecs(const std::string& directory) {
  return ReadFiles(directory, IsSpec);
}

Result<std::shared_ptr<const ScriptSet>> ScriptSet::Load(const std::string& directory, uint64_t generation) {
  auto files = ReadScripts(directory);
  if (!files) return files.error();
  if (files->empty()) {
    return Status(Code::kNotFound, "scripts_missing", directory + ": no lens in it (expected *.lua)");
  }
  auto set = Build(*files, generation);
  if (!set) return set.error().Annotate(directory);
  return set;
}

int ScriptSet::Find(std::string_view name) const {
  const auto found =
      std::lower_bound(scripts_.begin(), scripts_.end(), name,
                       [](const ScriptInfo& script, std::string_view key) { return script.name < key; });
  if (found == scripts_.end() || found->name != name) return -1;
  return static_cast<int>(found - scripts_.begin());
}

}  // namespace stemedb::script
