// SPDX-License-Identifier: Apache-2.0
// The room's own Lua as text in the program. CMake makes the definitions.
#pragma once

#include <string_view>

namespace stemedb::script {
extern const std::string_view kPreludeLua;     // prelude.lua
extern const std::string_view kCandidatesLua;  // candidates.lua
extern const std::string_view kSandboxLua;     // sandbox.lua
extern const std::string_view kTextsLua;       // texts.lua
extern const std::string_view kVerdictLua;     // verdict.lua
extern const std::string_view kStemeLua;       // steme.lua
extern const std::string_view kPolicyLua;      // policy.lua
extern const std::string_view kPromptLua;      // prompt.lua
}  // namespace stemedb::script
