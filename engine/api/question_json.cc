// SPDX-License-Identifier: Apache-2.0
#include "api/question_json.h"

#include <cmath>

#include "base/bytes.h"
#include "base/json_writer.h"
#include "query/cursor.h"
#include "query/question_key.h"

namespace stemedb::api {
namespace {

using query::Question;

void WritePath(JsonWriter& json, std::string& out, const Question& question) {
  json.Key("concept_path");
  if (!question.subtree) return json.String(question.concept_path);
  const bool needs_slash = !question.concept_path.empty() && !question.concept_path.ends_with("://");
  json.String(question.concept_path);
  out.insert(out.size() - 1, needs_slash ? "/*" : "*");
}

void WriteMoment(JsonWriter& json, std::string_view name, const query::Moment& moment) {
  json.Key(name);
  if (moment.sequence) {
    json.Unsigned(*moment.sequence);
  } else {
    json.Time(moment.time_ms.value_or(0));
  }
}

// A cursor holds the moment of the page before; else it stands as it was given.
void WriteWhen(JsonWriter& json, const Question& question) {
  if (question.before_sequence) {
    json.Field("cursor", query::EncodeCursor(
                             {.before_sequence = *question.before_sequence,
                              .as_of_sequence = question.as_of ? question.as_of->sequence.value_or(0) : 0,
                              .now_ms = question.now_ms.value_or(0),
                              .changes_after = question.changes_after,
                              .question = query::FingerprintOf(question)}));
  } else if (question.as_of && question.as_of->sequence && question.now_ms) {
    json.Key("as_of");
    json.BeginObject();
    json.Key("sequence");
    json.Unsigned(*question.as_of->sequence);
    json.Key("time");
    json.Time(*question.now_ms);
    json.EndObject();
  } else if (question.as_of) {
    WriteMoment(json, "as_of", *question.as_of);
  }
  if (question.valid_at_ms) {
    json.Key("valid_at");
    json.Time(*question.valid_at_ms);
  }
  if (question.since) WriteMoment(json, "since", *question.since);
}

void WriteParams(JsonWriter& json, const Question& question) {
  if (question.params.empty()) return;
  std::string name;
  json.Key("params");
  json.BeginObject();
  for (const auto& [param, value] : question.params) {
    name.clear();
    AppendJsonString(name, param);
    json.Key(std::string_view(name).substr(1, name.size() - 2));
    if (const auto* flag = std::get_if<bool>(&value)) json.Bool(*flag);
    if (const auto* number = std::get_if<double>(&value)) json.Number(*number);
    if (const auto* text = std::get_if<std::string>(&value)) json.String(*text);
  }
  json.EndObject();
}

void WriteNames(JsonWriter& json, std::string_view name, std::span<const std::string> names) {
  json.Key(name);
  json.BeginArray();
  for (const std::string& one : names) json.String(one);
  json.EndArray();
}

void WriteClasses(JsonWriter& json, std::string_view name,
                  const std::optional<std::array<double, model::kSourceClassCount>>& numbers) {
  if (!numbers) return;
  json.Key(name);
  json.BeginObject();
  for (size_t tier = 0; tier < numbers->size(); ++tier) {
    json.Key(model::NameOf(static_cast<model::SourceClass>(tier)));
    if (std::isfinite((*numbers)[tier])) {
      json.Number((*numbers)[tier]);
    } else {
      json.Null();  // never halves
    }
  }
  json.EndObject();
}

std::string_view NameOf(query::StatusFilter status) {
  switch (status) {
    case query::StatusFilter::kSuperseded:
      return "superseded";
    case query::StatusFilter::kRetracted:
      return "retracted";
    case query::StatusFilter::kAny:
      return "any";
    case query::StatusFilter::kActive:
      break;
  }
  return "active";
}

}  // namespace

void AppendQuestionJson(std::string& out, const Question& question, std::span<const std::string> lenses) {
  JsonWriter json(out);
  json.BeginObject();
  WritePath(json, out, question);
  if (!question.predicate.empty()) json.Field("predicate", question.predicate);
  if (!lenses.empty()) WriteNames(json, "lenses", lenses);
  if (lenses.empty() && !question.lens.empty()) json.Field("lens", question.lens);
  if (!question.fallback.empty()) json.Field("fallback", question.fallback);
  WriteParams(json, question);
  WriteWhen(json, question);
  if (question.status != query::StatusFilter::kActive) json.Field("status", NameOf(question.status));
  if (question.lifecycle) json.Field("lifecycle", model::NameOf(*question.lifecycle));
  if (!question.epoch.empty()) json.Field("epoch", question.epoch);
  if (question.source_class) json.Field("source_class", model::NameOf(*question.source_class));
  if (question.agent_id) {
    json.Key("agent_id");
    json.Hex(*question.agent_id);
  }
  if (question.min_confidence != 0) {
    json.Key("min_confidence");
    json.Number(question.min_confidence);
  }
  WriteClasses(json, "decay", question.decay);
  WriteClasses(json, "class_multipliers", question.class_multipliers);
  if (question.include_candidates || question.include_explain) {
    json.Key("include");
    json.BeginArray();
    if (question.include_candidates) json.String("candidates");
    if (question.include_explain) json.String("explain");
    json.EndArray();
  }
  if (question.limit != query::kLimitDefault) {
    json.Key("limit");
    json.Unsigned(question.limit);
  }
  if (question.max_stale_ms != 0) {
    json.Key("max_stale");
    json.Number(static_cast<double>(question.max_stale_ms) / 1000);
  }
  json.EndObject();
}

}  // namespace stemedb::api
