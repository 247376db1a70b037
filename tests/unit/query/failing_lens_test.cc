// SPDX-License-Identifier: Apache-2.0
// What becomes of a question whose lens fails, is stopped, or is too slow, and how that is counted.
#include "query_fixture.h"

namespace stemedb::query {
namespace {

using stemedb::testing::Claim;
using stemedb::testing::Number;
using stemedb::testing::PrepareAll;
using stemedb::testing::Write;

script::ScriptFile Lens(const std::string& name, const std::string& body) {
  return {name + ".lua", "return { kind = 'lens', api = 1, name = '" + name +
                             "', version = '1', description = 'd', resolve = function(ctx, candidates)\n" +
                             body + "\nreturn { winner = 1 } end }\n"};
}

class FailingLens : public stemedb::testing::EngineTest {
 protected:
  void Open(const std::vector<script::ScriptFile>& files) {
    StoreTest::Open();
    auto set = script::ScriptSet::Build(files, 1);
    ASSERT_TRUE(set) << set.error().message();
    scripts_ = *set;
    engine_ = std::make_unique<Engine>(store_->NewReader(), scripts_, engine_options_);
  }
  // So many pairs below "a".
  void SayPairs(int count) {
    std::vector<model::Assertion> claims;
    for (int i = 0; i < count; ++i) claims.push_back(Claim("a/" + std::to_string(i), "p", Number(i)));
    ASSERT_TRUE(Write(*store_, PrepareAll(claims)).status.ok());
  }
  static Question Wide(const std::string& lens) {
    Question question = Ask("a", lens);
    question.subtree = true;
    question.limit = 0;
    return question;
  }
  uint64_t Calls(const char* lens) const { return scripts_->Get(lens)->counts->calls.load(); }
  uint64_t Failures(const char* lens) const { return scripts_->Get(lens)->counts->failures.load(); }

  std::shared_ptr<const script::ScriptSet> scripts_;
};

TEST_F(FailingLens, ALensThatIsStoppedCountsAsKilledAndOneThatThrowsDoesNot) {
  Open({Lens("loops", "while true do end"), Lens("throws", "error('on purpose')")});
  SayPairs(1);
  EXPECT_EQ(Refusal(Ask("a/0", "loops")).reason(), "lens_failed");
  EXPECT_EQ(Refusal(Ask("a/0", "throws")).reason(), "lens_failed");
  EXPECT_EQ(metrics_.Script("loops").budget_kills.Value(), 1);
  EXPECT_EQ(metrics_.Script("loops").errors.Value(), 1);
  EXPECT_EQ(metrics_.Script("throws").budget_kills.Value(), 0);
  EXPECT_EQ(metrics_.Script("throws").errors.Value(), 1);
  EXPECT_EQ(Failures("loops") + Failures("throws"), 2u);
}

TEST_F(FailingLens, EachCallOfAWideQuestionIsCountedOnceItIsAnswered) {
  Open({Lens("good", "")});
  SayPairs(30);
  Answer(Wide("good"));
  Answer(Ask("a/0", "good"));
  EXPECT_EQ(Calls("good"), 31u);
  EXPECT_EQ(Failures("good"), 0u);
}

// Each call is well within its budget; 200 of them take longer than 100 ms.
constexpr char kSlow[] = "local x = 0 for i = 1, 2e6 do x = x + i end";

TEST_F(FailingLens, ALensThatIsTooSlowForTheQuestionHasFailedOnceAndAnotherMayAnswer) {
  engine_options_.script_seconds_max = 0.1;
  Open({Lens("slow", kSlow), Lens("quick", "")});
  SayPairs(200);
  EXPECT_EQ(Refusal(Wide("slow")).reason(), "query_timeout");
  EXPECT_EQ(Calls("slow"), 1u) << "that its calls were right one by one is nothing to a client";
  EXPECT_EQ(Failures("slow"), 1u);
  EXPECT_EQ(metrics_.Script("slow").errors.Value(), 1);
  Question question = Wide("slow");
  question.fallback = "quick";
  const auto answer = Answer(question);
  EXPECT_EQ(std::string_view(answer["lens"]["name"]), "quick");
  EXPECT_EQ(List(answer["resolutions"]).size(), 200u);
  EXPECT_EQ(std::string_view(answer["fallback_from"]["lens"]["name"]), "slow");
  EXPECT_EQ(std::string_view(answer["fallback_from"]["code"]), "query_timeout");
  EXPECT_EQ(Failures("slow"), 2u);
  EXPECT_EQ(Calls("quick"), 200u);
  EXPECT_EQ(Failures("quick"), 0u);
  question.fallback = "slow";
  EXPECT_EQ(Refusal(question).reason(), "query_timeout");
}

TEST_F(FailingLens, InAComparisonTheTimeoutIsTheSlowOnes) {
  engine_options_.script_seconds_max = 0.1;
  Open({Lens("slow", kSlow), Lens("quick", "")});
  SayPairs(200);
  const std::vector<std::string> lenses = {"quick", "slow"};
  EXPECT_EQ(engine_->Compare(Wide(""), lenses, answer_).reason(), "query_timeout");
  EXPECT_EQ(Failures("slow"), 1u);
  EXPECT_EQ(Failures("quick"), 0u);
}

TEST_F(FailingLens, JudgingStopsWhenItIsTold) {
  Open({Lens("good", "")});
  SayPairs(30);
  int asked = 0;
  std::vector<Verdict> verdicts;
  const auto stop = [&] { return ++asked > 10; };
  EXPECT_EQ(engine_->Judge(Wide("good"), stop, verdicts).reason(), "cut_off");
  EXPECT_LT(verdicts.size(), 30u);
}

// On a loop: what takes long isn't refused there, nor does it count as a failure.
TEST_F(FailingLens, OnALoopALongQuestionIsHandedOver) {
  RecentQuestions recent;
  engine_options_.recent = &recent;
  engine_options_ = ForLoop(engine_options_);
  Open({Lens("loops", "while true do end"), Lens("slow", kSlow), Lens("quick", "")});
  SayPairs(200);
  EXPECT_EQ(Refusal(Ask("a/0", "loops")).reason(), kHandOverReason);
  EXPECT_EQ(Refusal(Wide("slow")).reason(), kHandOverReason);
  const std::vector<std::string> lenses = {"quick", "loops"};
  EXPECT_EQ(engine_->Compare(Ask("a/0", ""), lenses, answer_).reason(), kHandOverReason);
  Question question = Ask("a/0", "loops");
  question.fallback = "quick";
  EXPECT_EQ(Refusal(question).reason(), kHandOverReason) << "the lens hasn't failed yet";
  EXPECT_EQ(Failures("loops") + Failures("slow"), 0u);
  EXPECT_EQ(Calls("loops") + Calls("slow") + Calls("quick"), 0u) << "or they would hide the failures to come";
  EXPECT_EQ(metrics_.Script("loops").budget_kills.Value(), 0);
  std::vector<RecordedQuestion> recorded;
  for (const char* lens : {"loops", "slow"}) recent.CopyTo(lens, recorded);
  EXPECT_TRUE(recorded.empty()) << "whoever answers it records it";
}

TEST_F(FailingLens, OnALoopAQuestionOverTooManyRowsIsHandedOver) {
  engine_options_ = ForLoop(engine_options_);
  engine_options_.rows_max = 10;
  Open({Lens("quick", "")});
  SayPairs(11);
  EXPECT_EQ(Refusal(Wide("quick")).reason(), kHandOverReason);
  EXPECT_TRUE(Refusal(Ask("a/0", "quick")).ok());
}

TEST_F(FailingLens, OnALoopAFailureIsCountedOnceWhoeverAnswersInTheEnd) {
  engine_options_ = ForLoop(engine_options_);
  engine_options_.script_seconds_max = 0.1;  // enough for a busy machine, and not for one that never ends
  Open({Lens("throws", "error('on purpose')"), Lens("loops", "while true do end"), Lens("quick", "")});
  SayPairs(1);
  Question question = Ask("a/0", "throws");
  question.fallback = "loops";
  EXPECT_EQ(Refusal(question).reason(), kHandOverReason);
  EXPECT_EQ(Failures("throws"), 0u) << "the other engine asks it again";
  question.fallback = "quick";
  EXPECT_TRUE(Refusal(question).ok());
  EXPECT_EQ(Failures("throws"), 1u);
  EXPECT_EQ(Calls("quick"), 1u);
}

TEST_F(FailingLens, OnALoopALongListingIsHandedOver) {
  engine_options_ = ForLoop(engine_options_);
  engine_options_.script_seconds_max = 0;
  Open({Lens("quick", "")});
  SayPairs(2);
  Question question = Wide("");
  question.limit = 10;
  EXPECT_EQ(Refusal(question).reason(), kHandOverReason);
}

TEST_F(FailingLens, OnALoopALensThatThrowsHasFailed) {
  engine_options_ = ForLoop(engine_options_);
  Open({Lens("throws", "error('on purpose')")});
  SayPairs(1);
  EXPECT_EQ(Refusal(Ask("a/0", "throws")).reason(), "lens_failed");
}

}  // namespace
}  // namespace stemedb::query
