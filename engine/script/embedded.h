// SPDX-License-Identifier: Apache-2.0
// The room's own Lua, prelude.lua, policy.lua and steme.lua, as text in the program. CMake makes the
// definitions.
#pragma once

#include <string_view>

namespace stemedb::script {
extern const std::string_view kPreludeLua;
extern const std::string_view kStemeLua;
extern const std::string_view kPolicyLua;
}  // namespace stemedb::script
