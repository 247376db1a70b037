// SPDX-License-Identifier: Apache-2.0
// The log through its real output: lines are read back from the file that they were written to.
#include "telemetry/log.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "telemetry/log_text.h"

namespace stemedb::telemetry {
namespace {

class LogFile : public testing::Test {
 protected:
  void Begin(Level level, LogFormat format) {
    ConfigureLog({.level = level, .format = format, .out = file_});
  }
  void TearDown() override {
    ConfigureLog({});
    std::fclose(file_);
  }
  std::vector<std::string> Lines() {
    std::vector<std::string> lines;
    std::rewind(file_);
    std::string line;
    for (int c = std::fgetc(file_); c != EOF; c = std::fgetc(file_)) {
      if (c == '\n') {
        lines.push_back(std::move(line));
        line.clear();
      } else {
        line.push_back(static_cast<char>(c));
      }
    }
    EXPECT_EQ(line, "") << "the last line has no end";
    return lines;
  }
  std::string OnlyLine() {
    const std::vector<std::string> lines = Lines();
    EXPECT_EQ(lines.size(), 1u);
    return lines.empty() ? "" : lines.front();
  }

 private:
  std::FILE* file_ = std::tmpfile();
};

// The line without its time, which is checked for shape only.
std::string AfterTime(const std::string& line) {
  static const std::regex shape(R"((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z )(.*))");
  std::smatch parts;
  return std::regex_match(line, parts, shape) ? parts[2].str() : "no time: " + line;
}

TEST_F(LogFile, TextHasTimeLevelRoomMessageAndFields) {
  Begin(Level::kInfo, LogFormat::kText);
  const std::string path = "data/wal";
  LogInfo("wal", "Replayed 1523 entries from WAL",
          {{"segments", 3},
           {"file", path},
           {"ok", true},
           {"seconds", 0.25},
           {"bytes", uint64_t{1} << 63},
           {"by", -1}});
  EXPECT_EQ(AfterTime(OnlyLine()),
            "INFO  wal  Replayed 1523 entries from WAL segments=3 file=data/wal ok=true seconds=0.25 "
            "bytes=9223372036854775808 by=-1");
}

TEST_F(LogFile, JsonIsOneObjectForEachLine) {
  Begin(Level::kInfo, LogFormat::kJson);
  LogWarn("http", "slow \"reader\"", {{"peer", "127.0.0.1"}, {"n", 7}, {"late", false}, {"s", 1.5}});
  const std::string line = OnlyLine();
  EXPECT_TRUE(std::regex_match(line.substr(0, 35), std::regex(R"(\{"time":"[-0-9T:.]{23}Z",.*)"))) << line;
  EXPECT_EQ(line.substr(35), R"("level":"warn","room":"http","message":"slow \"reader\"","peer":"127.0.0.1",)"
                             R"("n":7,"late":false,"s":1.5})");
}

TEST_F(LogFile, NothingBelowTheLevelIsWritten) {
  Begin(Level::kWarn, LogFormat::kText);
  LogDebug("a", "no");
  LogInfo("a", "no");
  LogWarn("a", "yes");
  LogError("a", "yes");
  EXPECT_EQ(Lines().size(), 2u);
  EXPECT_FALSE(LogEnabled(Level::kInfo));
  EXPECT_TRUE(LogEnabled(Level::kError));
}

TEST_F(LogFile, OffWritesNothingAtAll) {
  Begin(Level::kOff, LogFormat::kText);
  LogError("a", "no");
  Log(Level::kOff, "a", "no");
  EXPECT_EQ(Lines().size(), 0u);
}

TEST_F(LogFile, ForgedTextStaysOnItsLine) {
  Begin(Level::kInfo, LogFormat::kText);
  LogInfo("api", "a\nb", {{"agent", "x\n2026 ERROR \"q\" \\ \x1b[31m\x7f\xc2\x85\xe2\x80\xa8\xe2\x80\xae"}});
  EXPECT_EQ(AfterTime(OnlyLine()),
            R"(INFO  api  a\nb agent="x\n2026 ERROR \"q\" \\ \x1b[31m\x7f\xc2\x85\xe2\x80\xa8\xe2\x80\xae")");
}

TEST_F(LogFile, BrokenUtf8IsShownNotPassedOn) {
  Begin(Level::kInfo, LogFormat::kText);
  LogInfo("api", "\xff \xc0\xaf \xed\xa0\x80 \xf5\x80\x80\x80 \xe2\x82 Z\xc3\xbcrich \xf0\x9f\x8c\x8d");
  EXPECT_EQ(AfterTime(OnlyLine()),
            R"(INFO  api  \xff \xc0\xaf \xed\xa0\x80 \xf5\x80\x80\x80 \xe2\x82 Zürich 🌍)");
}

TEST(LogText, BrokenUtf8BecomesTheReplacementCharacterInJson) {
  EXPECT_EQ(ToValidUtf8("a\xff\xc3\xbc\xe2\x82"), "a\xef\xbf\xbd\xc3\xbc\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(LogText, LongTextIsCut) {
  std::string out;
  AppendVisible(out, std::string(10'000, 'a'));
  EXPECT_EQ(out, std::string(kLogTextBytesMax, 'a') + "...");
  EXPECT_EQ(ToValidUtf8(std::string(10'000, 'a')), out);
  out.clear();
  AppendLogValue(out, std::string(10'000, 'a'));
  EXPECT_EQ(out, "\"" + std::string(kLogTextBytesMax, 'a') + "...\"");
}

TEST(LogText, AnEmptyValueIsVisible) {
  std::string out;
  AppendLogValue(out, "");
  EXPECT_EQ(out, "\"\"");
}

TEST(LogText, EveryControlByteIsEscaped) {
  for (int byte = 0; byte < 256; ++byte) {
    std::string out;
    const char c = static_cast<char>(byte);
    AppendVisible(out, std::string_view(&c, 1));
    for (const char shown : out) EXPECT_TRUE(shown >= 0x20 && shown < 0x7f) << byte;
  }
}

TEST_F(LogFile, LinesOfManyThreadsStayWhole) {
  Begin(Level::kInfo, LogFormat::kText);
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([t] {
      for (int i = 0; i < 500; ++i)
        LogInfo("test", "line", {{"thread", t}, {"i", i}, {"pad", std::string(100, 'x')}});
    });
  }
  for (std::thread& writer : writers) writer.join();
  const std::vector<std::string> lines = Lines();
  EXPECT_EQ(lines.size(), 2000u);
  const std::regex whole(R"(INFO  test  line thread=\d i=\d+ pad=x{100})");
  for (const std::string& line : lines) EXPECT_TRUE(std::regex_match(AfterTime(line), whole)) << line;
}

TEST_F(LogFile, MayBeSetAnewWhileOthersWrite) {
  Begin(Level::kInfo, LogFormat::kText);
  std::thread writer([] {
    for (int i = 0; i < 2000; ++i) LogInfo("test", "line", {{"i", i}});
  });
  for (int i = 0; i < 50; ++i) Begin(Level::kInfo, i % 2 ? LogFormat::kText : LogFormat::kJson);
  writer.join();
  EXPECT_EQ(Lines().size(), 2000u);
}

TEST(LogSettings, NamesAreReadExactly) {
  EXPECT_EQ(ParseLevel("debug"), Level::kDebug);
  EXPECT_EQ(ParseLevel("off"), Level::kOff);
  EXPECT_EQ(ParseLevel("INFO"), std::nullopt);
  EXPECT_EQ(ParseLevel(""), std::nullopt);
  EXPECT_EQ(ParseLogFormat("json"), LogFormat::kJson);
  EXPECT_EQ(ParseLogFormat("xml"), std::nullopt);
}

}  // namespace
}  // namespace stemedb::telemetry
