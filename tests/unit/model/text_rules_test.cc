// SPDX-License-Identifier: Apache-2.0
// Which names are names.
#include "model/text_rules.h"

#include <gtest/gtest.h>

#include "model/json_form.h"

namespace stemedb::model {
namespace {

TEST(ConceptPath, TakesSegmentsWithAnOptionalScheme) {
  for (std::string_view path : {"a", "a/b", "a/b c/d", "fda://drug", "x+1.y-z://a/b", "薬/セマグルチド",
                                "a:b/c", "a:/b", "*/a", "a/*b", "a*", "a/**", ".", "../a", "http:/a"}) {
    EXPECT_EQ(ConceptPathFault(path), "") << path;
  }
}

TEST(ConceptPath, RefusesEmptySegmentsSchemesAndSubtrees) {
  for (std::string_view path :
       {"",      "/",      "/a",   "a/",      "a//b",  "//a",     "a://", "a:///b", "a://b/", "a://b//c",
        "A://b", "1a://b", "://b", "a_b://c", "é://c", "a/b://c", "*",    "a/*",    "s://*",  "s://a/*"}) {
    EXPECT_NE(ConceptPathFault(path), "") << path;
  }
}

TEST(ConceptPath, IsBoundedInBytesNotInCharacters) {
  EXPECT_EQ(ConceptPathFault(std::string(512, 'a')), "");
  EXPECT_EQ(ConceptPathFault(std::string(513, 'a')), "is 513 bytes long; the limit is 512");
  std::string euros;
  for (int i = 0; i < 171; ++i) euros += "€";
  EXPECT_NE(ConceptPathFault(euros), "");
}

TEST(Name, RefusesControlCharactersOfEveryKind) {
  for (unsigned c = 0; c < 0x20; ++c)
    EXPECT_NE(NameFault(std::string("a") + static_cast<char>(c), 9), "") << c;
  EXPECT_NE(NameFault("\x7f", 9), "");
  for (unsigned c = 0x80; c < 0xA0; ++c)
    EXPECT_NE(NameFault(std::string("\xC2") + static_cast<char>(c), 9), "") << c;
  EXPECT_EQ(NameFault("\u00A0", 9), "");
  EXPECT_EQ(NameFault("\u00C2\u00DF ~", 9), "");
}

TEST(Name, RefusesTextThatIsNotUtf8) {
  for (std::string_view text : {"\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80"})
    EXPECT_EQ(NameFault(text, 9), "is not valid UTF-8");
}

TEST(Utf16Less, PutsCharactersBeyondTheBmpBeforeTheLastOfIt) {
  EXPECT_TRUE(Utf16Less("😀", "\uE000"));
  EXPECT_TRUE(Utf16Less("a\U0010FFFF", "a\uFFFF"));
  EXPECT_FALSE(Utf16Less("\uFB33", "😀"));
  EXPECT_TRUE(Utf16Less("\uD7FF", "😀"));
  EXPECT_TRUE(Utf16Less("\U00010000", "\U00010001"));
  EXPECT_TRUE(Utf16Less("\uE000", "\uFFFF"));
  EXPECT_TRUE(Utf16Less("", "a"));
  EXPECT_TRUE(Utf16Less("a", "ab"));
  EXPECT_FALSE(Utf16Less("ab", "a"));
  EXPECT_FALSE(Utf16Less("a", "a"));
}

}  // namespace
}  // namespace stemedb::model
