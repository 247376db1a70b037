// SPDX-License-Identifier: Apache-2.0
// Looking, publishing and keeping. start.cc loads, transaction.cc judges what a look has found, rollback.cc
// takes back, trial.cc tries.
#include "deploy/deployment.h"

#include <algorithm>
#include <utility>

#include "crypto/sha256.h"
#include "telemetry/log.h"

namespace stemedb::deploy {
namespace {

constexpr int64_t kKeepAgainNs = 5'000'000'000;

// As it is to go in: not before this moment, and counted from zero.
script::ScriptInfo Fresh(script::ScriptInfo info) {
  info.generation = 0;
  info.counts = nullptr;
  return info;
}

}  // namespace

Deployment::Deployment(DeploymentOptions options) : options_(std::move(options)) {
  if (options_.env != nullptr)
    state_files_ = std::make_unique<StateFiles>(*options_.env, options_.state_directory);
}

Result<std::unique_ptr<Deployment>> Deployment::Open(DeploymentOptions options) {
  std::unique_ptr<Deployment> deployment(new Deployment(std::move(options)));
  const Status loaded = deployment->Load();
  if (!loaded.ok()) return loaded;
  for (const std::string_view outcome : kOutcomeNames) {
    deployment->options_.room.metrics->ScriptReload(outcome);
  }
  return deployment;
}

query::RecentQuestions* Deployment::NewRecent() {
  const std::lock_guard lock(recent_mutex_);
  return recent_.emplace_back(std::make_unique<query::RecentQuestions>()).get();
}

RecentRequests* Deployment::NewRecentRequests() {
  const std::lock_guard lock(recent_mutex_);
  return recent_requests_.emplace_back(std::make_unique<RecentRequests>()).get();
}

std::vector<query::RecordedQuestion> Deployment::RecentOf(const std::string& name) const {
  const std::lock_guard lock(recent_mutex_);
  std::vector<query::RecordedQuestion> questions;
  for (const auto& recent : recent_) recent->CopyTo(name, questions);
  return questions;
}

std::vector<RecordedRequest> Deployment::RecentRequestsOfAll() const {
  const std::lock_guard lock(recent_mutex_);
  std::vector<RecordedRequest> requests;
  for (const auto& recent : recent_requests_) recent->CopyTo(requests);
  return requests;
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
      const DiskScript& found = look->Get(name);
      const bool steady = found == last_look_.Get(name);
      const auto record = book_.scripts.find(name);
      const bool is_new = found != (record != book_.scripts.end() ? record->second.acted : DiskScript{});
      unsteady = unsteady || !steady;
      if (is_new && steady) names.push_back(name);
    };
    for (const auto& [name, disk] : look->scripts) visit(name);
    for (const auto& [name, record] : book_.scripts) {
      if (!look->Has(name)) visit(name);
    }
    const bool same_warnings = look->warnings == last_look_.warnings;
    last_look_ = *look;
    if (same_warnings && TakeWarnings(look->warnings)) Show(News::kNone);
    const bool waits = options_.together == Together::kAllOrNone && unsteady;
    if (!names.empty() && !waits) Transact(names, *look, {Cause::kFile, {"file", ""}, Accept::kNo});
  }
  CheckProbations();
  if (options_.room.clock->MonotonicNs() >= keep_again_ns_) static_cast<void>(Keep());
  if (options_.journal != nullptr) {
    CheckJournal();
    AuditLines(options_.journal->tally().TakeDue(options_.room.clock->MonotonicNs()));
  }
}

// Looks before it is written to, too, but that may be days from now.
void Deployment::CheckJournal() {
  const Status checked = options_.journal->CheckFile();
  if (!checked.ok() && checked.message() != journal_failure_)
    telemetry::LogError("deploy", "no new audit file can begin", {{"cause", checked.message()}});
  journal_failure_ = checked.message();
}

bool Deployment::TakeWarnings(const std::vector<Warning>& found) {
  if (found == book_.warnings) return false;
  for (const Warning& warning : found) {
    const auto& known = book_.warnings;
    if (std::find(known.begin(), known.end(), warning) != known.end()) continue;
    telemetry::LogWarn("deploy", "a script or its spec is missing",
                       {{"file", warning.file}, {"cause", warning.detail}});
  }
  book_.warnings = found;
  return true;
}

void Deployment::Show(News news) {
  auto live = live_.Current();
  book_.Trim(*live);
  if (news == News::kSome) is_kept_ = false;
  auto now = std::make_shared<const Shown>(Shown{book_, std::move(live)});
  const std::lock_guard lock(shown_mutex_);
  shown_.swap(now);
}  // what was shown before goes when its last reader lets go, `now` being the first of them

std::shared_ptr<const Shown> Deployment::shown() const {
  const std::lock_guard lock(shown_mutex_);
  return shown_;
}

Status Deployment::Keep() {
  if (is_kept_ || state_files_ == nullptr) return Status::Ok();
  Status written = state_files_->Write(book_, *live_.Current());
  is_kept_ = written.ok();
  keep_again_ns_ = is_kept_ ? 0 : options_.room.clock->MonotonicNs() + kKeepAgainNs;
  if (written.message() != keep_failure_ && !is_kept_) {
    telemetry::LogError("deploy",
                        "what is live can't be noted: the next start won't know what was rolled back",
                        {{"directory", options_.state_directory},
                         {"cause", written.message()},
                         {"remedy", "mend it before the next start; it is tried again every 5 s"}});
  }
  if (is_kept_ && !keep_failure_.empty())
    telemetry::LogInfo("deploy", "what is live is noted again", {{"directory", options_.state_directory}});
  keep_failure_ = written.message();
  return written;
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
  for (const Replacement& one : replacements) {
    const script::ScriptInfo* old = before->Get(one.name);
    const script::ScriptInfo* now = (*set)->Get(one.name);
    Change change{one.name, old ? old->version : "", now ? now->version : "", {}, {}};
    if (old != nullptr) change.before_sha256 = old->sha256;
    if (now != nullptr) change.after_sha256 = now->sha256;
    generation.changes.push_back(std::move(change));
    ScriptRecord& record = book_.scripts[one.name];
    const auto replaced = old != nullptr ? std::optional(old->sha256) : std::nullopt;
    if (now != nullptr) record.Add(*now, generation.time_ms, trigger.cause, replaced);
    Watch(record, old, now, trigger.cause);
  }
  book_.Add(std::move(generation));
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
  SharedInfo before;
  if (unfinished) {
    before = unfinished->before;
  } else if (is_put_back) {
    const auto taken_back = old != nullptr ? std::optional<Hash256>(old->sha256) : std::nullopt;
    const Version* proven = record.Proven(now->sha256, taken_back);
    if (proven != nullptr) before = proven->info;
  } else if (old != nullptr) {
    before = std::make_shared<const script::ScriptInfo>(*old);
  }
  if (is_put_back && record.Find(now->sha256)->is_proven) return;
  if (before == nullptr || before->sha256 == now->sha256) return;  // it is the best there is
  record.probation =
      Probation{before, now->counts, options_.room.clock->MonotonicNs() + options_.probation_ms * 1'000'000};
}

// A yes is for one text: not for what has come in its place since somebody looked at it.
Status Deployment::CheckAccepted(const std::string& name, const DiskScript& disk,
                                 const Hash256& accepted) const {
  const auto another = [&](const std::string& what) {
    return Status(
        Code::kConflict, "another_text",
        "the yes is for " + ToHex(accepted) + ", but " + what + ": look at that, then say yes to it");
  };
  if (!disk.script) return another("the file of '" + name + "' is gone, and a removal has no sha256");
  const ScriptRecord& record = RecordOf(name);
  if (record.held && record.held->info->sha256 != accepted)
    return another("what waits of '" + name + "' is " + ToHex(record.held->info->sha256));
  const auto text = ReadTexts(name, disk);
  if (!text) return Status::Ok();  // it is refused for that
  const Hash256 sha256 = crypto::Sha256::Of(text->script.text);
  return sha256 == accepted ? Status::Ok() : another("the file of '" + name + "' is " + ToHex(sha256));
}

Result<Report> Deployment::Reload(const std::string& name, Accept accept, const Actor& actor,
                                  const std::optional<Hash256>& accepted) {
  const Trigger trigger{Cause::kReload, actor, accept, name, accepted};
  auto look = Look();
  Status refusal = look ? Status::Ok() : look.error();
  if (refusal.ok() && !look->Has(name) && live_.Current()->Find(name) < 0) refusal = UnknownScript(name);
  if (refusal.ok() && accepted) refusal = CheckAccepted(name, look->Get(name), *accepted);
  if (!refusal.ok()) {
    Audit(trigger, "scripts.reload", name, refusal.reason(), refusal.message(),
          audit::Tally::Kind::kNoChange);
    return refusal;
  }
  const std::vector<Report> reports = Transact({name}, *look, trigger);
  if (reports.empty() && stopping_.load(std::memory_order_relaxed))
    return Status(Code::kUnavailable, "shutting_down", "the server is shutting down");
  const auto own =
      std::find_if(reports.begin(), reports.end(), [&](const Report& report) { return report.name == name; });
  return own != reports.end() ? *own : Report{name, Outcome::kUnchanged, {}, live_.generation(), {}, {}, {}};
}

void Deployment::AuditLines(const std::vector<audit::Tally::Line>& lines) const {
  for (const audit::Tally::Line& line : lines) {
    const Status written = options_.journal->WriteLine(line);
    if (written.ok()) continue;
    telemetry::LogError("deploy", "calls are missing from the audit file; they count for its next line",
                        {{"subject", line.last.subject}, {"cause", written.message()}});
  }
}

void Deployment::Audit(const Trigger& trigger, std::string_view action, const std::string& subject,
                       std::string_view result, std::string_view detail,
                       std::optional<audit::Tally::Kind> counted) const {
  if (options_.journal == nullptr) return;
  audit::Entry entry{.time_ms = NowMs(),
                     .peer = trigger.actor.peer,
                     .actor = trigger.actor.name,
                     .action = std::string(action),
                     .subject = subject,
                     .result = std::string(result),
                     .detail = std::string(detail)};
  if (result == "unknown_script") counted = audit::Tally::Kind::kUnknownName;
  if (counted) {
    const auto line =
        options_.journal->tally().Add(*counted, std::move(entry), options_.room.clock->MonotonicNs());
    if (line) AuditLines({*line});
    return;
  }
  const Status written = options_.journal->Append(entry);
  if (written.ok()) return;
  telemetry::LogError("deploy", "an action is missing from the audit file",
                      {{"action", action}, {"subject", subject}, {"cause", written.message()}});
}

}  // namespace stemedb::deploy
