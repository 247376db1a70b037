// SPDX-License-Identifier: Apache-2.0
// Plain reads of a table that a script made: types are looked at before values, nothing is converted.
#include "script/describe.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <lua.hpp>
#include <span>
#include <string_view>

#include "script/near_name.h"
#include "script/stray_key.h"
#include "script/utf8.h"

namespace stemedb::script {
namespace {

constexpr size_t kParamsMax = 32;
constexpr size_t kNameBytesMax = 64;
constexpr double kNumberMax = 9007199254740992.0;  // 2^53, where Lua's integers end

using Names = std::span<const std::string_view>;
constexpr std::array<std::string_view, 7> kLensFields = {"api",    "description", "kind",   "name",
                                                         "params", "resolve",     "version"};
constexpr std::array<std::string_view, 8> kPolicyFields = {"api",   "description", "hook",   "kind",
                                                           "limit", "name",        "params", "version"};
constexpr std::array<std::string_view, 5> kNumberFields = {"default", "description", "max", "min", "type"};
constexpr std::array<std::string_view, 4> kStringFields = {"choices", "default", "description", "type"};
constexpr std::array<std::string_view, 3> kBooleanFields = {"default", "description", "type"};

Names FieldsOfParam(std::string_view type) {
  if (type == "string") return kStringFields;
  if (type == "boolean") return kBooleanFields;
  return kNumberFields;
}

bool IsName(const std::string& name) {
  if (name.empty() || name.size() > kNameBytesMax || name[0] < 'a' || name[0] > 'z') return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

// Whether valid UTF-8 has a control character (also one above ASCII), or one that turns the direction of
// text: with these a text can look like another, or steer a terminal.
bool HasControl(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = [&](size_t ahead) {
      return i + ahead < text.size() ? static_cast<uint8_t>(text[i + ahead]) : uint8_t{0};
    };
    if (byte(0) < 0x20 || byte(0) == 0x7F || (byte(0) == 0xC2 && byte(1) < 0xA0)) return true;
    if (byte(0) != 0xE2) continue;
    const bool is_direction = (byte(1) == 0x80 && byte(2) >= 0xA8 && byte(2) <= 0xAE) ||
                              (byte(1) == 0x81 && byte(2) >= 0xA6 && byte(2) <= 0xA9);
    if (is_direction) return true;
  }
  return false;
}

// Reads fields of one table on the stack; the first thing that is wrong stays in `error`.
class Reader {
 public:
  Reader(lua_State* lua, int index, std::string place) : lua_(lua), index_(index), place_(std::move(place)) {}

  std::string Text(const char* field, size_t bytes_max) {
    const int type = Push(field);
    std::string text;
    if (type == LUA_TSTRING) {
      size_t size = 0;
      const char* bytes = lua_tolstring(lua_, -1, &size);
      text = CleanUtf8({bytes, std::min(size, bytes_max + 1)}, bytes_max + 4);
    }
    lua_pop(lua_, 1);
    if (text.empty() || text.size() > bytes_max) {
      Fail(field, "must be a text of 1 to " + std::to_string(bytes_max) + " bytes");
    }
    return text;
  }

  double Number(const char* field, double when_absent) {
    const int type = Push(field);
    const double number = type == LUA_TNUMBER ? lua_tonumber(lua_, -1) : when_absent;
    lua_pop(lua_, 1);
    if (type != LUA_TNIL && (type != LUA_TNUMBER || !std::isfinite(number)))
      Fail(field, "must be a finite number");
    return number;
  }

  // Leaves the field on the stack; the caller pops it.
  int Push(const char* field) {
    lua_pushstring(lua_, field);
    lua_rawget(lua_, index_);
    return lua_type(lua_, -1);
  }
  void Pop() { lua_pop(lua_, 1); }

  // Whatever else there is would not be read: it may be one of these, misspelt.
  void OnlyHas(Names known, const std::string& whose) {
    const auto stray = FirstStray(lua_, index_, [&](const TableKey& key) { return key.IsOneOf(known); });
    if (!stray) return;
    const std::string text = stray->Text();
    Fail(text, "is no field of " + whose + ": " + HintAt(text, known));
  }

  void Fail(const std::string& field, const std::string& what) {
    if (error_.empty()) error_ = place_ + field + " " + what;
  }
  const std::string& error() const { return error_; }

 private:
  lua_State* lua_;
  int index_;
  std::string place_;
  std::string error_;
};

std::string TypeError(const ParamSpec& spec) {
  if (spec.type == "boolean") return "must be true or false";
  if (spec.type == "string") return "must be a text";
  return spec.type == "integer" ? "must be a whole number" : "must be a number";
}

// What is wrong with a value for this parameter; empty when nothing is.
std::string Objection(const ParamSpec& spec, const ParamValue& value) {
  if (spec.type == "boolean") return std::holds_alternative<bool>(value) ? "" : TypeError(spec);
  if (spec.type == "string") {
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) return TypeError(spec);
    if (spec.choices.empty() ||
        std::find(spec.choices.begin(), spec.choices.end(), *text) != spec.choices.end())
      return "";
    std::string list;
    for (const auto& choice : spec.choices) list += (list.empty() ? "" : ", ") + choice;
    return "must be one of " + list;
  }
  const auto* number = std::get_if<double>(&value);
  if (number == nullptr || !std::isfinite(*number)) return TypeError(spec);
  if (spec.type == "integer" && *number != std::floor(*number)) return TypeError(spec);
  if (*number >= spec.min && *number <= spec.max) return "";
  const auto show = [](double bound) {
    std::string text = std::to_string(bound);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text;
  };
  return "must be within " + show(spec.min) + " and " + show(spec.max);
}

// The value on top of the stack; false when it is no boolean, number or string.
bool TopValue(lua_State* lua, ParamValue& value) {
  switch (lua_type(lua, -1)) {
    case LUA_TBOOLEAN:
      value = lua_toboolean(lua, -1) != 0;
      return true;
    case LUA_TNUMBER:
      value = static_cast<double>(lua_tonumber(lua, -1));
      return true;
    case LUA_TSTRING: {
      size_t size = 0;
      const char* bytes = lua_tolstring(lua, -1, &size);
      value = CleanUtf8({bytes, size}, 1024);
      return true;
    }
    default:
      return false;
  }
}

void ReadChoices(lua_State* lua, Reader& reader, ParamSpec& spec) {
  const int type = reader.Push("choices");
  if (type == LUA_TTABLE) {
    const int table = lua_gettop(lua);
    const size_t count = std::min<size_t>(lua_objlen(lua, table), kParamsMax);
    for (size_t i = 1; i <= count; ++i) {
      lua_rawgeti(lua, table, static_cast<int>(i));
      ParamValue choice;
      TopValue(lua, choice);
      lua_pop(lua, 1);
      if (std::holds_alternative<std::string>(choice)) {
        spec.choices.push_back(std::get<std::string>(choice));
      } else {
        reader.Fail("choices", "must be a list of texts");
      }
    }
  } else if (type != LUA_TNIL) {
    reader.Fail("choices", "must be a list of texts");
  }
  lua_pop(lua, 1);
}

// The table on top of the stack describes one parameter. Gives what is wrong with it.
std::string ReadParam(lua_State* lua, const std::string& name, std::vector<ParamSpec>& params) {
  const std::string place = "params." + name;
  if (!IsName(name)) return place + " must have a name of a-z, 0-9 and _";
  if (lua_type(lua, -1) != LUA_TTABLE) return place + " must be a table with type, default and description";
  Reader reader(lua, lua_gettop(lua), place + ".");
  ParamSpec spec;
  spec.name = name;
  spec.type = reader.Text("type", 16);
  spec.description = reader.Text("description", 1024);
  spec.min = reader.Number("min", -kNumberMax);
  spec.max = reader.Number("max", kNumberMax);
  ReadChoices(lua, reader, spec);
  if (spec.type != "integer" && spec.type != "number" && spec.type != "boolean" && spec.type != "string") {
    reader.Fail("type", "must be integer, number, boolean or string");
  }
  reader.Push("default");
  const bool given = TopValue(lua, spec.default_value);
  lua_pop(lua, 1);
  if (!given) {
    reader.Fail("default", "is missing");
  } else if (const std::string objection = Objection(spec, spec.default_value); !objection.empty()) {
    reader.Fail("default", objection);
  }
  if (reader.error().empty()) reader.OnlyHas(FieldsOfParam(spec.type), "a parameter of this type");
  params.push_back(std::move(spec));
  return reader.error();
}

std::string ReadParams(lua_State* lua, Reader& reader, std::vector<ParamSpec>& params) {
  const int type = reader.Push("params");
  std::string error;
  if (type == LUA_TTABLE) {
    const int table = lua_gettop(lua);
    lua_pushnil(lua);
    while (error.empty() && lua_next(lua, table) != 0) {
      if (lua_type(lua, -2) != LUA_TSTRING) {
        error = "params must have names as keys";
      } else if (params.size() == kParamsMax) {
        error = "params are more than 32";
      } else {
        error = ReadParam(lua, lua_tostring(lua, -2), params);
      }
      lua_pop(lua, 1);
    }
    lua_settop(lua, table);
  } else if (type != LUA_TNIL) {
    error = "params must be a table";
  }
  lua_pop(lua, 1);
  std::sort(params.begin(), params.end(),
            [](const ParamSpec& a, const ParamSpec& b) { return a.name < b.name; });
  return error;
}

// What a script of its kind must have besides; gives what is wrong.
std::string ReadLens(Reader& reader) {
  const int resolve = reader.Push("resolve");
  reader.Pop();
  return resolve == LUA_TFUNCTION ? "" : "resolve must be a function (ctx, candidates)";
}

// A hook has one policy, so that a policy is named like its hook.
std::string ReadPolicy(Reader& reader, ScriptInfo& info) {
  info.hook = reader.Text("hook", kNameBytesMax);
  if (!reader.error().empty()) return reader.error();
  if (info.hook != "rate_limit") return "hook is '" + info.hook + "'; this server knows: rate_limit";
  if (info.name != info.hook)
    return "name is '" + info.name + "'; a policy is named like its hook, " + info.hook;
  const int limit = reader.Push("limit");
  reader.Pop();
  return limit == LUA_TFUNCTION ? "" : "limit must be a function (ctx, request)";
}

}  // namespace

Result<ScriptInfo> DescribeScript(lua_State* lua, int index, const std::string& file) {
  const auto invalid = [&](const std::string& what) {
    return Status(Code::kInvalidArgument, "script_invalid", file + ": " + what);
  };
  Reader reader(lua, index, "");
  ScriptInfo info;
  info.file = file;
  info.kind = reader.Text("kind", 16);
  const double api = reader.Number("api", 0);
  info.name = reader.Text("name", kNameBytesMax);
  info.version = reader.Text("version", 32);
  info.description = reader.Text("description", 1024);
  if (HasControl(info.version))
    reader.Fail("version",
                "has a control character: it is shown with every answer, so write it like \"1.0.0\"");
  if (!reader.error().empty()) return invalid(reader.error());
  if (info.kind != "lens" && info.kind != "policy")
    return invalid("kind is '" + info.kind + "'; this server knows: lens, policy");
  if (api != 1) return invalid("api must be 1, the one this server speaks");
  if (!IsName(info.name)) return invalid("name must be a-z, 0-9 and _, starting with a letter");
  if (info.name + ".lua" != file)
    return invalid("name is '" + info.name + "'; a script is named like its file");
  if (std::string error = ReadParams(lua, reader, info.params); !error.empty()) return invalid(error);
  const bool is_lens = info.kind == "lens";
  const std::string wrong = is_lens ? ReadLens(reader) : ReadPolicy(reader, info);
  if (!wrong.empty()) return invalid(wrong);
  if (is_lens) reader.OnlyHas(kLensFields, "a lens");
  if (!is_lens) reader.OnlyHas(kPolicyFields, "a policy");
  if (!reader.error().empty()) return invalid(reader.error());
  return info;
}

Params DefaultParams(const ScriptInfo& script) {
  Params params;
  for (const auto& spec : script.params) params.values.push_back(spec.default_value);
  return params;
}

Result<Params> CheckParams(const ScriptInfo& script, const std::map<std::string, ParamValue>& given) {
  Params params;
  size_t used = 0;
  for (const auto& spec : script.params) {
    const auto found = given.find(spec.name);
    if (found == given.end()) {
      params.values.push_back(spec.default_value);
      continue;
    }
    ++used;
    if (const std::string objection = Objection(spec, found->second); !objection.empty()) {
      return Status(
          Code::kInvalidArgument, "invalid_params",
          "parameter '" + spec.name + "' of " + script.kind + " '" + script.name + "' " + objection);
    }
    params.values.push_back(found->second);
  }
  if (used == given.size()) return params;
  std::string known;
  for (const auto& spec : script.params) known += (known.empty() ? "" : ", ") + spec.name;
  for (const auto& [name, value] : given) {
    const auto is_it = [&, &key = name](const ParamSpec& spec) { return spec.name == key; };
    if (std::none_of(script.params.begin(), script.params.end(), is_it)) {
      return Status(Code::kInvalidArgument, "invalid_params",
                    script.kind + " '" + script.name + "' has no parameter '" + name + "'; it has " +
                        (known.empty() ? "none" : known));
    }
  }
  return params;
}

}  // namespace stemedb::script
