// SPDX-License-Identifier: Apache-2.0
// A yes that names its text is for that text alone, whatever has come in its place since.
#include <gmock/gmock.h>

#include "crypto/sha256.h"
#include "deployment_fixture.h"

namespace stemedb::testing {
namespace {

using deploy::Accept;
using deploy::Outcome;
using ::testing::HasSubstr;

class Accepting : public DeploymentTest {
 protected:
  Accepting() { deploy_options_.on_changes = deploy::OnChanges::kHold; }
  // Of the text that WriteLens writes.
  static Hash256 TextOf(const std::string& version) { return crypto::Sha256::Of(Lens("a", version)); }
  Status Refused(const Hash256& sha256) {
    const auto report = deployment_->Reload("a", Accept::kYes, {}, sha256);
    return report ? Status::Ok() : report.error();
  }
};

TEST_F(Accepting, TakesInTheTextThatItNames) {
  Deploy();
  WriteLens("a", "2");
  TwoSteps();
  ASSERT_THAT(Shown("a"), HasSubstr(R"("held":{"version":"2")"));
  const auto report = deployment_->Reload("a", Accept::kYes, {}, TextOf("2"));
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->outcome, Outcome::kOk);
  EXPECT_EQ(LiveVersion("a"), "2");
}

TEST_F(Accepting, WhereAnotherTextWaitsByNowItIsRefusedAndNothingChanges) {
  Deploy();
  WriteLens("a", "2");
  TwoSteps();
  WriteLens("a", "3");
  TwoSteps();
  const Status refused = Refused(TextOf("2"));
  EXPECT_EQ(refused.reason(), "another_text");
  EXPECT_EQ(refused.code(), Code::kConflict);
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr(ToHex(TextOf("2"))), HasSubstr(ToHex(TextOf("3")))));
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_THAT(Shown("a"), HasSubstr(R"("held":{"version":"3")"));
  EXPECT_TRUE(Refused(TextOf("3")).ok());
  EXPECT_EQ(LiveVersion("a"), "3");
}

TEST_F(Accepting, ATextThatTheWatchHasNotSeenYetIsAnotherOneToo) {
  Deploy();
  WriteLens("a", "2");
  TwoSteps();
  WriteLens("a", "3");
  EXPECT_EQ(Refused(TextOf("2")).reason(), "another_text");
  EXPECT_EQ(Refused(TextOf("3")).reason(), "another_text") << "what waits, as far as anybody could see, is 2";
  EXPECT_EQ(LiveVersion("a"), "1");
}

TEST_F(Accepting, ARemovalHasNoTextAndIsLetGoByAYesWithoutOne) {
  Deploy();
  std::filesystem::remove(lenses_ + "/a.lua");
  TwoSteps();
  const Status refused = Refused(ShaOf("a"));
  EXPECT_EQ(refused.reason(), "another_text");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("a removal has no sha256"));
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_EQ(deployment_->Reload("a", Accept::kYes, {})->outcome, Outcome::kRemoved);
}

TEST_F(Accepting, WhatWaitsNamesTheCallWithItsText) {
  Deploy();
  TakeLog();
  WriteLens("a", "2");
  TwoSteps();
  EXPECT_THAT(TakeLog(), HasSubstr(ToHex(TextOf("2"))));
  const auto again = deployment_->Reload("a", Accept::kNo, {});
  ASSERT_TRUE(again);
  EXPECT_THAT(std::string(again->why.message()),
              HasSubstr("/reload {\"accept\": true, \"sha256\": \"" + ToHex(TextOf("2")) + "\"}"));
  EXPECT_EQ(deployment_->Reload("nobody", Accept::kYes, {}, TextOf("2")).error().reason(), "unknown_script");
}

}  // namespace
}  // namespace stemedb::testing
