// SPDX-License-Identifier: Apache-2.0
// Keys of a verdict that nobody reads. A slip of the pen (`return { winer = 1 }`) must not pass as if the
// script had left the field out. What the fields hold is checked elsewhere (verdict.lua, policy.lua).
#pragma once

#include <cstdint>
#include <string>

#include "script/budget.h"
#include "script/lens.h"

struct lua_State;

namespace stemedb::script {

// Lua stack slots that the functions below may need.
inline constexpr int kVerdictKeysStack = 12;

struct VerdictSize {
  uint32_t values_count = 0;
  uint32_t rows_count = 0;
};

// About the table at this absolute stack index, a lens's verdict: its fields and those of its layers; when
// the reading is thorough also the keys of weights and notes, which are numbers of values and of claims.
// Gives what is wrong ("an unknown field 'winer': did you mean 'winner'?"), always the same for the same
// table, or nothing. Gives up when the script's time is over. Raises no Lua error.
std::string StrayKeyOfVerdict(lua_State* lua, int index, VerdictSize size, Reading reading, Budget& budget);
// The same of a rate limit's verdict.
std::string StrayKeyOfRateVerdict(lua_State* lua, int index, Budget& budget);

}  // namespace stemedb::script
