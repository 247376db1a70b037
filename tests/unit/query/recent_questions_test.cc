// SPDX-License-Identifier: Apache-2.0
// RecentQuestions: what is kept of what was asked.
#include "query/recent_questions.h"

#include <gtest/gtest.h>

namespace stemedb::query {
namespace {

Question Asking(const std::string& path) {
  Question question;
  question.concept_path = path;
  question.lens = "a";
  return question;
}

TEST(RecentQuestions, KeepsAFewOfEachLensWithTheirMoment) {
  RecentQuestions recent;
  RecentQuestions::List* list = recent.ListFor("a");
  EXPECT_EQ(recent.ListFor("a"), list);
  Question question = Asking("x");
  question.limit = 50;
  question.include_candidates = true;
  list->Offer(question, 7, 1000);
  recent.ListFor("b")->Offer(Asking("y"), 8, 2000);
  std::vector<RecordedQuestion> kept;
  recent.CopyTo("a", kept);
  recent.CopyTo("nobody", kept);
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].question.as_of->sequence, 7u);
  EXPECT_EQ(kept[0].question.now_ms, 1000);
  EXPECT_EQ(kept[0].question.limit, 0u);
  EXPECT_FALSE(kept[0].question.include_candidates);
}

TEST(RecentQuestions, IsBoundedAndKeepsTheNewerOnes) {
  RecentQuestions recent;
  RecentQuestions::List* list = recent.ListFor("a");
  for (uint64_t i = 0; i < 10'000; ++i) list->Offer(Asking("x"), i, 0);
  std::vector<RecordedQuestion> kept;
  recent.CopyTo("a", kept);
  EXPECT_EQ(kept.size(), RecentQuestions::kKeptMax);
  EXPECT_GT(kept.front().question.as_of->sequence,
            10'000u - 2 * RecentQuestions::kKeptMax * RecentQuestions::kSampling);
  EXPECT_GT(kept.back().question.as_of->sequence, 10'000u - 2 * RecentQuestions::kSampling);
}

TEST(RecentQuestions, LeavesOutWhatIsTooLargeToKeep) {
  RecentQuestions recent;
  Question question = Asking("x");
  question.params["p"] = std::string(2000, 'x');
  recent.ListFor("a")->Offer(question, 1, 0);
  std::vector<RecordedQuestion> kept;
  recent.CopyTo("a", kept);
  EXPECT_TRUE(kept.empty());
}

}  // namespace
}  // namespace stemedb::query
