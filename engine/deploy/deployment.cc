// SPDX-License-Identifier: Apache-2.0
// Loading, looking, publishing and taking back. transaction.cc judges what a look has found.
#include "deploy/deployment.h"

#include <algorithm>
#include <utility>

#include "query/engine.h"
#include "telemetry/log.h"
#include "telemetry/stopwatch.h"

namespace stemedb::deploy {
namespace {

constexpr uint64_t kFirstGeneration = 1;

Status Unknown(std::string_view name) {
  return Status(Code::kNotFound, "unknown_script",
                "there is no script '" + std::string(name) + "', neither live nor in the directories");
}

std::vector<script::ScriptInfo> WithReplaced(const script::ScriptSet& set, const std::string& name,
                                             const std::optional<script::ScriptInfo>& info) {
  std::vector<script::ScriptInfo> scripts = set.scripts();
  std::erase_if(scripts, [&](const script::ScriptInfo& script) { return script.name == name; });
  if (info) scripts.push_back(*info);
  return scripts;
}

// As it is to go in: not before this moment, and counted from zero.
script::ScriptInfo Fresh(script::ScriptInfo info) {
  info.generation = 0;
  info.counts = nullptr;
  return info;
}

}  // namespace

Result<std::unique_ptr<Deployment>> Deployment::Open(DeploymentOptions options) {
  std::unique_ptr<Deployment> deployment(new Deployment(std::move(options)));
  const Status loaded = deployment->Load();
  if (!loaded.ok()) return loaded;
  for (const std::string_view outcome : kOutcomeNames) {
    deployment->options_.room.metrics->ScriptReload(outcome);
  }
  return deployment;
}

Status Deployment::Load() {
  auto look = LookAt(options_.directories, false);
  if (!look) return look.error();
  std::vector<script::ScriptInfo> scripts;
  bool has_lens = false;
  for (const auto& [name, disk] : *look) {
    if (disk.is_twice) {
      return Status(Code::kInvalidArgument, "script_invalid",
                    "'" + name + "' is in both directories: names are unique over both, rename one");
    }
    auto text = ReadTexts(name, disk);
    if (!text) return text.error();
    Rehearsal rehearsal = Rehearse(disk.kind, text->script, text->spec);
    if (rehearsal.outcome != Outcome::kOk) return rehearsal.why.Annotate(disk.directory);
    has_lens = has_lens || disk.kind == "lens";
    ScriptRecord& record = book_.scripts[name];
    record.acted = disk;
    record.disk_sha256 = rehearsal.info.sha256;
    scripts.push_back(std::move(rehearsal.info));
  }
  if (!has_lens) {
    return Status(Code::kNotFound, "scripts_missing",
                  options_.directories.lenses + ": no lens in it (expected *.lua)");
  }
  auto set = script::ScriptSet::Of(std::move(scripts), kFirstGeneration);
  if (!set) return set.error();
  GenerationRecord generation{kFirstGeneration, NowMs(), Cause::kStart, {}, {}};
  for (const script::ScriptInfo& script : (*set)->scripts()) {
    book_.scripts[script.name].Add(script, generation.time_ms, Cause::kStart);
    generation.changes.push_back({script.name, "", script.version, {}, script.sha256});
    options_.room.metrics->Script(script.name);
  }
  book_.Add(std::move(generation));
  last_look_ = std::move(*look);
  live_.Publish(std::move(*set));
  options_.room.metrics->domain().script_generation.Set(static_cast<double>(kFirstGeneration));
  return Status::Ok();
}

query::RecentQuestions* Deployment::NewRecent() {
  const std::lock_guard lock(recent_mutex_);
  return recent_.emplace_back(std::make_unique<query::RecentQuestions>()).get();
}

std::vector<query::RecordedQuestion> Deployment::RecentOf(const std::string& name) const {
  const std::lock_guard lock(recent_mutex_);
  std::vector<query::RecordedQuestion> questions;
  for (const auto& recent : recent_) recent->CopyTo(name, questions);
  return questions;
}

const ScriptRecord& Deployment::RecordOf(const std::string& name) const {
  static const ScriptRecord kNone;
  const auto found = book_.scripts.find(name);
  return found == book_.scripts.end() ? kNone : found->second;
}

Result<DiskLook> Deployment::Look() const {
  const auto live = live_.Current();
  const bool has_policy = std::any_of(live->scripts().begin(), live->scripts().end(),
                                      [](const script::ScriptInfo& script) { return script.kind != "lens"; });
  return LookAt(options_.directories, has_policy);
}

void Deployment::Step() {
  auto look = Look();
  const std::string failure(look ? std::string_view() : look.error().message());
  if (failure != look_failure_ && !failure.empty()) {
    telemetry::LogWarn("deploy", "scripts can't be looked at; what is live stays", {{"cause", failure}});
  }
  look_failure_ = failure;
  if (look) {
    std::vector<std::string> names;
    bool unsteady = false;
    const auto visit = [&](const std::string& name) {
      const auto now = look->find(name), before = last_look_.find(name);
      const DiskScript found = now != look->end() ? now->second : DiskScript{};
      const bool steady = found == (before != last_look_.end() ? before->second : DiskScript{});
      const auto record = book_.scripts.find(name);
      const bool is_new = found != (record != book_.scripts.end() ? record->second.acted : DiskScript{});
      unsteady = unsteady || !steady;
      if (is_new && steady) names.push_back(name);
    };
    for (const auto& [name, disk] : *look) visit(name);
    for (const auto& [name, record] : book_.scripts) {
      if (!look->contains(name)) visit(name);
    }
    last_look_ = *look;
    const bool waits = options_.together == Together::kAllOrNone && unsteady;
    if (!names.empty() && !waits) Transact(names, *look, {});
  }
  CheckProbations();
}

Status Deployment::Publish(const std::vector<Replacement>& replacements, const Trigger& trigger) {
  const auto before = live_.Current();
  std::vector<script::ScriptInfo> scripts = before->scripts();
  for (const Replacement& one : replacements) {
    std::erase_if(scripts, [&](const script::ScriptInfo& script) { return script.name == one.name; });
    if (one.info) scripts.push_back(Fresh(*one.info));
  }
  auto set = script::ScriptSet::Of(std::move(scripts), before->generation() + 1);
  if (!set) return set.error();
  GenerationRecord generation{(*set)->generation(), NowMs(), trigger.cause, trigger.actor, {}};
  {
    const std::lock_guard lock(book_mutex_);
    for (const Replacement& one : replacements) {
      const script::ScriptInfo* old = before->Get(one.name);
      const script::ScriptInfo* now = (*set)->Get(one.name);
      Change change{one.name, old ? old->version : "", now ? now->version : "", {}, {}};
      if (old != nullptr) change.before_sha256 = old->sha256;
      if (now != nullptr) change.after_sha256 = now->sha256;
      generation.changes.push_back(std::move(change));
      ScriptRecord& record = book_.scripts[one.name];
      record.probation.reset();
      if (now == nullptr) continue;
      record.Add(*now, generation.time_ms, trigger.cause);
      if (old != nullptr && trigger.cause != Cause::kRollback && trigger.cause != Cause::kAutoRollback) {
        record.probation = Probation{*old, now->counts,
                                     options_.room.clock->MonotonicNs() + options_.probation_ms * 1'000'000};
      }
    }
    book_.Add(std::move(generation));
    book_.Trim(**set);
  }
  for (const Replacement& one : replacements) options_.room.metrics->Script(one.name);
  options_.room.metrics->domain().script_generation.Set(static_cast<double>((*set)->generation()));
  live_.Publish(std::move(*set));
  return Status::Ok();
}

Report Deployment::PutBack(const std::string& name, const script::ScriptInfo& older, const Trigger& trigger) {
  Report report{name,
                trigger.cause == Cause::kRollback ? Outcome::kRolledBack : Outcome::kAutoRolledBack,
                {},
                0,
                older.version,
                older.sha256,
                {}};
  report.why = Publish({{name, older}}, trigger);
  report.generation = live_.generation();
  const std::lock_guard lock(book_mutex_);
  ScriptRecord& record = book_.scripts[name];
  if (report.why.ok()) {
    record.pinned_against.reset();
    if (record.disk_sha256 != older.sha256) record.pinned_against = record.disk_sha256;
    record.held.reset();
    record.last_outcome = report.outcome;
    record.last_outcome_ms = NowMs();
    record.is_refused = false;
  }
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
  if (record == book_.scripts.end() || record->second.versions.empty()) {
    refusal = Unknown(name);
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
                       "'" + name + "' has had no version before this one since the server started");
    }
  }
  Report report;
  if (refusal.ok()) {
    report = PutBack(name, script::ScriptInfo(target->info), trigger);
    refusal = report.why;
  }
  if (!refusal.ok()) {
    Audit(trigger, "scripts.rollback", name, refusal.reason(), refusal.message());
    return refusal;
  }
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
  std::vector<std::pair<std::string, Probation>> failed;
  {
    const std::lock_guard lock(book_mutex_);
    for (auto& [name, record] : book_.scripts) {
      if (!record.probation) continue;
      const uint64_t failures = record.probation->counts->failures.load(std::memory_order_relaxed);
      const uint64_t calls = record.probation->counts->calls.load(std::memory_order_relaxed);
      const bool fails =
          failures >= options_.probation_failures &&
          static_cast<double>(failures) > options_.probation_failure_share * static_cast<double>(calls);
      if (fails) failed.emplace_back(name, *record.probation);
      if (fails || now_ns >= record.probation->until_ns) record.probation.reset();
    }
  }
  for (const auto& [name, probation] : failed) {
    const Trigger trigger{Cause::kAutoRollback, {}, Accept::kNo};
    const std::string detail = std::to_string(probation.counts->failures.load()) + " of " +
                               std::to_string(probation.counts->calls.load()) + " calls failed; back to " +
                               probation.before.version;
    const Report report = PutBack(name, probation.before, trigger);
    {
      const std::lock_guard lock(book_mutex_);
      ScriptRecord& record = book_.scripts[name];
      record.last_error = TroubleOf(Outcome::kAutoRolledBack, name + ".lua: " + detail, NowMs());
      record.last_error->sha256 = record.disk_sha256;
    }
    options_.room.metrics->ScriptReload(NameOf(report.outcome)).Increment();
    telemetry::LogError("deploy", "a script failed too often and was rolled back",
                        {{"script", name},
                         {"result", NameOf(report.outcome)},
                         {"cause", detail},
                         {"sha256", ToHex(probation.before.sha256)},
                         {"generation", report.generation}});
    Audit(trigger, "scripts.rollback", name, NameOf(report.outcome), detail);
  }
}

ShadowReport Deployment::RunShadowOf(const script::ScriptInfo& candidate, double seconds_left) const {
  const auto live = live_.Current();
  if (options_.room.store == nullptr || live->Get(candidate.name) == nullptr || candidate.kind != "lens") {
    return {};
  }
  auto after = script::ScriptSet::Of(WithReplaced(*live, candidate.name, Fresh(candidate)), 0);
  if (!after) return {};
  return RunShadow(options_.room, RecentOf(candidate.name), live, *after, seconds_left,
                   [this] { return stopping_.load(std::memory_order_relaxed); });
}

Result<Report> Deployment::Reload(const std::string& name, Accept accept, const Actor& actor) {
  const Trigger trigger{Cause::kReload, actor, accept};
  auto look = Look();
  Status refusal = look ? Status::Ok() : look.error();
  if (refusal.ok() && !look->contains(name) && live_.Current()->Find(name) < 0) refusal = Unknown(name);
  if (!refusal.ok()) {
    Audit(trigger, "scripts.reload", name, refusal.reason(), refusal.message());
    return refusal;
  }
  const std::vector<Report> reports = Transact({name}, *look, trigger);
  const auto own =
      std::find_if(reports.begin(), reports.end(), [&](const Report& report) { return report.name == name; });
  return own != reports.end() ? *own : Report{name, Outcome::kUnchanged, {}, live_.generation(), {}, {}, {}};
}

Result<ShadowReport> Deployment::Shadow(const std::string& name, const std::optional<std::string>& source,
                                        const Actor& actor) {
  const auto run = [&]() -> Result<ShadowReport> {
    const auto live = live_.Current();
    const script::ScriptInfo* current = live->Get(name);
    if (current == nullptr || current->kind != "lens") return Unknown(name);
    script::ScriptFile file{name + ".lua", source.value_or("")};
    if (!source) {
      auto look = Look();
      if (!look) return look.error();
      const auto disk = look->find(name);
      if (disk == look->end()) return Unknown(name);
      auto text = ReadTexts(name, disk->second);
      if (!text) return text.error();
      file = std::move(text->script);
    }
    auto info = script::CheckScript(file);
    if (!info) return info.error();
    return RunShadowOf(*info, ShadowBounds::kSecondsMax);
  };
  auto report = run();
  Audit({Cause::kReload, actor, Accept::kNo}, "scripts.shadow", name, report ? "ok" : report.error().reason(),
        report ? std::string_view() : report.error().message());
  return report;
}

Status Deployment::Try(std::string_view source, const std::string& label, query::Question question,
                       std::string& out, const Actor& actor) {
  std::string name = label;
  const auto run = [&]() -> Status {
    auto draft = script::CheckDraft(source, label);
    if (!draft) return draft.error();
    name = draft->name;
    if (draft->kind != "lens") {
      return Status(Code::kInvalidArgument, "script_invalid",
                    label + ": kind is '" + draft->kind + "'; only a lens can be asked");
    }
    if (!question.lens.empty() && question.lens != name) {
      return Status(Code::kInvalidArgument, "invalid_request",
                    "/question/lens is '" + question.lens + "', but the draft's name is '" + name +
                        "': leave lens out");
    }
    question.lens = name;
    auto set = script::ScriptSet::Of(WithReplaced(*live_.Current(), name, *draft), 0);
    if (!set) return set.error();
    query::EngineOptions options;
    options.clock = options_.room.clock;
    options.metrics = options_.room.metrics;
    options.counting = query::EngineOptions::Counting::kOff;
    return query::Engine(options_.room.store->NewReader(), std::move(*set), options).Answer(question, out);
  };
  const Status status = run();
  Audit({Cause::kReload, actor, Accept::kNo}, "scripts.try", name, status.ok() ? "ok" : status.reason(),
        status.message());
  return status;
}

void Deployment::Audit(const Trigger& trigger, std::string_view action, const std::string& subject,
                       std::string_view result, std::string_view detail) const {
  if (options_.journal == nullptr) return;
  const Status written = options_.journal->Append({.time_ms = NowMs(),
                                                   .peer = trigger.actor.peer,
                                                   .actor = trigger.actor.name,
                                                   .action = std::string(action),
                                                   .subject = subject,
                                                   .result = std::string(result),
                                                   .detail = std::string(detail)});
  if (written.ok()) return;
  telemetry::LogError("deploy", "an action is missing from the audit file",
                      {{"action", action}, {"subject", subject}, {"cause", written.message()}});
}

}  // namespace stemedb::deploy
