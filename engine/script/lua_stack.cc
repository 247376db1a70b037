// SPDX-License-Identifier: Apache-2.0
#include "script/lua_stack.h"

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <lua.hpp>

namespace stemedb::script {
namespace {

// Of lua_State with 64-bit references, which the API doesn't show: src/lj_obj.h of LuaJIT 2.1.
constexpr size_t kGlobal = 16;
constexpr size_t kBase = 32;
constexpr size_t kTop = 40;
constexpr size_t kMaxStack = 48;
constexpr size_t kStack = 56;
constexpr size_t kSlotBytes = 8;
constexpr int kAsked = 200;  // more slots than a C function has free

char* Field(lua_State* lua, size_t offset) {
  char* field = nullptr;
  std::memcpy(&field, reinterpret_cast<const char*>(lua) + offset, sizeof field);
  return field;
}

void SetField(lua_State* lua, size_t offset, const char* field) {
  std::memcpy(reinterpret_cast<char*>(lua) + offset, &field, sizeof field);
}

bool TopIsAt(lua_State* lua, int count) {
  return Field(lua, kTop) == Field(lua, kBase) + static_cast<size_t>(count) * kSlotBytes;
}

int Nothing(lua_State*) { return 0; }

const char* Global(lua_State* lua) { return Field(lua, kGlobal); }

uint64_t Word(const char* from, size_t offset) {
  uint64_t word = 0;
  std::memcpy(&word, from + offset, sizeof word);
  return word;
}

// Finds jit_base in the state's global part: of all its words the one that is 0 but for as long as compiled
// code runs, and then points into the stack. A state of its own allocates in compiled code, and the allocator
// looks.
class Search {
 public:
  // Its offset; 0 when there is none.
  size_t Run() {
    lua_State* const lua = lua_newstate(&Search::Allocate, this);
    if (lua == nullptr) return 0;
    luaL_openlibs(lua);
    lua_ = lua;
    for (size_t i = 0; i < kWords; ++i) was_zero_[i] = Word(Global(lua), 8 * i) == 0;
    const bool ran = Do(lua, kCompiled) && Do(lua, kInterpreted);
    lua_ = nullptr;
    lua_close(lua);
    if (!ran) return 0;
    for (size_t i = 0; i < kWords; ++i)
      if (was_zero_[i] && pointed_[i] && !pointed_uncompiled_[i]) return 8 * i;
    return 0;
  }

 private:
  static constexpr size_t kWords = 96;  // well within what is one block with the state
  static constexpr char kCompiled[] = "local t = {} for i = 1, 3000 do t[i] = { i } end";
  static constexpr char kInterpreted[] =
      "jit.off() jit.flush() local t = {} for i = 1, 3000 do t[i] = { i } end";

  bool Do(lua_State* lua, const char* text) {
    uncompiled_ = text == kInterpreted;
    return luaL_loadstring(lua, text) == 0 && lua_pcall(lua, 0, 0, 0) == 0;
  }
  void Look() {
    const auto first = reinterpret_cast<uint64_t>(Field(lua_, kStack));
    const auto last = reinterpret_cast<uint64_t>(Field(lua_, kMaxStack));
    for (size_t i = 0; i < kWords; ++i) {
      const uint64_t word = Word(Global(lua_), 8 * i);
      if (word < first || word > last) continue;
      (uncompiled_ ? pointed_uncompiled_ : pointed_)[i] = true;
    }
  }
  static void* Allocate(void* search, void* block, size_t, size_t new_size) {
    auto* self = static_cast<Search*>(search);
    if (self->lua_ != nullptr) self->Look();
    if (new_size != 0) return std::realloc(block, new_size);
    std::free(block);
    return nullptr;
  }

  lua_State* lua_ = nullptr;
  bool uncompiled_ = false;
  std::array<bool, kWords> was_zero_{}, pointed_{}, pointed_uncompiled_{};
};

}  // namespace

bool LuaStack::Learn(lua_State* lua) {
  const int count = lua_gettop(lua);
  if (!TopIsAt(lua, count)) return false;
  lua_pushcfunction(lua, &Nothing);
  bool known = TopIsAt(lua, count + 1);
  if (known) std::memcpy(&c_function_, Field(lua, kTop) - kSlotBytes, sizeof c_function_);
  luaL_ref(lua, LUA_REGISTRYINDEX);  // so that it stays where it is
  if (lua_checkstack(lua, kAsked) == 0) return false;
  const char* const end = Field(lua, kTop) + kAsked * kSlotBytes;
  known =
      known && TopIsAt(lua, count) && Field(lua, kMaxStack) >= end && Field(lua, kMaxStack) < end + (1 << 20);
  static const size_t jit_base = Search().Run();
  if (!known || jit_base == 0) return false;
  lua_ = lua;
  jit_base_ = Global(lua) + jit_base;
  return true;
}

// Behind the last slot there are seven more, for such needs: they get the frame of a C function, of which
// LuaJIT believes the top. Compiled code sets the base anew when the error leaves it.
void LuaStack::ReadyForRefusal() const {
  if (lua_ == nullptr || Word(jit_base_, 0) == 0) return;
  char* const behind = Field(lua_, kMaxStack);
  std::memcpy(behind, &c_function_, sizeof c_function_);
  SetField(lua_, kBase, behind + 2 * kSlotBytes);
  SetField(lua_, kTop, behind + 2 * kSlotBytes);
}

}  // namespace stemedb::script
