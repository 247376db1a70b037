// SPDX-License-Identifier: Apache-2.0
// The trusted chunks by themselves: each is whole, and leans on nothing that is gone once a script runs.
#include "script/prelude.h"

#include <gtest/gtest.h>

#include <lua.hpp>
#include <string>

#include "script/embedded.h"

namespace stemedb::script {
namespace {

// Gives the globals that functions inside a chunk read or set, as text. The prelude takes all globals away
// when the chunks have been run: only a chunk's own top level may use them.
constexpr char kGlobalsInside[] = R"lua(
local util, bit = require("jit.util"), require("bit")
local function op_of(proto, pc)
  local ins = util.funcbc(proto, pc)
  return bit.band(ins, 0xff), bit.rshift(ins, 16)
end
local GGET = op_of(function() return some_global end, 1)
local GSET = op_of(function(value) some_global = value end, 1)
assert(GGET ~= GSET)
local found = {}
local function look(proto, is_inside)
  local info = util.funcinfo(proto)
  for pc = 1, info.bytecodes - 1 do
    local op, operand = op_of(proto, pc)
    if is_inside and (op == GGET or op == GSET) then
      found[#found + 1] = info.linedefined .. ": " .. util.funck(proto, -operand - 1)
    end
  end
  for i = 1, info.gcconsts do
    local constant = util.funck(proto, -i)
    if type(constant) == "proto" then look(constant, true) end
  end
end
look(..., false)
return table.concat(found, ", ")
)lua";

std::string GlobalsInside(std::string_view chunk) {
  lua_State* lua = luaL_newstate();
  luaL_openlibs(lua);
  EXPECT_EQ(luaL_loadstring(lua, kGlobalsInside), 0);
  const int loaded = luaL_loadbufferx(lua, chunk.data(), chunk.size(), "=chunk", "t");
  std::string said;
  if (loaded != 0 || lua_pcall(lua, 1, 1, 0) != 0) said = "error: ";
  said += lua_tostring(lua, -1);
  lua_close(lua);
  return said;
}

TEST(Prelude, ChunksUseNoGlobalsOnceTheyHaveRun) {
  EXPECT_EQ(GlobalsInside("local a = print return function()\n\n local function f() print(a) x = 1 end end"),
            "3: print, 3: x")
      << "the test itself";
  for (const std::string_view chunk : {kPreludeLua, kCandidatesLua, kSandboxLua, kTextsLua, kVerdictLua,
                                       kStemeLua, kPolicyLua, kPromptLua}) {
    EXPECT_EQ(GlobalsInside(chunk), "") << chunk.substr(0, 200);
  }
}

TEST(Prelude, HidesWhereInOurOwnLuaAnErrorWasRaised) {
  EXPECT_EQ(WithoutOurPlace("prelude:12: no"), "no");
  EXPECT_EQ(WithoutOurPlace("sandbox:7: wants: a table"), "wants: a table");
  EXPECT_EQ(WithoutOurPlace("candidates:123: stale"), "stale");
  for (const char* others : {"candidates: none is good", "texts:12", "sandbox:x: no",
                             "verdict:", "mine:12: no", "texts.lua:3: no", ""}) {
    EXPECT_EQ(WithoutOurPlace(others), others);
  }
}

}  // namespace
}  // namespace stemedb::script
