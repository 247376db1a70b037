// SPDX-License-Identifier: Apache-2.0
// Any bytes as a script: it is refused with its file and line, or rewritten. What LuaJIT compiles as it is
// written, it compiles rewritten, unless it meets one of the compiler's limits (locals, upvalues, jumps);
// there are as many lines.
#include <cstddef>
#include <cstdint>
#include <lua.hpp>
#include <string>
#include <string_view>

#include "base/check.h"
#include "script/instrument.h"

namespace {

using namespace stemedb;

size_t Lines(std::string_view text) {
  size_t lines = 0;
  for (const char c : text) lines += c == '\n' || c == '\r' ? 1 : 0;
  return lines;
}

// Empty, or what LuaJIT says.
std::string Complaint(std::string_view text) {
  lua_State* lua = luaL_newstate();
  std::string complaint;
  if (luaL_loadbufferx(lua, text.data(), text.size(), "@x.lua", "t") != 0) complaint = lua_tostring(lua, -1);
  lua_close(lua);
  return complaint;
}

bool IsLimit(std::string_view complaint) {
  for (const char* limit : {"too many", "too long", "limit", "more than", "too complex"}) {
    if (complaint.find(limit) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  const auto text = script::Instrument("x.lua", source);
  if (!text) {
    STEMEDB_CHECK(text.error().code() == Code::kInvalidArgument);
    STEMEDB_CHECK(text.error().message().starts_with("x.lua:"));
    return 0;
  }
  STEMEDB_CHECK(Lines(*text) == Lines(source));
  if (!Complaint(source).empty()) return 0;
  const std::string complaint = Complaint(*text);
  STEMEDB_CHECK(complaint.empty() || IsLimit(complaint));
  return 0;
}
