// SPDX-License-Identifier: Apache-2.0
// ScriptSet: from files to checked scripts. A script is compiled and run once in a state of its own, under
// the same prelude as in production, and its description is read from the table that it returns.
#include <algorithm>
#include <lua.hpp>

#include "crypto/sha256.h"
#include "script/describe.h"
#include "script/lens.h"
#include "script/policy.h"
#include "script/script_files.h"
#include "script/spec.h"
#include "script/state.h"

namespace stemedb::script {
namespace {

Result<std::vector<ScriptFile>> ReadFiles(const std::string& directory, bool specs) {
  auto listed = ListScriptFiles(directory);
  if (!listed) return listed.error();
  std::vector<ScriptFile> files;
  for (const ListedFile& file : *listed) {
    if (IsSpecFile(file.name) != specs) continue;
    if (files.size() == kScriptsMax) {
      return Status(Code::kTooLarge, "script_invalid", directory + ": more than 256 scripts");
    }
    auto read = ReadScriptFile(directory + "/" + file.name);
    if (!read) return read.error();
    files.push_back({file.name, std::move(read->text)});
  }
  return files;
}

Status MustBe(const std::string& kind, const ScriptInfo& script, const std::string& directory) {
  if (script.kind == kind) return Status::Ok();
  return Status(Code::kInvalidArgument, "script_invalid",
                directory + ": " + script.file + ": kind is '" + script.kind +
                    "', but this is the directory for " + "kind '" + kind + "': move the file");
}

// The scripts of one directory, checked, appended to `scripts`.
Status LoadDirectory(const std::string& directory, const std::string& kind,
                     std::vector<ScriptInfo>& scripts) {
  auto files = ReadScripts(directory);
  if (!files) return files.error();
  for (const ScriptFile& file : *files) {
    auto info = CheckScript(file);
    if (!info) return info.error().Annotate(directory);
    STEMEDB_RETURN_IF_ERROR(MustBe(kind, *info, directory));
    scripts.push_back(std::move(*info));
  }
  return Status::Ok();
}

constexpr int64_t kLensLoadMsMax = LensRunner::Options().time_ms_max / 2;

// For a script whose kind isn't known yet.
State::Options ToCheck() {
  State::Options options;
  options.load_time_ms_max = kLensLoadMsMax;
  return options;
}

// States are made anew while somebody waits for an answer: something of a call's time must be left then.
Status LoadsInTime(const State& state, const ScriptInfo& script) {
  constexpr int64_t kMicro = 1000;
  const bool is_lens = script.kind == "lens";
  const int64_t call_ms = is_lens ? LensRunner::Options().time_ms_max : PolicyRunner::Options().time_ms_max;
  const int64_t took_us = state.load_ns() / kMicro, max_us = call_ms * 1000 / 2;
  if (took_us <= max_us) return Status::Ok();
  return Status(Code::kInvalidArgument, "script_invalid",
                script.file + ": takes " + std::to_string(took_us) + " µs to load, a " + script.kind +
                    " may take " + std::to_string(max_us) +
                    ", half the time of a call: do less at the top level");
}

// Not more than what describes the table's own name; empty when it has none.
std::string OwnName(State& state) {
  lua_State* lua = state.lua();
  if (lua_type(lua, State::kScriptTable) != LUA_TTABLE) return "";
  lua_pushliteral(lua, "name");
  lua_rawget(lua, State::kScriptTable);
  size_t size = 0;
  const char* text = lua_type(lua, -1) == LUA_TSTRING ? lua_tolstring(lua, -1, &size) : "";
  std::string name(text, std::min<size_t>(size, 256));
  lua_pop(lua, 1);
  return name;
}

}  // namespace

Result<ScriptInfo> CheckScript(const ScriptFile& file, CheckStage* stage) {
  CheckStage unused;
  CheckStage& at = stage != nullptr ? *stage : unused;
  at = CheckStage::kCompile;
  auto state = State::Open(file.name, file.text, ToCheck());
  if (!state) {
    return Status(Code::kInvalidArgument, "script_invalid", std::string(state.error().message()));
  }
  at = CheckStage::kDescribe;
  (*state)->LiftCap(1 << 20);
  auto info = DescribeScript((*state)->lua(), State::kScriptTable, file.name);
  if (!info) return info.error();
  STEMEDB_RETURN_IF_ERROR(LoadsInTime(**state, *info));
  info->sha256 = crypto::Sha256::Of(file.text);
  info->source = file.text;
  return info;
}

Result<ScriptInfo> CheckDraft(std::string_view source, const std::string& label) {
  auto state = State::Open(label, source, ToCheck());
  if (!state) return state.error();
  (*state)->LiftCap(1 << 20);
  const std::string name = OwnName(**state);
  auto info = DescribeScript((*state)->lua(), State::kScriptTable, name.empty() ? label : name + ".lua");
  if (!info) return info.error();
  info->file = label;
  STEMEDB_RETURN_IF_ERROR(LoadsInTime(**state, *info));
  info->sha256 = crypto::Sha256::Of(source);
  info->source = source;
  return info;
}

Result<std::shared_ptr<const ScriptSet>> ScriptSet::Build(const std::vector<ScriptFile>& files,
                                                          uint64_t generation) {
  std::vector<ScriptInfo> scripts;
  for (const auto& file : files) {
    auto info = CheckScript(file);
    if (!info) return info.error();
    scripts.push_back(std::move(info).value());
  }
  return Of(std::move(scripts), generation);
}

Result<std::shared_ptr<const ScriptSet>> ScriptSet::Of(std::vector<ScriptInfo> scripts, uint64_t generation) {
  auto set = std::make_shared<ScriptSet>();
  set->generation_ = generation;
  set->scripts_ = std::move(scripts);
  std::sort(set->scripts_.begin(), set->scripts_.end(),
            [](const ScriptInfo& a, const ScriptInfo& b) { return a.name < b.name; });
  for (size_t i = 0; i < set->scripts_.size(); ++i) {
    ScriptInfo& script = set->scripts_[i];
    if (i > 0 && set->scripts_[i - 1].name == script.name) {
      return Status(Code::kInvalidArgument, "script_invalid",
                    "two scripts are named '" + script.name +
                        "': names are unique over lenses and policies, rename one");
    }
    if (script.generation == 0) script.generation = generation, script.counts = nullptr;
    if (script.counts == nullptr) script.counts = std::make_shared<ScriptCounts>();
  }
  return std::shared_ptr<const ScriptSet>(std::move(set));
}

Result<std::vector<ScriptFile>> ReadScripts(const std::string& directory) {
  return ReadFiles(directory, false);
}

Result<std::vector<ScriptFile>> ReadSpecs(const std::string& directory) { return ReadFiles(directory, true); }

Result<std::shared_ptr<const ScriptSet>> ScriptSet::Load(const std::string& lenses_directory,
                                                         uint64_t generation,
                                                         const std::string& policies_directory) {
  std::vector<ScriptInfo> scripts;
  STEMEDB_RETURN_IF_ERROR(LoadDirectory(lenses_directory, "lens", scripts));
  if (scripts.empty()) {
    return Status(Code::kNotFound, "scripts_missing", lenses_directory + ": no lens in it (expected *.lua)");
  }
  if (!policies_directory.empty()) {
    const Status loaded = LoadDirectory(policies_directory, "policy", scripts);
    if (!loaded.ok() && loaded.code() != Code::kNotFound) return loaded;
  }
  return Of(std::move(scripts), generation);
}

int ScriptSet::Find(std::string_view name) const {
  const auto found =
      std::lower_bound(scripts_.begin(), scripts_.end(), name,
                       [](const ScriptInfo& script, std::string_view key) { return script.name < key; });
  if (found == scripts_.end() || found->name != name) return -1;
  return static_cast<int>(found - scripts_.begin());
}

}  // namespace stemedb::script
