// SPDX-License-Identifier: Apache-2.0
#include "console/table.h"

#include <gtest/gtest.h>

#include <random>
#include <sstream>

#include "console/text.h"

namespace stemedb::console {
namespace {

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(Table, AlignsNumbersToTheRightAndTextToTheLeft) {
  UseUtf8();
  Table table({"value", "share"});
  table.Add({{"HRK"}, {"0.5", true}});
  table.Add({{"a long one"}, {"12.25", true}});
  EXPECT_EQ(table.Render(kUnlimited),
            "value       share\n"
            "HRK           0.5\n"
            "a long one  12.25\n");
}

TEST(Table, LeavesEmptyColumnsOut) {
  UseUtf8();
  Table table({"a", "b", "c"});
  table.Add({{"1"}, {}, {"2"}});
  EXPECT_EQ(table.Render(80), "a  c\n1  2\n");
}

TEST(Table, ShortensTheWidestColumnFirst) {
  UseUtf8();
  Table table({"id", "text"});
  table.Add({{"abc"}, {"a text that doesn't fit"}});
  EXPECT_EQ(table.Render(15), "id   text\nabc  a text th…\n");
}

TEST(Table, EscapesWhatCellsHold) {
  UseUtf8();
  Table table({"text"});
  table.Add({{"\x1b]0;title\a"}});
  EXPECT_EQ(table.Render(kUnlimited), "text\n\\x1b]0;title\\x07\n");
}

TEST(Table, NoLineIsWiderThanTheWindow) {
  UseUtf8();
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::vector<std::string> letters = {"a", "日", "ä", "e\u0301", "\x1b", "\xff", " "};
  for (int round = 0; round < 300; ++round) {
    const size_t columns = 1 + random() % 8;
    Table table(std::vector<std::string>(columns, "column"));
    for (size_t row = random() % 5; row > 0; --row) {
      std::vector<Cell> cells(columns);
      for (Cell& cell : cells) {
        for (size_t length = random() % 30; length > 0; --length) cell.text += letters[random() % letters.size()];
      }
      table.Add(std::move(cells));
    }
    const size_t width = 24 + random() % 100;  // what eight columns and their gaps need at least
    for (const std::string& line : LinesOf(table.Render(width))) EXPECT_LE(WidthOf(line), width) << line;
  }
}

}  // namespace
}  // namespace stemedb::console
