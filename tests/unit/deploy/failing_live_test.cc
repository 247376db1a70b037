// SPDX-License-Identifier: Apache-2.0
// A version that fails once it is live: it is shown, with the place, and taken back, unless that helps
// nobody.
#include <gmock/gmock.h>

#include "deployment_fixture.h"

namespace stemedb::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The number that is the first of two claims, as SayTwo says them, and nothing else is.
constexpr char kFailsOnTwo[] = "if #candidates == 2 and candidates[1].value == 1 then error('late') end";
constexpr char kFailsOnTwoToo[] = "if #candidates == 2 and candidates[1].value == 1 then error('early') end";

class FailingLive : public DeploymentTest {
 protected:
  simdjson::dom::element LastErrorOf(const std::string& name) {
    text_ = Shown(name);
    return Parsed(text_)["last_error"].value();
  }
  static std::string Text(simdjson::dom::element from, const char* name) {
    std::string_view text;
    return from[name].get(text) == simdjson::SUCCESS ? std::string(text) : "nothing";
  }
  std::string Audit() {
    std::string list;
    EXPECT_TRUE(journal_->List(1000, {}, list).ok());
    return list;
  }
  void FailFiveTimes(const std::string& lens = "a") {
    for (int i = 0; i < 5; ++i) EXPECT_THAT(AskText(lens), HasSubstr(lens + ".lua:3: "));
  }

  std::string text_;
};

TEST_F(FailingLive, ALiveLensWhoseCallsFailSaysWhereWhenAndHowOftenOfLate) {
  WriteLens("a", "1", kFailsOnTwo);  // nothing to go back to
  Deploy();
  EXPECT_EQ(ErrorOf("a"), "");
  SayTwo();
  FailFiveTimes();
  const auto error = LastErrorOf("a");
  EXPECT_EQ(Text(error, "stage"), "failed_calls");
  EXPECT_EQ(Text(error, "file"), "a.lua");
  EXPECT_EQ(uint64_t(error["line"]), 3u);
  EXPECT_THAT(Text(error, "detail"), HasSubstr("a.lua:3: late"));
  EXPECT_EQ(uint64_t(error["failures_last_minute"]), 5u);
  EXPECT_EQ(Text(error, "sha256"), ToHex(ShaOf("a")));
  const std::string time = Text(error, "time");
  EXPECT_THAT(ShownList(), HasSubstr(R"("stage":"failed_calls","file":"a.lua","line":3)"));
  EXPECT_THAT(Shown("b"), Not(HasSubstr("last_error")));
  clock_.AdvanceMs(61'000);
  EXPECT_EQ(Text(LastErrorOf("a"), "time"), time) << "it is the last one still";
  EXPECT_EQ(uint64_t(LastErrorOf("a")["failures_last_minute"]), 0u);
  WriteLens("a", "2");
  TwoSteps();
  EXPECT_EQ(ErrorOf("a"), "") << "what the version before failed of isn't this one's";
}

TEST_F(FailingLive, OfAFaultyFileAndFailingCallsTheNewerIsTheLastErrorAndTheReasonOfTheResultStays) {
  WriteLens("a", "1", kFailsOnTwo);
  Deploy();
  SayTwo();
  AskText("a");
  clock_.AdvanceMs(1);
  Write("a.lua", "return {");
  TwoSteps();
  EXPECT_THAT(ErrorOf("a"), HasSubstr("failed_compile"));
  clock_.AdvanceMs(1);
  AskText("a");
  EXPECT_THAT(ErrorOf("a"), HasSubstr("failed_calls"));
  EXPECT_THAT(Shown("a"), AllOf(HasSubstr(R"("last_result":{"result":"failed_compile")"),
                                HasSubstr(R"("detail":"a.lua:1: )")));
}

TEST_F(FailingLive, AnAutomaticRollbackNamesTheErrorWithFileAndLineInListLogAndAudit) {
  Deploy();
  WriteLens("a", "2", kFailsOnTwo);
  TwoSteps();
  SayTwo();
  FailFiveTimes();
  const Hash256 failing = ShaOf("a");
  TakeLog();
  deployment_->Step();
  ASSERT_EQ(LiveVersion("a"), "1");
  const std::string words = "5 of 5 calls failed, the last with a.lua:3: late; back to 1";
  EXPECT_THAT(TakeLog(), AllOf(HasSubstr("failed too often and was rolled back"), HasSubstr(words)));
  EXPECT_THAT(Audit(), AllOf(HasSubstr(R"("result":"auto_rolled_back")"), HasSubstr(words)));
  const auto error = LastErrorOf("a");
  EXPECT_EQ(Text(error, "stage"), "auto_rolled_back");
  EXPECT_EQ(Text(error, "file"), "a.lua");
  EXPECT_EQ(uint64_t(error["line"]), 3u);
  EXPECT_EQ(Text(error, "sha256"), ToHex(failing));
  EXPECT_THAT(Text(error, "detail"), HasSubstr(words));
}

TEST_F(FailingLive, WhereTheVersionBeforeFailsTooNothingIsTakenBackAndThatIsSaidOnce) {
  WriteLens("a", "1", kFailsOnTwoToo);
  Deploy();
  WriteLens("a", "2", kFailsOnTwo);
  TwoSteps();
  SayTwo();
  FailFiveTimes();
  TakeLog();
  for (int i = 0; i < 4; ++i) deployment_->Step();
  FailFiveTimes();
  clock_.AdvanceMs(61'000);
  for (int i = 0; i < 4; ++i) deployment_->Step();
  EXPECT_EQ(LiveVersion("a"), "2");
  EXPECT_EQ(generation(), 2u);
  EXPECT_EQ(Counted("auto_rolled_back"), 0);
  EXPECT_EQ(Counted("failed_calls"), 1);
  const std::string log = TakeLog(), words =
                                         "it stays, since 1 can't take its place: it fails on 5 recent "
                                         "questions, this one on 5";
  EXPECT_THAT(log, AllOf(HasSubstr("is not rolled back"), HasSubstr("a.lua:3: late"), HasSubstr(words)));
  EXPECT_EQ(log.find("is not rolled back"), log.rfind("is not rolled back"));
  EXPECT_THAT(Audit(), AllOf(HasSubstr(R"("result":"before_fails_too")"), HasSubstr(words)));
  EXPECT_THAT(ErrorOf("a"), HasSubstr("failed_calls"));
  ASSERT_TRUE(deployment_->RollBack("a", std::nullopt, {})) << "an operator may all the same";
  EXPECT_EQ(LiveVersion("a"), "1");
}

TEST_F(FailingLive, OneThatFailsOnFewerQuestionsComesBack) {
  WriteLens("a", "1", kFailsOnTwoToo);
  Deploy();
  SayTwo();
  SayAll({Claim("d", "p", Number(9))});
  WriteLens("a", "2", std::string(kFailsOnTwo) + " if candidates[1].value == 9 then error('late') end");
  TwoSteps();
  ASSERT_EQ(LiveVersion("a"), "2");
  const query::Question other = Ask("d", "a");
  for (int i = 0; i < 3; ++i) AskText("a");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Refusal(other).reason(), "lens_failed");
  deployment_->Step();
  EXPECT_EQ(LiveVersion("a"), "1") << "it fails on three of six";
  EXPECT_EQ(Counted("auto_rolled_back"), 1);
}

TEST_F(FailingLive, WhereNothingIsRecordedItGoesBackAsEver) {
  WriteLens("a", "1", kFailsOnTwoToo);
  Deploy();
  engine_options_.recent = nullptr;
  engine_ =
      std::make_unique<query::Engine>(store_->NewReader(), deployment_->live().Current(), engine_options_);
  WriteLens("a", "2", kFailsOnTwo);
  TwoSteps();
  SayTwo();
  FailFiveTimes();
  deployment_->Step();
  EXPECT_EQ(LiveVersion("a"), "1");
}

TEST_F(FailingLive, WhereOthersHaveUsedUpTheTimeItStaysUntilItsTurnComes) {
  deploy_options_.shadow_seconds_max = 1e-9;
  WriteLens("b", "1", kFailsOnTwoToo);
  Deploy();
  WriteLens("a", "2", kFailsOnTwo);
  WriteLens("b", "2", kFailsOnTwo);
  TwoSteps();
  ASSERT_EQ(LiveVersion("a") + LiveVersion("b"), "22");
  SayTwo();
  FailFiveTimes("a");
  FailFiveTimes("b");
  deployment_->Step();
  EXPECT_EQ(LiveVersion("a"), "1") << "it had all the time that there is";
  EXPECT_EQ(LiveVersion("b"), "2") << "nobody has asked the version before";
  clock_.AdvanceMs(61'000);
  deployment_->Step();
  EXPECT_EQ(LiveVersion("b"), "1") << "its turn has come, and the end of its watch changes nothing";
  EXPECT_EQ(Counted("auto_rolled_back"), 2);
}

class FailingPolicy : public FailingLive {
 protected:
  // What a loop would do with requests that the policy fails.
  void FailFiveTimes() {
    for (int i = 0; i < 5; ++i) {
      recent_->Offer({.route = "/v1/concepts", .method = "GET", .peer = "192.0.2.1"}, clock_.NowMs());
      const auto& counts = deployment_->live().Current()->Get("rate_limit")->counts;
      counts->AddCalls(1);
      counts->AddFailures(1, "rate_limit.lua:2: oh", clock_.NowMs(), clock_.MonotonicNs());
    }
  }
  deploy::RecentRequests* recent_ = nullptr;
};

TEST_F(FailingPolicy, IsAskedAboutTheSameRequestsBeforeItComesBack) {
  const std::string fails = "if request.route == '/v1/concepts' then error('oh') end return nil";
  WritePolicy("1", fails);
  Deploy();
  recent_ = deployment_->NewRecentRequests();
  WritePolicy("2", fails + " -- too");
  TwoSteps();
  FailFiveTimes();
  deployment_->Step();
  EXPECT_EQ(LiveVersion("rate_limit"), "2");
  EXPECT_THAT(ErrorOf("rate_limit"), HasSubstr("it fails on 5 recent requests, this one on 5"));
}

TEST_F(FailingPolicy, ComesBackWhenTheOneBeforeJudgesThem) {
  WritePolicy("1", "return nil");
  Deploy();
  recent_ = deployment_->NewRecentRequests();
  WritePolicy("2", "if request.route == '/v1/concepts' then error('oh') end return nil");
  TwoSteps();
  FailFiveTimes();
  deployment_->Step();
  EXPECT_EQ(LiveVersion("rate_limit"), "1");
  EXPECT_THAT(ErrorOf("rate_limit"), HasSubstr("the last with rate_limit.lua:2: oh; back to 1"));
}

}  // namespace
}  // namespace stemedb::testing
