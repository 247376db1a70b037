// SPDX-License-Identifier: Apache-2.0
// The start: every file must pass what a reload demands of it, but for the shadow, as nobody has asked
// anything yet. What the last process left decides one thing: a file that somebody's will kept out then, and
// that hasn't changed, stays out. Where changes are held, so does every file that changed meanwhile: nothing
// tells that it answers as the version did that was live. And what has lost its file stays there.
#include <algorithm>

#include "crypto/sha256.h"
#include "deploy/deployment.h"
#include "telemetry/log.h"

namespace stemedb::deploy {
namespace {

constexpr std::string_view kChanged = "it has changed while no server ran, and nothing was compared";
constexpr std::string_view kVanished = "its file has gone while no server ran";

}  // namespace

Status Deployment::Load() {
  auto look = LookAt(options_.directories, false);
  if (!look) return look.error();
  const SavedState saved = state_files_ != nullptr ? state_files_->Read() : SavedState{};
  book_.generations = saved.generations;
  for (const auto& [name, script] : saved.scripts) book_.scripts[name] = script.record;
  std::vector<script::ScriptInfo> scripts;
  TakeWarnings(look->warnings);
  for (const auto& [name, disk] : look->scripts) {
    const auto found = saved.scripts.find(name);
    STEMEDB_RETURN_IF_ERROR(
        LoadFile(name, disk, found != saved.scripts.end() ? found->second : SavedScript{}, scripts));
  }
  for (const auto& [name, script] : saved.scripts) {
    if (!look->Has(name)) LoadWithoutFile(name, script, scripts);
  }
  if (std::none_of(scripts.begin(), scripts.end(),
                   [](const auto& script) { return script.kind == "lens"; })) {
    return Status(Code::kNotFound, "scripts_missing",
                  options_.directories.lenses + ": no lens in it (expected *.lua)");
  }
  std::set<std::string> unchanged;
  for (const script::ScriptInfo& script : scripts) {
    if (script.generation > 0) unchanged.insert(script.name);
  }
  const auto were_live = std::count_if(saved.scripts.begin(), saved.scripts.end(),
                                       [](const auto& entry) { return entry.second.live.has_value(); });
  const bool is_same = saved.generation > 0 && unchanged.size() == scripts.size() &&
                       scripts.size() == static_cast<size_t>(were_live);
  auto set = script::ScriptSet::Of(std::move(scripts), saved.generation + (is_same ? 0 : 1));
  if (!set) return set.error();
  last_look_ = std::move(*look);
  Begin(saved, std::move(*set), unchanged);
  return Status::Ok();
}

Status Deployment::LoadFile(const std::string& name, const DiskScript& disk, const SavedScript& saved,
                            std::vector<script::ScriptInfo>& scripts) {
  if (disk.is_twice) {
    return Status(Code::kInvalidArgument, "script_invalid",
                  "'" + name + "' is in both directories: names are unique over both, rename one");
  }
  auto text = ReadTexts(name, disk);
  if (!text) return text.error();
  const Hash256 sha256 = crypto::Sha256::Of(text->script.text);
  ScriptRecord& record = book_.scripts[name];
  record.acted = disk;
  record.disk_sha256 = sha256;
  const bool is_pinned = record.pinned_against == sha256;
  if (is_pinned && Stays(name, saved, "it was rolled back from before the start", scripts))
    return Status::Ok();
  Rehearsal rehearsal = Rehearse(disk.kind, text->script, text->spec, Stopping());
  if (rehearsal.outcome != Outcome::kOk) return rehearsal.why.Annotate(disk.directory);
  if (text->spec) record.passed_spec = PassedSpec{sha256, crypto::Sha256::Of(text->spec->text)};
  if (!is_pinned && Waits(saved, rehearsal.info, scripts)) return Status::Ok();
  record.pinned_against.reset();
  const Version* known = record.Find(sha256);
  if (saved.live == sha256 && known != nullptr) {
    rehearsal.info.generation = known->info->generation;
    if (record.last_outcome == Outcome::kHeld) record.last_outcome.reset();  // what waited is gone
  } else {
    record.last_outcome.reset();
  }
  scripts.push_back(std::move(rehearsal.info));
  return Status::Ok();
}

// Whether the file's text, which is `info`, waits for a yes: as it did, or since it has changed.
bool Deployment::Waits(const SavedScript& saved, const script::ScriptInfo& info,
                       std::vector<script::ScriptInfo>& scripts) {
  if (options_.on_changes != OnChanges::kHold || !saved.live || saved.live == info.sha256) return false;
  const bool waited = saved.held == info.sha256;
  const std::string why =
      waited ? "it waits for a yes, as before the start" : std::string(kChanged) + ": it waits for a yes";
  if (!Stays(info.name, saved, why, scripts)) return false;
  ScriptRecord& record = book_.scripts[info.name];
  record.held =
      Held{std::make_shared<const script::ScriptInfo>(info), waited ? saved.held_since_ms : NowMs(), {}};
  record.is_refused = true;
  if (waited) return true;
  record.last_outcome = Outcome::kHeld;
  record.last_outcome_ms = NowMs();
  return true;
}

// What lived without a file lives on without one: the last lens, and what was rolled back in. What has lost
// its file goes, or waits for a yes to that.
void Deployment::LoadWithoutFile(const std::string& name, const SavedScript& saved,
                                 std::vector<script::ScriptInfo>& scripts) {
  if (!saved.live) return;
  const bool had_file = saved.record.disk_sha256.has_value(), waited = saved.record.removal_waits();
  const bool is_to_go = had_file || waited;
  ScriptRecord& record = book_.scripts[name];
  record.disk_sha256.reset();
  if (!is_to_go || options_.on_changes == OnChanges::kHold) {
    const std::string why = had_file ? std::string(kVanished) + ": its removal waits for a yes"
                            : waited ? "its removal waits for a yes, as before the start"
                                     : "it had none before the start";
    if (Stays(name, saved, why, scripts)) {
      record.is_refused = is_to_go;
      if (!had_file) return;
      record.last_outcome = Outcome::kHeld;
      record.last_outcome_ms = NowMs();
      return;
    }
  }
  record.pinned_against.reset();
  record.last_outcome = Outcome::kRemoved;
  record.last_outcome_ms = NowMs();
}

// Takes the version that was live in the file's place; or, when its text is lost or can't be run any more,
// the newest other one that can.
bool Deployment::Stays(const std::string& name, const SavedScript& saved, std::string_view why,
                       std::vector<script::ScriptInfo>& scripts) {
  ScriptRecord& record = book_.scripts[name];
  const bool has_file = record.disk_sha256.has_value();
  const std::string reload = options_.on_changes == OnChanges::kHold
                                 ? AcceptingCall(name, record.disk_sha256)
                                 : "POST /v1/admin/scripts/" + name + "/reload";
  std::vector<const Version*> choice;
  for (auto version = record.versions.rbegin(); version != record.versions.rend(); ++version) {
    const Hash256& sha256 = version->info->sha256;
    if (sha256 == saved.live) choice.insert(choice.begin(), &*version);
    if (sha256 != saved.live && sha256 != record.disk_sha256 && sha256 != record.pinned_against)
      choice.push_back(&*version);
  }
  for (const Version* version : choice) {
    auto info = script::CheckScript({version->info->file, version->info->source});
    if (!info) {
      telemetry::LogError("deploy", "a kept version can't be run any more",
                          {{"script", name},
                           {"version", version->info->version},
                           {"sha256", ToHex(version->info->sha256)},
                           {"cause", info.error().message()}});
      continue;
    }
    if (info->sha256 == saved.live) info->generation = version->info->generation;
    record.is_restored = true;
    telemetry::LogWarn(
        "deploy",
        has_file ? "a script's file is passed over for a kept version" : "a script stays live without a file",
        {{"script", name},
         {"version", info->version},
         {"sha256", ToHex(info->sha256)},
         {"file_sha256", has_file ? ToHex(*record.disk_sha256) : "there is no file"},
         {"cause", why},
         {"remedy", has_file ? "mend the file, or " + reload + " to take it as it is"
                             : "put a file there, or " + reload + " to let it go"}});
    scripts.push_back(std::move(*info));
    return true;
  }
  telemetry::LogError("deploy",
                      has_file
                          ? "no kept version can stand in for a script's file: it comes as the file is"
                          : "no kept version can stand in for a script's file, which is gone: it goes too",
                      {{"script", name},
                       {"directory", options_.state_directory},
                       {"cause", why},
                       {"remedy", has_file ? "mend the file" : "put a file there"}});
  return false;
}

void Deployment::Begin(const SavedState& saved, std::shared_ptr<const script::ScriptSet> set,
                       const std::set<std::string>& unchanged) {
  GenerationRecord generation{set->generation(), NowMs(), Cause::kStart, {}, {}};
  const auto change = [&](const std::string& name, const script::ScriptInfo* now) {
    Change made{name, "", now != nullptr ? now->version : "", {}, {}};
    if (now != nullptr) made.after_sha256 = now->sha256;
    const auto before = saved.scripts.find(name);
    if (before != saved.scripts.end() && before->second.live) {
      made.before_sha256 = before->second.live;
      const Version* version = before->second.record.Find(*before->second.live);
      if (version != nullptr) made.before_version = version->info->version;
    }
    if (made.before_sha256 != made.after_sha256) generation.changes.push_back(std::move(made));
  };
  for (const script::ScriptInfo& script : set->scripts()) {
    ScriptRecord& record = book_.scripts[script.name];
    change(script.name, &script);
    if (unchanged.contains(script.name)) {
      record.Find(script.sha256)->info = std::make_shared<const script::ScriptInfo>(script);
    } else {
      record.Add(script, generation.time_ms, Cause::kStart);
    }
    WatchFromStart(record, script);
    options_.room.metrics->Script(script.name);
  }
  for (const auto& [name, script] : saved.scripts) {
    if (set->Get(name) == nullptr) change(name, nullptr);
  }
  std::erase_if(book_.scripts, [&](const auto& entry) {
    return entry.second.is_empty() && set->Get(entry.first) == nullptr;
  });
  if (generation.generation != saved.generation) book_.Add(std::move(generation));
  options_.room.metrics->domain().script_generation.Set(static_cast<double>(set->generation()));
  live_.Publish(std::move(set));
  Show();
  TellWhatIsHeld(saved);
}

void Deployment::TellWhatIsHeld(const SavedState& saved) const {
  for (const auto& [name, record] : book_.scripts) {
    const auto found = saved.scripts.find(name);
    if (found == saved.scripts.end()) continue;
    const SavedScript& before = found->second;
    const bool is_new = record.held ? before.held != record.held->info->sha256
                                    : record.removal_waits() && !before.record.removal_waits();
    if (!is_new) continue;
    options_.room.metrics->ScriptReload(NameOf(Outcome::kHeld)).Increment();
    Audit({Cause::kStart, {}, Accept::kNo}, "scripts.reload", name, NameOf(Outcome::kHeld),
          record.held ? kChanged : kVanished);
  }
}

void Deployment::WatchFromStart(ScriptRecord& record, const script::ScriptInfo& now) const {
  Version& version = *record.Find(now.sha256);
  if (version.is_proven) return;
  const Version* before = record.Proven(now.sha256, record.pinned_against);
  if (before == nullptr) {
    version.is_proven = true;
    return;
  }
  record.probation = Probation{before->info, now.counts,
                               options_.room.clock->MonotonicNs() + options_.probation_ms * 1'000'000};
}

}  // namespace stemedb::deploy
