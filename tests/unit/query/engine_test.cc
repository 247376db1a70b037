// SPDX-License-Identifier: Apache-2.0
// Questions and answers, over a real store.
#include "query/engine.h"

#include <malloc.h>

#include "base/time.h"
#include "index/layout.h"
#include "query/resolution_json.h"
#include "query_fixture.h"
#include "script/weights.h"

namespace stemedb::query {
namespace {

using stemedb::testing::Claim;
using stemedb::testing::kTestNow;
using stemedb::testing::Number;
using stemedb::testing::Prepare;
using stemedb::testing::PrepareAll;
using stemedb::testing::PrintedRandom;
using stemedb::testing::Text;
using stemedb::testing::Write;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class EngineAnswers : public stemedb::testing::EngineTest {
 protected:
  static model::Assertion OfClass(const std::string& path, double value, double confidence,
                                  model::SourceClass source_class, const std::string& source) {
    auto claim = Claim(path, "p", Number(value));
    claim.confidence = confidence;
    claim.source = model::Source{source, source_class, "", ""};
    return claim;
  }
};

TEST_F(EngineAnswers, WithoutALensGivesAssertionsNewestFirst) {
  Open();
  SayAll({Claim("a", "p", Number(1)), Claim("a", "q", Number(2)), Claim("a", "p", Number(3)),
          Claim("a/b", "p", Number(4))});
  EXPECT_THAT(Numbers(Ask("a")), ElementsAre(3, 2, 1));
  const auto answer = Parse();
  EXPECT_EQ(std::string_view(answer["concept_path"]), "a");
  EXPECT_TRUE(answer["lens"].is_null());
  EXPECT_EQ(List(answer["resolutions"]).size(), 0u);
  EXPECT_EQ(answer["as_of"]["sequence"].get_uint64().value(), 4u);
  EXPECT_EQ(answer.at_key("next_cursor").error(), simdjson::NO_SUCH_FIELD);
  EXPECT_EQ(std::string_view(answer["assertions"].at(0)["status"]), "active");
}

TEST_F(EngineAnswers, AreThereEvenWhenNothingIs) {
  Open();
  for (const auto& lens : {"", "consensus", "skeptic", "layered"}) {
    const auto answer = Answer(Ask("nowhere", lens));
    EXPECT_EQ(List(answer["assertions"]).size(), 0u);
    EXPECT_EQ(List(answer["resolutions"]).size(), 0u);
  }
}

TEST_F(EngineAnswers, APairThatTheQuestionNamesIsResolvedWithoutClaimsToo) {
  Open();
  SayAll({Claim("a", "p", Number(1))});
  auto question = Ask("a", "skeptic");
  question.predicate = "q";
  question.include_explain = true;
  for (const auto& lens : {"skeptic", "layered", "consensus"}) {
    question.lens = lens;
    const auto resolutions = Answer(question)["resolutions"];
    ASSERT_EQ(List(resolutions).size(), 1u);
    const auto none = resolutions.at(0);
    EXPECT_EQ(std::string_view(none["concept_path"]), "a");
    EXPECT_EQ(std::string_view(none["predicate"]), "q");
    EXPECT_EQ(std::string_view(none["status"]), "none");
    EXPECT_EQ(std::string_view(none["explain"]), "no claims");
    EXPECT_TRUE(none["winner"].is_null());
    EXPECT_TRUE(none["value"].is_null());
    EXPECT_EQ(none["confidence"].get_double().value(), 0.0);
    EXPECT_EQ(none["conflict_score"].get_double().value(), 0.0);
    EXPECT_EQ(none["candidates_count"].get_uint64().value(), 0u);
    EXPECT_EQ(List(none["claims"]).size(), 0u);
  }
  question.predicate = "p";
  question.min_confidence = 0.9;  // filtered away
  EXPECT_EQ(std::string_view(Answer(question)["resolutions"].at(0)["status"]), "none");
  question.predicate.clear();
  EXPECT_EQ(List(Answer(question)["resolutions"]).size(), 0u) << "no pair to name";
  question.predicate = "q";
  question.subtree = true;
  EXPECT_EQ(List(Answer(question)["resolutions"]).size(), 0u) << "no pair to name";
}

TEST_F(EngineAnswers, CoverASubtreeWithoutItsRoot) {
  Open();
  SayAll({Claim("a", "p", Number(1)), Claim("a/b", "p", Number(2)), Claim("a/b/c", "p", Number(3)),
          Claim("a-b", "p", Number(4))});
  auto question = Ask("a", "recency");
  question.subtree = true;
  EXPECT_THAT(Numbers(question), ElementsAre(3, 2));
  const auto answer = Parse();
  EXPECT_EQ(std::string_view(answer["concept_path"]), "a/*");
  ASSERT_EQ(List(answer["resolutions"]).size(), 2u);
  EXPECT_EQ(std::string_view(answer["resolutions"].at(0)["concept_path"]), "a/b");
  EXPECT_EQ(std::string_view(answer["resolutions"].at(1)["concept_path"]), "a/b/c");
  question.concept_path = "";
  EXPECT_THAT(Numbers(question), ElementsAre(4, 3, 2, 1));
}

TEST_F(EngineAnswers, ResolveEveryPairOnItsOwn) {
  Open();
  SayAll({Claim("a", "q", Number(1)), Claim("a", "p", Number(2)), Claim("a", "q", Number(3))});
  const auto resolutions = Answer(Ask("a", "consensus"))["resolutions"];
  ASSERT_EQ(List(resolutions).size(), 2u);
  EXPECT_EQ(std::string_view(resolutions.at(0)["predicate"]), "p");
  EXPECT_EQ(resolutions.at(0)["candidates_count"].get_uint64().value(), 1u);
  EXPECT_EQ(std::string_view(resolutions.at(0)["status"]), "unanimous");
  EXPECT_EQ(std::string_view(resolutions.at(1)["predicate"]), "q");
  EXPECT_EQ(resolutions.at(1)["candidates_count"].get_uint64().value(), 2u);
}

TEST_F(EngineAnswers, TwoClinicalClaimsThatContradictAreFullyContested) {
  Open();
  SayAll({OfClass("a", 1, 0.85, model::SourceClass::kClinical, "s"),
          OfClass("a", 2, 0.85, model::SourceClass::kClinical, "t")});
  const auto resolution = Answer(Ask("a", "skeptic"))["resolutions"].at(0);
  EXPECT_EQ(resolution["conflict_score"].get_double().value(), 1.0);
  EXPECT_EQ(std::string_view(resolution["status"]), "contested");
  EXPECT_EQ(List(resolution["claims"]).size(), 2u);
  EXPECT_TRUE(resolution["winner"].is_null());
}

TEST_F(EngineAnswers, FiftyUnanimousClaimsAreNoConflict) {
  Open();
  for (int i = 0; i < 50; ++i)
    SayAll({OfClass("a", 1, 0.5, model::SourceClass::kAnecdotal, "s" + std::to_string(i))});
  const auto resolution = Answer(Ask("a", "skeptic"))["resolutions"].at(0);
  EXPECT_EQ(resolution["conflict_score"].get_double().value(), 0.0);
  EXPECT_EQ(std::string_view(resolution["status"]), "unanimous");
}

TEST_F(EngineAnswers, VolumeNeverBeatsAuthority) {
  Open();
  for (int i = 0; i < 100; ++i)
    SayAll({OfClass("a", 1, 0.8, model::SourceClass::kAnecdotal, "s" + std::to_string(i))});
  SayAll({OfClass("a", 2, 1.0, model::SourceClass::kRegulatory, "fda")});
  EXPECT_EQ(Answer(Ask("a", "tier_authority"))["resolutions"].at(0)["value"].get_double().value(), 2.0);
}

TEST_F(EngineAnswers, SeeAllCandidatesWhateverTheLimitShows) {
  Open();
  for (int i = 0; i < 20; ++i) SayAll({Claim("a", "p", Number(i))});
  auto question = Ask("a", "consensus");
  question.limit = 3;
  EXPECT_THAT(Numbers(question), ElementsAre(19, 18, 17));
  EXPECT_EQ(Parse()["resolutions"].at(0)["candidates_count"].get_uint64().value(), 20u);
  question.limit = 0;
  EXPECT_THAT(Numbers(question), IsEmpty());
}

TEST_F(EngineAnswers, ValidAtIsHalfOpen) {
  Open();
  auto period = Claim("a", "p", Number(1));
  period.valid_from_ms = 1000;
  period.valid_to_ms = 2000;
  SayAll({period, Claim("a", "p", Number(2))});  // the second holds for ever
  auto question = Ask("a");
  for (const auto& [at, holds] :
       {std::pair<int64_t, bool>{999, false}, {1000, true}, {1999, true}, {2000, false}}) {
    question.valid_at_ms = at;
    EXPECT_EQ(Numbers(question).size(), holds ? 2u : 1u) << at;
  }
}

TEST_F(EngineAnswers, AsOfTheFutureIsRefused) {
  Open();
  SayAll({Claim("a", "p", Number(1))});
  auto question = Ask("a");
  question.as_of = Moment{.sequence = 2, .time_ms = {}};
  EXPECT_EQ(Refusal(question).reason(), "as_of_in_future");
  question.as_of = Moment{.sequence = UINT64_MAX, .time_ms = {}};
  EXPECT_EQ(Refusal(question).reason(), "as_of_in_future");
  question.as_of = Moment{.sequence = {}, .time_ms = kTestNow + 1};
  EXPECT_EQ(Refusal(question).reason(), "as_of_in_future");
  EXPECT_EQ(Refusal(question).code(), Code::kOutOfRange);
  question.as_of = Moment{.sequence = {}, .time_ms = kTestNow};
  EXPECT_THAT(Numbers(question), IsEmpty()) << "the present millisecond isn't over: another claim may come";
  EXPECT_EQ(Answer(question)["as_of"]["time"].get_string().value(), FormatTime(kTestNow - 1));
  clock_.AdvanceMs(1);
  EXPECT_THAT(Numbers(question), ElementsAre(1));
  EXPECT_EQ(Answer(question)["as_of"]["time"].get_string().value(), FormatTime(kTestNow));
  question.as_of = Moment{.sequence = 0, .time_ms = {}};
  EXPECT_THAT(Numbers(question), IsEmpty());
  question.as_of = Moment{.sequence = {}, .time_ms = INT64_MIN};
  EXPECT_THAT(Refusal(question).ok() ? Numbers(question) : std::vector<double>(), IsEmpty());
}

TEST_F(EngineAnswers, SinceTheEndOfTimeIsNothing) {
  Open();
  SayAll({Claim("a", "p", Number(1))});
  auto question = Ask("a");
  question.since = Moment{.sequence = UINT64_MAX, .time_ms = {}};
  EXPECT_THAT(Numbers(question), IsEmpty());
  question.since = Moment{.sequence = 1, .time_ms = {}};
  EXPECT_THAT(Numbers(question), IsEmpty());
  question.since = Moment{.sequence = 0, .time_ms = {}};
  EXPECT_THAT(Numbers(question), ElementsAre(1));
  question.since = Moment{.sequence = {}, .time_ms = kTestNow};
  EXPECT_THAT(Numbers(question), IsEmpty());
  question.since = Moment{.sequence = {}, .time_ms = kTestNow - 1};
  EXPECT_THAT(Numbers(question), ElementsAre(1));
}

TEST_F(EngineAnswers, AsOfAMomentIsTheSameForEver) {
  Open();
  std::vector<std::string> then;
  for (int i = 0; i < 10; ++i) {
    clock_.AdvanceMs(1000);
    SayAll({Claim("a", "p", Number(i % 3), kTestNow + i)});
    auto question = Ask("a", "consensus");
    question.as_of = Moment{.sequence = i + 1, .time_ms = {}};
    Answer(question);
    then.push_back(answer_);
  }
  ASSERT_TRUE(store_->Flush().ok());
  clock_.AdvanceMs(1);
  for (int i = 0; i < 10; ++i) {
    auto question = Ask("a", "consensus");
    question.as_of = Moment{.sequence = i + 1, .time_ms = {}};
    Answer(question);
    EXPECT_EQ(answer_, then[i]);
    question.as_of = Moment{.sequence = {}, .time_ms = kTestNow + 1000 * (i + 1)};
    Answer(question);
    EXPECT_EQ(answer_, then[i]) << "the time at which it was recorded names the same moment";
  }
}

TEST_F(EngineAnswers, EveryFilterAgreesWithALinearSearch) {
  Open();
  auto random = PrintedRandom();
  const auto below = [&](uint64_t n) { return random() % n; };
  const std::vector<std::string> paths = {"a", "a/b", "a/b/c", "a-b", "d://x", "d://x/y"};
  struct Said {
    model::Assertion claim;
    uint64_t sequence;
    int64_t time;
  };
  std::vector<Said> history;
  for (int i = 0; i < 300; ++i) {
    clock_.AdvanceMs(static_cast<int64_t>(below(3)));
    auto claim = Claim(paths[below(paths.size())], below(2) == 0 ? "p" : "q", Number(i));
    claim.confidence = static_cast<double>(below(5)) / 4;
    if (below(2) == 0) claim.valid_from_ms = static_cast<int64_t>(below(10));
    if (below(2) == 0) claim.valid_to_ms = static_cast<int64_t>(10 + below(10));
    if (below(2) == 0) claim.lifecycle = static_cast<model::Lifecycle>(below(5));
    if (below(2) == 0) claim.source = model::Source{"s", static_cast<model::SourceClass>(below(6)), "", ""};
    if (below(2) == 0) claim.epoch = below(2) == 0 ? "e1" : "e2";
    if (below(2) == 0) claim.agent_id = model::AgentId{static_cast<uint8_t>(1 + below(2))};
    const auto result = Say(claim);
    history.push_back({claim, result.items[0].sequence, result.items[0].recorded_at_ms});
    ASSERT_TRUE(below(40) != 0 || store_->Flush().ok());
  }
  clock_.AdvanceMs(1);
  for (int round = 0; round < 800; ++round) {
    if (round == 400) {  // the second half goes back through the records
      engine_options_.listing.scan_max = 0;
      engine_ =
          std::make_unique<Engine>(store_->NewReader(), stemedb::testing::ShippedLenses(), engine_options_);
    }
    Question q = Ask(paths[below(paths.size())]);
    q.limit = kLimitMax;
    q.subtree = below(2) == 0;
    if (q.subtree && below(2) == 0) q.concept_path = std::string(index::ParentOf(q.concept_path));
    if (below(3) == 0) q.predicate = "p";
    if (below(4) == 0) q.as_of = Moment{.sequence = below(301), .time_ms = {}};
    if (below(4) == 0) q.as_of = Moment{.sequence = {}, .time_ms = history[below(300)].time};
    if (below(4) == 0) q.since = Moment{.sequence = below(301), .time_ms = {}};
    if (below(4) == 0) q.since = Moment{.sequence = {}, .time_ms = history[below(300)].time};
    if (below(4) == 0) q.valid_at_ms = static_cast<int64_t>(below(22));
    if (below(4) == 0) q.lifecycle = static_cast<model::Lifecycle>(below(5));
    if (below(4) == 0) q.source_class = static_cast<model::SourceClass>(below(6));
    if (below(4) == 0) q.agent_id = model::AgentId{static_cast<uint8_t>(1 + below(2))};
    if (below(4) == 0) q.epoch = "e1";
    if (below(4) == 0) q.min_confidence = static_cast<double>(below(5)) / 4;
    if (below(4) == 0) q.before_sequence = below(301);
    std::vector<double> expected;
    for (const Said& said : history) {
      const model::Assertion& c = said.claim;
      if (q.subtree ? !index::IsBelow(c.concept_path, q.concept_path) : c.concept_path != q.concept_path)
        continue;
      if (!q.predicate.empty() && c.predicate != q.predicate) continue;
      if (q.as_of && q.as_of->sequence && said.sequence > *q.as_of->sequence) continue;
      if (q.as_of && q.as_of->time_ms && said.time > *q.as_of->time_ms) continue;
      if (q.since && q.since->sequence && said.sequence <= *q.since->sequence) continue;
      if (q.since && q.since->time_ms && said.time <= *q.since->time_ms) continue;
      if (q.valid_at_ms && c.valid_from_ms && *q.valid_at_ms < *c.valid_from_ms) continue;
      if (q.valid_at_ms && c.valid_to_ms && *q.valid_at_ms >= *c.valid_to_ms) continue;
      if (q.lifecycle && c.lifecycle.value_or(model::Lifecycle::kProposed) != *q.lifecycle) continue;
      const auto source_class = c.source ? c.source->source_class.value_or(model::SourceClass::kAnecdotal)
                                         : model::SourceClass::kAnecdotal;
      if (q.source_class && source_class != *q.source_class) continue;
      if (q.agent_id && c.agent_id != q.agent_id) continue;
      if (!q.epoch.empty() && c.epoch != q.epoch) continue;
      if (c.confidence < q.min_confidence) continue;
      if (q.before_sequence && said.sequence >= *q.before_sequence) continue;
      expected.insert(expected.begin(), c.value.number);
    }
    ASSERT_EQ(Numbers(q), expected) << "round " << round << " path " << q.concept_path;
  }
}

TEST_F(EngineAnswers, PagesHoldEverythingOnceWhileWritesGoOn) {
  Open();
  for (int i = 0; i < 50; ++i) SayAll({Claim("a/" + std::to_string(i % 4), "p", Number(i))});
  auto question = Ask("a");
  question.subtree = true;
  question.limit = 7;
  std::vector<double> seen;
  for (int page = 0; page < 20; ++page) {
    const auto answer = Answer(question);
    EXPECT_EQ(answer["as_of"]["sequence"].get_uint64().value(), 50u);
    for (auto assertion : List(answer["assertions"])) seen.push_back(assertion["value"].get_double().value());
    std::string_view text;
    if (answer["next_cursor"].get(text) != simdjson::SUCCESS) break;
    const auto cursor = DecodeCursor(text);
    ASSERT_TRUE(cursor);
    question.before_sequence = cursor->before_sequence;  // as the api room does
    question.as_of = Moment{.sequence = cursor->as_of_sequence, .time_ms = {}};
    for (int i = 0; i < 3; ++i) SayAll({Claim("a/" + std::to_string(i), "p", Number(1000 + page * 3 + i))});
    ASSERT_TRUE(page != 2 || store_->Flush().ok());
  }
  std::vector<double> expected;
  for (int i = 50; i-- > 0;) expected.push_back(i);
  EXPECT_EQ(seen, expected);
}

TEST(Cursor, RoundTripsAndRefusesWhatIsNotOurs) {
  for (const Cursor& cursor :
       {Cursor{0, 0, 0}, Cursor{1, UINT64_MAX, kTimeMax}, Cursor{123, 456, kTimeMin}, Cursor{1, 2, 3, 0},
        Cursor{0, 5, 6, UINT64_MAX, 7}, Cursor{1, 2, 3, {}, UINT32_MAX}}) {
    const auto decoded = DecodeCursor(EncodeCursor(cursor));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->before_sequence, cursor.before_sequence);
    EXPECT_EQ(decoded->as_of_sequence, cursor.as_of_sequence);
    EXPECT_EQ(decoded->now_ms, cursor.now_ms);
    EXPECT_EQ(decoded->changes_after, cursor.changes_after);
    EXPECT_EQ(decoded->question, cursor.question);
  }
  const std::string good = EncodeCursor({1, 2, 3});
  for (const std::string& bad :
       {std::string(), std::string("c1"), good + "0", good.substr(0, good.size() - 1), "c1" + good.substr(2),
        "c4" + std::string(64, 'g'), "c4" + std::string(64, '7'), "c5" + good.substr(2),
        "c4" + EncodeCursor({1, 2, 3, 4}).substr(2), EncodeCursor({1, 2, kTimeMax + 1})}) {
    EXPECT_FALSE(DecodeCursor(bad)) << bad;
  }
}

TEST(Cursor, ThatWasDamagedAnywhereIsNone) {
  for (const std::string& good :
       {EncodeCursor({123, 456, kTestNow, {}, 789}), EncodeCursor({0, 5, 6, 7, 8})}) {
    for (size_t at = 0; at < good.size(); ++at) {
      for (const char c : std::string("0123456789abcdef")) {
        std::string other = good;
        other[at] = c;
        EXPECT_EQ(DecodeCursor(other).has_value(), other == good) << other;
      }
    }
    for (size_t at = 2; at + 4 < good.size(); at += 2) {
      std::string swapped = good;
      std::swap(swapped[at], swapped[at + 2]), std::swap(swapped[at + 1], swapped[at + 3]);
      EXPECT_EQ(DecodeCursor(swapped).has_value(), swapped == good) << swapped;
    }
  }
}

TEST_F(EngineAnswers, AnUnknownLensIsNamedBesideTheKnownOnes) {
  Open();
  const Status status = Refusal(Ask("a", "telepathy"));
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_EQ(status.reason(), "unknown_lens");
  EXPECT_THAT(std::string(status.message()), HasSubstr("recency"));
}

TEST_F(EngineAnswers, BadParametersAreRefused) {
  Open();
  auto question = Ask("a", "recency");
  question.params = {{"max_age_s", script::ParamValue(std::string("soon"))}};
  EXPECT_EQ(Refusal(question).reason(), "invalid_params");
  question.params = {{"no_such", script::ParamValue(1.0)}};
  EXPECT_EQ(Refusal(question).reason(), "invalid_params");
  question.params = {{"max_age_s", script::ParamValue(-1.0)}};
  EXPECT_EQ(Refusal(question).reason(), "invalid_params");
  EXPECT_TRUE(answer_.empty()) << "a refusal writes nothing";
}

TEST_F(EngineAnswers, CompareAsksEveryLensTheSame) {
  Open();
  SayAll({OfClass("a", 1, 0.9, model::SourceClass::kAnecdotal, "s"),
          OfClass("a", 1, 0.9, model::SourceClass::kAnecdotal, "t"),
          OfClass("a", 2, 0.5, model::SourceClass::kRegulatory, "u")});
  const std::vector<std::string> lenses = {"consensus", "tier_authority"};
  const Status status = engine_->Compare(Ask("a"), lenses, answer_);
  ASSERT_TRUE(status.ok()) << status.message();
  const auto results = Parse()["results"];
  ASSERT_EQ(List(results).size(), 2u);
  EXPECT_EQ(std::string_view(results.at(0)["lens"]["name"]), "consensus");
  EXPECT_EQ(results.at(0)["resolutions"].at(0)["value"].get_double().value(), 1.0);
  EXPECT_EQ(results.at(1)["resolutions"].at(0)["value"].get_double().value(), 2.0);
  std::string other;
  EXPECT_EQ(engine_->Compare(Ask("a"), std::vector<std::string>{"consensus", "telepathy"}, other).reason(),
            "unknown_lens");
  Answer(Ask("a", "consensus"));
  EXPECT_EQ(Parse()["resolutions"].at(0)["value"].get_double().value(), 1.0)
      << "the same as when it is asked alone";
}

TEST_F(EngineAnswers, ABoundOnCandidatesIsSaidWhenItBites) {
  engine_options_.candidates_max = 5;
  Open();
  for (int i = 0; i < 8; ++i) SayAll({Claim("a", "p", Number(i))});
  const auto resolution = Answer(Ask("a", "consensus"))["resolutions"].at(0);
  EXPECT_EQ(resolution["candidates_left_out"].get_uint64().value(), 3u);
  EXPECT_EQ(resolution["candidates_count"].get_uint64().value(), 5u);
  auto question = Ask("a", "consensus");
  question.as_of = Moment{.sequence = 5, .time_ms = {}};
  EXPECT_EQ(Answer(question)["resolutions"].at(0).at_key("candidates_left_out").error(),
            simdjson::NO_SUCH_FIELD);
}

TEST_F(EngineAnswers, VolumeNeverBeatsAuthorityWhenTheBoundBites) {
  engine_options_.candidates_max = 5;
  Open();
  SayAll({OfClass("a", 2, 0.1, model::SourceClass::kRegulatory, "fda")});
  for (int i = 0; i < 20; ++i) {
    SayAll({OfClass("a", 1, 0.9, model::SourceClass::kAnecdotal, "s" + std::to_string(i))});
  }
  const auto resolution = Answer(Ask("a", "tier_authority"))["resolutions"].at(0);
  EXPECT_EQ(resolution["value"].get_double().value(), 2.0);
  EXPECT_EQ(resolution["candidates_left_out"].get_uint64().value(), 16u);
}

TEST_F(EngineAnswers, QuestionsThatCoverTooMuchAreRefused) {
  engine_options_.resolutions_max = 3;
  engine_options_.rows_max = 10;
  Open();
  for (int i = 0; i < 4; ++i) SayAll({Claim("a/" + std::to_string(i), "p", Number(i))});
  auto question = Ask("a", "consensus");
  question.subtree = true;
  EXPECT_EQ(Refusal(question).reason(), "too_many_pairs");
  for (int i = 0; i < 7; ++i) SayAll({Claim("a/0", "p", Number(i + 10))});
  EXPECT_EQ(Refusal(question).reason(), "too_many_rows");
  EXPECT_EQ(Refusal(question).code(), Code::kOutOfRange);
  ASSERT_TRUE(store_->Flush().ok());
  question.predicate = "nobody-uses-it";
  EXPECT_EQ(Refusal(question).reason(), "too_many_rows") << "what a filter drops has been looked at as well";
}

TEST_F(EngineAnswers, LargeScopesAreListedInPagesThatMayBeShortButMissNothing) {
  engine_options_.listing = {.scan_max = 0, .steps_max = 10};
  engine_options_.rows_max = 10;
  Open();
  for (int i = 0; i < 100; ++i) {
    SayAll({Claim(i % 25 == 0 ? "rare/x" : "often/x", "p", Number(i))});
    ASSERT_TRUE(i != 60 || store_->Flush().ok());
  }
  for (const auto& [path, subtree, predicate] :
       {std::tuple{"rare", true, ""}, {"rare/x", false, ""}, {"rare/x", false, "p"}, {"", true, ""}}) {
    auto question = Ask(path);
    question.subtree = subtree;
    question.predicate = predicate;
    question.limit = 3;
    std::vector<double> seen;
    size_t pages = 0;
    for (bool more = true; more; ++pages) {
      ASSERT_LT(pages, 50u);
      const auto answer = Answer(question);
      for (auto claim : List(answer["assertions"])) seen.push_back(claim["value"].get_double().value());
      std::string_view text;
      more = answer["next_cursor"].get(text) == simdjson::SUCCESS;
      if (more) question.before_sequence = DecodeCursor(text)->before_sequence;
    }
    if (*path == '\0') {
      EXPECT_EQ(seen.size(), 100u);
      EXPECT_TRUE(std::is_sorted(seen.rbegin(), seen.rend()));
      EXPECT_EQ(pages, 34u) << "all full but the last";
    } else {
      EXPECT_THAT(seen, ElementsAre(75, 50, 25, 0)) << path;
      EXPECT_EQ(pages, *predicate != '\0' ? 2u : 10u) << path << ": a pair's claims lie side by side";
    }
  }
}

TEST_F(EngineAnswers, AnswersThatGrowTooLargeAreRefusedAsTheyGrow) {
  engine_options_.answer_bytes_max = 100'000;
  Open();
  for (int i = 0; i < 40; ++i) SayAll({Claim("a", "p", Text(std::to_string(i) + std::string(10'000, 'x')))});
  for (const auto& lens : {"", "consensus"}) {
    auto question = Ask("a", lens);
    question.limit = *lens == '\0' ? 100 : 0;
    const Status refused = Refusal(question);
    EXPECT_EQ(refused.reason(), "answer_too_large");
    EXPECT_EQ(refused.code(), Code::kOutOfRange);
    EXPECT_LT(answer_.size(), 120'000u) << "it didn't stop where the bound is";
  }
  const std::vector<std::string> lenses = {"consensus", "skeptic"};
  answer_.clear();
  EXPECT_EQ(engine_->Compare(Ask("a"), lenses, answer_).reason(), "answer_too_large");
  EXPECT_LT(answer_.size(), 120'000u);
  auto question = Ask("a");
  question.limit = 9;
  EXPECT_EQ(List(Answer(question)["assertions"]).size(), 9u);
}

TEST_F(EngineAnswers, IncludedCandidatesCountTowardsTheBound) {
  engine_options_.answer_bytes_max = 20'000;
  Open();
  for (int i = 0; i < 100; ++i) SayAll({Claim("a", "p", Number(i % 2), kTestNow - i)});
  auto question = Ask("a", "consensus");
  question.limit = 0;
  question.include_candidates = true;
  EXPECT_EQ(Refusal(question).reason(), "answer_too_large");
  EXPECT_LT(answer_.size(), 25'000u);
  question.include_candidates = false;
  Answer(question);
}

TEST_F(EngineAnswers, AGiantQuestionLeavesNoGiantMemoryBehind) {
  Open();
  std::vector<model::Assertion> claims;
  for (int i = 0; i < 70'000; ++i) claims.push_back(Claim("a", "p", Number(i % 2), kTestNow - i));
  for (size_t from = 0; from < claims.size(); from += 1000) {
    ASSERT_TRUE(Write(*store_, PrepareAll({claims.begin() + static_cast<ptrdiff_t>(from),
                                           claims.begin() + static_cast<ptrdiff_t>(from + 1000)}))
                    .status.ok());
  }
  claims.clear();
  claims.shrink_to_fit();
  ASSERT_TRUE(store_->Flush().ok());
  SayAll({Claim("b", "p", Number(1))});
  Answer(Ask("b", "skeptic"));
  const auto in_use = [] { return mallinfo2().uordblks + mallinfo2().hblkhd; };  // 0 under a sanitizer
  const size_t before = in_use();
  auto question = Ask("a", "skeptic");
  question.include_candidates = true;
  question.limit = 0;
  const auto resolution = Answer(question)["resolutions"].at(0);
  EXPECT_EQ(resolution["candidates_count"].get_uint64().value(), 70'000u);
  EXPECT_EQ(List(resolution["candidates"]).size(), kCandidatesShownMax);
  EXPECT_EQ(resolution["candidates_not_shown"].get_uint64().value(), 60'000u);
  std::string().swap(answer_);
  parser_ = simdjson::dom::parser();
  EXPECT_LT(in_use(), before + (1u << 20)) << "70,000 rows are 4 MB, and as candidates 9 MB";
}

TEST_F(EngineAnswers, ExplainShowsWhatTheWeightsAreMadeOf) {
  Open();
  auto claim = OfClass("a", 1, 0.8, model::SourceClass::kClinical, "s");
  claim.timestamp_ms = kTestNow - int64_t{200} * 86'400'000;
  SayAll({claim});
  auto question = Ask("a", "consensus");
  question.decay = script::kHalfLifeDays;
  question.include_explain = true;
  const auto candidate = Answer(question)["resolutions"].at(0)["candidates"].at(0);
  EXPECT_NEAR(candidate["effective_confidence"].get_double().value(), 0.8 * 0.827, 5e-4);
  EXPECT_EQ(candidate["class_multiplier"].get_double().value(), 0.9);
  EXPECT_NEAR(candidate["weight"].get_double().value(), 0.8 * 0.827 * 0.9, 5e-4);
  EXPECT_TRUE(Parse()["resolutions"].at(0)["weighing"]["half_life_days"]["regulatory"].is_null())
      << "never halves";
}

TEST_F(EngineAnswers, OneAssertionById) {
  Open();
  auto claim = Claim("a/b", "p", Text("quote \" and é"));
  claim.metadata_json = R"({"k":[1,2]})";
  SayAll({claim});
  const Hash256 id = Prepare(claim).id;
  answer_.clear();
  ASSERT_TRUE(engine_->Assertion(id, answer_).ok());
  const auto assertion = Parse();
  EXPECT_EQ(std::string_view(assertion["id"]), ToHex(id));
  EXPECT_EQ(std::string_view(assertion["value"]), "quote \" and é");
  EXPECT_EQ(assertion["sequence"].get_uint64().value(), 1u);
  EXPECT_EQ(std::string_view(assertion["recorded_at"]), "2026-02-11T10:15:00.000Z");
  EXPECT_EQ(engine_->Assertion(Hash256{}, answer_).reason(), "unknown_assertion");
}

TEST_F(EngineAnswers, ConceptsComeInPages) {
  Open();
  SayAll({Claim("a/x", "p", Number(1)), Claim("b", "p", Number(2)), Claim("c", "p", Number(3)),
          Claim("b", "q", Number(4))});
  answer_.clear();
  ASSERT_TRUE(engine_->Concepts("", "", 2, answer_).ok());
  auto page = Parse();
  ASSERT_EQ(List(page["concepts"]).size(), 2u);
  EXPECT_EQ(page["concepts"].at(0)["assertion_count_below"].get_uint64().value(), 1u);
  EXPECT_EQ(page["concepts"].at(1)["assertion_count"].get_uint64().value(), 2u);
  EXPECT_EQ(std::string_view(page["next_cursor"]), "b");
  answer_.clear();
  ASSERT_TRUE(engine_->Concepts("", "b", 2, answer_).ok());
  page = Parse();
  ASSERT_EQ(List(page["concepts"]).size(), 1u);
  EXPECT_EQ(std::string_view(page["concepts"].at(0)["concept_path"]), "c");
  EXPECT_EQ(page.at_key("next_cursor").error(), simdjson::NO_SUCH_FIELD);
  EXPECT_EQ(engine_->assertion_count(), 4u);
}

TEST_F(EngineAnswers, TheListOfLensesIsWholeJson) {
  Open();
  answer_.clear();
  engine_->Lenses(answer_);
  EXPECT_EQ(List(Parse()["lenses"]).size(), stemedb::testing::ShippedLenses()->scripts().size());
}

TEST_F(EngineAnswers, StopsAQuestionWhoseLensCallsTakeTooLongTogether) {
  engine_options_.script_seconds_max = 1e-9;
  Open();
  SayAll({Claim("a", "p", Number(1)), Claim("b", "p", Number(2)), Claim("c", "p", Number(3))});
  std::string out;
  Question wide = Ask("", "consensus");
  wide.subtree = true;
  const Status stopped = engine_->Answer(wide, out);
  EXPECT_EQ(stopped.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(stopped.reason(), "query_timeout");
  // Over all lenses of a comparison, and whole: no answer with holes.
  const std::string two[] = {"consensus", "recency"};
  EXPECT_EQ(engine_->Compare(Ask("a"), two, out).reason(), "query_timeout");
  // A single call has a budget of its own.
  EXPECT_TRUE(engine_->Answer(Ask("a", "consensus"), out).ok());
}

}  // namespace
}  // namespace stemedb::query
