// SPDX-License-Identifier: Apache-2.0
// Reading the tables of a spec: every field has one reader in a table, so that an unknown field can be told
// from a known one. A reader finds its value on top of the Lua stack, leaves the stack as it was, and gives
// what is wrong with the value, or nothing. None raises a Lua error as long as memory lasts.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "script/lens.h"

struct lua_State;

namespace stemedb::script {

using FieldReader = std::function<std::string(lua_State*)>;
using Fields = std::map<std::string, FieldReader, std::less<>>;

// What the cases of lenses and of policies have in common.
struct CaseBase {
  std::string claim;
  std::string error;  // what is wrong with the case itself
  std::map<std::string, ParamValue> params;
  std::optional<std::string> fails;  // a part of the error's message
};

std::string_view TopText(lua_State* lua, int index = -1);

FieldReader Text(std::function<void(std::string)> set);
// UTF-8 of so many bytes, as a claim's.
FieldReader ClaimText(size_t bytes_min, size_t bytes_max, std::function<void(std::string)> set);
// Of a text that is looked for in another: the empty one would be found in all.
FieldReader Part(std::function<void(std::string)> set);
FieldReader Number(std::function<void(double)> set);
// From `min` to `max`.
FieldReader NumberWithin(double min, double max, std::function<void(double)> set);
// The same, up to 2^53.
FieldReader Whole(double min, double max, std::function<void(double)> set);
FieldReader Flag(std::function<void(bool)> set);
// A text, a number or a boolean.
FieldReader Scalar(std::function<void(ParamValue)> set);
// Every entry of a list.
FieldReader List(std::function<std::string(lua_State*)> read);

// All fields of the table on top of the stack.
std::string ReadFields(lua_State* lua, const Fields& fields);
// The same for what is expected, which must be something: nothing would hold of every answer.
std::string ReadExpectation(lua_State* lua, const Fields& fields);
// Calls `read` with each case of the list at this absolute stack index on top of the stack, and its number.
void ForEachCase(lua_State* lua, int index, const std::function<void(size_t number)>& read);
// The case on top of the stack: `fields` and those of CaseBase. `needed` says, by field, what is wanted when
// it isn't there.
void ReadCase(lua_State* lua, size_t number, Fields fields, const std::map<std::string, std::string>& needed,
              CaseBase& one);
// "a, b, c"
std::string Names(const Fields& fields);
// A key of the table on top of the stack that isn't one of a list's, as text; empty when all are.
std::string StrayKey(lua_State* lua);

}  // namespace stemedb::script
