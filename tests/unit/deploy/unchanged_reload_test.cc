// SPDX-License-Identifier: Apache-2.0
// A reload that changes nothing costs next to nothing, however often it is asked for: neither the spec is run
// again nor anything written to the disk.
#include <gmock/gmock.h>

#include "deployment_fixture.h"
#include "script/budget.h"

namespace stemedb::testing {
namespace {

using deploy::Accept;
using deploy::Outcome;
using ::testing::HasSubstr;

class UnchangedReload : public DeploymentTest {
 protected:
  // All cases of the spec. Each takes all the processor time that a call may, however fast the machine is.
  static constexpr int kCases = 8;
  static constexpr int64_t kSpecNs = kCases * 50'000'000LL;

  UnchangedReload() {
    deploy_options_.env = &env_;
    deploy_options_.state_directory = directory_.path() + "/scripts";
    WriteLens("a", "1", kEndless);
    WriteSlowSpec("stopped after");
  }
  void WriteSlowSpec(const std::string& failure) {
    Write("a_spec.lua", "local cases = {} for i = 1, " + std::to_string(kCases) +
                            " do cases[i] = { claim = 'it never ends', given = { { value = 'slow' } }, "
                            "expect = { fails = '" +
                            failure + "' } } end return cases");
  }
  Outcome Reload() {
    const auto report = deployment_->Reload("a", Accept::kNo, {});
    EXPECT_TRUE(report) << report.error().message();
    return report ? report->outcome : Outcome::kFailedRead;
  }
  // Of this thread, that `work` takes.
  template <typename Work>
  static int64_t CpuNs(Work work) {
    const int64_t began_ns = script::ThreadCpuNs();
    work();
    return script::ThreadCpuNs() - began_ns;
  }
  static constexpr char kEndless[] = "if candidates[1].value == 'slow' then while true do end end";
};

TEST_F(UnchangedReload, NeitherRunsTheSpecAgainNorWritesAnything) {
  Deploy();
  ASSERT_TRUE(deployment_->Keep().ok());
  ASSERT_EQ(Reload(), Outcome::kUnchanged);  // with its line in the audit
  const uint64_t syncs = env_.count(env::Operation::kSync), renames = env_.count(env::Operation::kRename);
  const int64_t took_ns = CpuNs([&] {
    for (int i = 0; i < 20; ++i) EXPECT_EQ(Reload(), Outcome::kUnchanged);
  });
  EXPECT_LT(took_ns, kSpecNs) << "twenty times together take less than the spec would once";
  EXPECT_EQ(env_.count(env::Operation::kSync), syncs);
  EXPECT_EQ(env_.count(env::Operation::kRename), renames);
  EXPECT_EQ(Counted("unchanged"), 21);
  EXPECT_THAT(Shown("a"), HasSubstr(R"("last_result":{"result":"unchanged")"));
  EXPECT_EQ(generation(), 1u);
}

TEST_F(UnchangedReload, AnotherSpecOrAnotherVersionIsTried) {
  Deploy();
  WriteSlowSpec("stopped after 50 ms");
  EXPECT_GE(CpuNs([&] { EXPECT_EQ(Reload(), Outcome::kUnchanged); }), kSpecNs / 2);
  EXPECT_LT(CpuNs([&] { EXPECT_EQ(Reload(), Outcome::kUnchanged); }), kSpecNs / 2);
  WriteSlowSpec("something else");
  EXPECT_EQ(Reload(), Outcome::kFailedSpec);
  EXPECT_EQ(Reload(), Outcome::kFailedSpec) << "a spec that doesn't hold is no unchanged one";
  WriteSlowSpec("stopped after");
  WriteLens("a", "2", kEndless);
  EXPECT_GE(CpuNs([&] { EXPECT_EQ(Reload(), Outcome::kOk); }), kSpecNs / 2);
  EXPECT_LT(CpuNs([&] { EXPECT_EQ(Reload(), Outcome::kUnchanged); }), kSpecNs / 2);
}

TEST_F(UnchangedReload, WhatItEndsIsKeptForTheNextStart) {
  Deploy();
  WriteLens("b", "2");
  ASSERT_EQ(deployment_->Reload("b", Accept::kNo, {})->outcome, Outcome::kOk);
  ASSERT_TRUE(deployment_->RollBack("b", std::nullopt, {}));
  WriteLens("b", "1");  // the file says what is live: the pin is over
  ASSERT_EQ(deployment_->Reload("b", Accept::kNo, {})->outcome, Outcome::kUnchanged);
  WriteLens("b", "2");
  Deploy();
  EXPECT_EQ(LiveVersion("b"), "2");
}

}  // namespace
}  // namespace stemedb::testing
