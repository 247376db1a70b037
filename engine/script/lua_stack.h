// SPDX-License-Identifier: Apache-2.0
// What an allocator that refuses memory must do for LuaJIT before it says no. See
// docs/decisions/0018-before-memory-is-refused.md.
#pragma once

#include <cstdint>

struct lua_State;

namespace stemedb::script {

class LuaStack {
 public:
  // Learns where the state keeps its stack. False when that isn't where 2.1 with 64-bit references keeps it:
  // then nothing is known, and kUnknown says what it means. In a C function; leaves the stack as it was.
  bool Learn(lua_State* lua);
  static constexpr char kUnknown[] =
      "this build of LuaJIT keeps its stack elsewhere than 2.1 with 64-bit references does, so that a script "
      "without "
      "memory could end the process: use Debian's libluajit-5.1-2";

  // Called by the allocator right before it refuses. In compiled code the state's base and top are those of
  // long ago, and LuaJIT would write its message into a frame that is in use: they are put behind everything
  // that is.
  void ReadyForRefusal() const;

 private:
  lua_State* lua_ = nullptr;
  uint64_t c_function_ = 0;         // a slot's bits
  const char* jit_base_ = nullptr;  // the word that isn't 0 while compiled code runs
};

}  // namespace stemedb::script
