// SPDX-License-Identifier: Apache-2.0
#include "console/text.h"

#include <gtest/gtest.h>

namespace stemedb::console {
namespace {

class Text : public testing::Test {
 protected:
  static void SetUpTestSuite() { UseUtf8(); }
};

TEST_F(Text, NoControlCharacterReachesTheTerminal) {
  EXPECT_EQ(Visible("a\x1b[31mred\x1b[0m"), "a\\x1b[31mred\\x1b[0m");
  EXPECT_EQ(Visible("bell\a, delete\x7f"), "bell\\x07, delete\\x7f");
  EXPECT_EQ(Visible("C1: \xc2\x9b"), "C1: \\u{9b}");
  for (int c = 0; c < 0x20; ++c) {
    const std::string shown = Visible(std::string(1, static_cast<char>(c)));
    EXPECT_EQ(shown.find_first_not_of("\\x0123456789abcdefntr"), std::string::npos) << c;
  }
}

TEST_F(Text, StaysOnOneLine) { EXPECT_EQ(Visible("a\nb\tc\r"), "a\\nb\\tc\\r"); }

TEST_F(Text, CharactersThatTurnOrHideTextAreShownByTheirNumber) {
  EXPECT_EQ(Visible("abc\u202edef"), "abc\\u{202e}def");
  EXPECT_EQ(Visible("a\u200bb\ufeffc"), "a\\u{200b}b\\u{feff}c");
}

TEST_F(Text, BytesThatAreNoUtf8AreShownAsBytes) {
  EXPECT_EQ(Visible("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(Visible("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(Visible("\xc0\xaf"), "\\xc0\\xaf");           // an overlong slash
}

TEST_F(Text, OtherScriptsStayAsTheyAre) { EXPECT_EQ(Visible("Ελλάδα 日本 ä"), "Ελλάδα 日本 ä"); }

TEST_F(Text, WideCharactersTakeTwoColumnsAndCombiningOnesNone) {
  EXPECT_EQ(WidthOf("日本"), 4u);
  EXPECT_EQ(WidthOf("e\u0301"), 1u);
  EXPECT_EQ(WidthOf("Ελλάδα"), 6u);
}

TEST_F(Text, IsShortenedAtACharactersBorder) {
  EXPECT_EQ(Shorten("abcdef", 6), "abcdef");
  EXPECT_EQ(Shorten("abcdef", 5), "abcd…");
  EXPECT_EQ(Shorten("日本語", 5), "日本…");
  EXPECT_EQ(Shorten("日本語", 4), "日…");
  EXPECT_EQ(Shorten("abc", 1), "…");
  EXPECT_EQ(Shorten("abc", 0), "");
}

TEST_F(Text, IsShortenedFromTheFrontAsWell) {
  EXPECT_EQ(ShortenFront("abcdef", 6), "abcdef");
  EXPECT_EQ(ShortenFront("abcdef", 5), "…cdef");
  EXPECT_EQ(ShortenFront("日本語", 5), "…本語");
  EXPECT_EQ(ShortenFront("日本語", 4), "…語");
  EXPECT_EQ(ShortenFront("abc", 1), "…");
  EXPECT_EQ(ShortenFront("abc", 0), "");
}

TEST_F(Text, FitsTheWidthExactly) {
  EXPECT_EQ(Fit("ab", 4, Align::kLeft), "ab  ");
  EXPECT_EQ(Fit("ab", 4, Align::kRight), "  ab");
  EXPECT_EQ(Fit("日本語", 4, Align::kLeft), "日… ");
}

}  // namespace
}  // namespace stemedb::console
