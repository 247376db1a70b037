// SPDX-License-Identifier: Apache-2.0
// The lists for operators: written from what was shown last, which nobody changes, so that neither a loop nor
// the scripts thread waits for the other.
#include "deploy/deployment.h"
#include "deploy/report_json.h"
#include "deploy/text_diff.h"
#include "telemetry/log_text.h"

namespace stemedb::deploy {
namespace {

void WriteCounts(JsonWriter& json, const script::ScriptCounts& counts) {
  json.Key("calls");
  json.Unsigned(counts.calls.load(std::memory_order_relaxed));
  json.Key("failures");
  json.Unsigned(counts.failures.load(std::memory_order_relaxed));
}

void WriteLive(JsonWriter& json, const script::ScriptInfo& info) {
  json.Field("kind", info.kind);
  json.Field("version", info.version);
  json.Field("sha256", ToHex(info.sha256));
  json.Field("description", info.description);
  json.Key("generation");
  json.Unsigned(info.generation);
  WriteCounts(json, *info.counts);
}

void WriteHeld(JsonWriter& json, const Held& held) {
  json.BeginObject();
  json.Field("version", held.info->version);
  json.Field("sha256", ToHex(held.info->sha256));
  json.Key("since");
  json.Time(held.since_ms);
  json.Key("shadow");
  json.BeginObject();
  WriteShadowFields(json, held.shadow);
  json.EndObject();
  json.EndObject();
}

std::string_view StatusOf(const ScriptRecord& record, const script::ScriptInfo* live) {
  if (live != nullptr) return "live";
  return record.acted.script ? "refused" : "removed";
}

// What a call of the live version failed of last; nothing when none has.
std::optional<Trouble> TroubleOfCalls(const script::ScriptInfo& live, int64_t now_ns) {
  const script::ScriptCounts::Failed failed = live.counts->last();
  if (failed.message.empty()) return std::nullopt;
  Trouble trouble = TroubleOf(Outcome::kFailedCalls, failed.message, failed.time_ms);
  if (trouble.file.empty()) trouble.file = live.file;  // of a question that took too long as a whole
  trouble.sha256 = live.sha256;
  trouble.failures_of_minute = live.counts->FailuresOfMinute(now_ns);
  return trouble;
}

// What went wrong last: with the file, or with a call.
std::optional<Trouble> LastTrouble(const ScriptRecord& record, const script::ScriptInfo* live,
                                   int64_t now_ns) {
  std::optional<Trouble> of_calls;
  if (live != nullptr) of_calls = TroubleOfCalls(*live, now_ns);
  const bool is_of_calls = of_calls && (!record.last_error || record.last_error->time_ms < of_calls->time_ms);
  return is_of_calls ? of_calls : record.last_error;
}

// The fields that a script has in the list and by itself.
void WriteScript(JsonWriter& json, const std::string& name, const ScriptRecord& record,
                 const script::ScriptInfo* live, int64_t now_ns) {
  json.Field("name", name);
  json.Field("status", StatusOf(record, live));
  json.Key("live");
  json.Bool(live != nullptr);
  if (live != nullptr) WriteLive(json, *live);
  json.Key("pinned");
  json.Bool(record.pinned_against.has_value());
  json.Key("restored");
  json.Bool(record.is_restored);
  if (record.last_outcome) {
    json.Key("last_result");
    json.BeginObject();
    json.Field("result", NameOf(*record.last_outcome));
    json.Key("time");
    json.Time(record.last_outcome_ms);
    if (record.last_error && record.last_error->outcome == *record.last_outcome)
      json.Field("detail", record.last_error->detail);
    json.EndObject();
  }
  if (const auto trouble = LastTrouble(record, live, now_ns)) {
    json.Key("last_error");
    WriteTrouble(json, *trouble);
  }
  if (record.held) {
    json.Key("held");
    WriteHeld(json, *record.held);
  }
}

void WriteVersions(JsonWriter& json, const ScriptRecord& record, const script::ScriptInfo* live) {
  static const script::ScriptCounts kNotCalled;
  json.Key("versions");
  json.BeginArray();
  for (auto version = record.versions.rbegin(); version != record.versions.rend(); ++version) {
    json.BeginObject();
    const script::ScriptInfo& info = *version->info;
    json.Field("version", info.version);
    json.Field("sha256", ToHex(info.sha256));
    json.Key("live");
    json.Bool(live != nullptr && live->sha256 == info.sha256);
    json.Key("generation");
    json.Unsigned(info.generation);
    json.Key("time");
    json.Time(version->time_ms);
    json.Field("cause", NameOf(version->cause));
    WriteCounts(json, info.counts != nullptr ? *info.counts : kNotCalled);
    json.EndObject();
  }
  json.EndArray();
}

}  // namespace

void Deployment::AppendList(std::string& out) const {
  const auto seen = shown();
  JsonWriter json(out);
  json.BeginObject();
  json.Key("generation");
  json.Unsigned(seen->live->generation());
  json.Key("all_or_none");
  json.Bool(options_.together == Together::kAllOrNone);
  json.Key("holds_changes");
  json.Bool(options_.on_changes == OnChanges::kHold);
  json.Key("scripts");
  json.BeginArray();
  const int64_t now_ns = options_.room.clock->MonotonicNs();
  for (const auto& [name, record] : seen->book.scripts) {
    json.BeginObject();
    WriteScript(json, name, record, seen->live->Get(name), now_ns);
    json.EndObject();
  }
  json.EndArray();
  json.Key("warnings");
  json.BeginArray();
  for (const Warning& warning : seen->book.warnings) {
    json.BeginObject();
    json.Field("file", telemetry::ToValidUtf8(warning.file));
    json.Field("detail", telemetry::ToValidUtf8(warning.detail));
    json.EndObject();
  }
  json.EndArray();
  json.Key("generations");
  json.BeginArray();
  const auto& generations = seen->book.generations;
  for (auto record = generations.rbegin(); record != generations.rend(); ++record) {
    WriteGeneration(json, *record);
  }
  json.EndArray();
  json.EndObject();
}

Status Deployment::AppendScript(std::string_view name, const Wanted& wanted, std::string& out) const {
  const auto seen = shown();
  const auto found = seen->book.scripts.find(name);
  if (found == seen->book.scripts.end()) return UnknownScript(name);
  const ScriptRecord& record = found->second;
  const script::ScriptInfo* live = seen->live->Get(name);
  const Version* from = nullptr;
  if (wanted.diff_from) {
    from = record.Find(*wanted.diff_from);
    if (from == nullptr) {
      return Status(Code::kNotFound, "unknown_version",
                    "'" + std::string(name) + "' has no version " + ToHex(*wanted.diff_from) +
                        " among its last " + std::to_string(kVersionsMax));
    }
  }
  JsonWriter json(out);
  json.BeginObject();
  WriteScript(json, std::string(name), record, live, options_.room.clock->MonotonicNs());
  WriteVersions(json, record, live);
  if (wanted.source && live != nullptr) json.Field("source", live->source);
  if (from != nullptr) {
    const std::string_view after = live != nullptr ? std::string_view(live->source) : std::string_view();
    json.Field("diff", UnifiedDiff(from->info->source, after,
                                   std::string(name) + ".lua " + ToHex(from->info->sha256).substr(0, 12),
                                   std::string(name) + ".lua " +
                                       (live ? ToHex(live->sha256).substr(0, 12) : "gone")));
  }
  json.EndObject();
  return Status::Ok();
}

}  // namespace stemedb::deploy
