// SPDX-License-Identifier: Apache-2.0
#include "script/prompt.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "script/reference.h"

namespace stemedb::script {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kLibrary = R"lua(
local ask, as = ...
return {
  functions = {
    echo = function(value) return ask("echo", value) end,
    seen = function(value) return as("seen", ask("echo", value)) end,
    fail = function() return ask("fail") end,
    missing = function() return ask("missing") end,
  },
  complete = function() return nil end,
  fields = function() return { "lens" } end,
}
)lua";

// Enough for a sort of two million numbers, and soon full.
constexpr size_t kMemory = 96 << 20;
constexpr const char* kFull = "error: out of memory (cap 96 MiB)";

class PromptTest : public testing::Test {
 protected:
  void SetUp() override {
    PromptOptions options;
    options.library = kLibrary;
    options.memory_bytes_max = kMemory;
    options.functions["echo"] = [this](std::string_view arguments) -> Result<std::string> {
      last_arguments_ = arguments;
      return std::string(arguments.substr(1, arguments.size() - 2));
    };
    options.functions["fail"] = [](std::string_view) -> Result<std::string> {
      return Status(Code::kUnavailable, "unreachable", "no answer");
    };
    auto prompt = Prompt::Open(std::move(options));
    ASSERT_TRUE(prompt) << prompt.error().message();
    prompt_ = std::move(*prompt);
  }
  // The values' JSON, or the failure.
  std::vector<std::string> Values(std::string_view text) {
    const auto evaluation = prompt_->Evaluate(text);
    if (!evaluation) return {"error: " + std::string(evaluation.error().message())};
    if (evaluation->kind == Evaluation::Kind::kIncomplete) return {"incomplete"};
    std::vector<std::string> values;
    for (const Shown& shown : evaluation->values) values.push_back(shown.json);
    return values;
  }

  std::string last_arguments_;
  std::unique_ptr<Prompt> prompt_;
};

TEST_F(PromptTest, ShowsTheValuesOfAnExpression) {
  EXPECT_THAT(Values("1 + 1, 'a', nil, true"), ElementsAre("2", "\"a\"", "null", "true"));
  EXPECT_THAT(Values("{ 1, 2, { x = 'y' } }"), ElementsAre(R"([1,2,{"x":"y"}])"));
  EXPECT_THAT(Values("0.1, 1e300, 2^53, 1/3"),
              ElementsAre("0.1", "1e+300", "9007199254740992", "0.3333333333333333"));
}

TEST_F(PromptTest, KeepsGlobalsFromOneInputToTheNext) {
  EXPECT_THAT(Values("x = 41"), ElementsAre());
  EXPECT_THAT(Values("x + 1"), ElementsAre("42"));
}

TEST_F(PromptTest, WantsMoreLinesForWhatIsNotWholeYet) {
  for (const char* text : {"echo{", "if x then", "function f()", "x = [[", "(1 +", "for i = 1, 2 do"}) {
    EXPECT_THAT(Values(text), ElementsAre("incomplete")) << text;
  }
  EXPECT_THAT(Values("echo{\n'a'\n}"), ElementsAre(R"(["a"])"));
}

TEST_F(PromptTest, SaysWhatIsWrong) {
  EXPECT_THAT(Values("1 +* 2"), ElementsAre(HasSubstr("error: input:1: unexpected symbol near")));
  EXPECT_THAT(Values("nix.y"), ElementsAre("error: input:1: attempt to index global 'nix' (a nil value)"));
  EXPECT_THAT(Values("fail()"), ElementsAre("error: no answer"));
  EXPECT_THAT(Values("missing()"), ElementsAre("error: there is no such function"));
  EXPECT_THAT(Values("error({})"), ElementsAre("error: an error that is a table"));
}

TEST_F(PromptTest, JsonSurvivesTheWayThroughLua) {
  for (const char* json :
       {R"({"b":1,"a":[null,2],"c":null,"d":{},"e":[]})", R"(["\u0001","\"","\\","ä","😀"])",
        R"([[],[[]],{}])", R"({"n":[0,-1,1.5,1e-7,123456789012]})"}) {
    // The literal is handed over as Lua text, decoded by the echo and encoded by the prompt.
    prompt_.reset();
    PromptOptions options;
    options.library = kLibrary;
    options.functions["echo"] = [&](std::string_view) -> Result<std::string> { return std::string(json); };
    prompt_ = std::move(*Prompt::Open(std::move(options)));
    const auto values = Values("echo()");
    ASSERT_EQ(values.size(), 1u);
    EXPECT_EQ(values[0], json);
  }
}

TEST_F(PromptTest, SurrogatePairsAreOneCharacter) {
  PromptOptions options;
  options.library = kLibrary;
  options.functions["echo"] = [](std::string_view) -> Result<std::string> {
    return std::string(R"("\ud83d\ude00\u00e4\n")");
  };
  prompt_ = std::move(*Prompt::Open(std::move(options)));
  EXPECT_THAT(Values("echo()"), ElementsAre("\"😀ä\\u000a\""));
  EXPECT_THAT(Values("#echo()"), ElementsAre("7"));
}

TEST_F(PromptTest, SaysHowAValueIsMeantToBeShown) {
  const auto evaluation = prompt_->Evaluate("seen{ a = 1 }, 2");
  ASSERT_TRUE(evaluation);
  EXPECT_EQ(evaluation->values[0].view, "seen");
  EXPECT_EQ(evaluation->values[1].view, "");
}

TEST_F(PromptTest, HasTheSandboxAndNothingBesides) {
  for (const char* name :
       {"os", "io", "debug", "require", "ffi", "package", "load", "loadstring", "getmetatable", "setfenv",
        "getfenv", "setmetatable", "rawset", "_G", "jit", "collectgarbage", "dofile"}) {
    EXPECT_THAT(Values(name), ElementsAre("null")) << name;
  }
  EXPECT_THAT(Values("steme.tier_name(0)"), ElementsAre("\"regulatory\""));
  EXPECT_THAT(Values("string.rep('x', 3)"), ElementsAre("\"xxx\""));
  EXPECT_THAT(Values("('x').dump"), ElementsAre("null"));
}

TEST_F(PromptTest, ATableThatHoldsItselfIsAnError) {
  EXPECT_THAT(Values("t = {}; t.t = t"), ElementsAre());
  EXPECT_THAT(Values("t"), ElementsAre(HasSubstr("holds itself")));
  EXPECT_THAT(Values("1"), ElementsAre("1"));
}

TEST_F(PromptTest, CompletesFunctionsAndFields) {
  EXPECT_THAT(prompt_->Complete("x = ech").candidates, ElementsAre("echo"));
  EXPECT_THAT(prompt_->Complete("string.re").candidates, ElementsAre("rep", "reverse"));
  EXPECT_THAT(prompt_->Complete("l").candidates, ElementsAre("lens"));
  ASSERT_TRUE(prompt_->Evaluate("answer = { resolutions = { 1 }, lens = { name = 'a' } }"));
  EXPECT_THAT(prompt_->Complete("print(answer.re").candidates, ElementsAre("resolutions"));
  EXPECT_THAT(prompt_->Complete("answer.lens.").candidates, ElementsAre("name"));
  EXPECT_EQ(prompt_->Complete("answer.re").replaced_bytes, 2u);
  EXPECT_THAT(prompt_->Complete("answer.lens.name.").candidates, ElementsAre());
}

// Interrupts again and again until the evaluation has ended.
template <typename Function>
void InterruptingWhile(Prompt& prompt, Function function) {
  std::atomic<bool> is_over{false};
  std::thread other([&] {
    while (!is_over) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      prompt.Interrupt();
    }
  });
  function();
  is_over = true;
  other.join();
}

TEST_F(PromptTest, AnInterruptEndsWhatIsRunning) {
  for (const char* text : {"while true do end", "for i = 1, 1e18 do x = i end",
                           "repeat pcall(error) until false", "function f() return f() end f()"}) {
    InterruptingWhile(*prompt_,
                      [&] { EXPECT_THAT(Values(text), ElementsAre("error: interrupted")) << text; });
  }
  EXPECT_THAT(Values("1"), ElementsAre("1"));
}

TEST_F(PromptTest, AnInterruptEndsTheSandboxsOwnFunctions) {
  EXPECT_THAT(Values("steme.total({}, 1e15)"), ElementsAre(HasSubstr("65536")));  // bounded by itself
  EXPECT_THAT(Values("n = 2e6; t = {}; for i = 1, n do t[i] = -i end"), ElementsAre());
  InterruptingWhile(*prompt_,
                    [&] { EXPECT_THAT(Values("table.sort(t)"), ElementsAre("error: interrupted")); });
  EXPECT_THAT(Values("t[1] == -n and t[n] == -1"), ElementsAre("false"));  // it wasn't sorted to its end
  EXPECT_THAT(Values("steme.total({ 1, 2 }, 2)"), ElementsAre("3"));
}

TEST_F(PromptTest, AnInputThatFillsTheMemoryFailsAndTheNextOnesRun) {
  EXPECT_THAT(Values("kept = 41"), ElementsAre());
  for (const char* text :
       {"local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end",
        "local t = {} for i = 1, 1e9 do t = { t } end", "local t = {} for i = 1, 1e9 do t[i] = i end",
        "local t = {} pcall(function() for i = 1, 1e9 do t[i] = function() return i end end end)",
        // What is shown takes memory as well.
        "(function() local t = {} for i = 1, 2e6 do t[i] = i end return t end)()"}) {
    EXPECT_THAT(Values(text), ElementsAre(kFull)) << text;
    EXPECT_THAT(Values("kept + 1"), ElementsAre("42")) << text;
  }
  // So does what is typed.
  EXPECT_THAT(Values("#'" + std::string(kMemory, 'x') + "'"), ElementsAre(kFull));
  EXPECT_THAT(prompt_->Complete("ec" + std::string(kMemory, 'x')).candidates, ElementsAre());
  EXPECT_THAT(prompt_->Complete("x = ech").candidates, ElementsAre("echo"));
  EXPECT_THAT(Values("echo(kept)"), ElementsAre("41"));
}

TEST_F(PromptTest, GlobalsThatFillTheMemoryAreGoneAndSaidToBe) {
  EXPECT_THAT(Values("kept = 41"), ElementsAre());
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(Values("t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end"),
                ElementsAre(std::string(kFull) +
                            ": the globals held most of it, so all of them are gone: keep less in them"));
    EXPECT_THAT(Values("t, kept"), ElementsAre("null", "null"));
    EXPECT_THAT(Values("echo(steme.total({ 1, 2 }, 2))"), ElementsAre("3"));
  }
  InterruptingWhile(*prompt_,
                    [&] { EXPECT_THAT(Values("while true do end"), ElementsAre("error: interrupted")); });
}

TEST_F(PromptTest, WhatEarlierInputsLeftIsSweptBeforeItFillsTheMemory) {
  // More than half is held, so that the collector, left alone, would come too late.
  EXPECT_THAT(Values("n, t = 0, {} for i = 1, 58000 do t[i] = ('x'):rep(1000) .. i end"), ElementsAre());
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(Values("for i = 1, 5000 do n = n + #(('y'):rep(1000) .. i .. n) end"), ElementsAre());
  }
  EXPECT_THAT(Values("#t"), ElementsAre("58000"));
}

// The list of help and docs, both ways.
TEST_F(PromptTest, TheSourceOfTheApiListsWhatTheSandboxOffers) {
  std::vector<std::string> offered;
  for (const std::string& name : prompt_->Names()) {
    if (!name.starts_with("console.")) offered.push_back(name);
  }
  PromptOptions options;
  options.library = R"lua(
local _, _, _, api = ...
local listed = {}
for _, section in ipairs(api) do
  local of_sandbox = { steme = 1, base = 1, string = 1, table = 1, math = 1, bit = 1, candidate = 1 }
  for _, entry in ipairs(of_sandbox[section.id] and section.entries or {}) do
    table.insert(listed, section.prefix .. entry.name)
  end
end
table.sort(listed)
return { functions = { listed = function() return table.concat(listed, "\n") end }, complete = function() end,
  fields = function() return {} end }
)lua";
  auto prompt = Prompt::Open(std::move(options));
  ASSERT_TRUE(prompt) << prompt.error().message();
  prompt_ = std::move(*prompt);
  const auto listed = Values("listed()");
  std::string wanted = "\"";
  for (const std::string& name : offered) wanted += (wanted.size() > 1 ? "\\u000a" : "") + name;
  EXPECT_EQ(listed.front(), wanted + "\"");
  EXPECT_THAT(offered, Contains("candidate.weight"));
  EXPECT_THAT(offered, Contains("string.rep"));
}

}  // namespace
}  // namespace stemedb::script
