// SPDX-License-Identifier: Apache-2.0
// A new version of a policy is put to what the live one really had to judge, before it judges anybody.
#include <gmock/gmock.h>

#include "deploy/report_json.h"
#include "deployment_fixture.h"

namespace stemedb::testing {
namespace {

using deploy::Accept;
using deploy::Outcome;
using ::testing::HasSubstr;

constexpr char kTen[] =
    "if request.loopback then return nil end return { bucket = 'points', cost = 10, limit = 100, window_s = "
    "60 }";

class PolicyShadow : public DeploymentTest {
 protected:
  PolicyShadow() { WritePolicy("1", kTen); }
  void Deploy() {
    DeploymentTest::Deploy();
    recent_ = deployment_->NewRecentRequests();
  }
  // What a loop's rate limit was asked.
  void Judged(const std::string& route, bool loopback = false) {
    recent_->Offer({.route = route, .method = "GET", .loopback = loopback, .peer = "192.0.2.1"},
                   clock_.NowMs());
    clock_.AdvanceMs(1);
  }
  deploy::ShadowReport ShadowOf(const std::string& body) {
    auto report = deployment_->Shadow("rate_limit", RateLimit("2", body), {});
    EXPECT_TRUE(report) << report.error().message();
    return report ? *report : deploy::ShadowReport();
  }

  deploy::RecentRequests* recent_ = nullptr;
};

TEST_F(PolicyShadow, ComparesVerdictsPartByPart) {
  Deploy();
  Judged("/v1/query");
  Judged("/v1/query", true);
  const auto same = ShadowOf(kTen);
  EXPECT_TRUE(same.was_run);
  EXPECT_EQ(same.questions, 2u);
  EXPECT_EQ(same.compared, 2u);
  EXPECT_EQ(same.changed + same.failed + same.reworded + same.not_compared, 0u);
  const auto difference = [&](const std::string& verdict) {
    const auto report = ShadowOf("if request.loopback then return nil end return " + verdict);
    EXPECT_EQ(report.changed, 1u) << verdict;
    return report.examples.empty() ? "none" : report.examples.front().difference;
  };
  EXPECT_EQ(difference("nil"), "limited");
  EXPECT_EQ(difference("{ bucket = 'other', cost = 10, limit = 100, window_s = 60 }"), "bucket");
  EXPECT_EQ(difference("{ bucket = 'points', cost = 11, limit = 100, window_s = 60 }"), "cost");
  EXPECT_EQ(difference("{ bucket = 'points', cost = 10, limit = 50, window_s = 60, peer_limit = 1000 }"),
            "limit");
  EXPECT_EQ(difference("{ bucket = 'points', cost = 10, limit = 100, window_s = 61 }"), "window_s");
  EXPECT_EQ(difference("{ bucket = 'points', cost = 10, limit = 100, window_s = 60, peer_limit = 5 }"),
            "peer_limit");
}

TEST_F(PolicyShadow, TheReportNamesTheRequestAndBothVerdicts) {
  Deploy();
  Judged("/v1/query");
  std::string out;
  deploy::AppendShadow(out, "rate_limit", ShadowOf("return nil"));
  EXPECT_THAT(
      out,
      AllOf(HasSubstr(R"("questions":1,"compared":1,"not_compared":0,"cut":false,"changed":1,"reworded":0)"),
            HasSubstr(R"("request":{"method":"GET","route":"/v1/query","body_bytes":0,"items":1,)"
                      R"("loopback":false,"signed":false,"peer":"192.0.2.1","time":")"),
            HasSubstr(R"("old":{"limited":true,"bucket":"points","cost":10,"limit":100,"window_s":60,)"
                      R"("peer_limit":1000},"new":{"limited":false},"difference":"limited")")));
}

TEST_F(PolicyShadow, FailuresComeFirstAndTenExamplesAreEnough) {
  Deploy();
  for (int i = 0; i < 20; ++i) Judged("/v1/query");
  Judged("/v1/concepts");
  for (int i = 0; i < 5; ++i) Judged("/v1/query");
  const auto report = ShadowOf("if request.route == '/v1/concepts' then error('oh') end return nil");
  EXPECT_EQ(report.changed, 25u);
  EXPECT_EQ(report.failed, 1u);
  ASSERT_EQ(report.examples.size(), 10u);
  EXPECT_EQ(report.examples[0].difference, "failure");
  EXPECT_THAT(report.examples[0].after.failure, HasSubstr("rate_limit.lua:2: oh"));
  EXPECT_EQ(report.examples[1].difference, "limited");
}

TEST_F(PolicyShadow, AVersionThatFailsOnARealRequestIsRefused) {
  Deploy();
  Judged("/v1/query");
  Judged("/v1/concepts");
  WritePolicy("2", "if request.route == '/v1/concepts' then error('oh') end " + std::string(kTen));
  TwoSteps();
  EXPECT_EQ(LiveVersion("rate_limit"), "1");
  EXPECT_THAT(ErrorOf("rate_limit"), AllOf(HasSubstr("failed_shadow"), HasSubstr("1 of 2 recent requests"),
                                           HasSubstr("rate_limit.lua:2: oh")));
  WritePolicy("3", "return nil");
  TwoSteps();
  EXPECT_EQ(LiveVersion("rate_limit"), "3");
  // What fails already is no reason to keep its mending out.
  WritePolicy("4", "return nil -- again");
  TwoSteps();
  EXPECT_EQ(LiveVersion("rate_limit"), "4");
}

TEST_F(PolicyShadow, OneThatTakesTooLongForARequestHasFailed) {
  Deploy();
  Judged("/v1/concepts");
  const auto report = ShadowOf("if request.route == '/v1/concepts' then while true do end end return nil");
  EXPECT_EQ(report.failed, 1u);
}

TEST_F(PolicyShadow, ChangedVerdictsWaitForAYesWhenSetSo) {
  deploy_options_.on_changes = deploy::OnChanges::kHold;
  Deploy();
  WritePolicy("2", std::string(kTen) + " -- the same");
  TwoSteps();
  EXPECT_EQ(LiveVersion("rate_limit"), "1") << "nobody has asked anything";
  EXPECT_THAT(TakeLog(), HasSubstr("nothing was compared"));
  EXPECT_EQ(deployment_->Reload("rate_limit", Accept::kYes, {})->outcome, Outcome::kOk);
  EXPECT_EQ(LiveVersion("rate_limit"), "2");
  Judged("/v1/query");
  WritePolicy("3", std::string(kTen) + " -- the same again");
  TwoSteps();
  EXPECT_EQ(LiveVersion("rate_limit"), "3");
  WritePolicy("4", "return nil");
  TwoSteps();
  EXPECT_EQ(LiveVersion("rate_limit"), "3");
  EXPECT_THAT(Shown("rate_limit"),
              AllOf(HasSubstr(R"("held":{"version":"4")"), HasSubstr(R"("difference":"limited")")));
  const auto accepted = deployment_->Reload("rate_limit", Accept::kYes, {});
  EXPECT_EQ(accepted->outcome, Outcome::kOk) << accepted->why.message();
  EXPECT_EQ(accepted->shadow.changed, 1u);
}

TEST_F(PolicyShadow, TheRequestsOfAllLoopsAreTakenTheNewestOnes) {
  Deploy();
  for (int loop = 0; loop < 8; ++loop) {
    recent_ = deployment_->NewRecentRequests();
    for (size_t i = 0; i < deploy::RecentRequests::kKeptMax; ++i) Judged(loop == 0 ? "/v1/old" : "/v1/new");
  }
  const auto report = ShadowOf("if request.route == '/v1/old' then error('asked') end return nil");
  EXPECT_EQ(report.questions, 8 * deploy::RecentRequests::kKeptMax);
  EXPECT_EQ(report.compared, deploy::ShadowBounds::kRequestsMax);
  EXPECT_EQ(report.failed, 0u);
}

TEST_F(PolicyShadow, EndsWhenItsTimeIsUpAndSaysSo) {
  deploy_options_.shadow_seconds_max = 0;
  Deploy();
  Judged("/v1/query");
  const auto report = ShadowOf("return nil");
  EXPECT_EQ(report.compared, 0u);
  EXPECT_EQ(report.not_compared, 1u);
  EXPECT_TRUE(report.is_cut);
}

TEST_F(PolicyShadow, IsNoCallOfTheLivePolicyAndOnlyVersionsOfOneKindAreCompared) {
  Deploy();
  Judged("/v1/query");
  ShadowOf("return nil");
  EXPECT_EQ(deployment_->live().Current()->Get("rate_limit")->counts->calls.load(), 0u);
  const auto other = deployment_->Shadow("rate_limit", Lens("rate_limit", "2"), {});
  EXPECT_EQ(other.error().reason(), "script_invalid");
  EXPECT_THAT(std::string(other.error().message()), HasSubstr("is live as a policy"));
}

}  // namespace
}  // namespace stemedb::testing
