// SPDX-License-Identifier: Apache-2.0
// A question written and read again is the same question, and written again the same text.
#include "api/question_json.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "api/question_reader.h"

namespace stemedb::api {
namespace {

ReadQuestion Read(const std::string& text, LensField field = LensField::kOptional) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  EXPECT_EQ(parser.parse(text).get(root), simdjson::SUCCESS) << text;
  return ReadQuestionElement(root, {.lens_field = field, .fixed_lens = {}}, "");
}

std::string Written(const query::Question& question, const std::vector<std::string>& lenses = {}) {
  std::string out;
  AppendQuestionJson(out, question, lenses);
  return out;
}

void ExpectSame(const std::string& text, const std::string& canonical) {
  const ReadQuestion read = Read(text);
  ASSERT_TRUE(read.status.ok()) << read.status.message();
  EXPECT_EQ(Written(read.question), canonical);
  const ReadQuestion again = Read(canonical);
  ASSERT_TRUE(again.status.ok()) << again.status.message();
  EXPECT_EQ(Written(again.question), canonical);
}

TEST(QuestionJson, SaysOnlyWhatIsOtherwiseThanItWouldBe) {
  ExpectSame(R"({"concept_path":"a/b"})", R"({"concept_path":"a/b"})");
  ExpectSame(R"({"limit":100,"status":"active","include":[],"min_confidence":0,"subject":"a"})",
             R"({"concept_path":"a"})");
}

TEST(QuestionJson, SpellsPathsAsTheyWereAskedFor) {
  for (const char* path : {"a", "a/b/*", "*", "fda://*", "fda://labels/*", R"(q\"uote)"}) {
    const std::string text = R"({"concept_path":")" + std::string(path) + "\"}";
    ExpectSame(text, text);
  }
}

TEST(QuestionJson, HasEveryField) {
  ExpectSame(
      R"({"limit":5,"include":["explain","candidates"],"class_multipliers":{"expert":0.5},"decay":30,)"
      R"("min_confidence":0.25,"agent_id":")" +
          std::string(64, 'a') +
          R"(","source_class":"expert","epoch":"e","lifecycle":"approved","status":"any","since":5,)"
          R"("valid_at":"2026-02-11T10:00:00Z","as_of":{"sequence":9,"time":"2026-02-11T10:00:00Z"},)"
          R"("params":{"z":"\"t\"","b":true,"a":0.5},"fallback":"recency","lens":"x","predicate":"p",)"
          R"("concept_path":"a/*"})",
      R"({"concept_path":"a/*","predicate":"p","lens":"x","fallback":"recency",)"
      R"("params":{"a":0.5,"b":true,"z":"\"t\""},"as_of":{"sequence":9,"time":"2026-02-11T10:00:00.000Z"},)"
      R"("valid_at":"2026-02-11T10:00:00.000Z","since":5,"status":"any","lifecycle":"approved","epoch":"e",)"
      R"("source_class":"expert","agent_id":")" +
          std::string(64, 'a') +
          R"(","min_confidence":0.25,"decay":{"regulatory":30,"clinical":30,"observational":30,"expert":30,)"
          R"("community":30,"anecdotal":30},"class_multipliers":{"regulatory":1,"clinical":0.9,)"
          R"("observational":0.7,"expert":0.5,"community":0.3,"anecdotal":0.1},)"
          R"("include":["candidates","explain"],"limit":5})");
}

TEST(QuestionJson, KeepsAMomentAsItWasGiven) {
  ExpectSame(R"({"concept_path":"a","as_of":7})", R"({"concept_path":"a","as_of":7})");
  ExpectSame(R"({"concept_path":"a","as_of":"2026-01-01T00:00:00.000Z","since":"2025-01-01T00:00:00.000Z"})",
             R"({"concept_path":"a","as_of":"2026-01-01T00:00:00.000Z","since":"2025-01-01T00:00:00.000Z"})");
}

TEST(QuestionJson, KeepsAClassThatNeverHalves) {
  const ReadQuestion read = Read(R"({"concept_path":"a","decay":{"regulatory":null}})");
  ASSERT_TRUE(read.status.ok());
  EXPECT_NE(Written(read.question).find(R"("decay":{"regulatory":null,)"), std::string::npos);
}

TEST(QuestionJson, APageOfAListingIsThatPage) {
  query::Question question;
  question.concept_path = "a";
  question.before_sequence = 12;
  question.as_of = query::Moment{.sequence = 30, .time_ms = {}};
  question.now_ms = 1767225600000;
  const std::string text = Written(question);
  const ReadQuestion read = Read(text);
  ASSERT_TRUE(read.status.ok()) << text;
  EXPECT_EQ(read.question.before_sequence, 12u);
  EXPECT_EQ(read.question.as_of->sequence, 30u);
  EXPECT_EQ(read.question.now_ms, 1767225600000);
  EXPECT_EQ(Written(read.question), text);
}

TEST(QuestionJson, AComparisonHasItsLenses) {
  query::Question question;
  question.concept_path = "a";
  const std::string text = Written(question, {"recency", "consensus"});
  EXPECT_EQ(text, R"({"concept_path":"a","lenses":["recency","consensus"]})");
  const ReadQuestion read = Read(text, LensField::kList);
  ASSERT_TRUE(read.status.ok());
  EXPECT_EQ(Written(read.question, read.lenses), text);
}

}  // namespace
}  // namespace stemedb::api
