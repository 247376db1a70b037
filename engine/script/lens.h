// SPDX-License-Identifier: Apache-2.0
// Lenses, from the outside: a ScriptSet is what was loaded (immutable, shared by all threads); a LensRunner
// is one thread's Lua states for one ScriptSet.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "script/candidate.h"
#include "script/outcome.h"
#include "script/script_counts.h"

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
  uint64_t generation = 0;               // the one in which this version came; 0: it isn't live
  std::shared_ptr<ScriptCounts> counts;  // never null in a set
};

struct ScriptFile {
  std::string name;  // base name: "recency.lua"
  std::string text;
};

// The scripts of a directory, sorted by name, specs (*_spec.lua) left out.
Result<std::vector<ScriptFile>> ReadScripts(const std::string& directory);

enum class CheckStage : uint8_t { kCompile, kDescribe };
// Compiles one script in a fresh state and checks its description. kInvalidArgument "script_invalid" with
// file, line and remedy; also for what takes more than half the time of a call to load, since a state is made
// anew within a call after each failure. `stage` becomes the one that it came to.
Result<ScriptInfo> CheckScript(const ScriptFile& file, CheckStage* stage = nullptr);
// The same for a text that isn't in a directory: its own description names the script; `label` is what
// messages call its file.
Result<ScriptInfo> CheckDraft(std::string_view source, const std::string& label);

// All scripts that are live together, lenses and policies. Immutable, but for what is counted.
class ScriptSet {
 public:
  // Checks every *.lua of the directory, or of both (specs, *_spec.lua, are left out). A script that is wrong
  // fails the whole load with file, line and remedy: at start-up a server must not come up with less than its
  // operator expects. (Live reload keeps the last good version of each instead; it builds sets by the same
  // path.) There must be a lens; `policies_directory` may be empty or missing.
  static Result<std::shared_ptr<const ScriptSet>> Load(const std::string& lenses_directory,
                                                       uint64_t generation,
                                                       const std::string& policies_directory = "");
  // The same from texts.
  static Result<std::shared_ptr<const ScriptSet>> Build(const std::vector<ScriptFile>& files,
                                                        uint64_t generation);
  // Of scripts that are checked. Those without a generation come in this one, and are counted anew.
  // kInvalidArgument "script_invalid" when two have one name.
  static Result<std::shared_ptr<const ScriptSet>> Of(std::vector<ScriptInfo> scripts, uint64_t generation);

  // 0: of a set that was never live, such as a draft's.
  uint64_t generation() const { return generation_; }
  const std::vector<ScriptInfo>& scripts() const { return scripts_; }  // sorted by name
  // Position in scripts(), or -1.
  int Find(std::string_view name) const;
  // Null when there is none.
  const ScriptInfo* Get(std::string_view name) const {
    const int script = Find(name);
    return script < 0 ? nullptr : &scripts_[static_cast<size_t>(script)];
  }

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
// The script's own.
Params DefaultParams(const ScriptInfo& script);

// Whether the lens is asked for notes on single claims.
enum class Notes : uint8_t { kNone, kWanted };

// How a verdict is looked at. What is read is checked either way. Keys that nobody reads make a call fail
// when the reading is thorough, as those of specs and self-checks are, and by default only where a verdict,
// or one of its layers, names no winner: looking costs as much as a short lens, and "winer" is no winner.
enum class Reading : uint8_t { kDefault, kThorough };

struct LensCall {
  std::span<const Candidate> candidates;
  uint32_t values_count = 0;       // distinct value_index
  uint32_t voices_count = 0;       // distinct voice_index
  int64_t now_ms = 0;              // the question's time: the only clock a lens has
  const Params* params = nullptr;  // from CheckParams; null: the script's defaults
  Notes notes = Notes::kNone;
  Reading reading = Reading::kDefault;
  // What the candidates are about: ctx.concept_path and ctx.predicate. Read during the call alone.
  std::string_view concept_path;
  std::string_view predicate;
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
    // For making a state, if it isn't to be paid from its first call's time.
    std::optional<int64_t> load_time_ms_max;
    Stopping stopping = Stopping::kOn;
  };
  LensRunner(std::shared_ptr<const ScriptSet> scripts, Options options);
  ~LensRunner();
  LensRunner(const LensRunner&) = delete;
  LensRunner& operator=(const LensRunner&) = delete;

  const ScriptSet& scripts() const { return *scripts_; }
  const std::shared_ptr<const ScriptSet>& shared_scripts() const { return scripts_; }
  // Goes over to another set. States of scripts that are the same in both stay as they are, warm.
  void Use(std::shared_ptr<const ScriptSet> scripts);

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
