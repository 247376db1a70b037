// SPDX-License-Identifier: Apache-2.0
// What is kept of a lens's questions, so that another version can be put to them, and of its failures.
#include <gmock/gmock.h>

#include "query_fixture.h"

namespace stemedb::query {
namespace {

using stemedb::testing::Claim;
using stemedb::testing::Number;
using ::testing::HasSubstr;

class AskedLens : public stemedb::testing::EngineTest {
 protected:
  // A lens whose `body` is line 2 of its file.
  void Open(const std::string& body) {
    StoreTest::Open();
    auto set = script::ScriptSet::Build(
        {{"mine.lua",
          "return { kind = 'lens', api = 1, name = 'mine', version = '1', description = 'd', "
          "resolve = function(ctx, candidates)\n" +
              body + "\nreturn { winner = 1 } end }\n"}},
        1);
    ASSERT_TRUE(set) << set.error().message();
    scripts_ = *set;
    engine_options_.recent = &recent_;
    engine_ = std::make_unique<Engine>(store_->NewReader(), scripts_, engine_options_);
  }
  static Question About(std::string path, std::string predicate = "p") {
    Question question = Ask(std::move(path), "mine");
    question.predicate = std::move(predicate);
    return question;
  }
  std::vector<std::string> Recorded() const {
    std::vector<RecordedQuestion> kept;
    recent_.CopyTo("mine", kept);
    std::vector<std::string> paths;
    for (const RecordedQuestion& one : kept) paths.push_back(one.question.concept_path);
    return paths;
  }
  const script::ScriptCounts& Counts() const { return *scripts_->Get("mine")->counts; }
  uint64_t FailuresOfMinute() const { return Counts().FailuresOfMinute(clock_.MonotonicNs()); }

  RecentQuestions recent_;
  std::shared_ptr<const script::ScriptSet> scripts_;
};

TEST_F(AskedLens, AQuestionThatNoClaimAnswersIsNotKeptSinceNoLensWasAsked) {
  Open("");
  SayAll({Claim("known", "p", Number(1)), Claim("also", "p", Number(1))});
  Answer(About("nothing"));
  Answer(About("known", "other"));
  Question before = About("known");
  before.as_of = Moment{.sequence = 0, .time_ms = {}};
  Answer(before);
  EXPECT_TRUE(Recorded().empty());
  Answer(About("known"));
  EXPECT_EQ(Recorded(), std::vector<std::string>{"known"});
  // However many of the others there are, they keep none of those out that tell something.
  for (size_t i = 0; i < 2 * RecentQuestions::kKeptMax; ++i) Answer(About("nothing"));
  Answer(About("also"));
  EXPECT_EQ(Recorded(), (std::vector<std::string>{"known", "also"}));
}

TEST_F(AskedLens, AQuestionThatItsLensFailsIsKept) {
  Open("error('always')");
  SayAll({Claim("known", "p", Number(1))});
  EXPECT_EQ(Refusal(About("known")).reason(), "lens_failed");
  EXPECT_EQ(Recorded(), std::vector<std::string>{"known"});
}

TEST_F(AskedLens, WhatACallFailedOfLastIsKeptWithItsTimeAndHowManyDidInTheMinute) {
  Open("if candidates[1].value == 1 then error('one') elseif candidates[1].value == 2 then error('two') end");
  SayAll({Claim("one", "p", Number(1)), Claim("two", "p", Number(2)), Claim("three", "p", Number(3))});
  Answer(About("three"));
  EXPECT_EQ(Counts().last().message, "");
  EXPECT_EQ(FailuresOfMinute(), 0u);
  EXPECT_FALSE(Refusal(About("two")).ok());
  clock_.AdvanceMs(30'000);
  EXPECT_FALSE(Refusal(About("one")).ok());
  const int64_t failed_ms = clock_.NowMs();
  clock_.AdvanceMs(29'000);
  Answer(About("three"));
  EXPECT_EQ(Counts().last().message, "mine.lua:2: one");
  EXPECT_EQ(Counts().last().time_ms, failed_ms);
  EXPECT_EQ(FailuresOfMinute(), 2u);
  clock_.AdvanceMs(2'000);
  EXPECT_EQ(FailuresOfMinute(), 1u);
  clock_.AdvanceMs(60'000);
  EXPECT_EQ(FailuresOfMinute(), 0u);
  EXPECT_EQ(Counts().last().message, "mine.lua:2: one") << "the last one is the last one";
  EXPECT_EQ(Counts().failures.load(), 2u);
}

TEST_F(AskedLens, AQuestionThatTookTooLongAsAWholeIsAFailureInItsOwnWords) {
  engine_options_.script_seconds_max = 1e-9;
  Open("");
  SayAll({Claim("a/1", "p", Number(1)), Claim("a/2", "p", Number(2)), Claim("a/3", "p", Number(3))});
  Question wide = Ask("a", "mine");
  wide.subtree = true;
  EXPECT_EQ(Refusal(wide).reason(), "query_timeout");
  EXPECT_THAT(Counts().last().message, HasSubstr("took longer than"));
  EXPECT_EQ(FailuresOfMinute(), 1u);
}

}  // namespace
}  // namespace stemedb::query
