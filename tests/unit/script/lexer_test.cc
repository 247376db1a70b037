// SPDX-License-Identifier: Apache-2.0
// The lexer cuts where LuaJIT cuts: the cases are those where a slip would hide code in a text, or a text in code.
#include "script/lexer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stemedb::script {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Cut(std::string_view source) {
  const auto tokens = Tokenise("x.lua", source);
  if (!tokens) return {std::string(tokens.error().message())};
  std::vector<std::string> texts;
  for (const auto& token : *tokens) {
    if (token.kind != TokenKind::kEnd) texts.emplace_back(token.text);
  }
  return texts;
}

TEST(Lexer, CutsNumbersAsLuaJitDoes) {
  EXPECT_THAT(Cut("1 0x1p-3 0xFFULL 1e+5 3i .5e-1 42LL 0xep1-1"),
              ElementsAre("1", "0x1p-3", "0xFFULL", "1e+5", "3i", ".5e-1", "42LL", "0xep1", "-", "1"));
  EXPECT_THAT(Cut("0xe-1"), ElementsAre("0xe", "-", "1")) << "e is a digit there";
  EXPECT_THAT(Cut("a.b..c...d"), ElementsAre("a", ".", "b", "..", "c", "...", "d"));
  EXPECT_THAT(Cut("x=1--2\n-3"), ElementsAre("x", "=", "1", "-", "3"));
}

TEST(Lexer, CutsTextsAsLuaJitDoes) {
  EXPECT_THAT(Cut(R"('a\'b' "c\"" 'd\\' "\z
     e" x)"),
              ElementsAre(R"('a\'b')", R"("c\"")", R"('d\\')", "\"\\z\n     e\"", "x"));
  EXPECT_THAT(Cut("[[a]b]] [==[ ]] ]=] ]==] [=[]]=]"), ElementsAre("[[a]b]]", "[==[ ]] ]=] ]==]", "[=[]]=]"));
  EXPECT_THAT(Cut("a[b[1]] a[ [[x]] ]"), ElementsAre("a", "[", "b", "[", "1", "]", "]", "a", "[", "[[x]]", "]"));
  EXPECT_THAT(Cut("'a\\\nb' c"), ElementsAre("'a\\\nb'", "c"));
  EXPECT_THAT(Cut("'\\\r\nb' c"), ElementsAre("'\\\r\nb'", "c"));
}

TEST(Lexer, LeavesCommentsOut) {
  EXPECT_THAT(Cut("a --[[ b\n ]] c --[==[ ]] \n]==] d -- e\nf --[ g ]]\nh"), ElementsAre("a", "c", "d", "f", "h"));
  EXPECT_THAT(Cut("a --[=b\nc"), ElementsAre("a", "c"));
  EXPECT_THAT(Cut("a --"), ElementsAre("a"));
  EXPECT_THAT(Cut("a --\rb"), ElementsAre("a", "b"));
}

TEST(Lexer, CountsLinesAsLuaJitDoes) {
  const auto tokens = Tokenise("x.lua", "a\nb\rc\r\nd\n\re '\\z\n\n' f [[\r\n\n]] g --[[\n]] h");
  ASSERT_TRUE(tokens);
  std::vector<std::pair<std::string, uint32_t>> lines;
  for (const auto& token : *tokens) {
    if (token.kind == TokenKind::kName) lines.emplace_back(token.text, token.line);
  }
  using Line = std::pair<std::string, uint32_t>;
  EXPECT_THAT(lines, ElementsAre(Line{"a", 1}, Line{"b", 2}, Line{"c", 3}, Line{"d", 4}, Line{"e", 5}, Line{"f", 7},
                                 Line{"g", 9}, Line{"h", 10}));
}

TEST(Lexer, TellsKeywordsFromNames) {
  const auto tokens = Tokenise("x.lua", "end ends _end 'end' goto");
  ASSERT_TRUE(tokens);
  std::vector<TokenKind> kinds;
  for (const auto& token : *tokens) kinds.push_back(token.kind);
  EXPECT_THAT(kinds, ElementsAre(TokenKind::kKeyword, TokenKind::kName, TokenKind::kName, TokenKind::kString,
                                 TokenKind::kKeyword, TokenKind::kEnd));
}

TEST(Lexer, RefusesWhatItCannotBeSureOf) {
  const auto refusal = [](std::string_view source) { return Cut(source).at(0); };
  EXPECT_THAT(refusal("\x1bLJ"), HasSubstr("x.lua: this is not Lua text"));
  EXPECT_THAT(refusal(std::string_view("a\0b", 3)), HasSubstr("x.lua: this is not Lua text"));
  EXPECT_THAT(refusal("\xEF\xBB\xBF" "return"), HasSubstr("x.lua:1: the text starts with a byte order mark"));
  EXPECT_THAT(refusal("#!/bin/lua\n"), HasSubstr("x.lua:1: a first line with #"));
  EXPECT_THAT(refusal("a = 1\n\x80" "f = 2"), HasSubstr("x.lua:2: only ASCII"));
  EXPECT_THAT(refusal("na\xC3\xAFve = 1"), HasSubstr("x.lua:1: only ASCII"));
  EXPECT_THAT(refusal("x = 1\xC3"), HasSubstr("x.lua:1: only ASCII"));
  EXPECT_THAT(refusal("\n'abc"), HasSubstr("x.lua:2: a text that never ends"));
  EXPECT_THAT(refusal("'abc\n'"), HasSubstr("x.lua:1: a text that never ends"));
  EXPECT_THAT(refusal("\n[==[ ]=]"), HasSubstr("x.lua:2: a long text that never ends"));
  EXPECT_THAT(refusal("--[[ a"), HasSubstr("x.lua:1: a long comment that never ends"));
  EXPECT_THAT(refusal("'\\"), HasSubstr("x.lua:1: a text that never ends"));
  EXPECT_THAT(Cut("'\xC3\xA4' --\xC3\xA4"), ElementsAre("'\xC3\xA4'")) << "in texts and comments anything goes";
}

}  // namespace
}  // namespace stemedb::script
