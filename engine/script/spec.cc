// SPDX-License-Identifier: Apache-2.0
// Runs cases and says in words how an answer differs from what was expected.
#include "script/spec.h"

#include <lua.hpp>

#include "script/budget.h"
#include "script/details.h"
#include "script/policy_spec.h"
#include "script/script_files.h"
#include "script/spec_case.h"
#include "script/spec_difference.h"
#include "script/spec_size.h"
#include "script/state.h"

namespace stemedb::script {
namespace {

// Of all cases of a spec: each is bounded by its budget, but a start and a reload wait for all of them. Of
// the thread's processor time, as budgets are: a busy machine must not stop a start.
constexpr int64_t kSpecNsMax = 2'000'000'000;

constexpr size_t kSpecMemoryMax = 64u << 20;

std::string Show(const ParamValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return "'" + *text + "'";
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  return NumberText(std::get<double>(value));
}

std::string_view StatusName(Agreement agreement) {
  switch (agreement) {
    case Agreement::kNone:
      return "none";
    case Agreement::kUnanimous:
      return "unanimous";
    case Agreement::kAgreed:
      return "agreed";
    case Agreement::kContested:
      return "contested";
  }
  return "";
}

// Compares one case's answer; collects what differs.
class Comparison {
 public:
  Comparison(const SpecCase& spec, const PreparedClaims& claims) : spec_(spec), claims_(claims) {}

  void Outcomes(const Outcome& outcome);
  std::string TakeFailure() { return differences_.Take(); }

 private:
  void Notes(const Outcome& outcome);
  void Judgements(const std::string& place, const ExpectedJudgement& expected, const Judgement& got);
  void Shares(const std::string& place, const ExpectedJudgement& expected, const Judgement& got);
  ParamValue ValueOfRow(uint32_t row) const {
    return spec_.given[static_cast<size_t>(claims_.numbers[row]) - 1].value;
  }

  const SpecCase& spec_;
  const PreparedClaims& claims_;
  Differences differences_;
};

void Comparison::Shares(const std::string& place, const ExpectedJudgement& expected, const Judgement& got) {
  if (!expected.shares) return;
  std::string wanted, found;
  bool same = expected.shares->size() == got.values.size();
  for (const auto& [value, share] : *expected.shares) wanted += Show(value) + " " + NumberText(share) + " ";
  for (size_t i = 0; i < got.values.size(); ++i) {
    uint32_t row = 0;
    while (claims_.rows[row].value_index != got.values[i].value_index) ++row;
    const ParamValue value = ValueOfRow(row);
    found += Show(value) + " " + NumberText(got.values[i].share) + " ";
    same = same && (*expected.shares)[i].first == value &&
           IsNear((*expected.shares)[i].second, got.values[i].share);
  }
  if (!same) differences_.Add(place + "shares", wanted, found);
}

void Comparison::Judgements(const std::string& place, const ExpectedJudgement& expected,
                            const Judgement& got) {
  const int winner = got.winner ? claims_.numbers[*got.winner] : 0;
  if (expected.winner && *expected.winner != winner) {
    differences_.Add(place + "winner", "claim " + std::to_string(*expected.winner),
                     "claim " + std::to_string(winner));
  }
  if (expected.value && (!got.winner || ValueOfRow(*got.winner) != *expected.value)) {
    differences_.Add(place + "value", Show(*expected.value),
                     got.winner ? Show(ValueOfRow(*got.winner)) : "no winner");
  }
  differences_.Compare(place + "confidence", expected.confidence, got.confidence);
  differences_.Compare(place + "conflict_score", expected.conflict_score, got.conflict_score);
  if (expected.status && *expected.status != StatusName(got.agreement)) {
    differences_.Add(place + "status", *expected.status, std::string(StatusName(got.agreement)));
  }
  differences_.Compare(place + "candidates_count", expected.candidates_count, got.candidates_count);
  Shares(place, expected, got);
}

// `spec_.notes` is by the number of the given claim.
void Comparison::Notes(const Outcome& outcome) {
  for (const auto& [number, part] : spec_.notes) {
    std::string got;
    for (const Note& note : outcome.notes) {
      if (claims_.numbers[note.candidate] == number) got = note.text;
    }
    const bool fits = part.empty() ? got.empty() : got.find(part) != std::string::npos;
    if (!fits) {
      differences_.Add("note on claim " + std::to_string(number),
                       part.empty() ? "none" : "'" + part + "' in it",
                       got.empty() ? "none" : "'" + got + "'");
    }
  }
}

void Comparison::Outcomes(const Outcome& outcome) {
  Notes(outcome);
  Judgements("", spec_.expected, outcome.overall);
  if (spec_.explain && outcome.explain.find(*spec_.explain) == std::string::npos) {
    differences_.Add("explain", "'" + *spec_.explain + "' in it", "'" + outcome.explain + "'");
  }
  if (spec_.details && outcome.details_json != *spec_.details) {
    differences_.Add("details", *spec_.details, outcome.details_json);
  }
  if (!spec_.layers) return;
  if (spec_.layers->size() != outcome.layers.size()) {
    return differences_.Add("layers", std::to_string(spec_.layers->size()),
                            std::to_string(outcome.layers.size()));
  }
  for (size_t i = 0; i < outcome.layers.size(); ++i) {
    const std::string place = "layer " + std::to_string(i + 1) + " ";
    const auto& expected = (*spec_.layers)[i];
    if (expected.tier != outcome.layers[i].tier) {
      differences_.Add(place + "tier", std::to_string(expected.tier), std::to_string(outcome.layers[i].tier));
    }
    Judgements(place, expected, outcome.layers[i].judgement);
  }
}

// What differs; empty when the case, in which nothing is wrong, holds.
std::string RunCase(LensRunner& runner, int script, const Params& params, const SpecCase& spec) {
  const PreparedClaims claims = Prepare(spec.given);
  LensCall call{claims.rows, claims.values_count, claims.voices_count, kSpecNow, &params};
  call.notes = script::Notes::kWanted;
  call.reading = Reading::kThorough;
  call.concept_path = spec.concept_path;
  call.predicate = spec.predicate;
  const auto outcome = runner.Resolve(script, call);
  if (!outcome) return Unexpected(spec, outcome.error());
  if (spec.fails) return "expected a failure with '" + *spec.fails + "', got an answer";
  Comparison comparison(spec, claims);
  comparison.Outcomes(*outcome);
  return comparison.TakeFailure();
}

// The cases of a lens, or of a policy.
struct Cases {
  std::vector<SpecCase> lens;
  std::vector<PolicyCase> policy;
  size_t count() const { return lens.size() + policy.size(); }
};

Result<Cases> CasesOf(const ScriptFile& spec) {
  State::Options options;
  options.memory_bytes_max = kSpecMemoryMax;
  auto state = State::Open(spec.name, spec.text, options);
  if (!state) return state.error();
  (*state)->LiftCap(1 << 20);
  lua_State* lua = (*state)->lua();
  if (const std::string excess = SpecTooLarge(lua, State::kScriptTable); !excess.empty())
    return Status(Code::kInvalidArgument, "spec_invalid", spec.name + ": " + excess);
  lua_pushvalue(lua, State::kScriptTable);
  const std::string stray = StrayKey(lua);
  lua_pop(lua, 1);
  if (!stray.empty()) {
    return Status(Code::kInvalidArgument, "spec_invalid",
                  spec.name + ": " + stray + " is no case: return a list of them, 1, 2, … without a gap");
  }
  Cases cases;
  if (HasPolicyCases(lua, State::kScriptTable)) {
    cases.policy = ReadPolicyCases(lua, State::kScriptTable);
  } else {
    cases.lens = ReadCases(lua, State::kScriptTable);
  }
  if (cases.count() > 0) return cases;
  return Status(Code::kInvalidArgument, "spec_invalid",
                spec.name + ": no cases in it: return a list of them");
}

template <typename Case>
Status FirstFault(const ScriptFile& spec, const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    if (one.error.empty()) continue;
    return Status(Code::kInvalidArgument, "spec_invalid",
                  spec.name + ": the case '" + one.claim + "': " + one.error);
  }
  return Status::Ok();
}

}  // namespace

Result<size_t> CheckSpec(const ScriptFile& spec) {
  const auto cases = CasesOf(spec);
  if (!cases) return cases.error();
  STEMEDB_RETURN_IF_ERROR(FirstFault(spec, cases->lens));
  STEMEDB_RETURN_IF_ERROR(FirstFault(spec, cases->policy));
  return cases->count();
}

Result<std::vector<SpecResult>> RunSpec(LensRunner& runner, const ScriptFile& spec,
                                        const std::function<bool()>& stop) {
  const std::string name = ScriptNameOf(spec.name);
  const int script = runner.scripts().Find(name);
  if (script < 0) {
    return Status(Code::kNotFound, "spec_invalid",
                  spec.name + ": there is no script '" + name + "' for this spec");
  }
  const auto cases = CasesOf(spec);
  if (!cases) return cases.error();
  const ScriptInfo& info = runner.scripts().scripts()[static_cast<size_t>(script)];
  const std::string& kind = info.kind;
  if ((kind == "policy") != cases->lens.empty()) {
    return Status(Code::kInvalidArgument, "spec_invalid",
                  spec.name + ": " + name + " is a " + kind + ": its cases " +
                      (kind == "policy" ? "give a request" : "give claims (given)"));
  }
  std::vector<SpecResult> results;
  results.reserve(cases->count());
  const int64_t end_ns = ThreadCpuNs() + kSpecNsMax;
  bool is_stopped = false;
  // Takes the case's result; false when it is the last: for want of time, or since somebody says so.
  const auto run = [&](const auto& one, const auto& ask) {
    if (stop != nullptr && stop()) {
      is_stopped = true;
      return false;
    }
    std::string& failure = results.emplace_back(SpecResult{one.claim, ""}).failure;
    if (ThreadCpuNs() > end_ns) {
      failure = "not run: the cases before it took more than 2 s together";
      return false;
    }
    const auto params = CheckParams(info, one.params);
    if (!one.error.empty()) {
      failure = "the case in " + spec.name + " is wrong: " + one.error;
    } else {
      failure = params ? ask(*params) : std::string(params.error().message());
    }
    return true;
  };
  for (const auto& one : cases->lens) {
    if (!run(one, [&](const Params& params) { return RunCase(runner, script, params, one); })) break;
  }
  std::optional<PolicyRunner> policies;
  if (!cases->policy.empty()) policies.emplace(runner.shared_scripts(), PolicyRunner::Options());
  for (const auto& one : cases->policy) {
    if (!run(one, [&](const Params& params) { return RunPolicyCase(*policies, script, params, one); })) break;
  }
  if (is_stopped) return Status(Code::kUnavailable, "cut_off", spec.name + ": was stopped amid its cases");
  return results;
}

}  // namespace stemedb::script
