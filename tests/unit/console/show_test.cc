// SPDX-License-Identifier: Apache-2.0
#include "console/show.h"

#include <gmock/gmock.h>

#include "console/problem.h"
#include "console/text.h"

namespace stemedb::console {
namespace {

using testing::HasSubstr;

class Show_ : public testing::Test {
 protected:
  static void SetUpTestSuite() { UseUtf8(); }
};

TEST_F(Show_, AListOfObjectsIsATable) {
  EXPECT_EQ(Show(R"([{"a":1,"b":"x"},{"a":22,"c":[1,2]}])", "", kUnlimited),
            " a  b  c\n"
            " 1  x\n"
            "22     [1,2]\n");
}

TEST_F(Show_, AnObjectIsItsFields) {
  EXPECT_EQ(Show(R"({"status":"healthy","n":3})", "object", kUnlimited),
            "field   value\nstatus  healthy\nn       3\n");
}

TEST_F(Show_, ScalarsAreShownAsTheyAre) {
  EXPECT_EQ(Show("1.5", "", 80), "1.5\n");
  EXPECT_EQ(Show("\"two\\nlines\"", "", 80), "two\nlines\n");
  EXPECT_EQ(Show("null", "", 80), "nil\n");
  EXPECT_EQ(Show("[]", "", 80), "[]\n");
  EXPECT_EQ(Show("{}", "", 80), "{}\n");
}

TEST_F(Show_, AStoredClaimSendsNoEscapes) {
  const std::string answer =
      R"({"concept_path":"a","lens":null,"assertions":[{"concept_path":"a\u001b[2J","predicate":"p",
    "value":"\u001b]0;owned\u0007","confidence":1,"source":{"id":"\u009b31m","class":"expert"},
    "timestamp":"2026-01-01T00:00:00.000Z","sequence":1,"id":"00"}],"resolutions":[],
    "as_of":{"sequence":1,"time":"2026-01-01T00:00:00.000Z"}})";
  const std::string shown = Show(answer, "answer", 120);
  EXPECT_EQ(shown.find('\x1b'), std::string::npos);
  EXPECT_EQ(shown.find('\a'), std::string::npos);
  EXPECT_EQ(shown.find("\xc2\x9b"), std::string::npos);
  EXPECT_THAT(shown, HasSubstr("\\x1b]0;owned\\x07"));
}

TEST_F(Show_, AnOldAnswerSaysHowOldItIs) {
  const std::string answer = R"({"concept_path":"a","lens":null,"assertions":[],"resolutions":[],
    "as_of":{"sequence":1,"time":"2026-01-01T00:00:00.000Z"},"stale":{"age_ms":1250}})";
  EXPECT_THAT(Show(answer, "answer", 200), HasSubstr("which was right 1250 ms ago and may not be now"));
}

TEST_F(Show_, AViewThatDoesNotFitTheValueIsIgnored) {
  for (const char* view : {"answer", "explain", "compare", "lenses", "concepts", "trace", "help"}) {
    EXPECT_EQ(Show("1", view, 80), "1\n") << view;
    EXPECT_EQ(Show("[]", view, 80), "[]\n") << view;
    EXPECT_EQ(Show("{}", view, 80), "{}\n") << view;
  }
}

TEST(Problem, NamesEachWrongField) {
  const Status status = ProblemStatus(
      R"({"code":"invalid_request","detail":"the question is wrong","errors":[{"pointer":"/limit","detail":"must be a number"}]})",
      400);
  EXPECT_EQ(status.reason(), "invalid_request");
  EXPECT_EQ(status.message(), "invalid_request: the question is wrong\n  limit must be a number");
}

TEST(Problem, AnAnswerThatIsNoneOfOursSaysSo) {
  EXPECT_THAT(std::string(ProblemStatus("<html>", 502).message()), HasSubstr("502"));
  EXPECT_THAT(std::string(ProblemStatus("{}", 404).message()), HasSubstr("another program"));
}

}  // namespace
}  // namespace stemedb::console
