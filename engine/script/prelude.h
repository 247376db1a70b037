// SPDX-License-Identifier: Apache-2.0
// The trusted Lua that every state begins with: prelude.lua and the chunks that it is given. Candidates' own
// fields have names that no script can know: this process's secret is in them.
#pragma once

#include <string_view>

struct lua_State;

namespace stemedb::script {

struct CallFrame;
struct PolicyFrame;

// Pushes the chunk of the text, which `name` is for in messages ("=prelude", "@recency.lua"). Raises LuaJIT's
// complaint as a Lua error.
void LoadChunk(lua_State* lua, std::string_view text, const char* name);

// Runs the prelude and leaves its first `results` results on the stack (prelude.lua lists them). The frames
// outlive the state; without a PolicyFrame there are no policies. Raises Lua errors.
void RunPrelude(lua_State* lua, CallFrame* frame, PolicyFrame* policy_frame_or_null, int results);

// The text of a message without the place in our own Lua, "prelude:12: ", which is of no use to who wrote the
// script.
std::string_view WithoutOurPlace(std::string_view message);

}  // namespace stemedb::script
