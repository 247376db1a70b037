// SPDX-License-Identifier: Apache-2.0
#include "script/spec_fields.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <lua.hpp>
#include <utility>
#include <vector>

#include "script/details.h"
#include "script/near_name.h"
#include "script/spec_size.h"
#include "script/stray_key.h"
#include "script/utf8.h"

namespace stemedb::script {
namespace {

// What is wrong with a number that is to be compared: nothing is equal to NaN, and claims have no infinity.
std::string NotFinite(double number) { return "must be a finite number, got " + NumberText(number); }

std::string Range(const char* what, double min, double max) {
  return std::string("must be ") + what + " from " + NumberText(min) + " to " + NumberText(max);
}

// "winer is no known field: did you mean 'winner'?"; empty when all keys of the table at this index are
// known.
std::string StrayField(lua_State* lua, int table, const Fields& fields) {
  const auto is_known = [&](const TableKey& key) { return key.IsName() && fields.contains(key.text); };
  const auto stray = FirstStray(lua, table, is_known);
  if (!stray) return "";
  std::vector<std::string_view> names;
  for (const auto& [name, reader] : fields) names.push_back(name);
  const std::string text = stray->Text();
  return text + " is no known field: " + HintAt(text, names);
}

bool Has(lua_State* lua, const std::string& field) {
  lua_pushlstring(lua, field.data(), field.size());
  lua_rawget(lua, -2);
  const bool has = lua_type(lua, -1) != LUA_TNIL;
  lua_pop(lua, 1);
  return has;
}

std::string ReadParams(lua_State* lua, std::map<std::string, ParamValue>& params) {
  if (lua_type(lua, -1) != LUA_TTABLE) return "must be a table";
  const int table = lua_gettop(lua);
  std::string error;
  lua_pushnil(lua);
  while (error.empty() && lua_next(lua, table) != 0) {
    if (lua_type(lua, -2) != LUA_TSTRING) {
      error = "must have names as keys";
    } else {
      const std::string name(TopText(lua, -2));
      error = Scalar([&](ParamValue v) { params[name] = std::move(v); })(lua);
      if (!error.empty()) error.insert(0, "." + name + " ");
    }
    lua_pop(lua, 1);
  }
  lua_settop(lua, table);
  return error;
}

}  // namespace

std::string_view TopText(lua_State* lua, int index) {
  size_t size = 0;
  const char* bytes = lua_tolstring(lua, index, &size);
  return {bytes, size};
}

FieldReader Text(std::function<void(std::string)> set) {
  return [set = std::move(set)](lua_State* lua) -> std::string {
    if (lua_type(lua, -1) != LUA_TSTRING) return "must be a text";
    set(std::string(TopText(lua)));
    return "";
  };
}

FieldReader ClaimText(size_t bytes_min, size_t bytes_max, std::function<void(std::string)> set) {
  return [bytes_min, bytes_max, set = std::move(set)](lua_State* lua) -> std::string {
    const bool is_text = lua_type(lua, -1) == LUA_TSTRING;
    const std::string_view text = is_text ? TopText(lua) : std::string_view();
    if (!is_text || text.size() < bytes_min || text.size() > bytes_max) {
      return "must be a text of " + std::to_string(bytes_min) + " to " + std::to_string(bytes_max) +
             " bytes" + (is_text ? ", got " + std::to_string(text.size()) : "");
    }
    if (CleanUtf8(text, SIZE_MAX) != text) return "must be UTF-8, as a claim's texts are";
    set(std::string(text));
    return "";
  };
}

FieldReader Part(std::function<void(std::string)> set) {
  return [set = std::move(set)](lua_State* lua) -> std::string {
    if (lua_type(lua, -1) != LUA_TSTRING || TopText(lua).empty())
      return "must be a part of the text, of one byte or more";
    set(std::string(TopText(lua)));
    return "";
  };
}

FieldReader Number(std::function<void(double)> set) {
  return [set = std::move(set)](lua_State* lua) -> std::string {
    if (lua_type(lua, -1) != LUA_TNUMBER) return "must be a number";
    const double number = lua_tonumber(lua, -1);
    if (!std::isfinite(number)) return NotFinite(number);
    set(number);
    return "";
  };
}

FieldReader NumberWithin(double min, double max, std::function<void(double)> set) {
  return [min, max, set = std::move(set)](lua_State* lua) -> std::string {
    if (lua_type(lua, -1) != LUA_TNUMBER) return Range("a number", min, max);
    const double number = lua_tonumber(lua, -1);
    if (!std::isfinite(number)) return NotFinite(number);
    if (number < min || number > max) return Range("a number", min, max) + ", got " + NumberText(number);
    set(number);
    return "";
  };
}

FieldReader Whole(double min, double max, std::function<void(double)> set) {
  return [min, max, set = std::move(set)](lua_State* lua) -> std::string {
    const bool is_number = lua_type(lua, -1) == LUA_TNUMBER;
    const double number = is_number ? lua_tonumber(lua, -1) : min;
    if (is_number && number >= min && number <= max && number == std::floor(number)) {
      set(number);
      return "";
    }
    return Range("a whole number", min, max) + (is_number ? ", got " + NumberText(number) : "");
  };
}

FieldReader Flag(std::function<void(bool)> set) {
  return [set = std::move(set)](lua_State* lua) -> std::string {
    if (lua_type(lua, -1) != LUA_TBOOLEAN) return "must be true or false";
    set(lua_toboolean(lua, -1) != 0);
    return "";
  };
}

FieldReader Scalar(std::function<void(ParamValue)> set) {
  return [set = std::move(set)](lua_State* lua) -> std::string {
    switch (lua_type(lua, -1)) {
      case LUA_TSTRING:
        set(std::string(TopText(lua)));
        return "";
      case LUA_TNUMBER: {
        const double number = lua_tonumber(lua, -1);
        if (!std::isfinite(number)) return NotFinite(number);
        set(number);
        return "";
      }
      case LUA_TBOOLEAN:
        set(lua_toboolean(lua, -1) != 0);
        return "";
      default:
        return "must be a text, a number or a boolean";
    }
  };
}

std::string Names(const Fields& fields) {
  std::string names;
  for (const auto& [name, reader] : fields) names += (names.empty() ? "" : ", ") + name;
  return names;
}

std::string ReadFields(lua_State* lua, const Fields& fields) {
  if (lua_type(lua, -1) != LUA_TTABLE) return "must be a table";
  const int table = lua_gettop(lua);
  // All of them, also behind a wrong one: a case's name is among them. Lua's order is none, so of several
  // faults the first by its text is told.
  std::string first = StrayField(lua, table, fields);
  for (const auto& [name, read] : fields) {
    lua_pushlstring(lua, name.data(), name.size());
    lua_rawget(lua, table);
    std::string error = lua_type(lua, -1) == LUA_TNIL ? "" : read(lua);
    lua_pop(lua, 1);
    if (error.empty()) continue;
    if (error.front() != '.' && error.front() != '[') error.insert(0, " ");
    error.insert(0, name);
    if (first.empty() || error < first) first = std::move(error);
  }
  return first;
}

std::string ReadExpectation(lua_State* lua, const Fields& fields) {
  size_t count = 0;
  if (lua_type(lua, -1) == LUA_TTABLE) {
    lua_pushnil(lua);
    for (; lua_next(lua, -2) != 0; ++count) lua_pop(lua, 1);
    if (count == 0) return "is empty, which holds of every answer: say one or more of " + Names(fields);
    if (count > 1 && Has(lua, "fails"))
      return ".fails must stand alone: where there is an error there is nothing else";
  }
  const std::string error = ReadFields(lua, fields);
  return count == 0 || error.empty() || error.front() == '[' ? error : "." + error;
}

void ForEachCase(lua_State* lua, int index, const std::function<void(size_t number)>& read) {
  const size_t count = std::min<size_t>(lua_objlen(lua, index), kSpecCasesMax);
  for (size_t number = 1; number <= count; ++number) {
    lua_rawgeti(lua, index, static_cast<int>(number));
    read(number);
    lua_pop(lua, 1);
  }
}

void ReadCase(lua_State* lua, size_t number, Fields fields, const std::map<std::string, std::string>& needed,
              CaseBase& one) {
  fields["claim"] = Text([&](const std::string& v) { one.claim = CleanUtf8(v, SIZE_MAX); });
  fields["params"] = [&](lua_State* state) { return ReadParams(state, one.params); };
  one.error = ReadFields(lua, fields);
  if (one.error.empty() && one.claim.empty()) one.error = "claim is missing: say in words what holds";
  for (const auto& [field, what] : needed) {
    if (one.error.empty() && !Has(lua, field)) one.error.append(field).append(" is missing: ").append(what);
  }
  if (one.claim.empty()) one.claim = "case " + std::to_string(number);
}

std::string StrayKey(lua_State* lua) {
  const int table = lua_gettop(lua);
  const size_t size = lua_objlen(lua, table);
  const auto stray = FirstStray(lua, table, [size](const TableKey& key) { return key.IsPlaceIn(size); });
  return stray ? stray->Text() : "";
}

FieldReader List(std::function<std::string(lua_State*)> read) {
  return [read = std::move(read)](lua_State* lua) -> std::string {
    if (lua_type(lua, -1) != LUA_TTABLE) return "must be a list";
    if (const std::string stray = StrayKey(lua); !stray.empty())
      return "must be a list, 1, 2, … without a gap; it has " + stray;
    const int table = lua_gettop(lua);
    const auto size = static_cast<int>(std::min<size_t>(lua_objlen(lua, table), kSpecClaimsMax));
    for (int i = 1; i <= size; ++i) {
      lua_rawgeti(lua, table, i);
      const std::string error = read(lua);
      lua_pop(lua, 1);
      if (error.empty()) continue;
      const bool is_deeper = !error.starts_with("must ");
      return "[" + std::to_string(i) + "]" + (is_deeper ? "." : " ") + error;
    }
    return "";
  };
}

}  // namespace stemedb::script
