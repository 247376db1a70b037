// SPDX-License-Identifier: Apache-2.0
// What a script's text may contain, before anybody works on it. LuaJIT's parser is quick for every program
// that somebody would write, and quadratic for some that nobody would: it walks its lists of pending jumps to
// their ends, and looks for a name through all local variables that can be seen, and for what comes from
// further out through the lists of all functions in between. It can't be stopped, so such a text is refused.
// Our own rewriting (instrument.h) counts on the bound of open blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "script/lexer.h"

namespace stemedb::script {

// One inside the other. LuaJIT ends at 200 as well.
inline constexpr size_t kOpenBlocksMax = 200;
// A jump is an `and`, `or`, `elseif`, `break`, `goto` or label. Each may cost a walk past all jumps of its
// function before it, of 2 ns for each: with 2,800 jumps in one function, or 900 in each of ten, they come to
// 4 million, which LuaJIT, that compiles a script twice, takes 20 ms for.
inline constexpr uint64_t kJumpStepsMax = 4'000'000;
// What a name is compared with, for all names together: local variables, as many as can be seen, and for each
// function around it as many upvalues as it may have. A file of 256 KiB has some 50,000 names.
inline constexpr uint64_t kNameStepsMax = 16'000'000;

// kInvalidArgument "script_invalid" with FILE:LINE, what and remedy, for a text or name of more than
// kTextLight (call_frame.h) and for what passes a bound above. `tokens` are a whole text's (lexer.h).
Status CheckTokens(const std::string& file, const std::vector<Token>& tokens);

}  // namespace stemedb::script
