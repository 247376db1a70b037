// SPDX-License-Identifier: Apache-2.0
#include "script/prelude.h"

#include <algorithm>
#include <lua.hpp>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "script/call_frame.h"
#include "script/embedded.h"
#include "script/near_name.h"

namespace stemedb::script {
namespace {

std::string WithSecret(std::string_view chunk) {
  constexpr std::string_view kPlaceholder = "SECRET", kDigits = "0123456789abcdef";
  std::random_device random;
  std::string secret;
  for (int i = 0; i < 32; ++i) secret += kDigits[random() % kDigits.size()];
  std::string text(chunk);
  for (size_t at = text.find(kPlaceholder); at != std::string::npos; at = text.find(kPlaceholder, at)) {
    text.replace(at, kPlaceholder.size(), secret);
    at += secret.size();
  }
  return text;
}

// Made once.
const std::string& CandidatesText() {
  static const std::string text = WithSecret(kCandidatesLua);
  return text;
}

void SetChunk(lua_State* lua, std::string_view text, const char* name) {
  LoadChunk(lua, text, name);
  lua_setfield(lua, -2, name + 1);
}

// CallFrame::hint. Called by Lua, which no exception may cross: without memory there is no hint.
uint32_t Hint(const char* name, uint32_t size, const char* known, uint32_t known_size, char* out,
              uint32_t out_size) noexcept try {
  std::vector<std::string_view> names;
  for (std::string_view rest(known, known_size); !rest.empty();) {
    const size_t end = std::min(rest.find(' '), rest.size());
    names.push_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  const std::string hint = HintAt({name, size}, names);
  const size_t taken = std::min<size_t>(hint.size(), out_size);
  std::copy_n(hint.begin(), taken, out);
  return static_cast<uint32_t>(taken);
} catch (const std::bad_alloc&) {
  return 0;
}

}  // namespace

void LoadChunk(lua_State* lua, std::string_view text, const char* name) {
  if (luaL_loadbufferx(lua, text.data(), text.size(), name, "t") != 0) lua_error(lua);
}

void RunPrelude(lua_State* lua, CallFrame* frame, PolicyFrame* policy_frame_or_null, int results) {
  frame->hint = &Hint;
  LoadChunk(lua, kPreludeLua, "=prelude");
  lua_newtable(lua);
  SetChunk(lua, CandidatesText(), "=candidates");
  SetChunk(lua, kSandboxLua, "=sandbox");
  SetChunk(lua, kTextsLua, "=texts");
  SetChunk(lua, kVerdictLua, "=verdict");
  SetChunk(lua, kStemeLua, "=steme");
  if (policy_frame_or_null != nullptr) SetChunk(lua, kPolicyLua, "=policy");
  lua_pushlightuserdata(lua, frame);
  lua_pushlightuserdata(lua, policy_frame_or_null);
  lua_call(lua, 3, results);
}

std::string_view WithoutOurPlace(std::string_view message) {
  for (const std::string_view ours :
       {"prelude:", "candidates:", "sandbox:", "texts:", "verdict:", "steme:", "policy:"}) {
    if (!message.starts_with(ours)) continue;
    const size_t end = message.find_first_not_of("0123456789", ours.size());
    if (end > ours.size() && message.substr(std::min(end, message.size())).starts_with(": "))
      return message.substr(end + 2);
  }
  return message;
}

}  // namespace stemedb::script
