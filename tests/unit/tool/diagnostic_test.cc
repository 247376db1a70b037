// SPDX-License-Identifier: Apache-2.0
#include "tool/diagnostic.h"

#include <gtest/gtest.h>

#include "console/text.h"
#include "script/lens.h"
#include "script/spec.h"

namespace stemedb::tool {
namespace {

// What check says of the text.
std::string Said(const std::string& text) {
  const auto info = script::CheckScript({"mine.lua", text});
  return info ? "good" : Format(Diagnose("drafts/mine.lua", info.error().message(), text));
}

TEST(Diagnostic, MarksTheTokenThatLuaStumblesOver) {
  EXPECT_EQ(Said("return {\n  kind = \"lens\"\n  api = 1,\n}"),
            "drafts/mine.lua:3: error: '}' expected (to close '{' at line 1) near 'api'\n"
            "      api = 1,\n"
            "      ^~~\n"
            "help: an entry of a table is missing its comma, or the table its closing brace\n");
}

TEST(Diagnostic, MarksTheNameThatIsNotThere) {
  EXPECT_EQ(Said("local now = os.time()\nreturn {}"),
            "drafts/mine.lua:1: error: attempt to index global 'os' (a nil value)\n"
            "    local now = os.time()\n"
            "                ^~\n"
            "help: a script sees what docs/lua-api.md lists and nothing else: no os, io, require, ffi\n");
}

TEST(Diagnostic, FindsTheFieldThatADescriptionComplainsAbout) {
  const std::string text =
      "local default = 1\n"
      "return { kind = \"lens\", api = 1, name = \"mine\", version = \"1\", description = \"d\",\n"
      "  params = { floor = { type = \"number\", default = 3, max = 1, description = \"d\" } },\n"
      "  resolve = function() end }";
  EXPECT_EQ(Said(text),
            "drafts/mine.lua:3: error: params.floor.default must be within -9007199254740992 and 1\n"
            "      params = { floor = { type = \"number\", default = 3, max = 1, description = \"d\" } },\n"
            "                                            ^~~~~~~\n");
}

TEST(Diagnostic, KeepsTabsSoThatTheMarkStandsBelow) {
  EXPECT_NE(Said("\t\tx = 1\nreturn {}").find("    \t\tx = 1\n    \t\t^\n"), std::string::npos);
}

// The source line that is shown, and the one with the mark.
std::pair<std::string, std::string> Shown(const std::string& text) {
  const std::string said = Said(text);
  const size_t source = said.find('\n') + 1, mark = said.find('\n', source) + 1;
  return {said.substr(source, mark - 1 - source), said.substr(mark, said.find('\n', mark) - mark)};
}

TEST(Diagnostic, EscapesWhatCouldSteerATerminal) {
  EXPECT_EQ(Said("local x = '\x1b[2J' .. os.time()\nreturn {}"),
            "drafts/mine.lua:1: error: attempt to index global 'os' (a nil value)\n"
            "    local x = '\\x1b[2J' .. os.time()\n"
            "                           ^~\n"
            "help: a script sees what docs/lua-api.md lists and nothing else: no os, io, require, ffi\n");
  const std::string thrown = Said("error('\\27]0;x\\7\\n')");
  EXPECT_EQ(thrown.substr(0, thrown.find('\n')), "drafts/mine.lua:1: error: \\x1b]0;x\\x07\\n");
  EXPECT_EQ(Format(Diagnose("\x1b[2J.lua", "no", "")), "\\x1b[2J.lua: error: no\n");
}

TEST(Diagnostic, StandsBelowWhatIsWrongWhateverIsWideBeforeIt) {
  console::UseUtf8();
  const auto [line, mark] = Shown("local x = '日本 ä' .. os.time()\nreturn {}");
  EXPECT_EQ(line, "    local x = '日本 ä' .. os.time()");
  EXPECT_EQ(mark, "                          ^~");
}

TEST(Diagnostic, ShowsOfALongLineWhatIsAroundThePlace) {
  console::UseUtf8();
  std::string list = "{";
  for (int i = 0; i < 500; ++i) list += "\t'日本',";
  const std::string text = "local a = " + list + "} local now = os.time() local b = " + list + "}\nreturn {}";
  const auto [line, mark] = Shown(text);
  EXPECT_EQ(line.substr(0, 7), "    …");
  EXPECT_EQ(line.substr(line.size() - 3), "…");
  EXPECT_LE(console::WidthOf(line), 160u);
  EXPECT_GE(console::WidthOf(line), 150u);
  const size_t place = line.find("os.time()");
  ASSERT_NE(place, std::string::npos) << line;
  EXPECT_EQ(mark, std::string(console::WidthOf(line.substr(0, place)), ' ') + "^~");

  const auto [early, early_mark] = Shown("local now = os.time() local b = " + list + "}\nreturn {}");
  EXPECT_EQ(early.substr(0, 25), "    local now = os.time()");
  EXPECT_LE(console::WidthOf(early), 160u);
  EXPECT_EQ(early_mark, "                ^~");

  const auto [token, token_mark] = Shown(std::string(500, 'a') + ".b()\nreturn {}");
  EXPECT_EQ(token, "    " + std::string(155, 'a') + "…");
  EXPECT_EQ(token_mark, "    ^" + std::string(155, '~'));
}

TEST(Diagnostic, SaysWhatAMissingFieldLooksLike) {
  const std::string said = Said("return { kind = \"lens\", api = 1, name = \"mine\" }");
  EXPECT_EQ(said,
            "drafts/mine.lua: error: version must be a text of 1 to 32 bytes\n"
            "help: version = \"1.0.0\"\n");
}

TEST(Diagnostic, NamesTheServersOwnWayToMatchPatterns) {
  EXPECT_NE(
      Said("local _ = ('x'):gsub('x', 'y')\nreturn {}").find("help: find the places with steme.find_all"),
      std::string::npos);
  EXPECT_NE(Said("local _ = ('x'):match('x')\nreturn {}").find("help: write steme.match"), std::string::npos);
  EXPECT_NE(Said("local _ = string.gmatch('x', 'x')\nreturn {}").find("help: steme.find_all"),
            std::string::npos);
}

TEST(CheckSpec, CountsCasesAndNamesTheFirstWrongOne) {
  EXPECT_EQ(*script::CheckSpec(
                {"a_spec.lua", "return { { claim = \"c\", given = {}, expect = { winner = false } } }"}),
            1u);
  const auto wrong = script::CheckSpec({"a_spec.lua", "return { { claim = \"c\", givn = {} } }"});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message(),
            "a_spec.lua: the case 'c': givn is no known field: did you mean 'given'?");
}

}  // namespace
}  // namespace stemedb::tool
