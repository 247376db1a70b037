// SPDX-License-Identifier: Apache-2.0
// Taking back: when an operator says so, and when a new version fails too often. What is put back was live
// before, with the same text, so it needs no rehearsal; one from before the start is described anew. But what
// is put back by itself is first put to the recent questions: when they, or the claims, are what makes the
// new version fail, the old one may be no better, and nobody is helped by one more change.
#include <algorithm>
#include <utility>

#include "deploy/deployment.h"
#include "telemetry/log.h"

namespace stemedb::deploy {

namespace {

// The time that all who fail share was used up before this one was asked.
constexpr std::string_view kNotAskedYet = "not_asked_yet";

Result<script::ScriptInfo> Complete(const script::ScriptInfo& kept) {
  if (kept.counts != nullptr) return kept;
  return script::CheckScript({kept.file, kept.source});
}

}  // namespace

Report Deployment::PutBack(const std::string& name, const SharedInfo& older, const Trigger& trigger) {
  Report report{name,
                trigger.cause == Cause::kRollback ? Outcome::kRolledBack : Outcome::kAutoRolledBack,
                {},
                0,
                older->version,
                older->sha256,
                {}};
  const auto complete = Complete(*older);
  report.why = complete ? Publish({{name, *complete}}, trigger) : complete.error();
  report.generation = live_.generation();
  if (!report.why.ok()) return report;
  ScriptRecord& record = book_.scripts[name];
  record.pinned_against.reset();
  if (record.disk_sha256 != older->sha256) record.pinned_against = record.disk_sha256;
  record.held.reset();
  record.yes.reset();
  record.last_outcome = report.outcome;
  record.last_outcome_ms = NowMs();
  record.is_refused = record.is_restored = false;
  Show();
  return report;
}

Result<Report> Deployment::RollBack(const std::string& name, const std::optional<Hash256>& to,
                                    const Actor& actor) {
  const Trigger trigger{Cause::kRollback, actor, Accept::kNo};
  const auto record = book_.scripts.find(name);
  const auto set = live_.Current();
  const script::ScriptInfo* live = set->Get(name);
  Status refusal;
  const Version* target = nullptr;
  if (record == book_.scripts.end()) {
    refusal = UnknownScript(name);
  } else if (to) {
    target = record->second.Find(*to);
    if (target == nullptr) {
      refusal = Status(
          Code::kNotFound, "unknown_version",
          "'" + name + "' has no version " + ToHex(*to) + " among its last " + std::to_string(kVersionsMax));
    } else if (live != nullptr && live->sha256 == *to) {
      refusal = Status(Code::kConflict, "already_live", "this version of '" + name + "' is live");
    }
  } else {
    target = record->second.Before(live ? std::optional<Hash256>(live->sha256) : std::nullopt);
    if (target == nullptr) {
      refusal = Status(Code::kConflict, "no_previous_version",
                       "no version of '" + name + "' before this one is kept");
    }
  }
  Report report;
  if (refusal.ok()) {
    report = PutBack(name, SharedInfo(target->info), trigger);
    refusal = report.why;
  }
  if (!refusal.ok()) {
    Audit(trigger, "scripts.rollback", name, refusal.reason(), refusal.message(),
          audit::Tally::Kind::kNoChange);
    return refusal;
  }
  rolled_back_.insert(name);
  report.why = Keep().Annotate("it is live, but the next start won't know of it");
  options_.room.metrics->ScriptReload(NameOf(Outcome::kRolledBack)).Increment();
  telemetry::LogWarn("deploy", "a script was rolled back",
                     {{"script", name},
                      {"result", NameOf(report.outcome)},
                      {"version", report.version},
                      {"sha256", ToHex(*report.sha256)},
                      {"generation", report.generation},
                      {"by", actor.peer},
                      {"actor", actor.name}});
  Audit(trigger, "scripts.rollback", name, NameOf(report.outcome), "to " + ToHex(*report.sha256));
  return report;
}

void Deployment::CheckProbations() {
  const int64_t now_ns = options_.room.clock->MonotonicNs();
  const auto live = live_.Current();
  std::vector<std::pair<std::string, Probation>> failed;
  bool any_ended = false;
  for (auto& [name, record] : book_.scripts) {
    if (!record.probation) continue;
    const uint64_t failures = record.probation->counts->failures.load(std::memory_order_acquire);
    const uint64_t calls = record.probation->counts->calls.load(std::memory_order_relaxed);
    const bool fails =
        failures >= options_.probation_failures &&
        static_cast<double>(failures) > options_.probation_failure_share * static_cast<double>(calls);
    if (fails) failed.emplace_back(name, *record.probation);
    if (!fails && now_ns < record.probation->until_ns) continue;
    any_ended = true;
    record.probation.reset();
    const script::ScriptInfo* watched = live->Get(name);
    Version* version = watched != nullptr ? record.Find(watched->sha256) : nullptr;
    if (version != nullptr) version->is_proven = !fails;
  }
  if (!any_ended) return;
  double seconds_left = options_.shadow_seconds_max;
  for (const auto& [name, probation] : failed) TakeBack(name, probation, seconds_left);
  Show();
  static_cast<void>(Keep());
}

Status Deployment::AskBefore(const script::ScriptInfo& before, double& seconds_left) const {
  const bool had_all = seconds_left >= options_.shadow_seconds_max;
  const ShadowReport shadow = RunShadowOf(before, seconds_left);
  seconds_left = std::max(0.0, seconds_left - shadow.seconds);
  if (!had_all && shadow.is_cut && shadow.compared + shadow.both_failed == 0)
    return Status(Code::kUnavailable, kNotAskedYet,
                  "others that fail took the time; it is asked at the next look");
  const size_t fails = shadow.both_failed + shadow.failed;  // the version before, on what is recorded
  const bool is_better = shadow.failed < shadow.mended || fails == 0;
  if (is_better) return Status::Ok();
  const std::string of = before.kind == "lens" ? " recent questions, " : " recent requests, ";
  return Status(Code::kConflict, "before_fails_too",
                "it fails on " + std::to_string(fails) + of + "this one on " +
                    std::to_string(shadow.both_failed + shadow.mended) +
                    ": look at the claims, or mend both");
}

void Deployment::TakeBack(const std::string& name, const Probation& probation, double& seconds_left) {
  const Trigger trigger{Cause::kAutoRollback, {}, Accept::kNo};
  const auto live = live_.Current();
  const script::ScriptInfo* failing = live->Get(name);
  const std::string cause = probation.counts->last().message;
  std::string detail = std::to_string(probation.counts->failures.load()) + " of " +
                       std::to_string(probation.counts->calls.load()) + " calls failed, the last with " +
                       cause;
  const auto before = Complete(*probation.before);
  Status why = before ? AskBefore(*before, seconds_left) : before.error();
  if (why.reason() == kNotAskedYet) {
    book_.scripts[name].probation = probation;
    return;
  }
  uint64_t generation = live_.generation();
  if (why.ok()) {
    const Report report = PutBack(name, probation.before, trigger);
    why = report.why;
    generation = report.generation;
  }
  const Outcome outcome = why.ok() ? Outcome::kAutoRolledBack : Outcome::kFailedCalls;
  detail += why.ok() ? "; back to " + probation.before->version
                     : "; it stays, since " + probation.before->version +
                           " can't take its place: " + std::string(why.message());
  // File and line are those of the error.
  Trouble trouble = TroubleOf(outcome, cause, NowMs());
  if (trouble.file.empty()) trouble.file = name + ".lua";
  trouble.detail = name + ".lua: " + detail;
  if (failing != nullptr) trouble.sha256 = failing->sha256;
  book_.scripts[name].last_error = std::move(trouble);
  options_.room.metrics->ScriptReload(NameOf(outcome)).Increment();
  telemetry::LogError("deploy",
                      why.ok() ? "a script failed too often and was rolled back"
                               : "a script fails too often and is not rolled back: mend its file",
                      {{"script", name},
                       {"result", NameOf(outcome)},
                       {"cause", detail},
                       {"sha256", ToHex(probation.before->sha256)},
                       {"generation", generation}});
  Audit(trigger, "scripts.rollback", name, why.ok() ? NameOf(outcome) : why.reason(), detail);
}

}  // namespace stemedb::deploy
