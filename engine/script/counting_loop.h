// SPDX-License-Identifier: Apache-2.0
// for NAME = START, LIMIT do … end, where START is a whole number and LIMIT a name or a name's length: a loop
// that can pay for many passes at once, since they can be counted beforehand. A step in each pass costs a
// short body 5 to 10 percent of its time. It becomes two loops, over stretches, each of which pays, and over
// the passes of one:
//   do local N=#x+0 for C=1,N,K do local M=C+K-1 if M>N then M=N end STEP for i = C, M do … end end end
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "script/fuel_text.h"
#include "script/lexer.h"

namespace stemedb::script {

struct CountingLoop {
  const Token* keyword = nullptr;
  const Token* start = nullptr;
  std::string_view limit;
  const Token* end = nullptr;  // null until it is known
  bool is_left = false;   // by a break, which would leave the stretch alone, or a return: then it is short
  bool too_deep = false;  // in others: each takes six of a function's local variables

  bool counts_length() const { return limit.front() == '#'; }
  bool may_stretch() const { return end != nullptr && !is_left && !too_deep; }
};

// Of the `for` at tokens[at], of this source; nothing when it isn't one. Only on one line, so that errors of
// the limit keep theirs.
std::optional<CountingLoop> CountingLoopAt(std::string_view source, const std::vector<Token>& tokens,
                                           size_t at);

// Makes two loops of it: a stretch has so many passes, and each pass costs `weight`.
void Stretch(const CountingLoop& loop, std::string_view source, unsigned passes, unsigned weight,
             std::vector<Edit>& edits);

}  // namespace stemedb::script
