// SPDX-License-Identifier: Apache-2.0
// The tokens of a Lua text, cut exactly as LuaJIT cuts them (its lj_lex.c is the reference: LL, ULL and i
// suffixes, hex floats, \z, \x and \u escapes, long strings and comments, four kinds of line end). Only the
// borders matter here: whether a number or an escape is well-formed is left to LuaJIT, which compiles the
// same text first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace stemedb::script {

enum class TokenKind : uint8_t { kName, kKeyword, kNumber, kString, kSymbol, kEnd };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;  // a piece of the source; strings with their quotes; empty at the end
  uint32_t line = 1;      // where it begins

  bool Is(std::string_view what) const { return text == what && kind != TokenKind::kString; }
};

// All tokens, kEnd last. The views point into `source`. kInvalidArgument "script_invalid" with FILE:LINE,
// what and remedy for what the rewriting can't be sure about: NUL, compiled chunks, a byte order mark or a
// line with # at the start, bytes above 0x7f outside of texts and comments (LuaJIT takes them in names; the
// counter's own names have them), texts without an end.
Result<std::vector<Token>> Tokenise(const std::string& file, std::string_view source);

}  // namespace stemedb::script
