// SPDX-License-Identifier: Apache-2.0
#include "query/lens_list_json.h"

#include <cmath>

#include "base/bytes.h"
#include "base/json_writer.h"

namespace stemedb::query {
namespace {

void WriteParamValue(JsonWriter& json, const script::ParamValue& value) {
  if (const auto* boolean = std::get_if<bool>(&value)) {
    json.Bool(*boolean);
  } else if (const auto* number = std::get_if<double>(&value)) {
    json.Number(*number);
  } else {
    json.String(std::get<std::string>(value));
  }
}

void WriteParam(JsonWriter& json, const script::ParamSpec& param) {
  json.BeginObject();
  json.Field("name", param.name);
  json.Field("type", param.type);
  json.Key("default");
  WriteParamValue(json, param.default_value);
  if (param.type == "integer" || param.type == "number") {
    const auto bound = [&](std::string_view name, double value) {
      if (!std::isfinite(value)) return;
      json.Key(name);
      json.Number(value);
    };
    bound("min", param.min);
    bound("max", param.max);
  }
  if (!param.choices.empty()) {
    json.Key("choices");
    json.BeginArray();
    for (const std::string& choice : param.choices) json.String(choice);
    json.EndArray();
  }
  json.Field("description", param.description);
  json.EndObject();
}

}  // namespace

void AppendLensList(std::string& out, const script::ScriptSet& scripts) {
  JsonWriter json(out);
  json.BeginObject();
  json.Key("generation");
  json.Unsigned(scripts.generation());
  json.Key("lenses");
  json.BeginArray();
  for (const script::ScriptInfo& script : scripts.scripts()) {
    if (script.kind != "lens") continue;
    json.BeginObject();
    json.Field("name", script.name);
    json.Field("version", script.version);
    json.Field("sha256", ToHex(script.sha256));
    json.Field("description", script.description);
    json.Key("params");
    json.BeginArray();
    for (const script::ParamSpec& param : script.params) WriteParam(json, param);
    json.EndArray();
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
}

}  // namespace stemedb::query
