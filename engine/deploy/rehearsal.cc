// SPDX-License-Identifier: Apache-2.0
#include "deploy/rehearsal.h"

#include "script/policy.h"
#include "script/self_check.h"
#include "script/spec.h"

namespace stemedb::deploy {
namespace {

constexpr uint64_t kNoGeneration = 0;

Status SpecFailure(const script::ScriptFile& spec, const std::vector<script::SpecResult>& results) {
  const script::SpecResult* first = nullptr;
  size_t failures = 0;
  for (const script::SpecResult& result : results) {
    if (result.failure.empty()) continue;
    if (failures++ == 0) first = &result;
  }
  if (failures == 0) return Status::Ok();
  std::string text = spec.name + ": '" + first->claim + "': " + first->failure;
  if (failures > 1) text += " (and " + std::to_string(failures - 1) + " more cases fail)";
  return Status(Code::kInvalidArgument, "spec_failed", std::move(text));
}

Status RunSpecOn(script::LensRunner& runner, const script::ScriptFile& spec,
                 const std::function<bool()>& stop) {
  const auto results = script::RunSpec(runner, spec, stop);
  return results ? SpecFailure(spec, *results) : results.error();
}

}  // namespace

Status RehearseSpec(const script::ScriptInfo& script, const script::ScriptFile& spec,
                    const std::function<bool()>& stop) {
  auto set = script::ScriptSet::Of({script}, kNoGeneration);
  if (!set) return set.error();
  script::LensRunner runner(*set, {});
  return RunSpecOn(runner, spec, stop);
}

Rehearsal Rehearse(const std::string& kind, const script::ScriptFile& file,
                   const std::optional<script::ScriptFile>& spec, const std::function<bool()>& stop) {
  Rehearsal rehearsal;
  const auto fail = [&](Outcome outcome, const Status& why) {
    rehearsal.outcome = outcome;
    rehearsal.why = why;
    return rehearsal;
  };
  script::CheckStage stage;
  auto info = script::CheckScript(file, &stage);
  if (!info) {
    return fail(stage == script::CheckStage::kCompile ? Outcome::kFailedCompile : Outcome::kFailedDescribe,
                info.error());
  }
  rehearsal.info = *info;
  if (info->kind != kind) {
    return fail(Outcome::kFailedDescribe,
                Status(Code::kInvalidArgument, "script_invalid",
                       file.name + ": kind is '" + info->kind + "', but its directory is for kind '" + kind +
                           "': move the file"));
  }
  auto set = script::ScriptSet::Of({*info}, kNoGeneration);
  if (!set) return fail(Outcome::kFailedDescribe, set.error());
  script::LensRunner runner(*set, {});
  if (spec) {
    const Status held = RunSpecOn(runner, *spec, stop);
    if (!held.ok()) return fail(Outcome::kFailedSpec, held);
  }
  if (kind == "lens") {
    if (const Status passed = script::SelfCheck(runner, 0, stop); !passed.ok()) {
      return fail(Outcome::kFailedCheck, passed);
    }
  }
  if (kind == "policy") {
    script::PolicyRunner policies(*set, {});
    if (const Status passed = script::SelfCheckPolicy(policies, 0); !passed.ok()) {
      return fail(Outcome::kFailedCheck, passed);
    }
  }
  return rehearsal;
}

}  // namespace stemedb::deploy
