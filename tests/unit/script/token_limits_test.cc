// SPDX-License-Identifier: Apache-2.0
// What LuaJIT's parser would take too long for is refused before it sees it; what somebody might write is
// not.
#include "script/token_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "claims.h"
#include "script/budget.h"
#include "script/script_files.h"
#include "script/state.h"

namespace stemedb::script::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

std::string Repeat(const std::string& piece, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += piece;
  return text;
}

// What is said of the text; "" for nothing.
std::string Fault(const std::string& text) {
  const auto tokens = Tokenise("x.lua", text);
  EXPECT_TRUE(tokens) << tokens.error().message();
  const Status checked = CheckTokens("x.lua", *tokens);
  EXPECT_EQ(checked.reason(), checked.ok() ? "" : "script_invalid");
  return std::string(checked.message());
}

// Functions one inside the other, each with 52 upvalues, and in the innermost one names that are looked for
// among those of all.
std::string Upvalues(int names) {
  std::string declared = "local Y", used;
  for (int i = 1; i < 52; ++i) {
    const std::string name = "a" + std::to_string(i);
    declared += "," + name;
    used += name + "=1 ";
  }
  return declared + " local _ = function() " + Repeat("return function() ", 96) + used +
         Repeat("Y=Y ", names) + Repeat("end ", 97);
}

// Each shape at a length at which its list of jumps is taken, and at one at which it isn't.
TEST(TokenLimits, BoundTheJumpsOfAFunction) {
  const std::function<std::string(int)> shapes[] = {
      [](int n) { return "local x = x" + Repeat(" and x", n); },
      [](int n) { return "local x = x" + Repeat(" or x", n); },
      [](int n) { return "local x = x" + Repeat(" and x or x", n / 2); },
      [](int n) { return "if x then " + Repeat("elseif x then ", n) + "end"; },
      [](int n) { return "while true do " + Repeat("do break end ", n) + "end"; },
      [](int n) { return Repeat("do goto a end ", n) + "::a::"; },
      [](int n) { return "\n" + Repeat("x = x and function() return x and x end ", n); },
  };
  for (const auto& shape : shapes) {
    EXPECT_EQ(Fault(shape(2700)), "") << shape(3);
    EXPECT_THAT(Fault(shape(2900)), HasSubstr(": too many jumps (and, or, elseif, break, goto, labels)"))
        << shape(3);
  }
  EXPECT_THAT(Fault("\n\n" + shapes[0](2900)), HasSubstr("x.lua:3: "));
}

TEST(TokenLimits, JumpsOfManyFunctionsMayBeMore) {
  const std::string function = "t.f = function(x) return x" + Repeat(" and x", 200) + " end ";
  EXPECT_EQ(Fault(Repeat(function, 150)), "") << "30,000 jumps, 200 in each";
  EXPECT_THAT(Fault(Repeat("t.f = function(x) return x" + Repeat(" and x", 900) + " end ", 11)),
              HasSubstr("too many jumps"));
}

TEST(TokenLimits, BoundTheBlocksOneInsideTheOther) {
  for (const char* block : {"do ", "if x then ", "while x do ", "for i = 1, 2 do ", "f(function() "}) {
    EXPECT_EQ(Fault(Repeat(block, 200)), "") << block;
    EXPECT_THAT(Fault(Repeat(block, 201)), HasSubstr("more than 200 blocks one inside the other")) << block;
  }
  EXPECT_THAT(Fault(Repeat("while ", 300)), HasSubstr("more than 200 blocks")) << "none of them begins";
  EXPECT_EQ(Fault(Repeat("do end if x then end while x do end repeat until x f(function() end) ", 1000)), "");
}

TEST(TokenLimits, BoundTheNamesAmongLocalVariables) {
  const auto nested = [](int functions, int names) {
    return Repeat("local function f() local a" + Repeat(",a", 189) + " ", functions) + Repeat("b=b ", names) +
           Repeat("end ", functions);
  };
  EXPECT_EQ(Fault(nested(1, 30000)), "");
  EXPECT_EQ(Fault(nested(5, 2000)), "");
  EXPECT_THAT(Fault(nested(40, 40000)), HasSubstr("too many names among too many local variables"));
  EXPECT_THAT(Fault(nested(5, 20000)), HasSubstr("too many names among too many local variables"));
  EXPECT_EQ(Fault(Upvalues(1000)), "");
  EXPECT_THAT(Fault(Upvalues(2000)), HasSubstr("too many names among too many local variables"));
  EXPECT_THAT(Fault(Upvalues(60000)), HasSubstr("too many names among too many local variables"));
  EXPECT_EQ(Fault(nested(5, 1) + Repeat("b=b ", 40000)), "") << "they are out of sight there";
  EXPECT_EQ(Fault(Repeat("do local a,a,a,a,a,a,a,a,a,a b=b b=b end ", 6000)), "") << "and behind each block";
  EXPECT_EQ(Fault("local t " + Repeat("t.b.c=t:d() ", 15000)), "") << "fields are not looked up";
  EXPECT_THAT(Fault(Repeat("do local a,a,a,a,a,a,a,a,a,a end ", 5000) + Repeat("do ::a:: goto a end ", 1000)),
              HasSubstr("too many names"))
      << "a label is looked for among all that there has been";
}

// What LuaJIT takes for what is just let through, compiling it twice, is less than half a call's time and a
// little more: such a script may be too slow to load, but nobody has to wait for it.
TEST(TokenLimits, WhatTheyLetThroughIsCompiledInTime) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr int64_t kMsMax = 1000;
#else
  constexpr int64_t kMsMax = 100;
#endif
  const std::string texts[] = {
      "local x = x" + Repeat(" and x", 2800),
      "if x then " + Repeat("elseif x then ", 2800) + "end",
      "repeat " + Repeat("do break end ", 2800) + "until true",
      Repeat("do goto a end ", 2800) + "::a::",
      Repeat("do ::a:: if x then goto a end end ", 1300),
      Repeat("local function f() local a" + Repeat(",a", 189) + " ", 5) + Repeat("b=b ", 5900) +
          Repeat("end ", 5),
      Upvalues(1200),
      "local x = 0 " + Repeat("x = x + 1 ", static_cast<int>(kScriptBytesMax / 10) - 100),
  };
  for (const std::string& text : texts) {
    ASSERT_EQ(Fault(text), "") << text.substr(0, 60);
    const int64_t start_ns = ThreadCpuNs();
    const auto info = CheckScript(Lens("return {}", text + " "));
    const int64_t took_ms = (ThreadCpuNs() - start_ns) / 1'000'000;
    if (!info) {
      EXPECT_THAT(std::string(info.error().message()),
                  ContainsRegex("^probe.lua: takes (too long|[0-9]+ µs) to load"))
          << text.substr(0, 60);
    }
    EXPECT_LT(took_ms, kMsMax) << text.substr(0, 60);
  }
}

TEST(TokenLimits, AScriptThatIsCompiledTooLateIsNotBlamedForItsLoops) {
  State::Options options;
  options.load_time_ms_max = State::kInFirstRun;
  options.time_ms_max = 0;
  const auto opened = State::Open("x.lua", "return {}", options);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message(),
            "x.lua: takes too long to load: it couldn't be compiled within 0 ms; make it shorter");
}

TEST(TokenLimits, ShippedScriptsAreFarFromThem) {
  for (const char* directory : {"/lenses", "/policies"}) {
    for (const bool specs : {false, true}) {
      const auto listed = ListScriptFiles(STEMEDB_SOURCE_DIR + std::string(directory));
      ASSERT_TRUE(listed) << listed.error().message();
      for (const ListedFile& file : *listed) {
        if (IsSpecFile(file.name) != specs) continue;
        const auto read = ReadScriptFile(STEMEDB_SOURCE_DIR + std::string(directory) + "/" + file.name);
        ASSERT_TRUE(read) << read.error().message();
        EXPECT_EQ(Fault(Repeat(read->text + "\n", 20)), "") << file.name;
      }
    }
  }
}

}  // namespace
}  // namespace stemedb::script::testing
