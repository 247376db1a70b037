// SPDX-License-Identifier: Apache-2.0
// Keys that a table of a script's own making has and that nobody reads: a slip of the pen must not pass as if
// the field had been left out. What is then said of the key is the caller's.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "script/budget.h"

struct lua_State;

namespace stemedb::script {

struct TableKey {
  int type = 0;           // LUA_TSTRING, LUA_TNUMBER …
  std::string_view text;  // of a string; as long as the table has it
  double number = 0;      // of a number

  bool IsName() const;
  bool IsOneOf(std::span<const std::string_view> names) const;
  // Whether it is one of a list's so many.
  bool IsPlaceIn(size_t count) const;
  // "name" (64 bytes at most, as UTF-8), "[2]", "[a table]".
  std::string Text() const;
};

// Of the keys that are not `known` in the table at this absolute stack index always the same, though Lua's
// order is none: names before numbers before others, the smallest of them. Looks at the budget now and then,
// and gives up when the time is over. Needs two slots of the Lua stack, raises no Lua error.
std::optional<TableKey> FirstStray(lua_State* lua, int index,
                                   const std::function<bool(const TableKey&)>& known,
                                   Budget* budget_or_null = nullptr);

}  // namespace stemedb::script
