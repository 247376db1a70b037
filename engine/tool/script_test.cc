// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>

#include "base/json_writer.h"
#include "console/text.h"
#include "script/script_files.h"
#include "script/spec.h"
#include "script/utf8.h"
#include "tool/diagnostic.h"
#include "tool/script_commands.h"
#include "tool/script_files.h"
#include "tool/self_check.h"

namespace stemedb::tool {
namespace {

using console::Visible;

// What became of one script and its spec.
struct Tested {
  std::string path;  // the script's, or the spec's when there is no script
  std::string name;
  std::string version;
  std::string fault;  // of the script, or of the spec as a whole, formatted
  bool has_spec = false;
  std::vector<script::SpecResult> cases;

  size_t failures() const {
    size_t count = 0;
    for (const auto& one : cases) count += one.failure.empty() ? 0 : 1;
    return count;
  }
};

struct Pair {
  const NamedFile* script = nullptr;
  const NamedFile* spec = nullptr;
};

void RunSpecOf(const NamedFile& script, const NamedFile& spec, Tested& tested) {
  auto set = script::ScriptSet::Build({script.file}, 1);
  if (!set) {
    tested.fault = Format(Diagnose(script.path, set.error().message(), script.file.text));
    return;
  }
  script::LensRunner runner(*set, {});
  auto results = script::RunSpec(runner, spec.file);
  if (results) {
    tested.cases = std::move(*results);
  } else {
    tested.fault = Format(Diagnose(spec.path, results.error().message(), spec.file.text));
  }
}

Tested Test(const std::string& name, const Pair& pair) {
  Tested tested;
  tested.name = name;
  tested.path = pair.script != nullptr ? pair.script->path : pair.spec->path;
  tested.has_spec = pair.spec != nullptr;
  if (pair.script == nullptr) {
    tested.fault = Format({.path = pair.spec->path,
                           .message = "there is no " + name + ".lua beside this spec, so that nobody runs it",
                           .help = "put the script there, or remove the spec"});
    return tested;
  }
  auto info = script::CheckScript(pair.script->file);
  if (!info) {
    tested.fault = Format(Diagnose(pair.script->path, info.error().message(), pair.script->file.text));
    return tested;
  }
  tested.version = info->version;
  if (pair.spec != nullptr) RunSpecOf(*pair.script, *pair.spec, tested);
  if (!tested.fault.empty()) return tested;
  if (const Status passed = SelfCheck(*info); !passed.ok())
    tested.fault = Format(Diagnose(pair.script->path, passed.message(), pair.script->file.text));
  return tested;
}

Result<std::vector<Tested>> TestAll(const std::vector<std::string>& paths) {
  std::vector<NamedFile> files;
  for (const std::string& path : paths) {
    auto read = ReadPath(path);
    if (!read) return read.error();
    for (auto& file : *read) files.push_back(std::move(file));
  }
  std::map<std::string, Pair> pairs;  // by the path without ending: two directories may have the same names
  for (const NamedFile& file : files) {
    const std::string directory = file.path.substr(0, file.path.size() - file.file.name.size());
    Pair& pair = pairs[directory + ScriptNameOf(file)];
    (file.is_spec ? pair.spec : pair.script) = &file;
  }
  std::vector<Tested> all;
  for (const auto& [key, pair] : pairs) {
    all.push_back(Test(ScriptNameOf(pair.script != nullptr ? *pair.script : *pair.spec), pair));
  }
  return all;
}

bool Fails(const Tested& tested, MissingSpec missing_spec) {
  return !tested.fault.empty() || tested.failures() > 0 ||
         (!tested.has_spec && missing_spec == MissingSpec::kFailure);
}

void PrintText(const std::vector<Tested>& all, const TestOptions& options) {
  size_t cases = 0, failures = 0, failed_scripts = 0;
  for (const Tested& tested : all) {
    failed_scripts += Fails(tested, options.missing_spec) ? 1 : 0;
    cases += tested.cases.size();
    failures += tested.failures();
    std::fputs(tested.fault.c_str(), stdout);
    const std::string name = Visible(tested.name);
    if (!tested.has_spec) {
      std::printf("%s: %s: there is no spec: write %s%s beside it\n", Visible(tested.path).c_str(),
                  options.missing_spec == MissingSpec::kFailure ? "error" : "warning", name.c_str(),
                  std::string(script::kSpecEnding).c_str());
    }
    for (const auto& one : tested.cases) {
      if (one.failure.empty()) continue;
      std::printf("%s: fails: %s\n    %s\n", name.c_str(), Visible(one.claim).c_str(),
                  Visible(one.failure).c_str());
    }
    if (!Fails(tested, options.missing_spec) && tested.has_spec) {
      std::printf("%s %s: %zu cases hold\n", name.c_str(), Visible(tested.version).c_str(),
                  tested.cases.size());
    }
  }
  std::printf("%zu scripts, %zu cases: %s", all.size(), cases, failed_scripts == 0 ? "all hold\n" : "");
  if (failed_scripts > 0) std::printf("%zu cases fail, %zu scripts fail\n", failures, failed_scripts);
}

void PrintJson(const std::vector<Tested>& all, const TestOptions& options) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Key("scripts");
  json.BeginArray();
  bool all_hold = true;
  for (const Tested& tested : all) {
    all_hold = all_hold && !Fails(tested, options.missing_spec);
    json.BeginObject();
    json.Field("name", tested.name);
    json.Field("path", tested.path);
    json.Field("version", tested.version);
    json.Key("ok");
    json.Bool(!Fails(tested, options.missing_spec));
    json.Key("has_spec");
    json.Bool(tested.has_spec);
    if (!tested.fault.empty()) json.Field("fault", tested.fault);
    json.Key("cases");
    json.BeginArray();
    for (const auto& one : tested.cases) {
      json.BeginObject();
      json.Field("claim", one.claim);
      json.Key("holds");
      json.Bool(one.failure.empty());
      if (!one.failure.empty()) json.Field("failure", script::CleanUtf8(one.failure, SIZE_MAX));
      json.EndObject();
    }
    json.EndArray();
    json.EndObject();
  }
  json.EndArray();
  json.Key("ok");
  json.Bool(all_hold);
  json.EndObject();
  std::printf("%s\n", out.c_str());
}

}  // namespace

int TestScripts(const TestOptions& options) {
  auto all = TestAll(options.paths);
  if (!all) {
    std::fprintf(stderr, "%s\n", Visible(all.error().message()).c_str());
    return 1;
  }
  (options.output == TestOutput::kJson ? PrintJson : PrintText)(*all, options);
  for (const Tested& tested : *all) {
    if (Fails(tested, options.missing_spec)) return 1;
  }
  return 0;
}

}  // namespace stemedb::tool
