// SPDX-License-Identifier: Apache-2.0
// Who stops a server doesn't wait for all cases of a spec.
#include <gtest/gtest.h>

#include "script/policy.h"
#include "script/self_check.h"
#include "script/spec.h"

namespace stemedb::script {
namespace {

constexpr char kLens[] =
    "return { kind = 'lens', api = 1, name = 'l', version = '1', description = 'd', "
    "resolve = function(ctx, candidates) return { winner = 1 } end }";
constexpr char kPolicy[] =
    "return { kind = 'policy', api = 1, hook = 'rate_limit', name = 'rate_limit', version = '1', "
    "description = 'd', limit = function(ctx, request) return nil end }";

std::shared_ptr<const ScriptSet> Scripts() {
  auto set = ScriptSet::Build({{"l.lua", kLens}, {"rate_limit.lua", kPolicy}}, 1);
  EXPECT_TRUE(set) << set.error().message();
  return *set;
}

// Ten cases that hold.
ScriptFile Spec(const std::string& name, const std::string& one) {
  return {name + "_spec.lua", "local cases = {} for i = 1, 10 do cases[i] = { claim = 'case ' .. i, " + one +
                                  " } end return cases"};
}

TEST(SpecStop, ItIsAskedBeforeEachCaseAndEndsTheSpec) {
  LensRunner runner(Scripts(), {});
  const ScriptFile specs[] = {Spec("l", "given = { { value = i } }, expect = { winner = 1 }"),
                              Spec("rate_limit", "request = {}, expect = false")};
  for (const ScriptFile& spec : specs) {
    int asked = 0;
    const auto stopped = RunSpec(runner, spec, [&] { return ++asked == 4; });
    ASSERT_FALSE(stopped) << spec.name;
    EXPECT_EQ(stopped.error().reason(), "cut_off");
    EXPECT_EQ(asked, 4) << "none of the six cases behind it is begun";
    asked = 0;
    const auto whole = RunSpec(runner, spec, [&] { return ++asked > 10; });
    ASSERT_TRUE(whole) << whole.error().message();
    EXPECT_EQ(whole->size(), 10u);
    EXPECT_EQ(asked, 10);
  }
}

TEST(SpecStop, TheSelfCheckEndsBetweenTwoCalls) {
  LensRunner runner(Scripts(), {});
  const int lens = runner.scripts().Find("l");
  int asked = 0;
  EXPECT_TRUE(SelfCheck(runner, lens, [&] { return ++asked < 0; }).ok());
  const int all = asked;
  ASSERT_GT(all, 10);
  for (const int at : {1, all}) {
    asked = 0;
    EXPECT_EQ(SelfCheck(runner, lens, [&] { return ++asked == at; }).reason(), "cut_off");
    EXPECT_EQ(asked, at);
  }
}

}  // namespace
}  // namespace stemedb::script
