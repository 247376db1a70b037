// SPDX-License-Identifier: Apache-2.0
// Lenses, from the outside: a ScriptSet is what was loaded (immutable, shared by all threads); a LensRunner
// is one thread's Lua states for one ScriptSet.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "script/candidate.h"
#include "script/outcome.h"

namespace stemedb::script {

using ParamValue = std::variant<bool, double, std::string>;

// One parameter as the script describes it.
struct ParamSpec {
  std::string name;
  std::string type;  // "integer", "number", "boolean" or "string"
  ParamValue default_value;
  double min = 0;  // integer and number
  double max = 0;
  std::vector<std::string> choices;  // string; empty: any
  std::string description;
};

struct ScriptInfo {
  std::string name;
  std::string kind;  // "lens" or "policy"
  std::string hook;  // of a policy: "rate_limit"
  int api = 1;
  std::string version;
  std::string description;
  std::string file;    // base name
  Hash256 sha256{};    // of the file's bytes
  std::string source;  // the file's text
  std::vector<ParamSpec> params;
};

struct ScriptFile {
  std::string name;  // base name: "recency.lua"
  std::string text;
};

// The scripts of a directory, sorted by name, specs (*_spec.lua) left out.
Result<std::vector<ScriptFile>> ReadScripts(const std::string& directory);
// Compiles one script in a fresh state and checks its description. kInvalidArgument "script_invalid" with
// file, line and remedy.
Result<ScriptInfo> CheckScript(const ScriptFile& file);

// All scripts that are live together. Immutable.
class ScriptSet {
 public:
  // Reads, compiles and checks every *.lua of the directory (specs, *_spec.lua, are left out). A script that
  // is wrong fails the whole load with file, line and remedy: at start-up a server must not come up with less
  // than its operator expects. (Live reload will keep the last good version of each instead; it builds sets
  // by the same path.)
  static Result<std::shared_ptr<const ScriptSet>> Load(const std::string& directory, uint64_t generation);
  // The same from texts.
  static Result<std::shared_ptr<const ScriptSet>> Build(const std::vector<ScriptFile>& files,
                                                        uint64_t generation);

  uint64_t generation() const { return generation_; }
  const std::vector<ScriptInfo>& scripts() const { return scripts_; }  // sorted by name
  // Position in scripts(), or -1.
  int Find(std::string_view name) const;

 private:
  uint64_t generation_ = 0;
  std::vector<ScriptInfo> scripts_;
};

// Parameters of one call, checked against the specs and completed with defaults: values in the order of
// ScriptInfo::params.
struct Params {
  std::vector<ParamValue> values;
};
// kInvalidArgument "invalid_params" for an unknown name, a wrong type or a value out of range; says what is
// allowed.
Result<Params> CheckParams(const ScriptInfo& script, const std::map<std::string, ParamValue>& given);

struct LensCall {
  std::span<const Candidate> candidates;
  uint32_t values_count = 0;       // distinct value_index
  uint32_t voices_count = 0;       // distinct voice_index
  int64_t now_ms = 0;              // the question's time: the only clock a lens has
  const Params* params = nullptr;  // from CheckParams; null: the script's defaults
};

// Whether a script can be stopped by its time. Without it a script runs as it is written: for benchmarks,
// that show what being stoppable costs.
enum class Stopping : uint8_t { kOn, kOffForBenchmarks };

// What a call failed of.
enum class Failure : uint8_t {
  kNone,
  kError,   // the script threw, or returned what is no outcome
  kTime,    // stopped: it took longer than it may
  kMemory,  // stopped: it took more than it may
};

// One thread's Lua states, one for each script, made when first used. Not thread-safe; use it on one thread.
class LensRunner {
 public:
  struct Options {
    size_t memory_bytes_max = 32u << 20;  // for each state
    int64_t time_ms_max = 50;             // for each call, of the thread's processor time
    Stopping stopping = Stopping::kOn;
  };
  LensRunner(std::shared_ptr<const ScriptSet> scripts, Options options);
  ~LensRunner();
  LensRunner(const LensRunner&) = delete;
  LensRunner& operator=(const LensRunner&) = delete;

  const ScriptSet& scripts() const { return *scripts_; }
  const std::shared_ptr<const ScriptSet>& shared_scripts() const { return scripts_; }

  // Runs scripts()[script].resolve over the candidates, which are in canonical order (candidate.h); without
  // candidates the answer is "no claims" and the script isn't asked. kInternal "lens_failed" with file and
  // line when the script throws, runs out of memory or time or returns what is no outcome; its state is then
  // discarded and made anew at the next call. A script that must be stopped is within twice its time.
  Result<Outcome> Resolve(int script, const LensCall& call);
  // Of the last Resolve; for counting.
  Failure last_failure() const;

 private:
  struct Impl;
  std::shared_ptr<const ScriptSet> scripts_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stemedb::script
