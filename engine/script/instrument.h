// SPDX-License-Identifier: Apache-2.0
// Rewrites a script so that it can be stopped while it runs at the trace compiler's speed: every way round
// and every way in pays from a counter, the fuel, and the script asks for more when it is used up. A count
// hook can't do this: it never fires in compiled code. See docs/decisions/0012-fuel-in-scripts.md.
//
// What is put in, always on the line where it belongs, so that line numbers stay true:
//   at the start        local F,T=0,T L(function(n) F=F-n return F end,function(n) F=n end)
//   a step              F=F-W if F<0 then T() end
//   for i = 1, #x do …  do local N=#x+0 for C=1,N,K do local M=C+K-1 if M>N then M=N end STEP for i = C, M do
//   …
//   return steme.NAME(…) return (steme.NAME(…)), or return P(steme.NAME(…)) where it may have several results
//                        and P is local P=function(...) return ... end at the start: with a tail call an
//                        error would name no line
// F, T, L, N, C and M stand for names that begin with the byte 0x80, which no script can write. L, given by
// the prelude, takes the two functions that take from the counter and fill it; T, the same, fills it or
// raises an error.
//
// Steps are behind the parameters of every function, at the head of every loop's body (of a short loop that
// counts up to a name or a length, and has no break, only once in K passes, for all of them), before every
// goto and every label, and between statements where many costly operators come in a row. W is 2 for the step
// itself and then, for all that runs before the next step, what it may cost if it meets a long text: 8 for
// arithmetic (which reads texts as numbers), calls and `...`, 4 for `..`, 1 for a comparison.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace stemedb::script {

// The most that one step may pay for.
inline constexpr unsigned kStepWeightMax = 8 * 512;

// kInvalidArgument "script_invalid" with FILE:LINE, what and remedy, for what the lexer refuses, for what
// LuaJIT would take too long to compile (token_limits.h), for `goto` used as a plain name, and for a
// statement that costs more than kStepWeightMax. A text that isn't Lua may be refused or rewritten to
// something that isn't Lua either.
Result<std::string> Instrument(const std::string& file, std::string_view source);

}  // namespace stemedb::script
