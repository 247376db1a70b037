// SPDX-License-Identifier: Apache-2.0
// Reading the tables of a spec: every field has one reader in a table, so that an unknown field can be told
// from a known one. A reader finds its value on top of the Lua stack, leaves the stack as it was, and gives
// what is wrong with the value, or nothing. None raises a Lua error as long as memory lasts.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "script/lens.h"

struct lua_State;

namespace stemedb::script {

using FieldReader = std::function<std::string(lua_State*)>;
using Fields = std::map<std::string, FieldReader>;

std::string_view TopText(lua_State* lua, int index = -1);

FieldReader Text(std::function<void(std::string)> set);
FieldReader Number(std::function<void(double)> set);
FieldReader Flag(std::function<void(bool)> set);
// A text, a number or a boolean.
FieldReader Scalar(std::function<void(ParamValue)> set);
// Every entry of a list.
FieldReader List(std::function<std::string(lua_State*)> read);

// All fields of the table on top of the stack.
std::string ReadFields(lua_State* lua, const Fields& fields);
// A table of parameters by name.
std::string ReadParams(lua_State* lua, std::map<std::string, ParamValue>& params);

}  // namespace stemedb::script
