// SPDX-License-Identifier: Apache-2.0
// Keys are looked at by type first and never converted in place, which would make lua_next lose its way; and
// no text is made of them here, since there may be hundreds of thousands.
#include "script/stray_key.h"

#include <algorithm>
#include <cmath>
#include <lua.hpp>
#include <tuple>

#include "script/details.h"
#include "script/utf8.h"

namespace stemedb::script {
namespace {

constexpr size_t kTextBytesMax = 64;
constexpr size_t kKeysOfALook = 256;  // at the clock

// The key below the value on top of the stack.
TableKey KeyBelowTop(lua_State* lua) {
  TableKey key{.type = lua_type(lua, -2)};
  if (key.type == LUA_TNUMBER) key.number = lua_tonumber(lua, -2);
  if (key.type == LUA_TSTRING) {
    size_t size = 0;
    const char* bytes = lua_tolstring(lua, -2, &size);
    key.text = {bytes, size};
  }
  return key;
}

bool ComesBefore(const TableKey& a, const TableKey& b) {
  const auto place = [](const TableKey& key) {
    const int of_type = key.type == LUA_TSTRING ? -2 : key.type == LUA_TNUMBER ? -1 : key.type;
    return std::tuple(of_type, key.text, key.number);
  };
  return place(a) < place(b);
}

}  // namespace

bool TableKey::IsName() const { return type == LUA_TSTRING; }

bool TableKey::IsOneOf(std::span<const std::string_view> names) const {
  return IsName() && std::find(names.begin(), names.end(), text) != names.end();
}

bool TableKey::IsPlaceIn(size_t count) const {
  return type == LUA_TNUMBER && number >= 1 && number <= static_cast<double>(count) &&
         number == std::floor(number);
}

std::string TableKey::Text() const {
  if (type == LUA_TSTRING) return CleanUtf8(text, kTextBytesMax);
  if (type == LUA_TNUMBER) return "[" + NumberText(number) + "]";
  return std::string("[a ") + lua_typename(nullptr, type) + "]";
}

std::optional<TableKey> FirstStray(lua_State* lua, int index,
                                   const std::function<bool(const TableKey&)>& known,
                                   Budget* budget_or_null) {
  const int top = lua_gettop(lua);
  std::optional<TableKey> first;
  size_t seen = 0;
  lua_pushnil(lua);
  while (lua_next(lua, index) != 0) {
    if (++seen % kKeysOfALook == 0 && budget_or_null != nullptr && budget_or_null->IsOver()) {
      first.reset();
      break;
    }
    const TableKey key = KeyBelowTop(lua);
    lua_pop(lua, 1);
    if (!known(key) && (!first || ComesBefore(key, *first))) first = key;
  }
  lua_settop(lua, top);
  return first;
}

}  // namespace stemedb::script
