// SPDX-License-Identifier: Apache-2.0
// Every place of a table is walked, also when it is one table in many places. What the readers don't go into
// (spec_case.cc, policy_spec.cc) isn't walked either.
#include "script/spec_size.h"

#include <lua.hpp>
#include <utility>

namespace stemedb::script {
namespace {

// The list of cases, a case, expect, layers, a layer, shares, a share.
constexpr int kDepthMax = 7;
// A given claim. Whatever table stands in a list as deep or deeper (a layer, a share) counts like one.
constexpr int kListEntryDepth = 3;

class Walk {
 public:
  explicit Walk(lua_State* lua) : lua_(lua) {}

  // The table on top of the stack; false when a bound is passed.
  bool Table(int depth) {
    const int table = lua_gettop(lua_);
    lua_pushnil(lua_);
    while (lua_next(lua_, table) != 0) {
      if (!Entry(depth)) return false;
      lua_pop(lua_, 1);
    }
    return true;
  }
  std::string TakeExcess() { return std::move(excess_); }

 private:
  // Key and value on top of the stack.
  bool Entry(int depth) {
    if (++entries_ > kSpecEntriesMax) return Exceeds("400,000 entries in its tables");
    TakeText(-2);
    TakeText(-1);
    if (bytes_ > kSpecTextBytesMax) return Exceeds("16 MiB of text");
    if (lua_type(lua_, -1) != LUA_TTABLE) return true;
    const bool in_list = lua_type(lua_, -2) == LUA_TNUMBER;
    if (in_list && depth + 1 >= kListEntryDepth && ++claims_ > kSpecClaimsMax)
      return Exceeds("20,000 claims (shares and layers count as well)");
    return depth + 1 >= kDepthMax || Table(depth + 1);
  }
  // Numbers are left alone: Lua would make texts of them, in place.
  void TakeText(int index) {
    if (lua_type(lua_, index) == LUA_TSTRING) bytes_ += lua_objlen(lua_, index);
  }
  bool Exceeds(const char* what) {
    excess_ = std::string("is too large: more than ") + what + " in all its cases together";
    return false;
  }

  lua_State* lua_;
  size_t entries_ = 0;
  size_t claims_ = 0;
  size_t bytes_ = 0;
  std::string excess_;
};

}  // namespace

std::string SpecTooLarge(lua_State* lua, int index) {
  const size_t cases = lua_objlen(lua, index);
  if (cases > kSpecCasesMax) return "is too large: more than 2,000 cases";
  const int top = lua_gettop(lua);
  if (lua_checkstack(lua, 4 * kDepthMax) == 0) return "is too large: there is no memory to look at it";
  lua_pushvalue(lua, index);
  Walk walk(lua);
  walk.Table(0);
  lua_settop(lua, top);
  return walk.TakeExcess();
}

}  // namespace stemedb::script
