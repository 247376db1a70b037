// SPDX-License-Identifier: Apache-2.0
// Taking back: when an operator says so, and when a new version fails too often. What is put back was live
// before, with the same text, so it needs no rehearsal; one from before the start is described anew.
#include <utility>

#include "deploy/deployment.h"
#include "telemetry/log.h"

namespace stemedb::deploy {

namespace {

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
    Audit(trigger, "scripts.rollback", name, refusal.reason(), refusal.message());
    return refusal;
  }
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
    const uint64_t failures = record.probation->counts->failures.load(std::memory_order_relaxed);
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
  for (const auto& [name, probation] : failed) TakeBack(name, probation);
  Show();
  static_cast<void>(Keep());
}

void Deployment::TakeBack(const std::string& name, const Probation& probation) {
  const Trigger trigger{Cause::kAutoRollback, {}, Accept::kNo};
  const std::string calls = std::to_string(probation.counts->failures.load()) + " of " +
                            std::to_string(probation.counts->calls.load()) + " calls failed; ";
  const Report report = PutBack(name, probation.before, trigger);
  const std::string detail = report.why.ok() ? calls + "back to " + probation.before->version
                                             : calls + "it stays, since " + probation.before->version +
                                                   " can't come back: " + std::string(report.why.message());
  ScriptRecord& record = book_.scripts[name];
  record.last_error = TroubleOf(Outcome::kAutoRolledBack, name + ".lua: " + detail, NowMs());
  record.last_error->sha256 = record.disk_sha256;
  if (report.why.ok()) options_.room.metrics->ScriptReload(NameOf(report.outcome)).Increment();
  telemetry::LogError("deploy",
                      report.why.ok() ? "a script failed too often and was rolled back"
                                      : "a script fails too often and can't be rolled back: mend its file",
                      {{"script", name},
                       {"result", NameOf(report.outcome)},
                       {"cause", detail},
                       {"sha256", ToHex(probation.before->sha256)},
                       {"generation", report.generation}});
  Audit(trigger, "scripts.rollback", name, report.why.ok() ? NameOf(report.outcome) : report.why.reason(),
        detail);
}

}  // namespace stemedb::deploy
