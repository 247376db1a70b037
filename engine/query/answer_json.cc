// SPDX-License-Identifier: Apache-2.0
#include "query/answer_json.h"

#include "base/bytes.h"

namespace stemedb::query {

void WriteSubject(JsonWriter& json, const Question& question, const Viewpoint& viewpoint) {
  std::string path = question.concept_path;
  if (question.subtree) path += path.empty() || path.ends_with("://") ? "*" : "/*";
  json.Field("concept_path", path);
  if (viewpoint.concept_path != question.concept_path) json.Field("alias_of", viewpoint.concept_path);
  if (!question.predicate.empty()) json.Field("predicate", question.predicate);
}

void WriteAsOf(JsonWriter& json, const Viewpoint& viewpoint) {
  WriteAsOf(json, viewpoint.sequence_max, viewpoint.weighing.now_ms);
}

void WriteAsOf(JsonWriter& json, uint64_t sequence, int64_t now_ms) {
  json.Key("as_of");
  json.BeginObject();
  json.Key("sequence");
  json.Unsigned(sequence);
  json.Key("time");
  json.Time(now_ms);
  json.EndObject();
}

void WriteLens(JsonWriter& json, const script::ScriptSet& scripts, int script) {
  const script::ScriptInfo& info = scripts.scripts()[static_cast<size_t>(script)];
  json.BeginObject();
  json.Field("name", info.name);
  json.Field("version", info.version);
  json.Field("sha256", ToHex(info.sha256));
  json.Key("generation");
  if (scripts.generation() != 0) {
    json.Unsigned(info.generation);
  } else {
    json.Null();
    json.Key("deployed");
    json.Bool(false);
  }
  json.EndObject();
}

void WriteConcepts(JsonWriter& json, std::string_view prefix,
                   const std::vector<store::ConceptCount>& children, size_t limit) {
  json.BeginObject();
  json.Field("prefix", prefix);
  json.Key("concepts");
  json.BeginArray();
  for (size_t i = 0; i < children.size() && i < limit; ++i) {
    const store::ConceptCount& child = children[i];
    json.BeginObject();
    json.Field("concept_path", child.path);
    json.Key("assertion_count");
    json.Unsigned(child.assertions);
    json.Key("assertion_count_below");
    json.Unsigned(child.assertions_below);
    json.EndObject();
  }
  json.EndArray();
  if (children.size() > limit && limit > 0) json.Field("next_cursor", children[limit - 1].path);
  json.EndObject();
}

}  // namespace stemedb::query
