// SPDX-License-Identifier: Apache-2.0
#include "script/spec_fields.h"

#include <algorithm>
#include <lua.hpp>
#include <utility>

#include "script/spec_size.h"

namespace stemedb::script {

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

FieldReader Number(std::function<void(double)> set) {
  return [set = std::move(set)](lua_State* lua) -> std::string {
    if (lua_type(lua, -1) != LUA_TNUMBER) return "must be a number";
    set(lua_tonumber(lua, -1));
    return "";
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
      case LUA_TNUMBER:
        set(static_cast<double>(lua_tonumber(lua, -1)));
        return "";
      case LUA_TBOOLEAN:
        set(lua_toboolean(lua, -1) != 0);
        return "";
      default:
        return "must be a text, a number or a boolean";
    }
  };
}

std::string ReadFields(lua_State* lua, const Fields& fields) {
  if (lua_type(lua, -1) != LUA_TTABLE) return "must be a table";
  const int table = lua_gettop(lua);
  lua_pushnil(lua);
  // All of them, also behind a wrong one: a case's name is among them. Lua's order is none, so of several
  // faults the first by its text is told.
  std::string first;
  while (lua_next(lua, table) != 0) {
    const std::string name =
        lua_type(lua, -2) == LUA_TSTRING ? std::string(TopText(lua, -2)) : "[list entry]";
    const auto found = fields.find(name);
    std::string error = found == fields.end() ? "is no known field" : found->second(lua);
    if (!error.empty()) {
      if (error.front() != '.' && error.front() != '[') error.insert(0, " ");
      error.insert(0, name);
      if (first.empty() || error < first) first = std::move(error);
    }
    lua_pop(lua, 1);
  }
  lua_settop(lua, table);
  return first;
}

FieldReader List(std::function<std::string(lua_State*)> read) {
  return [read = std::move(read)](lua_State* lua) -> std::string {
    if (lua_type(lua, -1) != LUA_TTABLE) return "must be a list";
    const int table = lua_gettop(lua);
    const auto size = static_cast<int>(std::min<size_t>(lua_objlen(lua, table), kSpecClaimsMax));
    for (int i = 1; i <= size; ++i) {
      lua_rawgeti(lua, table, i);
      const std::string error = read(lua);
      lua_pop(lua, 1);
      if (!error.empty()) return "[" + std::to_string(i) + "]." + error;
    }
    return "";
  };
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
    }
    lua_pop(lua, 1);
  }
  lua_settop(lua, table);
  return error;
}

}  // namespace stemedb::script
