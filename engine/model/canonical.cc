// SPDX-License-Identifier: Apache-2.0
// The members are written in JCS order (all our names are ASCII, so that is alphabetical) and never sorted at
// run time; the tests hold this against a canonicaliser that sorts.
#include "model/canonical.h"

#include "base/check.h"
#include "base/json_writer.h"
#include "crypto/sha256.h"
#include "model/json_form.h"
#include "model/json_parse.h"
#include "model/signers.h"

namespace stemedb::model {
namespace {

void AppendHexField(JsonWriter& writer, std::string& out, std::string_view name,
                    std::span<const uint8_t> bytes) {
  writer.Key(name);
  writer.Raw("\"");
  AppendHex(out, bytes);
  out.push_back('"');
}

void AppendValue(JsonWriter& writer, const Value& value) {
  writer.Key("value");
  switch (value.kind) {
    case Value::Kind::kText:
      writer.String(value.text);
      break;
    case Value::Kind::kNumber:
      writer.Number(value.number);
      break;
    case Value::Kind::kBoolean:
      writer.Bool(value.number != 0);
      break;
    case Value::Kind::kReference:
      writer.BeginObject();
      writer.Field("ref", value.text);
      writer.EndObject();
      break;
  }
}

void AppendSource(JsonWriter& writer, const Source& source) {
  writer.Key("source");
  writer.BeginObject();
  if (source.source_class) writer.Field("class", NameOf(*source.source_class));
  if (!source.hash.empty()) writer.Field("hash", source.hash);
  if (!source.id.empty()) writer.Field("id", source.id);
  if (!source.url.empty()) writer.Field("url", source.url);
  writer.EndObject();
}

void AppendDerivedFrom(JsonWriter& writer, std::string& out, const std::vector<Hash256>& ids) {
  writer.Key("derived_from");
  writer.BeginArray();
  for (const Hash256& id : ids) {
    writer.Raw("\"");
    AppendHex(out, id);
    out.push_back('"');
  }
  writer.EndArray();
}

void AppendTimeField(JsonWriter& writer, std::string_view name, const std::optional<int64_t>& time_ms) {
  if (!time_ms) return;
  writer.Key(name);
  writer.Time(*time_ms);
}

}  // namespace

void AppendCanonicalJson(std::string& out, const Assertion& assertion) {
  STEMEDB_CHECK(assertion.timestamp_ms.has_value());
  JsonWriter writer(out);
  writer.BeginObject();
  if (assertion.agent_id) AppendHexField(writer, out, "agent_id", *assertion.agent_id);
  writer.Field("concept_path", assertion.concept_path);
  writer.Key("confidence");
  writer.Number(assertion.confidence);
  if (!assertion.derived_from.empty()) AppendDerivedFrom(writer, out, assertion.derived_from);
  if (!assertion.epoch.empty()) writer.Field("epoch", assertion.epoch);
  if (assertion.lifecycle) writer.Field("lifecycle", NameOf(*assertion.lifecycle));
  if (!assertion.metadata_json.empty()) {
    writer.Key("metadata");
    writer.Raw(assertion.metadata_json);
  }
  if (assertion.parent) AppendHexField(writer, out, "parent", *assertion.parent);
  writer.Field("predicate", assertion.predicate);
  if (assertion.source) AppendSource(writer, *assertion.source);
  AppendTimeField(writer, "timestamp", assertion.timestamp_ms);
  AppendTimeField(writer, "valid_from", assertion.valid_from_ms);
  AppendTimeField(writer, "valid_to", assertion.valid_to_ms);
  AppendValue(writer, assertion.value);
  writer.EndObject();
}

Hash256 IdOf(std::string_view canonical_json) {
  static thread_local crypto::Sha256 hasher;
  return hasher.Update(kDomain).Update(canonical_json).Finish();
}

Status VerifySignatures(const Assertion& assertion, std::string_view canonical_json) {
  return VerifySigners(assertion.signatures, "claim", kDomain, canonical_json);
}

Result<std::string> CanonicalizeJson(std::string_view json, int depth_max) {
  static thread_local simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (const auto problem = ParseJson(parser, json, json.size(), root)) {
    return Status(Code::kInvalidArgument, "invalid_json",
                  "byte " + std::to_string(problem->offset) + ": " + problem->detail);
  }
  std::string out;
  out.reserve(json.size());
  JsonForm form(out, depth_max);
  if (!form.Append(root)) {
    return Status(Code::kInvalidArgument, "invalid_json", "at \"" + form.pointer() + "\": " + form.detail());
  }
  return out;
}

}  // namespace stemedb::model
