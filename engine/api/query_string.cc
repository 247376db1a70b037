// SPDX-License-Identifier: Apache-2.0
// A value becomes JSON only where its field may hold something else than text, and only when it is one whole
// JSON value by itself: so that no value can end its place in the object and begin another.
#include "api/query_string.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/json_writer.h"
#include "http/message.h"

namespace stemedb::api {
namespace {

constexpr std::string_view kParamPrefix = "params.";
constexpr std::array<std::string_view, 8> kJsonFields = {
    "as_of", "since", "min_confidence", "limit", "decay", "class_multipliers", "params", "max_stale"};
constexpr std::array<std::string_view, 2> kListFields = {"include", "lenses"};

template <size_t N>
bool Contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool IsJson(simdjson::dom::parser& parser, const std::string& text) {
  simdjson::dom::element element;
  return parser.parse(text).get(element) == simdjson::SUCCESS;
}

void AppendList(JsonWriter& json, std::string_view text) {
  json.BeginArray();
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    json.String(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  json.EndArray();
}

void AppendValue(JsonWriter& json, simdjson::dom::parser& parser, const std::string& value,
                 bool may_be_json) {
  if (may_be_json && IsJson(parser, value)) {
    json.Raw(value);
  } else {
    json.String(value);
  }
}

void AppendKey(JsonWriter& json, std::string_view name) {
  std::string quoted;
  AppendJsonString(quoted, name);
  json.Key(std::string_view(quoted).substr(1, quoted.size() - 2));
}

// 1,1,0.7 for a field whose value is a list of numbers or an object: a list without its brackets.
bool IsBareNumberList(simdjson::dom::parser& parser, std::string_view name, const std::string& value) {
  return name == "class_multipliers" && !IsJson(parser, value) && IsJson(parser, "[" + value + "]");
}

}  // namespace

Status NoParameters(std::string_view query) {
  if (query.empty()) return Status::Ok();
  return Status(Code::kInvalidArgument, "invalid_request",
                "this call takes no query parameters; what it needs goes into the body");
}

Result<std::string> QuestionObjectOf(simdjson::dom::parser& parser, std::string_view query) {
  auto given = http::ParseQuery(query);
  if (!given) return given.error();
  std::set<std::string_view> seen;
  for (const auto& [name, value] : *given) {
    if (!seen.insert(name).second) {
      return Status(Code::kInvalidArgument, "invalid_request", "the parameter " + name + " is given twice");
    }
  }
  std::string out;
  std::string params;
  JsonWriter json(out);
  JsonWriter params_json(params);
  params_json.BeginObject();
  json.BeginObject();
  for (const auto& [name, value] : *given) {
    if (name.starts_with(kParamPrefix)) {
      AppendKey(params_json, std::string_view(name).substr(kParamPrefix.size()));
      AppendValue(params_json, parser, value, true);
    } else if (Contains(kListFields, name) && !(value.starts_with('[') && IsJson(parser, value))) {
      AppendKey(json, name);
      AppendList(json, value);
    } else if (IsBareNumberList(parser, name, value)) {
      AppendKey(json, name);
      json.Raw("[" + value + "]");
    } else {
      AppendKey(json, name);
      AppendValue(json, parser, value, Contains(kJsonFields, name) || Contains(kListFields, name));
    }
  }
  params_json.EndObject();
  // With params={…} as well the key stands twice, which the reader refuses.
  if (params != "{}") json.Key("params"), json.Raw(params);
  json.EndObject();
  return out;
}

}  // namespace stemedb::api
