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

class AcceptingTogether : public Accepting {
 protected:
  AcceptingTogether() { deploy_options_.together = deploy::Together::kAllOrNone; }
  std::string Live() const { return LiveVersion("a") + LiveVersion("b"); }
  deploy::Report Yes(const std::string& name, const std::optional<Hash256>& sha256 = std::nullopt) {
    const auto report = deployment_->Reload(name, Accept::kYes, {}, sha256);
    EXPECT_TRUE(report) << report.error().message();
    return report ? *report : deploy::Report{};
  }
};

TEST_F(AcceptingTogether, EachThatWaitsNeedsAYesOfItsOwnAndThenTheyGoInTogether) {
  Deploy();
  WriteLens("a", "2");
  WriteLens("b", "2");
  TwoSteps();
  ASSERT_THAT(Shown("b"), HasSubstr(R"("held":{"version":"2")"));
  const deploy::Report first = Yes("a", TextOf("2"));
  EXPECT_EQ(first.outcome, Outcome::kHeld);
  EXPECT_THAT(std::string(first.why.message()),
              AllOf(HasSubstr("has its yes"), HasSubstr("waits for b, which is held"),
                    HasSubstr(deploy::AcceptingCall("b", crypto::Sha256::Of(Lens("b", "2"))))));
  EXPECT_EQ(Live(), "11");
  EXPECT_THAT(Shown("a"), HasSubstr(R"("held":{"version":"2")"));
  TwoSteps();
  EXPECT_EQ(Yes("a").outcome, Outcome::kHeld) << "a second yes to a is none to b either";
  EXPECT_EQ(Live(), "11");
  EXPECT_EQ(Yes("b").outcome, Outcome::kOk);
  EXPECT_EQ(Live(), "22");
  EXPECT_EQ(generation(), 2u);
}

TEST_F(AcceptingTogether, AYesToOneLetsNoOtherGoWhoseFileIsGone) {
  Deploy();
  WriteLens("a", "2");
  std::filesystem::remove(lenses_ + "/b.lua");
  TwoSteps();
  EXPECT_EQ(Yes("a", TextOf("2")).outcome, Outcome::kHeld);
  EXPECT_EQ(Live(), "11");
  EXPECT_EQ(Yes("b").outcome, Outcome::kRemoved);
  EXPECT_EQ(Live(), "2none");
}

TEST_F(AcceptingTogether, ARemovalKeepsItsYesUntilTheOtherHasOne) {
  Deploy();
  WriteLens("a", "2");
  std::filesystem::remove(lenses_ + "/b.lua");
  TwoSteps();
  EXPECT_EQ(Yes("b").outcome, Outcome::kHeld);
  EXPECT_EQ(Live(), "11");
  EXPECT_EQ(Yes("a", TextOf("2")).outcome, Outcome::kOk);
  EXPECT_EQ(Live(), "2none");
}

TEST_F(AcceptingTogether, AYesThatIsKeptIsForItsTextAlone) {
  Deploy();
  WriteLens("a", "2");
  WriteLens("b", "2");
  TwoSteps();
  EXPECT_EQ(Yes("a", TextOf("2")).outcome, Outcome::kHeld);
  WriteLens("a", "3");
  TwoSteps();
  EXPECT_EQ(Yes("b").outcome, Outcome::kHeld);
  EXPECT_EQ(Live(), "11");
  EXPECT_EQ(Yes("a", TextOf("3")).outcome, Outcome::kOk);
  EXPECT_EQ(Live(), "32");
}

TEST_F(AcceptingTogether, AYesIsKeptWhileAnotherFileIsBroken) {
  Deploy();
  WriteLens("a", "2");
  Write("b.lua", "return {");
  TwoSteps();
  EXPECT_EQ(Yes("a", TextOf("2")).outcome, Outcome::kHeld);
  WriteLens("b", "1");
  TwoSteps();
  EXPECT_EQ(Live(), "21");
}

}  // namespace
}  // namespace stemedb::testing
