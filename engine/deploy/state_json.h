// SPDX-License-Identifier: Apache-2.0
// The text of state.json (state_files.h), written and read. It carries a SHA-256 over itself:
//   {"sha256":"64 digits","state":{…}}
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "deploy/state_files.h"

namespace stemedb::deploy {

std::string StateText(const Book& book, const script::ScriptSet& live);

// Versions come without their texts. kCorruption "state_damaged" when it isn't what was written, or is of a
// format that this server doesn't know.
Result<SavedState> ParseState(std::string_view text);

}  // namespace stemedb::deploy
