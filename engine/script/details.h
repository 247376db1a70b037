// SPDX-License-Identifier: Apache-2.0
// Details: a table of a script's own making as JSON. Keys are sorted, so that the same table is always the
// same text.
#pragma once

#include <string>

#include "script/budget.h"

struct lua_State;

namespace stemedb::script {

inline constexpr int kDetailsDepthMax = 8;
// Lua stack slots that AppendDetails may need.
inline constexpr int kDetailsStack = 4 * kDetailsDepthMax + 8;

// "0.5"; also what JSON has no number for: "nan", "inf", "-inf".
std::string NumberText(double number);

// Appends the table at the absolute stack index `index` as a JSON object. Gives what is wrong with it, or
// nothing. Gives up when the script's time is over: a table can be large and yield little text. Raises no Lua
// error.
std::string AppendDetails(lua_State* lua, int index, size_t bytes_max, Budget& budget, std::string& out);

}  // namespace stemedb::script
