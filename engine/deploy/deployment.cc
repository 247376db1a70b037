// SPDX-License-Identifier: Apache-2.0
// Loading, looking and publishing. transaction.cc judges what a look has found, rollback.cc takes back,
// trial.cc tries.
#include "deploy/deployment.h"

#include <algorithm>
#include <utility>

#include "telemetry/log.h"

namespace stemedb::deploy {
namespace {

constexpr uint64_t kFirstGeneration = 1;

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
    if (!names.empty() && !waits) Transact(names, *look, {Cause::kFile, {"file", ""}, Accept::kNo});
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
      if (now != nullptr) record.Add(*now, generation.time_ms, trigger.cause);
      Watch(record, old, now, trigger.cause);
    }
    book_.Add(std::move(generation));
    book_.Trim(**set);
  }
  for (const Replacement& one : replacements) options_.room.metrics->Script(one.name);
  options_.room.metrics->domain().script_generation.Set(static_cast<double>((*set)->generation()));
  live_.Publish(std::move(*set));
  return Status::Ok();
}

void Deployment::Watch(ScriptRecord& record, const script::ScriptInfo* old, const script::ScriptInfo* now,
                       Cause cause) const {
  const std::optional<Probation> unfinished = std::exchange(record.probation, std::nullopt);
  if (now == nullptr) return;
  const bool is_put_back = cause == Cause::kRollback || cause == Cause::kAutoRollback;
  std::optional<script::ScriptInfo> before;
  if (unfinished) {
    before = unfinished->before;
  } else if (is_put_back) {
    const auto taken_back = old != nullptr ? std::optional<Hash256>(old->sha256) : std::nullopt;
    const Version* proven = record.Proven(now->sha256, taken_back);
    if (proven != nullptr) before = proven->info;
  } else if (old != nullptr) {
    before = *old;
  }
  if (is_put_back && record.Find(now->sha256)->is_proven) return;
  if (!before || before->sha256 == now->sha256) return;  // it is the best there is
  record.probation =
      Probation{*before, now->counts, options_.room.clock->MonotonicNs() + options_.probation_ms * 1'000'000};
}

Result<Report> Deployment::Reload(const std::string& name, Accept accept, const Actor& actor) {
  const Trigger trigger{Cause::kReload, actor, accept};
  auto look = Look();
  Status refusal = look ? Status::Ok() : look.error();
  if (refusal.ok() && !look->contains(name) && live_.Current()->Find(name) < 0) refusal = UnknownScript(name);
  if (!refusal.ok()) {
    Audit(trigger, "scripts.reload", name, refusal.reason(), refusal.message());
    return refusal;
  }
  const std::vector<Report> reports = Transact({name}, *look, trigger);
  const auto own =
      std::find_if(reports.begin(), reports.end(), [&](const Report& report) { return report.name == name; });
  return own != reports.end() ? *own : Report{name, Outcome::kUnchanged, {}, live_.generation(), {}, {}, {}};
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
