// SPDX-License-Identifier: Apache-2.0
#include "script/verdict_keys.h"

#include <array>
#include <functional>
#include <lua.hpp>
#include <optional>
#include <span>
#include <string_view>

#include "script/near_name.h"
#include "script/stray_key.h"

namespace stemedb::script {
namespace {

constexpr std::array<std::string_view, 9> kFields = {
    "confidence", "conflict_score", "details", "explain", "layers", "notes", "status", "weights", "winner"};
constexpr std::array<std::string_view, 6> kLayerFields = {"confidence", "conflict_score", "status",
                                                          "tier",       "weights",        "winner"};
constexpr std::array<std::string_view, 5> kRateFields = {"bucket", "cost", "limit", "peer_limit", "window_s"};

class Walk {
 public:
  Walk(lua_State* lua, Budget& budget) : lua_(lua), budget_(budget) {}

  // The table at this index has other keys than these names.
  void Fields(int index, const std::string& place, std::span<const std::string_view> known) {
    const auto stray = First(index, [&](const TableKey& key) { return key.IsOneOf(known); });
    if (!stray) return;
    const std::string text = stray->Text();
    found_ = place + (stray->IsName() ? "an unknown field '" + text + "'" : "the key " + text) + ": " +
             HintAt(text, known);
  }

  // The table at this index has other keys than 1 to `count`.
  void Numbers(int index, const std::string& what, size_t count, const std::string& hint) {
    const auto stray = First(index, [&](const TableKey& key) { return key.IsPlaceIn(count); });
    if (!stray) return;
    const std::string quote = stray->IsName() ? "'" : "";
    found_ = what + " with the key " + quote + stray->Text() + quote + ": " + hint;
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
  // Nothing when something has been found already.
  std::optional<TableKey> First(int index, const std::function<bool(const TableKey&)>& known) {
    return found_.empty() ? FirstStray(lua_, index, known, &budget_) : std::nullopt;
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
