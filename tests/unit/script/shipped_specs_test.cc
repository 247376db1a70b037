// SPDX-License-Identifier: Apache-2.0
// Every lens that we ship keeps its own spec, in the sandbox that production uses.
#include <gtest/gtest.h>

#include <iostream>
#include <set>

#include "claims.h"
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
