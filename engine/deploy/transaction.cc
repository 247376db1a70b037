// SPDX-License-Identifier: Apache-2.0
// The transaction: each script whose files changed is judged by itself, then what may go in goes in as one
// generation, then everything is told: to the book, the log, the metrics and the audit.
#include <algorithm>
#include <set>

#include "crypto/sha256.h"
#include "deploy/deployment.h"
#include "telemetry/log.h"
#include "telemetry/stopwatch.h"

namespace stemedb::deploy {

struct Deployment::Candidate {
  std::string name;
  DiskScript disk;
  Outcome outcome = Outcome::kUnchanged;
  Status why;
  std::optional<script::ScriptInfo> info;
  std::optional<Hash256> sha256;
  std::optional<PassedSpec> passed_spec;
  double shadow_seconds_max = 0;  // its part of what the transaction has left
  ShadowReport shadow;
  bool has_yes = false;         // it would wait for one, had it none
  bool is_postponed = false;    // changing under our eyes: the next look will see it again
  bool is_passed_over = false;  // somebody has rolled it back meanwhile
  bool has_news = true;         // of it, something is another than before, besides the time of the last look
  bool is_repeat = false;       // it came to this, for the same text, the last time, too
};

namespace {

// Why a version waits for a yes, in words.
std::string WhyHeld(const ShadowReport& shadow, bool is_lens) {
  const std::string asked = is_lens ? " recent question" : " recent request";
  const std::string in_time = shadow.is_cut ? " in time" : "";
  if (shadow.compared > 0) {
    std::string text = std::to_string(shadow.changed) + " of " + std::to_string(shadow.compared) + asked +
                       "s would be " + (is_lens ? "answered" : "judged") + " otherwise";
    if (shadow.not_compared > 0)
      text += ", and " + std::to_string(shadow.not_compared) + " more couldn't be compared" + in_time;
    return text;
  }
  std::string text = "nothing was compared, so that nobody knows what would change: ";
  if (!shadow.was_run) return text + "the two versions can't be put to the same" + asked + "s";
  if (shadow.questions == 0) return text + "no" + asked + " is known";
  if (shadow.not_compared == 0) return text + "neither version has an answer to any" + asked;
  return text + std::to_string(shadow.not_compared) + asked + "s couldn't be compared" + in_time;
}

// What a script waits for that is right by itself, in words.
std::string WaitsFor(const std::string& name, Outcome outcome, const std::optional<Hash256>& sha256) {
  std::string text = name + ", which is " + std::string(NameOf(outcome));
  if (outcome == Outcome::kHeld) text += " (" + AcceptingCall(name, sha256) + " says yes to it)";
  return text;
}

bool GoesIn(Outcome outcome) { return outcome == Outcome::kOk || outcome == Outcome::kRemoved; }

}  // namespace

// Where changes are held a script doesn't go with its file: its callers would miss it, and what came back
// under its name would have nothing to be compared with.
void Deployment::JudgeVanished(Candidate& candidate, const Trigger& trigger) const {
  if (live_.Current()->Find(candidate.name) < 0) return;
  candidate.outcome = Outcome::kRemoved;
  if (options_.on_changes != OnChanges::kHold) return;
  candidate.has_yes = HasYes(candidate, trigger);
  if (candidate.has_yes) return;
  candidate.outcome = Outcome::kHeld;
  candidate.why = Status(Code::kConflict, "script_held",
                         candidate.name + ".lua: is gone, and the script stays live; " +
                             AcceptingCall(candidate.name, std::nullopt) + " lets it go");
}

void Deployment::Judge(Candidate& candidate, const Trigger& trigger) {
  if (!candidate.disk.script) return JudgeVanished(candidate, trigger);
  if (candidate.disk.is_twice) {
    candidate.outcome = Outcome::kFailedDescribe;
    candidate.why =
        Status(Code::kInvalidArgument, "script_invalid",
               candidate.name + ".lua: is in both directories: names are unique over both, rename one");
    return;
  }
  auto text = ReadTexts(candidate.name, candidate.disk);
  if (text) return JudgeText(candidate, *text, trigger);
  candidate.outcome = Outcome::kFailedRead;
  candidate.why = text.error();
  candidate.is_postponed = text.error().reason() == "script_changing" && trigger.cause == Cause::kFile;
}

void Deployment::JudgeText(Candidate& candidate, const DiskText& text, const Trigger& trigger) {
  candidate.sha256 = crypto::Sha256::Of(text.script.text);
  const ScriptRecord& record = RecordOf(candidate.name);
  const auto live_set = live_.Current();
  const script::ScriptInfo* live = live_set->Get(candidate.name);
  if (trigger.cause == Cause::kFile && record.pinned_against == candidate.sha256) return;
  if (text.spec) candidate.passed_spec = PassedSpec{*candidate.sha256, crypto::Sha256::Of(text.spec->text)};
  if (live != nullptr && live->sha256 == *candidate.sha256 && live->kind == candidate.disk.kind) {
    candidate.info = *live;
    if (!text.spec || record.passed_spec == candidate.passed_spec) return;
    candidate.why = RehearseSpec(*live, *text.spec, Stopping());
    if (!candidate.why.ok()) candidate.outcome = Outcome::kFailedSpec;
    return;
  }
  Rehearsal rehearsal = Rehearse(candidate.disk.kind, text.script, text.spec, Stopping());
  candidate.outcome = rehearsal.outcome;
  candidate.why = rehearsal.why;
  if (!rehearsal.info.name.empty()) candidate.info = std::move(rehearsal.info);
  if (candidate.outcome == Outcome::kOk) JudgeShadow(candidate, trigger);
}

void Deployment::JudgeShadow(Candidate& candidate, const Trigger& trigger) {
  candidate.shadow = RunShadowOf(*candidate.info, candidate.shadow_seconds_max);
  const ShadowReport& shadow = candidate.shadow;
  const bool is_lens = candidate.info->kind == "lens";
  if (shadow.failed > 0) {
    candidate.outcome = Outcome::kFailedShadow;
    candidate.why = Status(Code::kInvalidArgument, "script_failed",
                           "fails on " + std::to_string(shadow.failed) + " of " +
                               std::to_string(shadow.compared) + " recent " +
                               (is_lens ? "questions that the live version answers: "
                                        : "requests that the live version judges: ") +
                               shadow.first_failure);
    return;
  }
  // What wasn't compared may be changed as well, the more so when nothing was: soon after a start no question
  // is known yet. And what waits goes on waiting, even when the questions that it would have answered
  // otherwise are no longer the recent ones.
  const ScriptRecord& record = RecordOf(candidate.name);
  const bool waits = record.held && record.held->info->sha256 == *candidate.sha256;
  const bool is_blind = shadow.compared == 0 && live_.Current()->Find(candidate.name) >= 0;
  const bool may_change = shadow.changed > 0 || shadow.not_compared > 0 || is_blind || waits;
  if (options_.on_changes != OnChanges::kHold || !may_change) return;
  candidate.has_yes = HasYes(candidate, trigger);
  if (candidate.has_yes) return;
  candidate.outcome = Outcome::kHeld;
  candidate.why = Status(
      Code::kConflict, "script_held",
      WhyHeld(shadow, is_lens) + "; " + AcceptingCall(candidate.name, candidate.sha256) + " takes it in");
}

// A yes is for what was looked at: with something else waiting, it is none for this.
bool Deployment::HasYes(const Candidate& candidate, const Trigger& trigger) const {
  const ScriptRecord& record = RecordOf(candidate.name);
  if (record.yes && record.yes->sha256 == candidate.sha256) return true;
  if (trigger.accept != Accept::kYes || trigger.name != candidate.name) return false;
  if (trigger.accepted && trigger.accepted != candidate.sha256) return false;
  if (record.held) return record.held->info->sha256 == candidate.sha256;
  return !record.removal_waits() || !candidate.sha256;
}

// Nobody who rolls a script back means the file that had been put there before to come in after all: it is
// passed over, as one that was rolled back from is. But who asks for the file by name gets it.
void Deployment::MindRollbacks(std::vector<Candidate>& candidates, const Trigger& trigger) {
  for (Candidate& candidate : candidates) {
    if (!rolled_back_.contains(candidate.name) || candidate.is_postponed) continue;
    if (trigger.name == candidate.name) {
      Candidate again;
      again.name = candidate.name;
      again.disk = candidate.disk;
      again.shadow_seconds_max = candidate.shadow_seconds_max;
      Judge(again, trigger);
      candidate = std::move(again);
    } else if (!IsFailure(candidate.outcome)) {
      candidate.outcome = Outcome::kUnchanged;
      candidate.why = Status(Code::kConflict, "rolled_back", "it was rolled back while its file was judged");
      candidate.is_passed_over = true;
    }
  }
}

// There is always a lens. Of several that vanish at once all stay: which one should go can't be told.
void Deployment::KeepLastLens(std::vector<Candidate>& candidates) const {
  std::set<std::string> lenses;
  for (const script::ScriptInfo& script : live_.Current()->scripts()) {
    if (script.kind == "lens") lenses.insert(script.name);
  }
  for (const Candidate& candidate : candidates) {
    if (candidate.outcome == Outcome::kRemoved) lenses.erase(candidate.name);
    if (candidate.outcome == Outcome::kOk && candidate.info->kind == "lens") lenses.insert(candidate.name);
  }
  if (!lenses.empty()) return;
  for (Candidate& candidate : candidates) {
    if (candidate.outcome != Outcome::kRemoved) continue;
    candidate.outcome = Outcome::kFailedRemoval;
    candidate.why =
        Status(Code::kConflict, "last_lens",
               candidate.name + ".lua: is gone, but without it there would be no lens: it stays live");
  }
}

// What has a yes goes on waiting, as held, and keeps it: so several that wait go in together, once the last
// of them has its own.
void Deployment::HoldBackAll(std::vector<Candidate>& candidates) const {
  std::string blocking;
  for (const Candidate& candidate : candidates) {
    if (!IsFailure(candidate.outcome) && candidate.outcome != Outcome::kHeld) continue;
    if (!blocking.empty()) blocking += ", and for ";
    blocking += WaitsFor(candidate.name, candidate.outcome, candidate.sha256);
  }
  if (blocking.empty()) return;
  for (Candidate& candidate : candidates) {
    if (!GoesIn(candidate.outcome)) continue;
    candidate.outcome = candidate.has_yes ? Outcome::kHeld : Outcome::kFailedAtomic;
    candidate.why = Status(Code::kConflict, candidate.has_yes ? "script_held" : "not_all_good",
                           candidate.name + ".lua: " + (candidate.has_yes ? "has its yes, and " : "") +
                               "waits for " + blocking + " (STEMEDB_SCRIPTS_ATOMIC)");
  }
}

std::vector<Report> Deployment::Transact(const std::vector<std::string>& names, const DiskLook& look,
                                         const Trigger& trigger) {
  const telemetry::ScopedTimer timer(options_.room.metrics->domain().script_reload_duration_seconds);
  std::set<std::string> wanted(names.begin(), names.end());
  for (const auto& [name, record] : book_.scripts) {
    // What was refused still asks to be live; and the last lens may go once it is no more the last.
    const bool asks =
        options_.together == Together::kAllOrNone || record.last_outcome == Outcome::kFailedRemoval;
    if (record.is_refused && asks) wanted.insert(name);
  }
  std::vector<Candidate> candidates;
  rolled_back_.clear();
  // Nobody else is served by this thread meanwhile, but who rolls back, so many scripts together have little
  // more time than one.
  double seconds_left = options_.transaction_shadow_seconds_max;
  for (const std::string& name : wanted) {
    if (between_scripts_ != nullptr) between_scripts_();
    if (stopping_.load(std::memory_order_relaxed)) return {};  // the next start looks at them all
    const auto to_come = static_cast<double>(wanted.size() - candidates.size());
    Candidate& candidate = candidates.emplace_back();
    candidate.name = name;
    candidate.shadow_seconds_max = std::min(options_.shadow_seconds_max, seconds_left / to_come);
    candidate.disk = look.Get(name);
    Judge(candidate, trigger);
    seconds_left = std::max(0.0, seconds_left - candidate.shadow.seconds);
  }
  MindRollbacks(candidates, trigger);
  // The last one's shadow was cut short by it: nothing is known of what would change.
  if (stopping_.load(std::memory_order_relaxed)) return {};
  const bool any_postponed =
      std::any_of(candidates.begin(), candidates.end(), [](const Candidate& c) { return c.is_postponed; });
  if (any_postponed && options_.together == Together::kAllOrNone) return {};
  std::erase_if(candidates, [](const Candidate& candidate) { return candidate.is_postponed; });
  KeepLastLens(candidates);
  if (options_.together == Together::kAllOrNone) HoldBackAll(candidates);

  std::vector<Replacement> replacements;
  for (const Candidate& candidate : candidates) {
    if (candidate.outcome == Outcome::kOk) replacements.push_back({candidate.name, candidate.info});
    if (candidate.outcome == Outcome::kRemoved) replacements.push_back({candidate.name, std::nullopt});
  }
  if (!replacements.empty()) {
    if (const Status published = Publish(replacements, trigger); !published.ok()) {
      for (Candidate& candidate : candidates) {
        if (!GoesIn(candidate.outcome)) continue;
        candidate.outcome = Outcome::kFailedDescribe;
        candidate.why = published;
      }
    }
  }
  bool any_news = false;
  for (Candidate& candidate : candidates) {
    Settle(candidate, trigger);
    any_news = any_news || candidate.has_news;
  }
  Show(any_news ? News::kSome : News::kNone);
  std::vector<Report> reports;
  reports.reserve(candidates.size());
  for (const Candidate& candidate : candidates) reports.push_back(Tell(candidate, trigger));
  static_cast<void>(Keep());
  return reports;
}

void Deployment::Settle(Candidate& candidate, const Trigger& trigger) {
  ScriptRecord& record = book_.scripts[candidate.name];
  const bool is_same_text = record.disk_sha256 == candidate.sha256;
  const bool keeps_yes = candidate.outcome == Outcome::kHeld && candidate.has_yes;
  candidate.is_repeat = is_same_text && record.last_outcome == candidate.outcome &&
                        keeps_yes == (record.yes && record.yes->sha256 == candidate.sha256);
  candidate.has_news = candidate.outcome != Outcome::kUnchanged || !is_same_text || record.pinned_against ||
                       record.held || record.is_restored || record.is_refused || record.last_error;
  record.acted = candidate.disk;
  if (candidate.is_passed_over) {
    record.disk_sha256 = candidate.sha256;
    record.pinned_against.reset();
    const auto live = live_.Current();
    const script::ScriptInfo* now = live->Get(candidate.name);
    if (now == nullptr || now->sha256 != candidate.sha256) record.pinned_against = candidate.sha256;
    return;
  }
  if (!IsFailure(candidate.outcome) && candidate.passed_spec) record.passed_spec = candidate.passed_spec;
  // What can't be read now is, as far as anybody knows, what it was.
  if (candidate.outcome != Outcome::kFailedRead) record.disk_sha256 = candidate.sha256;
  record.last_outcome = candidate.outcome;
  record.last_outcome_ms = NowMs();
  record.is_refused = IsFailure(candidate.outcome) || candidate.outcome == Outcome::kHeld;
  record.held.reset();
  record.yes.reset();
  if (keeps_yes) record.yes = Yes{candidate.sha256};
  if (candidate.outcome == Outcome::kHeld && candidate.info) {
    record.held =
        Held{std::make_shared<const script::ScriptInfo>(*candidate.info), NowMs(), candidate.shadow};
  }
  if (IsFailure(candidate.outcome)) {
    record.last_error = TroubleOf(candidate.outcome, candidate.why.message(), NowMs());
    record.last_error->sha256 = candidate.sha256;
    return;
  }
  const bool is_pinned_still = trigger.cause == Cause::kFile && record.pinned_against == candidate.sha256 &&
                               candidate.outcome == Outcome::kUnchanged;
  if (is_pinned_still && candidate.sha256) return;
  record.last_error.reset();
  if (candidate.outcome != Outcome::kHeld) {
    record.pinned_against.reset();
    record.is_restored = false;
  }
  if (record.is_empty()) book_.scripts.erase(candidate.name);
}

Report Deployment::Tell(const Candidate& candidate, const Trigger& trigger) const {
  Report report{candidate.name,   candidate.outcome, candidate.why, live_.generation(), {},
                candidate.sha256, candidate.shadow};
  if (candidate.info) report.version = candidate.info->version;
  options_.room.metrics->ScriptReload(NameOf(candidate.outcome)).Increment();
  const std::string sha256 = candidate.sha256 ? ToHex(*candidate.sha256) : "";
  const auto level = IsFailure(candidate.outcome) || candidate.outcome == Outcome::kHeld
                         ? telemetry::Level::kWarn
                         : telemetry::Level::kInfo;
  telemetry::Log(level, "deploy",
                 IsFailure(candidate.outcome) ? "a script was refused" : "a script was looked at",
                 {{"script", candidate.name},
                  {"result", NameOf(candidate.outcome)},
                  {"version", report.version},
                  {"sha256", sha256},
                  {"generation", report.generation},
                  {"cause", candidate.why.message()},
                  {"questions", candidate.shadow.compared},
                  {"changed", candidate.shadow.changed},
                  {"not_compared", candidate.shadow.not_compared},
                  {"by", trigger.actor.peer}});
  if (candidate.outcome != Outcome::kUnchanged || trigger.cause != Cause::kFile) {
    std::string detail(candidate.why.message());
    if (detail.empty() && candidate.sha256)
      detail = "generation " + std::to_string(report.generation) + ", " + sha256;
    // Asked for again and again it comes to the same again and again.
    const bool is_old = trigger.cause != Cause::kFile && !GoesIn(candidate.outcome) &&
                        (candidate.outcome == Outcome::kUnchanged || candidate.is_repeat);
    Audit(trigger, "scripts.reload", candidate.name, NameOf(candidate.outcome), detail,
          is_old ? std::optional(audit::Tally::Kind::kNoChange) : std::nullopt);
  }
  return report;
}

}  // namespace stemedb::deploy
