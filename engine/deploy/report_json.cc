// SPDX-License-Identifier: Apache-2.0
#include "deploy/report_json.h"

namespace stemedb::deploy {
namespace {

void WriteCount(JsonWriter& json, std::string_view name, uint64_t count) {
  json.Key(name);
  json.Unsigned(count);
}

void WriteNumber(JsonWriter& json, std::string_view name, double number) {
  json.Key(name);
  json.Number(number);
}

void WriteFlag(JsonWriter& json, std::string_view name, bool flag) {
  json.Key(name);
  json.Bool(flag);
}

void WriteVerdict(JsonWriter& json, const std::optional<script::RateVerdict>& verdict) {
  WriteFlag(json, "limited", verdict.has_value());
  if (!verdict) return;
  json.Field("bucket", verdict->bucket);
  WriteNumber(json, "cost", verdict->cost);
  WriteNumber(json, "limit", verdict->limit);
  WriteNumber(json, "window_s", verdict->window_s);
  WriteNumber(json, "peer_limit", verdict->peer_limit);
}

enum class Asked : uint8_t { kQuestion, kRequest };

void WriteSide(JsonWriter& json, std::string_view name, const ShadowSide& side, Asked asked) {
  json.Key(name);
  json.BeginObject();
  if (!side.failure.empty()) {
    json.Field("failure", side.failure);
  } else if (asked == Asked::kRequest) {
    WriteVerdict(json, side.verdict);
  } else {
    json.Key("value");
    json.Raw(side.value_json);
    WriteNumber(json, "confidence", side.confidence);
    json.Field("status", side.status);
  }
  json.EndObject();
}

void WriteQuestion(JsonWriter& json, const ShadowExample& example) {
  json.Key("question");
  json.BeginObject();
  json.Field("concept_path", example.concept_path);
  if (!example.predicate.empty()) json.Field("predicate", example.predicate);
  WriteCount(json, "sequence", example.sequence);
  json.Key("time");
  json.Time(example.time_ms);
  json.EndObject();
}

// With the names that a policy knows them by.
void WriteRequest(JsonWriter& json, const RecordedRequest& request) {
  json.Key("request");
  json.BeginObject();
  json.Field("method", request.method);
  json.Field("route", request.route);
  WriteCount(json, "body_bytes", request.body_bytes);
  WriteCount(json, "items", request.items);
  WriteFlag(json, "loopback", request.loopback);
  WriteFlag(json, "signed", request.is_signed);
  if (!request.agent.empty()) json.Field("agent", request.agent);
  json.Field("peer", request.peer);
  json.Key("time");
  json.Time(request.asked_at_ms);
  json.EndObject();
}

void WriteExample(JsonWriter& json, const ShadowExample& example) {
  const Asked asked = example.request ? Asked::kRequest : Asked::kQuestion;
  json.BeginObject();
  if (example.request) {
    WriteRequest(json, *example.request);
  } else {
    WriteQuestion(json, example);
  }
  WriteSide(json, "old", example.before, asked);
  WriteSide(json, "new", example.after, asked);
  json.Field("difference", example.difference);
  json.EndObject();
}

void WriteVersionAndHash(JsonWriter& json, std::string_view name, const std::string& version,
                         const std::optional<Hash256>& sha256) {
  json.Key(name);
  if (!sha256) return json.Null();
  json.BeginObject();
  json.Field("version", version);
  json.Field("sha256", ToHex(*sha256));
  json.EndObject();
}

}  // namespace

void WriteShadowFields(JsonWriter& json, const ShadowReport& report) {
  WriteCount(json, "questions", report.questions);
  WriteCount(json, "compared", report.compared);
  WriteCount(json, "not_compared", report.not_compared);
  WriteFlag(json, "cut", report.is_cut);
  WriteCount(json, "changed", report.changed);
  WriteCount(json, "reworded", report.reworded);
  WriteCount(json, "failed", report.failed);
  json.Key("examples");
  json.BeginArray();
  for (const ShadowExample& example : report.examples) WriteExample(json, example);
  json.EndArray();
}

void WriteTrouble(JsonWriter& json, const Trouble& trouble) {
  json.BeginObject();
  json.Field("stage", NameOf(trouble.outcome));
  if (!trouble.file.empty()) json.Field("file", trouble.file);
  if (trouble.line > 0) WriteCount(json, "line", static_cast<uint64_t>(trouble.line));
  json.Field("detail", trouble.detail);
  json.Key("time");
  json.Time(trouble.time_ms);
  if (trouble.sha256) json.Field("sha256", ToHex(*trouble.sha256));
  if (trouble.failures_of_minute) WriteCount(json, "failures_last_minute", *trouble.failures_of_minute);
  json.EndObject();
}

void WriteGeneration(JsonWriter& json, const GenerationRecord& record) {
  json.BeginObject();
  WriteCount(json, "generation", record.generation);
  json.Key("time");
  json.Time(record.time_ms);
  json.Field("cause", NameOf(record.cause));
  json.Field("peer", record.actor.peer);
  if (!record.actor.name.empty()) json.Field("actor", record.actor.name);
  json.Key("changes");
  json.BeginArray();
  for (const Change& change : record.changes) {
    json.BeginObject();
    json.Field("name", change.name);
    WriteVersionAndHash(json, "old", change.before_version, change.before_sha256);
    WriteVersionAndHash(json, "new", change.after_version, change.after_sha256);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
}

void AppendReport(std::string& out, const Report& report) {
  JsonWriter json(out);
  json.BeginObject();
  json.Field("name", report.name);
  json.Field("result", NameOf(report.outcome));
  WriteCount(json, "generation", report.generation);
  if (!report.version.empty()) json.Field("version", report.version);
  if (report.sha256) json.Field("sha256", ToHex(*report.sha256));
  if (!report.why.ok()) json.Field("detail", report.why.message());
  if (report.shadow.was_run) {
    json.Key("shadow");
    json.BeginObject();
    WriteShadowFields(json, report.shadow);
    json.EndObject();
  }
  json.EndObject();
}

void AppendShadow(std::string& out, const std::string& name, const ShadowReport& report) {
  JsonWriter json(out);
  json.BeginObject();
  json.Field("name", name);
  WriteShadowFields(json, report);
  json.EndObject();
}

}  // namespace stemedb::deploy
