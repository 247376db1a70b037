// SPDX-License-Identifier: Apache-2.0
// A walk over each table with lua_next. Keys are looked at by type first and never converted in place, which
// would make lua_next lose its way.
#include "script/verdict_keys.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <lua.hpp>
#include <span>
#include <string_view>

#include "script/details.h"
#include "script/near_name.h"
#include "script/utf8.h"

namespace stemedb::script {
namespace {

constexpr std::array<std::string_view, 9> kFields = {
    "confidence", "conflict_score", "details", "explain", "layers", "notes", "status", "weights", "winner"};
constexpr std::array<std::string_view, 6> kLayerFields = {"confidence", "conflict_score", "status",
                                                          "tier",       "weights",        "winner"};
constexpr std::array<std::string_view, 5> kRateFields = {"bucket", "cost", "limit", "peer_limit", "window_s"};

constexpr size_t kKeyBytesMax = 64;

class Walk {
 public:
  Walk(lua_State* lua, Budget& budget) : lua_(lua), budget_(budget) {}

  // The table at this index has other keys than these names.
  void Fields(int index, const std::string& place, std::span<const std::string_view> known) {
    const std::string stray = FirstStray(index, [&](int type) {
      return type == LUA_TSTRING && std::find(known.begin(), known.end(), Text()) != known.end();
    });
    if (stray.empty()) return;
    const bool is_name = stray.front() == '\'';
    const std::string_view name = is_name ? std::string_view(stray).substr(1, stray.size() - 2) : stray;
    found_ = place + (is_name ? "an unknown field " : "the key ") + stray + ": " + HintAt(name, known);
  }

  // The table at this index has other keys than 1 to `count`.
  void Numbers(int index, const std::string& what, size_t count, const std::string& hint) {
    const std::string stray = FirstStray(index, [&](int type) {
      const double number = type == LUA_TNUMBER ? lua_tonumber(lua_, -2) : 0;
      return number >= 1 && number <= static_cast<double>(count) && number == std::floor(number);
    });
    if (!stray.empty()) found_ = what + " with the key " + stray + ": " + hint;
  }

  // Calls `look` with the index of the table's field, when that is a table.
  template <typename Look>
  void Into(int index, const char* field, Look look) {
    if (!found_.empty()) return;
    lua_pushstring(lua_, field);  // which verdict.lua has as a constant: finds it, allocates nothing
    lua_rawget(lua_, index);
    if (lua_type(lua_, -1) == LUA_TTABLE) look(lua_gettop(lua_));
    lua_pop(lua_, 1);
  }

  bool goes_on() const { return found_.empty(); }
  std::string Take() { return std::move(found_); }

 private:
  // Of the keys that are not `known` the first by its text: Lua's order is none. Empty when there is none,
  // and when something has been found already.
  template <typename IsKnown>
  std::string FirstStray(int index, IsKnown is_known) {
    std::string first;
    if (!found_.empty() || budget_.IsOver()) return first;
    lua_pushnil(lua_);
    while (lua_next(lua_, index) != 0) {
      if (const int type = lua_type(lua_, -2); !is_known(type)) {
        std::string text = KeyText(type);
        if (first.empty() || text < first) first = std::move(text);
      }
      lua_pop(lua_, 1);
    }
    return first;
  }
  // The key, a string, below the value on top of the stack.
  std::string_view Text() const {
    size_t size = 0;
    const char* bytes = lua_tolstring(lua_, -2, &size);
    return {bytes, size};
  }
  std::string KeyText(int type) const {
    if (type == LUA_TSTRING) return "'" + CleanUtf8(Text(), kKeyBytesMax) + "'";
    if (type == LUA_TNUMBER) return "[" + NumberText(lua_tonumber(lua_, -2)) + "]";
    return std::string("[a ") + lua_typename(lua_, type) + "]";
  }

  lua_State* lua_;
  Budget& budget_;
  std::string found_;
};

void Weights(Walk& walk, int judgement, const std::string& place, VerdictSize size) {
  walk.Into(judgement, "weights", [&](int weights) {
    walk.Numbers(weights, place + "weights", size.values_count,
                 "they go by value_index, 1 to " + std::to_string(size.values_count));
  });
}

}  // namespace

std::string StrayKeyOfVerdict(lua_State* lua, int index, VerdictSize size, Reading reading, Budget& budget) {
  Walk walk(lua, budget);
  walk.Fields(index, "", kFields);
  walk.Into(index, "layers", [&](int layers) {
    const size_t count = lua_objlen(lua, layers);
    walk.Numbers(layers, "layers", count, "they are a list, 1, 2, … without a gap");
    for (size_t i = 1; i <= count && walk.goes_on(); ++i) {
      const std::string place = "layer " + std::to_string(i) + " with ";
      lua_rawgeti(lua, layers, static_cast<int>(i));
      if (lua_type(lua, -1) == LUA_TTABLE) {
        walk.Fields(lua_gettop(lua), place, kLayerFields);
        if (reading == Reading::kThorough) Weights(walk, lua_gettop(lua), place, size);
      }
      lua_pop(lua, 1);
    }
  });
  if (reading != Reading::kThorough) return walk.Take();
  Weights(walk, index, "", size);
  walk.Into(index, "notes", [&](int notes) {
    walk.Numbers(notes, "notes", size.rows_count,
                 "they go by the number of a candidate, 1 to " + std::to_string(size.rows_count));
  });
  return walk.Take();
}

std::string StrayKeyOfRateVerdict(lua_State* lua, int index, Budget& budget) {
  Walk walk(lua, budget);
  walk.Fields(index, "", kRateFields);
  return walk.Take();
}

}  // namespace stemedb::script
