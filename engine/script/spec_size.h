// SPDX-License-Identifier: Apache-2.0
// How large a spec may be. Its tables are copied into C++ before the first case runs, and a table or a text
// that a spec builds once and shares is copied for each place where it stands: so its size is taken there,
// not in the Lua state's memory.
#pragma once

#include <cstddef>
#include <string>

struct lua_State;

namespace stemedb::script {

inline constexpr size_t kSpecCasesMax = 2'000;
// Of all cases together: given claims, and the entries of other lists that are tables (shares, layers).
inline constexpr size_t kSpecClaimsMax = 20'000;
inline constexpr size_t kSpecTextBytesMax = 16 << 20;
// Entries of all tables: those of the claims with every field, and as many besides.
inline constexpr size_t kSpecEntriesMax = 400'000;

// What is too large about the spec in the table at this absolute stack index; empty when nothing is. Copies
// nothing, and stops at the first bound. Raises no Lua error.
std::string SpecTooLarge(lua_State* lua, int index);

}  // namespace stemedb::script
