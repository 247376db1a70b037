// SPDX-License-Identifier: Apache-2.0
// The console's Lua (reference.lua as a function, then console.lua) as text in the program. CMake makes the
// definition.
#pragma once

#include <string_view>

namespace stemedb::console {
extern const std::string_view kConsoleLua;
}  // namespace stemedb::console
