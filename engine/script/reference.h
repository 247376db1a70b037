// SPDX-License-Identifier: Apache-2.0
// The script API, written once: api.lua lists every name that a script may use, what it means and when. The
// tables of docs/lua-api.md are made from it (scripts/dev/lua-api-docs), the console's help reads it, and a
// test holds it against the sandbox.
#pragma once

#include <string_view>

namespace stemedb::script {
extern const std::string_view kApiLua;  // a Lua chunk that returns the list
}  // namespace stemedb::script
