// SPDX-License-Identifier: Apache-2.0
// Matcher: regular expressions for scripts in linear time (RE2), one for each State, with a bounded number of
// compiled patterns. Lua's own patterns backtrack: some take longer than the age of the universe.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "script/call_frame.h"

namespace stemedb::script {

class Matcher {
 public:
  Matcher();
  ~Matcher();
  Matcher(const Matcher&) = delete;
  Matcher& operator=(const Matcher&) = delete;

  // The first match of `pattern` in `text` at `from` (bytes) or later: number of groups, the whole match
  // counted, with their places in `out`; 0 when there is none; -1 with out.error when the pattern is wrong or
  // too large. Compiles the pattern when it isn't kept. At most some 20 ms. Throws nothing.
  int Match(std::string_view text, std::string_view pattern, uint32_t from, MatchResult& out) noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;  // made at the first use: most scripts match nothing
};

}  // namespace stemedb::script
