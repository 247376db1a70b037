// SPDX-License-Identifier: Apache-2.0
// Every lens that we ship keeps its own spec, in the sandbox that production uses.
#include <gtest/gtest.h>

#include <iostream>
#include <set>

#include "claims.h"
#include "script/self_check.h"
#include "script/spec.h"

namespace stemedb::script::testing {
namespace {

TEST(ShippedLenses, KeepTheirSpecs) {
  LensRunner runner(Shipped(), {});
  const auto specs = ReadSpecs(STEMEDB_SOURCE_DIR "/lenses");
  ASSERT_TRUE(specs) << specs.error().message();
  for (const auto& spec : *specs) {
    const auto results = RunSpec(runner, spec);
    ASSERT_TRUE(results) << results.error().message();
    std::cout << spec.name << "\n";
    for (const auto& result : *results) {
      std::cout << "  " << (result.failure.empty() ? "holds: " : "FAILS: ") << result.claim << "\n";
      EXPECT_EQ(result.failure, "") << spec.name << ": " << result.claim;
    }
  }
}

TEST(ShippedLenses, PassTheSelfCheck) {
  LensRunner runner(Shipped(), {});
  for (const auto& script : runner.scripts().scripts()) {
    const Status passed = SelfCheck(runner, runner.scripts().Find(script.name));
    EXPECT_TRUE(passed.ok()) << script.name << ": " << passed.message();
  }
}

TEST(ShippedLenses, AllHaveASpec) {
  const auto specs = ReadSpecs(STEMEDB_SOURCE_DIR "/lenses");
  ASSERT_TRUE(specs) << specs.error().message();
  std::set<std::string> names;
  for (const auto& spec : *specs) names.insert(spec.name);
  const auto shipped = Shipped();
  for (const auto& script : shipped->scripts())
    EXPECT_TRUE(names.count(script.name + "_spec.lua")) << script.name;
}

TEST(Spec, EndsWhenItsCasesTakeTooLongTogether) {
  const auto set =
      ScriptSet::Build({{"slow.lua",
                         "return { kind = 'lens', api = 1, name = 'slow', version = '1', description = 'x',"
                         "resolve = function() while true do end end }"}},
                       1);
  ASSERT_TRUE(set) << set.error().message();
  LensRunner runner(*set, {});
  const auto results = RunSpec(
      runner, {"slow_spec.lua",
               "local cases = {} for i = 1, 1000 do cases[i] = { claim = 'c' .. i, given = {{ value = 1 }}, "
               "expect = { fails = 'slow.lua' } } end return cases"});
  ASSERT_TRUE(results) << results.error().message();
  EXPECT_EQ(results->front().failure, "");
  EXPECT_LT(results->size(), 100u);
  EXPECT_NE(results->back().failure.find("not run"), std::string::npos);
}

// A spec whose tables are shared takes little of the Lua state's memory, and would take the server's.
TEST(Spec, IsRefusedWhenItIsTooLarge) {
  const auto refusal = [](const std::string& text) {
    const auto cases = CheckSpec({"probe_spec.lua", text});
    if (cases) return std::to_string(*cases) + " cases";
    EXPECT_EQ(cases.error().reason(), "spec_invalid");
    return std::string(cases.error().message());
  };
  // `claims` in each of `cases`, a text of `bytes` in each claim; lists and texts are the same ones.
  const auto spec = [](int cases, int claims, int bytes) {
    return "local claim, given, cases = { value = ('x'):rep(" + std::to_string(bytes) +
           ") }, {}, {} for i = 1, " + std::to_string(claims) +
           " do given[i] = claim end local case = { claim = 'c', given = given, expect = {} } for i = 1, " +
           std::to_string(cases) + " do cases[i] = case end return cases";
  };
  EXPECT_EQ(refusal(spec(2000, 10, 1)), "2000 cases");
  EXPECT_EQ(refusal(spec(2001, 1, 1)), "probe_spec.lua: is too large: more than 2,000 cases");
  EXPECT_NE(refusal(spec(2000, 11, 1)).find("is too large: more than 20,000 claims"), std::string::npos);
  EXPECT_EQ(refusal(spec(25, 10, 65536)), "25 cases");
  EXPECT_NE(refusal(spec(26, 10, 65536)).find("is too large: more than 16 MiB of text"), std::string::npos);
  EXPECT_NE(
      refusal("local request = { route = ('x'):rep(60000) } local cases = {} for i = 1, 300 do cases[i] = "
              "{ claim = 'c', request = request, expect = false } end return cases")
          .find("more than 16 MiB of text"),
      std::string::npos);
  EXPECT_NE(refusal("local t = {} for i = 1, 500 do t['k' .. i] = i end local cases = {} for i = 1, 1000 do "
                    "cases[i] = { claim = 'c', params = t } end return cases")
                .find("more than 400,000 entries"),
            std::string::npos);
  EXPECT_NE(refusal("local t = {} for i = 1, 8 do t[i] = t end return t").find("is too large"),
            std::string::npos);
}

TEST(Spec, FailsWhatIsWrong) {
  LensRunner runner(Shipped(), {});
  const auto failure = [&](const std::string& expect) {
    const auto results = RunSpec(runner, {"recency_spec.lua",
                                          "return {{ claim = 'c', given = {{ value = 'a' }, "
                                          "{ value = 'b', age_s = 5 }}, expect = " +
                                              expect + "}}"});
    return results ? results->front().failure : std::string(results.error().message());
  };
  EXPECT_EQ(failure("{ winner = 1, value = 'a', confidence = 0.5, status = 'contested' }"), "");
  EXPECT_EQ(failure("{ winner = 2 }"), "winner: expected claim 2, got claim 1");
  EXPECT_EQ(failure("{ winner = false }"), "winner: expected claim 0, got claim 1");
  EXPECT_EQ(failure("{ confidence = 0.6 }"), "confidence: expected 0.6, got 0.5");
  EXPECT_EQ(failure("{ status = 'agreed' }"), "status: expected agreed, got contested");
  EXPECT_EQ(failure("{ wimmer = 2 }"), "the case is wrong: expect.wimmer is no known field");
  EXPECT_EQ(failure("{ fails = 'x' }"), "expected a failure with 'x', got an answer");
  EXPECT_NE(failure("{ shares = {{ 'a', 1 }} }"), "");
  EXPECT_NE(failure("{ layers = {{ tier = 1 }} }"), "");
  EXPECT_NE(failure("{ explain = 'unsaid' }"), "");
  EXPECT_NE(failure("{ details = '{}' }"), "");
}

}  // namespace
}  // namespace stemedb::script::testing
