// SPDX-License-Identifier: Apache-2.0
// Answers that are kept: at every step of random histories an engine that keeps answers says what an engine
// says that makes them all anew, to the byte; and old answers are as old as the question allows, and say so.
#include <atomic>
#include <map>
#include <optional>
#include <regex>
#include <thread>
#include <utility>

#include "base/time.h"
#include "knowledge_fixture.h"
#include "query_fixture.h"

namespace stemedb::query {
namespace {

using stemedb::testing::Alias;
using stemedb::testing::Claim;
using stemedb::testing::Epoch;
using stemedb::testing::kTestNow;
using stemedb::testing::Number;
using stemedb::testing::Prepare;
using stemedb::testing::RetractionOf;
using stemedb::testing::Said;
using stemedb::testing::Vote;
using stemedb::testing::WantsLongForm;
using stemedb::testing::Write;
using ::testing::HasSubstr;
using ::testing::Not;

script::ScriptFile Lens(const std::string& name, const std::string& body) {
  return {name + ".lua",
          "return { kind = 'lens', api = 1, name = '" + name + "', version = '1', description = 'd',\n" +
              "params = { p = { type = 'integer', default = 0, min = 0, max = 9, description = 'd' } },\n" +
              "resolve = function(ctx, candidates)\n" + body + "\nend }\n"};
}

// Says everything that operations may change of what it is given.
const char* const kTells = R"(
  local sum = ctx.params.p
  for i = 1, #candidates do
    local c = candidates[i]
    local weight = c.votes * 3 + c.vote_weight * 5 + c.trust * 11 + c.derived_trust * 13 + c.confidence
    sum = sum + (i + 1) * weight
    if c.epoch_superseded then sum = sum + 1000 * i end
  end
  return { winner = #candidates, explain = 'sum ' .. sum })";
// Looks at the clock only where a claim has a period.
const char* const kHolds = R"(
  local held = 0
  for i = 1, #candidates do
    local c = candidates[i]
    local is_early = c.valid_from and c.valid_from > ctx.now
    local is_late = c.valid_to and c.valid_to <= ctx.now
    if not is_early and not is_late then held = held + 1 end
  end
  return { winner = 1, explain = held .. ' hold' })";
const char* const kFailsOnOdd = R"(
  if #candidates % 2 == 1 then error('odd') end
  return { winner = 1 })";

std::shared_ptr<const script::ScriptSet> Scripts(uint64_t generation,
                                                 const std::string& changed = "return { winner = 1 }") {
  auto set = script::ScriptSet::Build({Lens("tells", kTells), Lens("holds", kHolds),
                                       Lens("fails_on_odd", kFailsOnOdd), Lens("changes", changed)},
                                      generation);
  EXPECT_TRUE(set.has_value()) << set.error().message();
  return *set;
}

// An answer's text, or why there is none.
struct Given {
  std::string text;
  std::string reason;
  friend bool operator==(const Given&, const Given&) = default;
};
Given Ask(Engine& engine, const Question& question) {
  Given given;
  const Status status = engine.Answer(question, given.text);
  if (!status.ok()) given = {"", std::string(status.reason()) + ": " + std::string(status.message())};
  return given;
}

// Where an answer stands, and how old it says that it is.
struct AsOf {
  uint64_t sequence = 0;
  std::string time;
  std::optional<int64_t> age_ms;
};
AsOf AsOfIn(const std::string& text) {
  static const std::regex kEnd(R"re("as_of":\{"sequence":(\d+),"time":"([^"]+)"\})re"
                               R"re((,"stale":\{"age_ms":(\d+)\})?(,"next_cursor":"\w+")?\}$)re");
  std::smatch found;
  AsOf as_of;
  EXPECT_TRUE(std::regex_search(text, found, kEnd)) << text;
  if (found.empty()) return as_of;
  as_of.sequence = std::stoull(found[1]);
  as_of.time = found[2];
  if (found[3].matched) as_of.age_ms = std::stoll(found[4]);
  return as_of;
}
std::string WithoutAge(const std::string& text) {
  static const std::regex kAge(R"re(,"stale":\{"age_ms":\d+\})re");
  return std::regex_replace(text, kAge, "");
}

class KeptAnswers : public stemedb::testing::RandomKnowledge {
 protected:
  KeptAnswers() {
    options_.touch_slots = 1u << 20;  // so that hardly any two places share one
    engine_options_.clock = &clock_;
    engine_options_.metrics = &metrics_;
    engine_options_.live = &live_;
    // As many as there are, whatever they cost.
    cache_options_.worth_seconds = 0;
    live_.Publish(Scripts(1));
  }
  ~KeptAnswers() override { Close(); }

  void Close() {
    engines_.clear();
    fresh_.reset();
    cache_.reset();
  }
  void OpenEngines(size_t count = 2) {
    Close();
    cache_ = std::make_unique<AnswerCache>(cache_options_, metrics_);
    fresh_ = NewEngine(nullptr);
    while (engines_.size() < count) engines_.push_back(NewEngine(cache_.get()));
  }
  std::unique_ptr<Engine> NewEngine(AnswerCache* answers) {
    EngineOptions options = engine_options_;
    options.answers = answers;
    return std::make_unique<Engine>(store_->NewReader(), live_.Current(), options);
  }

  static Question About(const std::string& path, const std::string& lens = "tells") {
    Question question;
    question.concept_path = path;
    question.predicate = "p";
    question.lens = lens;
    return question;
  }
  // Made once, made again and kept.
  void Heat(const Question& question) {
    for (int i = 0; i < 2; ++i) ASSERT_EQ(Ask(*engines_[0], question).reason, "");
  }
  // What the second engine says, who has made no answer itself.
  std::string Hot(const Question& question) {
    const Given given = Ask(*engines_.back(), question);
    EXPECT_EQ(given.reason, "");
    return given.text;
  }
  double hits() const { return metrics_.answer_cache().hits_total.Value(); }
  double stale_hits() const { return metrics_.answer_cache().stale_hits_total.Value(); }
  double misses() const { return metrics_.answer_cache().misses_total.Value(); }
  // Whether asking gives a kept answer, and the right one.
  bool IsHit(const Question& question) {
    const double before = hits();
    EXPECT_EQ(Hot(question), Ask(*fresh_, question).text);
    return hits() > before;
  }
  void Say(const Said& said) { Put(said); }
  Hash256 SayClaim(const model::Assertion& claim) {
    Put(claim);
    return stemedb::testing::Encode(Said(claim)).id;
  }

  EngineOptions engine_options_;
  AnswerCache::Options cache_options_;
  script::LiveScripts live_;
  std::unique_ptr<AnswerCache> cache_;
  std::unique_ptr<Engine> fresh_;
  std::vector<std::unique_ptr<Engine>> engines_;
};

class KeptAnswersInHistories : public KeptAnswers {
 protected:
  Question AnyQuestion() {
    const std::vector<std::string> lenses = {"tells", "tells", "holds", "fails_on_odd", "changes"};
    Question question;
    question.subtree = Below(4) == 0;
    question.concept_path =
        question.subtree ? (Below(3) == 0 ? "" : AnyOf(above_)) : AnyOf(Below(2) == 0 ? names_ : paths_);
    if (Below(2) == 0) question.predicate = Below(3) == 0 ? "q" : "p";
    question.lens = AnyOf(lenses);
    if (Below(4) == 0) question.params = {{"p", static_cast<double>(Below(3))}};
    if (Below(3) == 0) question.fallback = "tells";
    if (Below(3) == 0) question.status = static_cast<StatusFilter>(Below(4));
    if (Below(8) == 0) question.epoch = AnyOf(epochs_);
    if (Below(8) == 0) question.agent_id = stemedb::testing::Agent(static_cast<uint8_t>(1 + Below(4)));
    if (Below(8) == 0) question.valid_at_ms = kTestNow + static_cast<int64_t>(Below(4'000));
    if (Below(8) == 0) question.decay = std::array<double, model::kSourceClassCount>{1, 1, 1, 1, 1, 0.001};
    question.include_candidates = Below(5) == 0;
    question.include_explain = Below(8) == 0;
    question.limit = Below(2) == 0 ? 0 : 1 + Below(4);
    return question;
  }
  // Moments are fixed when the question is thought of, and so lie further and further back.
  void FixMoment(Question& question) {
    const uint64_t newest = reference_.newest();
    switch (Below(8)) {
      case 0:
        question.as_of = Moment{.sequence = Below(newest + 1), .time_ms = {}};
        break;
      case 1:
        question.as_of = Moment{.sequence = {}, .time_ms = clock_.NowMs() - static_cast<int64_t>(Below(50))};
        break;
      case 2:
        question.as_of = Moment{.sequence = Below(newest + 1), .time_ms = {}};
        question.now_ms = clock_.NowMs() - static_cast<int64_t>(Below(2'000));
        break;
      case 3:
        question.since = Moment{.sequence = Below(newest + 1), .time_ms = {}};
        break;
      default:
        break;
    }
  }
  // Of a page whose cursor an answer gave.
  static std::optional<Question> NextPage(const Question& question, const std::string& text) {
    const size_t at = text.rfind("\"next_cursor\":\"");
    if (at == std::string::npos || question.since) return {};
    const std::string cursor = text.substr(at + 15, text.rfind('"') - at - 15);
    const auto decoded = DecodeCursor(cursor);
    EXPECT_TRUE(decoded.has_value()) << cursor;
    Question next = question;
    next.before_sequence = decoded->before_sequence;
    next.as_of = Moment{.sequence = decoded->as_of_sequence, .time_ms = {}};
    next.now_ms = decoded->now_ms;
    return next;
  }

  void StepOn() {
    if (has_waiting() && Below(2) == 0) return Put(NextClaim());
    if (Below(4) == 0) {
      auto claim = Claim(AnyOf(paths_), "p", Number(static_cast<double>(1000 + ++extra_)));
      if (Below(2) == 0) claim.valid_from_ms = kTestNow + static_cast<int64_t>(Below(6'000));
      if (Below(2) == 0)
        claim.valid_to_ms = claim.valid_from_ms.value_or(kTestNow) + 1 + static_cast<int64_t>(Below(4'000));
      return Put(claim);
    }
    if (!HasClaims()) return;
    const model::Operation operation = AnyOperation();
    if (IsWellFormed(operation) && reference_.Refusal(operation).empty()) Put(operation);
  }

  // The engines that keep answers, in turn, against the one that doesn't.
  void ExpectSame(const Question& question, const std::string& where) {
    const Given wanted = Ask(*fresh_, question);
    for (auto& engine : engines_) {
      const Given given = Ask(*engine, question);
      ASSERT_EQ(given.text, wanted.text) << where;
      ASSERT_EQ(given.reason, wanted.reason) << where;
    }
    const auto next = NextPage(question, wanted.text);
    if (next && Below(4) == 0) {
      ASSERT_EQ(Ask(*engines_[0], *next), Ask(*fresh_, *next)) << where << ", the next page";
    }
  }

  // When the log had which end, by the monotonic clock: of each millisecond the first and the last.
  void Note() {
    auto& [first, last] = ends_.try_emplace(clock_.MonotonicNs() / 1'000'000, newest_, newest_).first->second;
    last = newest_ = reference_.newest();
  }
  std::pair<uint64_t, uint64_t> EndsAt(int64_t at_ms) {
    const auto after = ends_.upper_bound(at_ms);
    EXPECT_NE(after, ends_.begin());
    const auto& [noted_ms, ends] = *std::prev(after);
    return noted_ms == at_ms ? ends : std::pair(ends.second, ends.second);
  }

  // Old, as old as it says, no older than allowed, and the very answer of the moment that it names.
  void ExpectStale(Question question, const std::string& where) {
    question.max_stale_ms = static_cast<int64_t>(Below(3'000));
    const Given given = Ask(*engines_[Below(engines_.size())], question);
    const bool asks_about_now = !question.as_of && !question.now_ms;
    const int64_t age_ms_max = std::exchange(question.max_stale_ms, 0);
    AsOf as_of;
    if (given.reason.empty() && asks_about_now) as_of = AsOfIn(given.text);
    if (!as_of.age_ms) {
      const Given wanted = Ask(*fresh_, question);
      ASSERT_EQ(given.text, wanted.text) << where << ", not said to be old";
      ASSERT_EQ(given.reason, wanted.reason) << where;
      return;
    }
    ++stale_;
    ASSERT_LE(*as_of.age_ms, age_ms_max) << where;
    ASSERT_GE(*as_of.age_ms, 0) << where;
    const auto [first, last] = EndsAt(clock_.MonotonicNs() / 1'000'000 - *as_of.age_ms);
    ASSERT_GE(as_of.sequence, first) << where << ": it was older than that";
    ASSERT_LE(as_of.sequence, last) << where;
    question.as_of = Moment{.sequence = as_of.sequence, .time_ms = {}};
    question.now_ms = ParseTime(as_of.time);
    if (*question.now_ms > clock_.NowMs()) return;  // the clock was set back: nobody may ask about it now
    ASSERT_EQ(WithoutAge(given.text), Ask(*fresh_, question).text) << where;
  }

  void LiveThrough(int history) {
    ForgetHistory();
    Close();
    store_.reset();
    RemoveTree("db");
    RemoveTree("wal");
    options_.touch_slots = history % 3 == 0 ? 0 : history % 3 == 1 ? 1 : 65'536;  // none, many shared, few
    cache_options_.bytes_max = history % 2 == 0 ? 200'000 : 64u << 20;            // of one answer: 3 KiB
    Open();
    OpenEngines();
    ends_.clear();
    newest_ = 0;
    Note();
    Plan(25 + Below(25));
    std::vector<Question> questions;
    uint64_t generation = live_.generation();
    const size_t steps = WantsLongForm() ? 400 : 160;
    for (size_t step = 0; step < steps; ++step) {
      const std::string where = "history " + std::to_string(history) + ", step " + std::to_string(step);
      StepOn();
      Note();
      ASSERT_FALSE(HasFatalFailure());
      if (Below(3) == 0) clock_.AdvanceMs(static_cast<int64_t>(1 + Below(400)));
      if (Below(40) == 0) clock_.SetNowMs(clock_.NowMs() - static_cast<int64_t>(Below(500)));
      Note();
      if (Below(15) == 0) {
        ASSERT_TRUE(store_->Flush().ok());
      }
      if (Below(30) == 0)
        live_.Publish(Scripts(++generation,
                              Below(2) == 0 ? "return { winner = 1 }" : "return { winner = #candidates }"));
      if (questions.size() < 40 || Below(4) == 0) {
        Question question = AnyQuestion();
        FixMoment(question);
        questions.push_back(question);
        if (questions.size() > 40)
          questions.erase(questions.begin() + static_cast<ptrdiff_t>(Below(questions.size())));
      }
      for (int asked = 0; asked < 12; ++asked) {
        const Question& question = AnyOf(questions);
        if (Below(3) == 0) {
          ExpectStale(question, where);
        } else {
          ExpectSame(question, where);
        }
        ASSERT_FALSE(HasFatalFailure());
      }
      ASSERT_LE(cache_->bytes(), cache_options_.bytes_max);
    }
  }

  int extra_ = 0;
  int stale_ = 0;
  uint64_t newest_ = 0;
  std::map<int64_t, std::pair<uint64_t, uint64_t>> ends_;
};

TEST_F(KeptAnswersInHistories, AreThoseThatWouldBeMadeAnew) {
  for (int history = 1; history <= (WantsLongForm() ? 40 : 6); ++history) {
    LiveThrough(history);
    ASSERT_FALSE(HasFatalFailure());
  }
  // Else nothing was tested.
  EXPECT_GT(hits(), 500);
  EXPECT_GT(stale_, 50);
  EXPECT_GT(misses(), 500);
  EXPECT_GT(metrics_.answer_cache().evictions_total.Value(), 0);
}

TEST_F(KeptAnswers, AnAnswerIsKeptTheSecondTimeThatItIsMadeAndGivenByEveryEngine) {
  Open();
  OpenEngines();
  SayClaim(Claim("a", "p", Number(1)));
  const Question question = About("a");
  EXPECT_FALSE(IsHit(question));
  EXPECT_EQ(cache_->bytes(), 0u);
  EXPECT_FALSE(IsHit(question));
  EXPECT_GT(cache_->bytes(), 0u);
  EXPECT_EQ(hits(), 0);
  EXPECT_EQ(Ask(*engines_[0], question), Ask(*fresh_, question));
  EXPECT_EQ(hits(), 1) << "the other engine has made none";
}

TEST_F(KeptAnswers, WhatIsMadeQuicklyIsNotKept) {
  cache_options_.worth_seconds = 1e9;
  Open();
  OpenEngines();
  SayClaim(Claim("a", "p", Number(1)));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(IsHit(About("a")));
  EXPECT_EQ(cache_->bytes(), 0u);
  EXPECT_EQ(misses(), 0);
}

TEST_F(KeptAnswers, OnlyWhatAQuestionIsAboutMakesItsAnswerAnew) {
  Open();
  OpenEngines();
  const Hash256 one = SayClaim(Claim("a/b", "p", Number(1)));
  const Hash256 other = SayClaim(Claim("a/c", "p", Number(2)));
  Question pair = About("a/b"), whole = About("a/b"), below = About("a");
  whole.predicate.clear();
  below.subtree = true;
  const auto hits_of = [&] {
    std::string said;
    for (const Question* question : {&pair, &whole, &below}) {
      said += IsHit(*question) ? "y" : "n";
      Heat(*question);
    }
    return said;
  };
  for (const Question* question : {&pair, &whole, &below}) Heat(*question);
  EXPECT_EQ(hits_of(), "yyy");
  SayClaim(Claim("b", "p", Number(3)));
  SayClaim(Claim("a/bc", "p", Number(3)));
  EXPECT_EQ(hits_of(), "yyn");
  SayClaim(Claim("a/b", "q", Number(4)));
  EXPECT_EQ(hits_of(), "ynn");
  SayClaim(Claim("a/b", "p", Number(5)));
  EXPECT_EQ(hits_of(), "nnn");
  Say(Vote(other, 0.5, 1, kTestNow));
  EXPECT_EQ(hits_of(), "yyn");
  Say(Vote(one, 0.5, 1, kTestNow));
  EXPECT_EQ(hits_of(), "nnn");
  Say(Epoch("e2", "e1", NextTime()));
  EXPECT_EQ(hits_of(), "yyy") << "none of them has an epoch";
  Say(Alias("x", "y", NextTime()));
  EXPECT_EQ(hits_of(), "yyy");
  Say(Alias("a/c", "a/b", NextTime()));
  EXPECT_EQ(hits_of(), "nny") << "subtrees know no aliases";
  Say(RetractionOf(other));
  EXPECT_EQ(hits_of(), "nnn");
}

TEST_F(KeptAnswers, AnEarlierMomentsAnswerNeverChanges) {
  Open();
  OpenEngines();
  SayClaim(Claim("a", "p", Number(1)));
  SayClaim(Claim("a", "p", Number(2)));
  Question then = About("a");
  then.as_of = Moment{.sequence = 1, .time_ms = {}};
  then.decay = std::array<double, model::kSourceClassCount>{1, 1, 1, 1, 1, 1};
  Heat(then);
  for (int i = 3; i < 10; ++i) {
    SayClaim(Claim("a", "p", Number(i)));
    clock_.AdvanceMs(1'000'000);
    EXPECT_TRUE(IsHit(then)) << "its clock stands still, so that it may even decay";
  }
}

TEST_F(KeptAnswers, WhatLooksAtTheClockIsNotKeptForThoseWhoWantItRight) {
  Open();
  OpenEngines();
  auto claim = Claim("a", "p", Number(1));
  SayClaim(Claim("b", "p", Number(1)));
  claim.valid_from_ms = kTestNow + 100;
  SayClaim(claim);
  Question decays = About("a"), explains = About("a"), holds = About("a", "holds");
  decays.decay = std::array<double, model::kSourceClassCount>{1, 1, 1, 1, 1, 1};
  explains.include_explain = true;
  for (const Question& question : {decays, explains, holds}) {
    Heat(question);
    EXPECT_FALSE(IsHit(question));
    clock_.AdvanceMs(60);
    EXPECT_FALSE(IsHit(question));
  }
  Heat(About("b", "holds"));
  clock_.AdvanceMs(60);
  EXPECT_TRUE(IsHit(About("b", "holds"))) << "the lens could have looked and did not";
}

TEST_F(KeptAnswers, AnOldAnswerIsGivenUpToTheAgeThatTheQuestionAllows) {
  Open();
  OpenEngines();
  SayClaim(Claim("a", "p", Number(1)));
  Question question = About("a");
  Heat(question);
  clock_.AdvanceMs(1'000);
  ASSERT_TRUE(IsHit(question)) << "it is right a second later";
  const std::string right = Hot(question);
  clock_.AdvanceMs(200);
  SayClaim(Claim("a", "p", Number(2)));
  clock_.AdvanceMs(300);
  question.max_stale_ms = 500;
  const std::string old = Hot(question);
  EXPECT_THAT(old, HasSubstr(R"("stale":{"age_ms":500})"));
  EXPECT_EQ(WithoutAge(old), right) << "and names its own moment";
  EXPECT_EQ(stale_hits(), 1);
  clock_.SetNowMs(kTestNow - 1'000'000);
  EXPECT_THAT(Hot(question), HasSubstr(R"("age_ms":500)")) << "the wall clock has no say";
  clock_.SetNowMs(kTestNow + 1'500);
  clock_.AdvanceMs(1);
  EXPECT_THAT(Hot(question), Not(HasSubstr("stale"))) << "501 ms";
  question.max_stale_ms = 0;
  EXPECT_EQ(Hot(question), Ask(*fresh_, question).text);
}

TEST_F(KeptAnswers, WhatLooksAtTheClockIsKeptForThoseWhoTakeItOld) {
  Open();
  OpenEngines();
  auto claim = Claim("a", "p", Number(1));
  claim.valid_from_ms = kTestNow + 100;
  SayClaim(claim);
  Question question = About("a", "holds");
  question.max_stale_ms = 150;
  Heat(question);
  EXPECT_THAT(Hot(question), HasSubstr("0 hold")) << "at the same moment it is right";
  EXPECT_THAT(Hot(question), Not(HasSubstr("stale")));
  clock_.AdvanceMs(150);
  EXPECT_THAT(Hot(question), HasSubstr("0 hold"));
  EXPECT_THAT(Hot(question), HasSubstr(R"("age_ms":150)"));
  question.max_stale_ms = 0;
  EXPECT_THAT(Hot(question), HasSubstr("1 hold"));
  question.max_stale_ms = 150;
  clock_.AdvanceMs(1);
  EXPECT_THAT(Hot(question), HasSubstr("1 hold"));
}

TEST_F(KeptAnswers, AQuestionAboutAMomentIsNeverAnsweredWithAnOldOne) {
  Open();
  OpenEngines();
  SayClaim(Claim("a", "p", Number(1)));
  Question question = About("a");
  Heat(question);
  SayClaim(Claim("a", "p", Number(2)));
  question.max_stale_ms = kMaxStaleMs;
  EXPECT_THAT(Hot(question), HasSubstr("stale"));
  question.as_of = Moment{.sequence = 2, .time_ms = {}};
  const Given wanted = Ask(*fresh_, question);
  EXPECT_EQ(Ask(*engines_[0], question), wanted);
  EXPECT_THAT(wanted.text, Not(HasSubstr("stale")));
}

// Its clock is the question's own, and tells nothing of how old the answer is.
TEST_F(KeptAnswers, AnAnswerByAnotherClockIsNoOldAnswer) {
  Open();
  OpenEngines();
  auto claim = Claim("a", "p", Number(1));
  claim.valid_from_ms = kTestNow + 100;
  SayClaim(claim);
  clock_.AdvanceMs(1'000);
  Question before = About("a", "holds");
  before.as_of = Moment{.sequence = 1, .time_ms = {}};
  before.now_ms = kTestNow;
  Heat(before);
  Question question = About("a", "holds");
  question.max_stale_ms = kMaxStaleMs;
  EXPECT_THAT(Hot(question), HasSubstr("1 hold"));
  EXPECT_THAT(Hot(before), HasSubstr("0 hold"));
}

TEST_F(KeptAnswers, AFailureIsNotKeptNorWhatStandsInForIt) {
  Open();
  OpenEngines();
  SayClaim(Claim("a", "p", Number(1)));
  Question question = About("a", "fails_on_odd");
  for (int i = 0; i < 3; ++i) EXPECT_THAT(Ask(*engines_[0], question).reason, HasSubstr("odd"));
  question.fallback = "tells";
  for (int i = 0; i < 3; ++i) EXPECT_THAT(Hot(question), HasSubstr("fallback_from"));
  EXPECT_EQ(cache_->bytes(), 0u);
  SayClaim(Claim("a", "p", Number(2)));
  Heat(question);
  EXPECT_TRUE(IsHit(question));
  question.fallback.clear();
  EXPECT_TRUE(IsHit(question)) << "the same answer, since nobody had to stand in";
}

TEST_F(KeptAnswers, ANewVersionOfTheLensAnswersAtOnce) {
  Open();
  OpenEngines();
  SayClaim(Claim("a", "p", Number(1)));
  SayClaim(Claim("a", "p", Number(2)));
  Question question = About("a", "changes");
  question.max_stale_ms = kMaxStaleMs;
  Heat(question);
  const std::string before = Hot(question);
  live_.Publish(Scripts(2, "return { winner = #candidates }"));
  EXPECT_FALSE(IsHit(question)) << "old answers of an old lens aren't given either";
  EXPECT_NE(Hot(question), before);
  Heat(About("a"));
  live_.Publish(Scripts(3));
  EXPECT_FALSE(IsHit(question));
  EXPECT_FALSE(IsHit(About("a"))) << "the set was built anew, and with it each lens's generation";
}

TEST_F(KeptAnswers, AKeptAnswerIsAccountedForLikeOneThatWasMade) {
  Open();
  OpenEngines();
  SayClaim(Claim("a", "p", Number(1)));
  SayClaim(Claim("a", "p", Number(2)));
  const Question question = About("a");
  Heat(question);
  ASSERT_TRUE(IsHit(question));
  const Account &given = engines_.back()->account(), &made = fresh_->account();
  ASSERT_EQ(given.lenses.size(), 1u);
  EXPECT_EQ(given.lenses[0].name, "tells");
  EXPECT_EQ(given.lenses[0].sha256, made.lenses.at(0).sha256);
  EXPECT_TRUE(given.has_moment);
  EXPECT_EQ(given.sequence, made.sequence);
  EXPECT_EQ(given.now_ms, made.now_ms);
  EXPECT_EQ(given.resolutions, made.resolutions);
  EXPECT_EQ(given.candidates, made.candidates);
  EXPECT_EQ(given.assertions, made.assertions);
  ASSERT_EQ(given.claims.size(), made.claims.size());
  for (size_t i = 0; i < given.claims.size(); ++i)
    EXPECT_EQ(given.claims[i].sequence, made.claims[i].sequence);
}

// So that who counts how often a version fails doesn't hear of its failures alone.
TEST_F(KeptAnswers, AreCallsOfTheirLens) {
  Open();
  OpenEngines();
  SayClaim(Claim("a", "p", Number(1)));
  const std::shared_ptr<const script::ScriptSet> set = live_.Current();
  const auto calls = [&] {
    uint64_t sum = 0;
    for (const script::ScriptInfo& script : set->scripts())
      sum += script.name == "tells" ? script.counts->calls.load() : 0;
    return sum;
  };
  Question question = About("a");
  Heat(question);
  const uint64_t made = calls();
  EXPECT_EQ(made, 2u);
  for (uint64_t i = 1; i <= 3; ++i) {
    Hot(question);
    EXPECT_EQ(calls(), made + i);
  }
  EXPECT_EQ(hits(), 3);
  question.max_stale_ms = 60'000;
  SayClaim(Claim("a", "p", Number(2)));
  Hot(question);
  EXPECT_EQ(stale_hits(), 1);
  EXPECT_EQ(calls(), made + 4) << "an old one as well";
}

TEST_F(KeptAnswers, WhatIsTooLargeIsNoMiss) {
  cache_options_.bytes_max = 128 << 10;  // of one answer: 2 KiB
  Open();
  OpenEngines();
  for (int i = 0; i < 50; ++i) SayClaim(Claim("a", "p", Number(i)));
  const Question question = About("a");
  Heat(question);
  Heat(question);
  EXPECT_EQ(misses(), 0);
  EXPECT_EQ(cache_->bytes(), 0u);
}

// Anybody may name an id that nobody has made: it must not cost the concept its kept answers.
TEST_F(KeptAnswers, AClaimThatIsAwaitedEndsThemAndNoOtherDoes) {
  Open();
  OpenEngines();
  auto premise = Claim("elsewhere", "p", Number(1));
  premise.source = model::Source{"s", {}, "", ""};
  auto resting = Claim("a", "p", Number(2));
  resting.derived_from = {stemedb::testing::Encode(Said(premise)).id, Hash256{77}};
  SayClaim(resting);
  SayClaim(Claim("a", "p", Number(3)));
  Say(stemedb::testing::RetractionFrom("s", stemedb::testing::Cascade::kYes));
  const Question question = About("a");
  Heat(question);
  EXPECT_TRUE(IsHit(question));
  for (int i = 0; i < 20; ++i) SayClaim(Claim("elsewhere", "p", Number(10 + i)));
  EXPECT_TRUE(IsHit(question));
  SayClaim(premise);
  EXPECT_FALSE(IsHit(question)) << "what rests on it goes with it";
}

TEST_F(KeptAnswers, TakeNoMoreMemoryThanTheyMayHoweverManyAreAsked) {
  cache_options_.bytes_max = 1 << 20;
  Open();
  OpenEngines();
  for (int i = 0; i < 50; ++i) SayClaim(Claim("a/" + std::to_string(i % 10), "p", Number(i)));
  const double before = metrics_.answer_cache().bytes.Value();
  for (int i = 0; i < 2'000; ++i) {
    Question question = About("a/" + std::to_string(i % 10));
    question.min_confidence = i * 1e-6;
    Heat(question);
    ASSERT_LE(cache_->bytes(), cache_options_.bytes_max);
    ASSERT_EQ(metrics_.answer_cache().bytes.Value() - before, static_cast<double>(cache_->bytes()));
  }
  EXPECT_GT(cache_->bytes(), cache_options_.bytes_max / 2);
  EXPECT_GT(metrics_.answer_cache().evictions_total.Value(), 100);
  Close();
  EXPECT_EQ(metrics_.answer_cache().bytes.Value(), before);
}

// Each answer names its moment: whatever was written meanwhile, it is that moment's.
TEST_F(KeptAnswers, AreRightWhileOthersWriteAndAsk) {
  options_.index_interval_ms = 0;
  options_.index_transaction_records = 3;
  Open();
  constexpr size_t kAskers = 3;
  OpenEngines(kAskers);
  std::vector<Hash256> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(SayClaim(Claim("a", "p", Number(i))));
  std::atomic<bool> done{false};
  std::vector<std::vector<std::string>> given(kAskers);
  std::vector<std::thread> askers;
  for (size_t i = 0; i < kAskers; ++i) {
    askers.emplace_back([&, i] {
      const Question questions[] = {About("a"), About("b"), About("a", "changes")};
      std::string text;
      for (size_t asked = 0; !done || asked < 500; ++asked) {
        text.clear();
        const Status status = engines_[i]->Answer(questions[asked % std::size(questions)], text);
        if (!status.ok()) text = "failed: " + std::string(status.message());
        if (given[i].size() < 3'000) given[i].push_back(text);
      }
    });
  }
  for (int i = 0; i < 300; ++i) {
    if (i % 3 == 0)
      Write(*store_,
            {Prepare(Vote(ids[Below(ids.size())], 0.5, static_cast<uint8_t>(1 + i % 4), kTestNow + i))});
    if (i % 3 == 1) Write(*store_, {Prepare(Claim("a", "p", Number(100 + i)))});
    if (i % 3 == 2) Write(*store_, {Prepare(Claim("c/" + std::to_string(i), "p", Number(i)))});
  }
  done = true;
  for (std::thread& asker : askers) asker.join();
  EXPECT_GT(hits(), 0);
  for (const auto& texts : given) {
    for (const std::string& text : texts) {
      const AsOf as_of = AsOfIn(text);
      ASSERT_FALSE(HasFailure());
      Question question = About(text.starts_with(R"({"concept_path":"b")") ? "b" : "a",
                                text.find(R"("name":"changes")") != std::string::npos ? "changes" : "tells");
      question.as_of = Moment{.sequence = as_of.sequence, .time_ms = {}};
      question.now_ms = ParseTime(as_of.time);
      ASSERT_EQ(Ask(*fresh_, question).text, text);
    }
  }
}

}  // namespace
}  // namespace stemedb::query
