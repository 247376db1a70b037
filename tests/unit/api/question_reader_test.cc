// SPDX-License-Identifier: Apache-2.0
#include "api/question_reader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "http/message.h"
#include "query/cursor.h"

namespace stemedb::api {
namespace {

class QuestionReaderTest : public testing::Test {
 protected:
  ReadQuestion FromJson(std::string_view text, const QuestionForm& form = {}) {
    std::string padded(text);
    padded.append(http::kBodyPadding, '\0');
    return ReadQuestionJson(parser_, std::string_view(padded).substr(0, text.size()), form);
  }
  ReadQuestion FromQuery(std::string_view text, const QuestionForm& form = {}) {
    return ReadQuestionString(parser_, text, form);
  }
  simdjson::dom::parser parser_;
};

TEST_F(QuestionReaderTest, TakesTheAsteriskOffAndKeepsAScheme) {
  struct Case {
    std::string_view given, path;
    bool subtree;
  };
  for (const Case& c : {Case{"*", "", true}, Case{"drugs/*", "drugs", true}, Case{"fda://*", "fda://", true},
                        Case{"fda://labels/*", "fda://labels", true}, Case{"drugs/a*", "drugs/a*", false}}) {
    const ReadQuestion read = FromJson("{\"concept_path\":\"" + std::string(c.given) + "\"}");
    ASSERT_TRUE(read.status.ok()) << c.given << ": " << read.status.message();
    EXPECT_EQ(read.question.concept_path, c.path);
    EXPECT_EQ(read.question.subtree, c.subtree);
  }
}

TEST_F(QuestionReaderTest, SubjectMayRepeatConceptPathAndNotContradictIt) {
  EXPECT_TRUE(FromJson(R"({"concept_path":"a","subject":"a"})").status.ok());
  const ReadQuestion read = FromJson(R"({"concept_path":"a","subject":"b"})");
  ASSERT_EQ(read.errors.size(), 1U);
  EXPECT_EQ(read.errors[0].pointer, "/subject");
}

TEST_F(QuestionReaderTest, ReadsDecayInAllItsForms) {
  const auto decay = [&](std::string_view text) {
    return FromJson("{\"concept_path\":\"a\",\"decay\":" + std::string(text) + "}").question.decay;
  };
  EXPECT_FALSE(decay("false").has_value());
  EXPECT_TRUE(std::isinf(decay("true")->at(0)));
  EXPECT_EQ(decay("true")->at(5), 30);
  EXPECT_EQ(decay("12.5")->at(0), 12.5);
  EXPECT_TRUE(std::isinf(decay(R"({"anecdotal":null})")->at(5)));
  EXPECT_EQ(decay(R"({"anecdotal":null,"clinical":1})")->at(1), 1);
  EXPECT_EQ(decay(R"({"clinical":1})")->at(2), 365);
}

TEST_F(QuestionReaderTest, ACursorBringsItsMomentAlong) {
  const std::string cursor = query::EncodeCursor({.before_sequence = 7, .as_of_sequence = 90});
  const ReadQuestion read = FromQuery("concept_path=a&cursor=" + cursor + "&as_of=2000-01-01T00:00:00Z");
  ASSERT_TRUE(read.status.ok()) << read.status.message();
  EXPECT_EQ(read.question.before_sequence, 7U);
  EXPECT_EQ(read.question.as_of->sequence, 90U);
  EXPECT_FALSE(read.question.as_of->time_ms.has_value());
}

TEST_F(QuestionReaderTest, ParametersKeepTheirTypes) {
  const ReadQuestion read =
      FromQuery("concept_path=a&params.n=5&params.flag=true&params.text=x+y&params.quoted=%225%22");
  ASSERT_TRUE(read.status.ok()) << read.status.message();
  EXPECT_EQ(std::get<double>(read.question.params.at("n")), 5);
  EXPECT_EQ(std::get<bool>(read.question.params.at("flag")), true);
  EXPECT_EQ(std::get<std::string>(read.question.params.at("text")), "x y");
  EXPECT_EQ(std::get<std::string>(read.question.params.at("quoted")), "5");
}

TEST_F(QuestionReaderTest, ErrorsOfAQueryStringNameItsParameters) {
  const ReadQuestion read = FromQuery("concept_path=a&params.x=%5B%5D&limit=ten&colour=red");
  ASSERT_EQ(read.errors.size(), 3U);
  EXPECT_EQ(read.errors[0].pointer, "limit");
  EXPECT_EQ(read.errors[1].pointer, "colour");
  EXPECT_EQ(read.errors[2].pointer, "params.x");
}

TEST_F(QuestionReaderTest, ErrorsAreBounded) {
  std::string text = "{";
  for (int i = 0; i < 1000; ++i) text += "\"x" + std::to_string(i) + "\":1,";
  const ReadQuestion read = FromJson(text + "\"limit\":-1}");
  EXPECT_EQ(read.errors.size(), 16U);
}

TEST_F(QuestionReaderTest, AnUnknownNameIsRepeatedCutAndEscaped) {
  const ReadQuestion read = FromJson("{\"concept_path\":\"a\",\"x/~" + std::string(1000, 'y') + "\":1}");
  ASSERT_EQ(read.errors.size(), 1U);
  EXPECT_TRUE(read.errors[0].pointer.starts_with("/x~1~0y"));
  EXPECT_LT(read.errors[0].pointer.size(), 200U);
}

TEST_F(QuestionReaderTest, AFixedLensMayOnlyBeRepeated) {
  const QuestionForm form{LensField::kFixed, "skeptic"};
  EXPECT_EQ(FromQuery("concept_path=a", form).question.lens, "skeptic");
  EXPECT_TRUE(FromQuery("concept_path=a&lens=skeptic", form).status.ok());
  EXPECT_FALSE(FromQuery("concept_path=a&lens=recency", form).status.ok());
}

// No text at all may crash the reader or be taken for a question that it isn't.
TEST_F(QuestionReaderTest, SurvivesRandomQueryStrings) {
  const unsigned seed = std::random_device()();
  std::printf("random seed %u\n", seed);
  std::mt19937 random(seed);
  const std::string_view pieces[] = {
      "concept_path", "=", "&",  "a/b", "*",    "{",     "}",    "\"", "params.", "limit",
      "decay",        "%", "2",  "2C",  "null", ",",     "true", "[",  "]",       "include",
      "cursor",       "+", "-1", "1e9", ":",    "as_of", "%7B",  "%00"};
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (auto n = random() % 12; n > 0; --n) text += pieces[random() % std::size(pieces)];
    const ReadQuestion read = FromQuery(text);
    if (read.status.ok()) {
      EXPECT_LE(read.question.limit, query::kLimitMax) << text;
    }
  }
}

}  // namespace
}  // namespace stemedb::api
