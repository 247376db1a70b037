// SPDX-License-Identifier: Apache-2.0
// A walk over a Lua table without any call that could raise an error: values are looked at by type first,
// keys are never converted in place (lua_next would lose its way), depth and size are bounded.
#include "script/details.h"

#include <algorithm>
#include <cmath>
#include <lua.hpp>
#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "script/utf8.h"

namespace stemedb::script {
namespace {

constexpr size_t kPlaceBytesMax = 120;

class Walk {
 public:
  Walk(lua_State* lua, size_t bytes_max, Budget& budget, std::string& out)
      : lua_(lua), bytes_max_(bytes_max), budget_(budget), out_(out) {}

  void Object(int index, int depth);
  std::string TakeError() { return std::move(error_); }

 private:
  void Value(int depth);
  void Array(int index, size_t size, int depth);
  void Text(int index);
  // The string keys of the table; fails on any other key.
  std::vector<std::string_view> Keys(int index);
  bool IsArray(int index);
  void Fail(std::string what) {
    if (error_.empty()) error_ = std::move(what);
  }
  // About the value that the walk is at: "details.list[2] " and what it is.
  void FailHere(const std::string& what) { Fail("details" + CleanUtf8(place_, kPlaceBytesMax) + " " + what); }
  bool ok() {
    if (out_.size() > bytes_max_) Fail("details of more than " + std::to_string(bytes_max_ >> 10) + " KiB");
    return error_.empty();
  }

  lua_State* lua_;
  size_t bytes_max_;
  Budget& budget_;
  std::string& out_;
  std::string place_;  // of the value that the walk is at
  std::string error_;
};

std::string_view View(lua_State* lua, int index) {
  size_t size = 0;
  const char* bytes = lua_tolstring(lua, index, &size);
  return {bytes, size};
}

void Walk::Text(int index) {
  std::string clean;
  AppendCleanUtf8(clean, View(lua_, index), bytes_max_);
  AppendJsonString(out_, clean);
}

std::vector<std::string_view> Walk::Keys(int index) {
  std::vector<std::string_view> keys;
  size_t bytes = 0;
  lua_pushnil(lua_);
  while (lua_next(lua_, index) != 0) {
    lua_pop(lua_, 1);
    if (const int type = lua_type(lua_, -1); type != LUA_TSTRING) {
      const std::string key = type == LUA_TNUMBER ? NumberText(lua_tonumber(lua_, -1))
                                                  : "a " + std::string(lua_typename(lua_, type));
      FailHere("with the key [" + key + "]: " +
               (place_.empty() ? "keys are strings here, so a list needs a name: { list = { … } }"
                               : "keys are strings, or those of a list: 1, 2, … without a gap"));
    } else {
      keys.push_back(View(lua_, -1));
      bytes += keys.back().size();
      if (bytes + 3 * keys.size() > bytes_max_)
        Fail("details of more than " + std::to_string(bytes_max_ >> 10) + " KiB");
    }
    if (!error_.empty()) {
      lua_pop(lua_, 1);
      break;
    }
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

void Walk::Object(int index, int depth) {
  const size_t place_size = place_.size();
  const auto keys = Keys(index);
  out_ += '{';
  for (size_t i = 0; i < keys.size() && ok(); ++i) {
    if (i != 0) out_ += ',';
    std::string clean = CleanUtf8(keys[i], bytes_max_);
    AppendJsonString(out_, clean);
    out_ += ':';
    lua_pushlstring(lua_, keys[i].data(), keys[i].size());  // interned already: finds it, allocates nothing
    lua_rawget(lua_, index);
    place_.append(1, '.').append(keys[i]);
    Value(depth);
    place_.resize(place_size);
    lua_pop(lua_, 1);
  }
  out_ += '}';
}

void Walk::Array(int index, size_t size, int depth) {
  const size_t place_size = place_.size();
  out_ += '[';
  for (size_t i = 1; i <= size && ok(); ++i) {
    if (i != 1) out_ += ',';
    lua_rawgeti(lua_, index, static_cast<int>(i));
    place_ += "[" + std::to_string(i) + "]";
    Value(depth);
    place_.resize(place_size);
    lua_pop(lua_, 1);
  }
  out_ += ']';
}

bool Walk::IsArray(int index) {
  const size_t size = lua_objlen(lua_, index);
  if (size == 0) return false;
  size_t entries = 0;
  lua_pushnil(lua_);
  while (lua_next(lua_, index) != 0) {
    lua_pop(lua_, 1);
    if (++entries > size) {
      lua_pop(lua_, 1);
      return false;
    }
  }
  return entries == size;
}

// The value at the top of the stack.
void Walk::Value(int depth) {
  const int index = lua_gettop(lua_);
  switch (lua_type(lua_, index)) {
    case LUA_TSTRING:
      return Text(index);
    case LUA_TBOOLEAN:
      out_ += lua_toboolean(lua_, index) != 0 ? "true" : "false";
      return;
    case LUA_TNUMBER: {
      const double number = lua_tonumber(lua_, index);
      if (!std::isfinite(number)) {
        return FailHere("that is " + NumberText(number) +
                        ": a number must be finite (leave it out, or write it as a string)");
      }
      return AppendJsonNumber(out_, number);
    }
    case LUA_TTABLE:
      if (depth >= kDetailsDepthMax) return Fail("details deeper than 8 tables");
      if (budget_.IsOver()) return Fail("details that take too long");
      if (IsArray(index)) return Array(index, lua_objlen(lua_, index), depth + 1);
      return Object(index, depth + 1);
    default:
      return FailHere(std::string("that is a ") + lua_typename(lua_, lua_type(lua_, index)) +
                      ": strings, numbers, booleans and tables can be shown");
  }
}

}  // namespace

std::string NumberText(double number) {
  if (std::isnan(number)) return "nan";  // without its sign
  if (std::isinf(number)) return std::to_string(number);
  std::string text;
  AppendJsonNumber(text, number);
  return text;
}

std::string AppendDetails(lua_State* lua, int index, size_t bytes_max, Budget& budget, std::string& out) {
  Walk walk(lua, bytes_max, budget, out);
  walk.Object(index, 1);
  if (out.size() > bytes_max) return "details of more than " + std::to_string(bytes_max >> 10) + " KiB";
  return walk.TakeError();
}

}  // namespace stemedb::script
