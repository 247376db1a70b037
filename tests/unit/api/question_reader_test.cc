// SPDX-License-Identifier: Apache-2.0
#include "api/question_reader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "http/message.h"
#include "query/cursor.h"
#include "query/question_key.h"

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
  static constexpr int64_t kPageMs = 1'770'804'000'123;  // 2026-02-11T10:00:00.123Z
  // Of a first page of the question at sequence 90.
  std::string CursorOf(const std::string& question) {
    return query::EncodeCursor({.before_sequence = 7,
                                .as_of_sequence = 90,
                                .now_ms = kPageMs,
                                .changes_after = {},
                                .question = query::FingerprintOf(FromQuery(question).question)});
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

TEST_F(QuestionReaderTest, ReadsMaxStaleAsSecondsToTheMillisecond) {
  const auto read = [&](const std::string& text) {
    return FromJson(R"({"concept_path":"a","max_stale":)" + text + "}");
  };
  EXPECT_EQ(FromJson(R"({"concept_path":"a"})").question.max_stale_ms, 0);
  EXPECT_EQ(read("0").question.max_stale_ms, 0);
  EXPECT_EQ(read("2").question.max_stale_ms, 2000);
  EXPECT_EQ(read("1.001").question.max_stale_ms, 1001);
  EXPECT_EQ(read("3600").question.max_stale_ms, query::kMaxStaleMs);
  EXPECT_EQ(FromQuery("concept_path=a&max_stale=0.25").question.max_stale_ms, 250);
  for (const char* wrong : {"-1", "-1e-9", "3600.001", "1e308", "\"1\"", "true", "null", "[1]", "{}"}) {
    const ReadQuestion refused = read(wrong);
    ASSERT_EQ(refused.errors.size(), 1U) << wrong;
    EXPECT_EQ(refused.errors[0].pointer, "/max_stale");
  }
  const QuestionForm list{.lens_field = LensField::kList, .fixed_lens = {}};
  const ReadQuestion compared = FromJson(R"({"concept_path":"a","lenses":["b"],"max_stale":1})", list);
  ASSERT_EQ(compared.errors.size(), 1U);
  EXPECT_EQ(compared.errors[0].pointer, "/max_stale");
  EXPECT_EQ(compared.errors[0].detail.find("max_stale"), std::string::npos) << "it isn't among those allowed";
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
  const std::string cursor = CursorOf("concept_path=a");
  for (const char* as_of : {"", "&as_of=90", "&as_of=2026-02-11T10:00:00.123Z", "&as_of=2026-02-11T10:00:01Z",
                            "&as_of=%7B%22sequence%22%3A90,%22time%22%3A%222026-02-11T10:00:00.123Z%22%7D"}) {
    const ReadQuestion read = FromQuery("concept_path=a&limit=3&max_stale=5&cursor=" + cursor + as_of);
    ASSERT_TRUE(read.status.ok()) << as_of << read.status.message();
    EXPECT_EQ(read.question.before_sequence, 7U);
    EXPECT_EQ(read.question.as_of->sequence, 90U);
    EXPECT_FALSE(read.question.as_of->time_ms.has_value());
    EXPECT_EQ(read.question.now_ms, kPageMs);
  }
}

TEST_F(QuestionReaderTest, ACursorOfAnotherMomentIsRefused) {
  const std::string cursor = CursorOf("concept_path=a");
  for (const char* as_of : {"&as_of=89", "&as_of=2000-01-01T00:00:00Z", "&as_of=2026-02-11T10:00:00.122Z",
                            "&as_of=2026-02-11T10:02:00Z",
                            "&as_of=%7B%22sequence%22%3A90,%22time%22%3A%222026-02-11T10:00:00Z%22%7D"}) {
    const ReadQuestion read = FromQuery("concept_path=a&cursor=" + cursor + as_of);
    ASSERT_EQ(read.errors.size(), 1u) << as_of;
    EXPECT_EQ(read.errors[0].pointer, "cursor") << as_of;
    EXPECT_NE(read.errors[0].detail.find("leave as_of as it was there, or out"), std::string::npos) << as_of;
  }
}

TEST_F(QuestionReaderTest, ACursorOfAnotherQuestionIsRefused) {
  for (const char* other :
       {"concept_path=b", "concept_path=a/*", "concept_path=a&predicate=p", "concept_path=a&status=any",
        "concept_path=a&since=3", "concept_path=a&lens=recency", "concept_path=a&epoch=e",
        "concept_path=a&min_confidence=0.5"}) {
    const ReadQuestion read = FromQuery(std::string(other) + "&cursor=" + CursorOf("concept_path=a"));
    ASSERT_EQ(read.errors.size(), 1u) << other;
    EXPECT_EQ(read.errors[0].pointer, "cursor") << other;
    EXPECT_NE(read.errors[0].detail.find("belongs to another question"), std::string::npos) << other;
    EXPECT_TRUE(FromQuery(std::string(other) + "&cursor=" + CursorOf(other)).status.ok()) << other;
  }
  // In another spelling it is the same one.
  EXPECT_TRUE(FromQuery("subject=a&status=active&cursor=" + CursorOf("concept_path=a")).status.ok());
  // What is wrong besides is said, not what follows from it.
  const ReadQuestion read = FromQuery("concept_path=a&status=some&cursor=" + CursorOf("concept_path=b"));
  ASSERT_EQ(read.errors.size(), 1u);
  EXPECT_EQ(read.errors[0].pointer, "status");
}

TEST_F(QuestionReaderTest, ACursorSaysWhereTheChangesGoOn) {
  const std::string cursor =
      query::EncodeCursor({.as_of_sequence = 90,
                           .changes_after = 45,
                           .question = query::FingerprintOf(FromQuery("concept_path=a&since=3").question)});
  const ReadQuestion read = FromQuery("concept_path=a&since=3&cursor=" + cursor);
  ASSERT_TRUE(read.status.ok()) << read.status.message();
  EXPECT_EQ(read.question.before_sequence, 0U);
  EXPECT_EQ(read.question.changes_after, 45U);
  EXPECT_FALSE(FromQuery("concept_path=a&since=3").question.changes_after.has_value());
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
