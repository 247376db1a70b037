// SPDX-License-Identifier: Apache-2.0
// Which claims a question covers when some are retracted or superseded and paths stand for others, at every
// moment, against a search through the whole history; and what the engine's answers say of it.
#include <map>

#include "counting_reader.h"
#include "knowledge_fixture.h"
#include "query/plan.h"
#include "query/provenance.h"
#include "query_fixture.h"

namespace stemedb::query {
namespace {

using stemedb::testing::Agent;
using stemedb::testing::Alias;
using stemedb::testing::Cascade;
using stemedb::testing::ChangeOfStatus;
using stemedb::testing::Claim;
using stemedb::testing::Encode;
using stemedb::testing::Epoch;
using stemedb::testing::KnowledgeReference;
using stemedb::testing::kTestNow;
using stemedb::testing::Number;
using stemedb::testing::Registration;
using stemedb::testing::RetractionAt;
using stemedb::testing::RetractionFrom;
using stemedb::testing::RetractionOf;
using stemedb::testing::Supersession;
using stemedb::testing::Trust;
using stemedb::testing::Vote;
using stemedb::testing::WantsLongForm;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr StatusFilter kFilters[] = {StatusFilter::kActive, StatusFilter::kSuperseded,
                                     StatusFilter::kRetracted, StatusFilter::kAny};

bool Passes(StatusFilter filter, const std::string& status) {
  return filter == StatusFilter::kAny || (filter == StatusFilter::kActive && status == "active") ||
         (filter == StatusFilter::kSuperseded && status == "superseded") ||
         (filter == StatusFilter::kRetracted && status == "retracted");
}

class CoveredClaims : public stemedb::testing::RandomKnowledge {
 protected:
  struct Wanted {
    std::string concept_path;
    std::map<uint64_t, KnowledgeReference::Standing> standings;  // of the claims that are covered
  };
  Wanted Expected(const Question& question, uint64_t moment) {
    Wanted wanted{question.concept_path, {}};
    std::set<std::string> paths{question.concept_path};
    if (!question.subtree) {
      const auto cover = reference_.CoverOf(question.concept_path, moment);
      wanted.concept_path = cover.concept_path;
      paths = {cover.aliases.begin(), cover.aliases.end()};
      paths.insert(cover.concept_path);
    }
    const auto& standings = RandomKnowledge::Wanted(moment);
    for (const auto& entry : reference_.entries()) {
      if (entry.claim() == nullptr || entry.sequence > moment) continue;
      const std::string& path = entry.claim()->concept_path;
      const bool is_covered = question.subtree ? question.concept_path.empty() ||
                                                     KnowledgeReference::IsBelow(path, question.concept_path)
                                               : paths.contains(path);
      if (!is_covered || (!question.predicate.empty() && entry.claim()->predicate != question.predicate))
        continue;
      const auto& standing = standings.at(entry.sequence);
      if (Passes(question.status, standing.status)) wanted.standings[entry.sequence] = standing;
    }
    return wanted;
  }

  Question AnyQuestion(uint64_t moment) {
    Question question;
    question.subtree = Below(4) == 0;
    question.concept_path =
        question.subtree ? (Below(3) == 0 ? "" : AnyOf(above_)) : AnyOf(Below(2) == 0 ? names_ : paths_);
    if (Below(2) == 0) question.predicate = Below(2) == 0 ? "p" : "q";
    question.status = kFilters[Below(std::size(kFilters))];
    question.as_of = Moment{.sequence = moment, .time_ms = {}};
    return question;
  }

  void CheckRows(store::Reader& reader, Standing& standing, const Question& question) {
    const auto viewpoint = ViewpointOf(question, reader, clock_.NowMs());
    ASSERT_TRUE(viewpoint.has_value()) << viewpoint.error().message();
    const Wanted wanted = Expected(question, viewpoint->sequence_max);
    const std::string where = question.concept_path + (question.subtree ? "/*" : "") + " " +
                              question.predicate + " as of " + std::to_string(viewpoint->sequence_max) +
                              ", filter " + std::to_string(static_cast<int>(question.status));
    ASSERT_EQ(viewpoint->concept_path, wanted.concept_path) << where;
    standing.Begin(reader, viewpoint->sequence_max);
    Covered covered;
    const Status collected = CollectRows(question, *viewpoint, 1'000'000, reader, standing, covered);
    ASSERT_TRUE(collected.ok()) << where << ": " << collected.message();
    ASSERT_EQ(covered.rows.size(), wanted.standings.size()) << where;
    ASSERT_TRUE(covered.standings.empty() || covered.standings.size() == covered.rows.size()) << where;
    for (size_t i = 0; i < covered.rows.size(); ++i) {
      const store::Row& row = covered.rows[i];
      ASSERT_TRUE(wanted.standings.contains(row.sequence))
          << where << ": " << row.sequence << " isn't covered";
      ExpectStanding(covered.standings.empty() ? ClaimStanding() : covered.standings[i],
                     wanted.standings.at(row.sequence), where);
      if (HasFatalFailure()) return;
      if (!question.subtree) {
        ASSERT_EQ(row.concept_path, wanted.concept_path) << where << ": rows of aliases are the concept's";
      }
      if (i > 0) {
        const store::Row& before = covered.rows[i - 1];
        ASSERT_LT(std::tie(before.concept_path, before.predicate, before.sequence),
                  std::tie(row.concept_path, row.predicate, row.sequence))
            << where;
      }
    }
    CheckPages(reader, standing, question, *viewpoint, wanted, where);
  }

  // Without a lens: page by page, the newest first.
  void CheckPages(store::Reader& reader, Standing& standing, Question question, const Viewpoint& viewpoint,
                  const Wanted& wanted, const std::string& where) {
    ListingBounds bounds;
    if (Below(2) == 0) bounds = {.scan_max = Below(20), .steps_max = 1 + Below(50)};
    question.limit = 1 + Below(6);
    std::vector<uint64_t> expected, found;
    for (const auto& [sequence, one] : wanted.standings) expected.insert(expected.begin(), sequence);
    for (int page = 0;; ++page) {
      ASSERT_LT(page, 1'000) << where;
      Listing listing;
      const Status listed = ListNewest(question, viewpoint, bounds, reader, standing, listing);
      ASSERT_TRUE(listed.ok()) << where << ": " << listed.message();
      ASSERT_LE(listing.sequences.size(), question.limit);
      found.insert(found.end(), listing.sequences.begin(), listing.sequences.end());
      if (listing.next_before == 0) break;
      question.before_sequence = listing.next_before;
    }
    ASSERT_EQ(found, expected) << where;
  }
};

TEST_F(CoveredClaims, AreThoseOfASearchThroughTheHistory) {
  for (int history = 0; history < (WantsLongForm() ? 60 : 6); ++history) {
    ForgetHistory();
    store_.reset();
    RemoveTree("db");
    RemoveTree("wal");
    Open();
    Plan(40);
    const auto reader = store_->NewReader();
    Standing standing(kStepsMax);
    for (int step = 0; step < 120; ++step) {
      if (has_waiting() && Below(2) == 0) Put(NextClaim());
      const auto operation = AnyOperation();
      if (HasClaims() && IsWellFormed(operation) && reference_.Refusal(operation).empty()) Put(operation);
      if (Below(15) == 0) {
        ASSERT_TRUE(store_->Flush().ok());
      }
      if (Below(4) > 0) continue;
      ASSERT_TRUE(reader->Refresh().ok());
      for (int i = 0; i < 8; ++i) {
        CheckRows(*reader, standing,
                  AnyQuestion(Below(3) == 0 ? reference_.newest() : Below(reference_.newest() + 1)));
        ASSERT_FALSE(HasFatalFailure()) << "history " << history << ", step " << step;
      }
      reader->Release();
    }
  }
}

class EngineOnKnowledge : public stemedb::testing::EngineTest {
 protected:
  Hash256 Add(const model::Assertion& claim) {
    EXPECT_TRUE(Say(claim).status.ok());
    return Encode(claim).id;
  }
  void Add(const model::Operation& operation) { EXPECT_TRUE(Say(operation).status.ok()); }
  // The status of each claim that is listed, by its number.
  std::map<double, std::string> Statuses(Question question, StatusFilter filter) {
    question.status = filter;
    std::map<double, std::string> statuses;
    for (auto assertion : List(Answer(question)["assertions"]))
      statuses[assertion["value"].get_double().value()] =
          std::string(assertion["status"].get_string().value());
    return statuses;
  }
  // Whatever the filter lets through says of itself that it is so.
  void ExpectOfOneMind(const Question& question) {
    const auto any = Statuses(question, StatusFilter::kAny);
    size_t shown = 0;
    for (const auto& [filter, name] : {std::pair{StatusFilter::kActive, "active"},
                                       {StatusFilter::kSuperseded, "superseded"},
                                       {StatusFilter::kRetracted, "retracted"}}) {
      for (const auto& [number, status] : Statuses(question, filter)) {
        EXPECT_EQ(status, name) << number;
        EXPECT_EQ(any.at(number), name) << number;
        ++shown;
      }
    }
    EXPECT_EQ(shown, any.size()) << "each under one of the three";
  }
  uint64_t Candidates(const Question& question) {
    uint64_t count = 0;
    for (auto resolution : List(Answer(question)["resolutions"]))
      count += resolution["candidates_count"].get_uint64().value();
    return count;
  }
};

TEST_F(EngineOnKnowledge, WhatIsRetractedOrSupersededIsLeftOutUnlessItIsAskedFor) {
  Open();
  const Hash256 first = Add(Claim("a", "p", Number(1))), second = Add(Claim("a", "p", Number(2)));
  const Hash256 third = Add(Claim("a", "p", Number(3)));
  Add(Claim("a", "p", Number(4)));
  Add(Supersession(first, second));
  Add(RetractionOf(third));
  auto question = Ask("a");
  EXPECT_THAT(Numbers(question), ElementsAre(4, 2));
  question.status = StatusFilter::kAny;
  EXPECT_THAT(Numbers(question), ElementsAre(4, 3, 2, 1));
  question.status = StatusFilter::kRetracted;
  EXPECT_THAT(Numbers(question), ElementsAre(3));
  question.status = StatusFilter::kSuperseded;
  EXPECT_THAT(Numbers(question), ElementsAre(1));
  ExpectOfOneMind(Ask("a"));
  for (const bool in_lmdb : {false, true}) {
    if (in_lmdb) {
      ASSERT_TRUE(store_->Flush().ok());
    }
    auto resolved = Ask("a", "consensus");
    EXPECT_EQ(Candidates(resolved), 2u) << "a lens sees what counts";
    resolved.status = StatusFilter::kAny;
    EXPECT_EQ(Candidates(resolved), 4u);
    resolved.status = StatusFilter::kActive;
    resolved.as_of = Moment{.sequence = 4, .time_ms = {}};
    EXPECT_EQ(Candidates(resolved), 4u) << "as it was";
    resolved.as_of = Moment{.sequence = 5, .time_ms = {}};
    EXPECT_EQ(Candidates(resolved), 3u);
  }
}

TEST_F(EngineOnKnowledge, OneAssertionSaysItsStatus) {
  Open();
  const Hash256 claim = Add(Claim("a", "p", Number(1)));
  Add(RetractionOf(claim));
  answer_.clear();
  ASSERT_TRUE(engine_->Assertion(claim, answer_).ok());
  EXPECT_EQ(std::string_view(Parse()["status"]), "retracted");
  const auto vote = Vote(claim, 1);
  Add(vote);
  answer_.clear();
  EXPECT_EQ(engine_->Assertion(Encode(vote).id, answer_).reason(), "unknown_assertion");
  EXPECT_EQ(engine_->assertion_count(), 1u);
}

TEST_F(EngineOnKnowledge, APathThatStandsForAnotherIsAnsweredAsThatOne) {
  Open();
  Add(Claim("drug/ozempic", "p", Number(1)));
  Add(Claim("drug/semaglutide", "p", Number(2)));
  Add(Claim("drug/wegovy", "p", Number(3)));
  Add(Alias("drug/ozempic", "drug/semaglutide"));
  Add(Alias("drug/wegovy", "drug/ozempic"));
  for (const char* path : {"drug/ozempic", "drug/semaglutide", "drug/wegovy"}) {
    EXPECT_THAT(Numbers(Ask(path)), ElementsAre(3, 2, 1)) << path;
    const auto resolutions = Answer(Ask(path, "consensus"))["resolutions"];
    ASSERT_EQ(List(resolutions).size(), 1u) << "one pair, whatever names it has";
    EXPECT_EQ(std::string_view(resolutions.at(0)["concept_path"]), "drug/semaglutide");
    EXPECT_EQ(resolutions.at(0)["candidates_count"].get_uint64().value(), 3u);
  }
  EXPECT_THAT(answer_, HasSubstr("\"alias_of\":\"drug/semaglutide\""));
  Answer(Ask("drug/semaglutide"));
  EXPECT_THAT(answer_, Not(HasSubstr("alias_of")));
  auto then = Ask("drug/ozempic");
  then.as_of = Moment{.sequence = 3, .time_ms = {}};
  EXPECT_THAT(Numbers(then), ElementsAre(1)) << "as it was";
  auto below = Ask("drug", "consensus");
  below.subtree = true;
  EXPECT_EQ(List(Answer(below)["resolutions"]).size(), 3u) << "a subtree is what stands there";
  Add(Alias("drug/wegovy", "drug/other", kTestNow + 1));
  EXPECT_THAT(Numbers(Ask("drug/semaglutide")), ElementsAre(2, 1)) << "it stands for something else now";
}

TEST_F(EngineOnKnowledge, AnAliasThatIsTakenBackIsAnsweredUnderItsOwnName) {
  Open();
  Add(Claim("x", "p", Number(1)));
  Add(Claim("a", "p", Number(2)));
  Add(Alias("x", "a"));
  Add(Alias("x", "x", kTestNow + 1));
  for (const bool in_lmdb : {false, true}) {
    if (in_lmdb) {
      ASSERT_TRUE(store_->Flush().ok());
    }
    EXPECT_THAT(Numbers(Ask("a")), ElementsAre(2)) << in_lmdb;
    EXPECT_THAT(Numbers(Ask("x")), ElementsAre(1)) << in_lmdb;
    EXPECT_THAT(answer_, Not(HasSubstr("alias_of"))) << in_lmdb;
    auto then = Ask("x");
    then.as_of = Moment{.sequence = 3, .time_ms = {}};
    EXPECT_THAT(Numbers(then), ElementsAre(2, 1)) << "as it was; " << in_lmdb;
  }
}

// However many claims there are under each name, a page costs little more than what it shows.
TEST_F(EngineOnKnowledge, APageOfAConceptWithAliasesIsFullThoughLittleMayBeLookedAt) {
  constexpr int kClaims = 600;
  engine_options_.listing = {.scan_max = 100, .steps_max = 120};
  Open();
  const char* names[] = {"drug/semaglutide", "drug/ozempic", "drug/wegovy"};
  std::vector<store::PreparedRecord> records;
  for (int i = 0; i < kClaims; ++i) {
    // Of one name the newest, of another the oldest; else by turns.
    const char* name = i < 100 ? names[0] : i >= kClaims - 100 ? names[2] : names[i % 3];
    records.push_back(stemedb::testing::Prepare(Claim(name, i % 7 == 0 ? "q" : "p", Number(i))));
  }
  ASSERT_TRUE(stemedb::testing::Write(*store_, std::move(records)).status.ok());
  Add(Alias(names[1], names[0]));
  Add(Alias(names[2], names[1]));
  for (const bool in_lmdb : {false, true}) {
    if (in_lmdb) {
      ASSERT_TRUE(store_->Flush().ok());
    }
    for (const std::string predicate : {"", "p"}) {
      auto question = Ask(names[1]);
      question.predicate = predicate;
      question.limit = 30;
      std::vector<double> wanted, found;
      for (int i = kClaims - 1; i >= 0; --i) {
        if (predicate.empty() || i % 7 != 0) wanted.push_back(i);
      }
      for (;;) {
        const auto page = Numbers(question);
        found.insert(found.end(), page.begin(), page.end());
        std::string_view next;
        if (Parse()["next_cursor"].get(next) != simdjson::SUCCESS) break;
        ASSERT_EQ(page.size(), 30u) << "behind " << found.size();
        const auto cursor = DecodeCursor(next);
        ASSERT_TRUE(cursor.has_value());
        question.before_sequence = cursor->before_sequence;
        question.as_of = Moment{.sequence = cursor->as_of_sequence, .time_ms = {}};
        question.now_ms = cursor->now_ms;
      }
      EXPECT_EQ(found, wanted) << predicate << (in_lmdb ? ", in LMDB" : ", in the delta");
    }
  }
}

TEST_F(EngineOnKnowledge, ARetractionOfAPathIsOfItsOwnClaimsWhicheverNameIsAsked) {
  Open();
  Add(Claim("x", "p", Number(1)));
  Add(Claim("c", "p", Number(2)));
  Add(Alias("x", "c"));
  Add(RetractionAt("x"));
  for (const char* path : {"x", "c"}) {
    EXPECT_EQ(Statuses(Ask(path), StatusFilter::kAny),
              (std::map<double, std::string>{{1, "retracted"}, {2, "active"}}))
        << path;
    EXPECT_THAT(Numbers(Ask(path)), ElementsAre(2)) << path;
    EXPECT_EQ(Candidates(Ask(path, "consensus")), 1u) << path;
    ExpectOfOneMind(Ask(path));
  }
  Add(RetractionAt("c", Cascade::kNo, kTestNow + 1));
  Add(Claim("x", "p", Number(3)));
  for (const char* path : {"x", "c"}) {
    EXPECT_THAT(Numbers(Ask(path)), ElementsAre(3)) << path;
    ExpectOfOneMind(Ask(path));
  }
}

TEST_F(EngineOnKnowledge, ATraceShowsWhereAClaimComesFromAndWhatWasSaidAboutIt) {
  Open();
  auto root = Claim("a", "p", Number(1));
  root.agent_id = Agent(1);
  const Hash256 root_id = Add(root);
  auto claim = Claim("a/b", "p", Number(2));
  claim.derived_from = {root_id, Hash256{9}};
  claim.parent = root_id;
  claim.agent_id = Agent(2);
  claim.source = model::Source{"s", {}, "", ""};
  claim.epoch = "old";
  const Hash256 id = Add(claim);
  auto child = Claim("c", "p", Number(3));
  child.derived_from = {id};
  const Hash256 child_id = Add(child);
  Add(Vote(id, 0.75, 1));
  Add(Vote(id, 0.5, 3));
  Add(Trust(1, 0.25));
  Add(Trust(2, 0.75));
  Add(Registration("s"));
  Add(Epoch("new", "old"));
  Add(RetractionAt("elsewhere"));
  Add(RetractionOf(root_id, Cascade::kYes));
  for (const bool in_lmdb : {false, true}) {
    if (in_lmdb) {
      ASSERT_TRUE(store_->Flush().ok());
    }
    answer_.clear();
    ASSERT_TRUE(engine_->Trace(id, answer_).ok());
    const auto trace = Parse();
    EXPECT_EQ(std::string_view(trace["assertion"]["id"]), ToHex(id));
    EXPECT_EQ(std::string_view(trace["assertion"]["status"]), "retracted");
    EXPECT_EQ(std::string_view(trace["status"]), "retracted");
    EXPECT_EQ(std::string_view(trace["retraction"]["assertion_id"]), ToHex(root_id));
    EXPECT_EQ(std::string_view(trace["retraction"]["operation"]["kind"]), "retraction");
    EXPECT_EQ(std::string_view(trace["retraction"]["operation"]["assertion_id"]), ToHex(root_id));
    EXPECT_EQ(trace["trust"].get_double().value(), 0.75);
    EXPECT_EQ(trace["derived_trust"].get_double().value(), 0.25);
    EXPECT_EQ(trace["votes"]["count"].get_uint64().value(), 2u);
    EXPECT_EQ(trace["votes"]["weight"].get_double().value(), 1.25);
    ASSERT_EQ(List(trace["rests_on"]).size(), 3u);
    EXPECT_EQ(std::string_view(trace["rests_on"].at(0)["relation"]), "parent");
    EXPECT_EQ(std::string_view(trace["rests_on"].at(0)["status"]), "retracted");
    EXPECT_EQ(std::string_view(trace["rests_on"].at(1)["id"]), ToHex(root_id));
    EXPECT_EQ(std::string_view(trace["rests_on"].at(2)["status"]), "unknown");
    ASSERT_EQ(List(trace["resting_on_it"]).size(), 1u);
    EXPECT_EQ(std::string_view(trace["resting_on_it"].at(0)["id"]), ToHex(child_id));
    EXPECT_EQ(std::string_view(trace["resting_on_it"].at(0)["status"]), "retracted");
    std::vector<std::string> kinds;
    for (auto operation : List(trace["operations"]))
      kinds.emplace_back(operation["kind"].get_string().value());
    EXPECT_THAT(kinds, ElementsAre("vote", "vote", "source", "epoch"));
  }
  EXPECT_EQ(engine_->Trace(Hash256{1}, answer_).reason(), "unknown_assertion");
  EXPECT_EQ(engine_->Trace(Encode(Trust(1, 0.25)).id, answer_).reason(), "unknown_assertion")
      << "no operation's id";
}

TEST_F(EngineOnKnowledge, AListThatIsTooLongSaysSo) {
  Open();
  const Hash256 id = Add(Claim("a", "p", Number(0)));
  std::vector<store::PreparedRecord> records;
  for (size_t i = 0; i < kTraceListMax + 5; ++i) {
    auto child = Claim("b", "p", Number(static_cast<double>(i)));
    child.derived_from = {id};
    records.push_back(stemedb::testing::Prepare(child));
    records.push_back(stemedb::testing::Prepare(Vote(id, 1, 1, static_cast<int64_t>(i))));
  }
  for (int i = 0; i < 3; ++i) {
    auto change = Claim("a", "p", Number(1 + i));
    change.parent = id;
    records.push_back(stemedb::testing::Prepare(change));
  }
  ASSERT_TRUE(stemedb::testing::Write(*store_, std::move(records)).status.ok());
  answer_.clear();
  ASSERT_TRUE(engine_->Trace(id, answer_).ok());
  const auto trace = Parse();
  EXPECT_EQ(List(trace["resting_on_it"]).size(), kTraceListMax + 3) << "of each relation so many";
  EXPECT_TRUE(trace["resting_on_it_cut"].get_bool().value());
  EXPECT_EQ(List(trace["operations"]).size(), kTraceListMax);
  EXPECT_TRUE(trace["operations_cut"].get_bool().value());
}

TEST_F(EngineOnKnowledge, ASourceHasItsLatestStatusAndARetractedOneKeepsIt) {
  Open();
  auto registration = Registration("s", kTestNow);
  registration.content = "text";
  Add(registration);
  Add(Registration("t"));
  Add(RetractionFrom("unregistered"));
  const auto status_of = [&](const char* id) {
    answer_.clear();
    EXPECT_TRUE(engine_->Source(id, answer_).ok());
    return std::string(Parse()["status"].get_string().value());
  };
  EXPECT_EQ(status_of("s"), "active");
  EXPECT_THAT(answer_, HasSubstr("\"content\":\"text\""));
  Add(ChangeOfStatus("s", model::SourceStatus::kUnderReview));
  EXPECT_EQ(status_of("s"), "under_review");
  EXPECT_EQ(Parse()["status_sequence"].get_uint64().value(), 4u);
  Add(ChangeOfStatus("s", model::SourceStatus::kActive));
  EXPECT_EQ(status_of("s"), "active");
  Add(RetractionFrom("s"));
  EXPECT_EQ(status_of("s"), "retracted");
  Add(ChangeOfStatus("s", model::SourceStatus::kActive, kTestNow + 1));  // as if it had slipped in
  EXPECT_EQ(status_of("s"), "retracted") << "that is final";
  EXPECT_EQ(engine_->Source("unregistered", answer_).reason(), "unknown_source");

  std::vector<std::string> ids;
  for (std::string after;;) {
    answer_.clear();
    ASSERT_TRUE(engine_->Sources(after, 1, answer_).ok());
    EXPECT_THAT(answer_, Not(HasSubstr("\"content\""))) << "of one source alone";
    const auto page = Parse();
    for (auto one : List(page["sources"])) ids.emplace_back(one["source"]["id"].get_string().value());
    std::string_view next;
    if (page["next_cursor"].get(next) != simdjson::SUCCESS) break;
    after = next;
  }
  EXPECT_THAT(ids, ElementsAre("s", "t"));
}

TEST_F(EngineOnKnowledge, WhetherASourceIsRegisteredIsToldWithoutItsHistory) {
  Open();
  Add(RetractionFrom("unregistered"));
  Add(Registration("s"));
  for (int i = 0; i < 20; ++i)
    Add(ChangeOfStatus("s", i % 2 == 0 ? model::SourceStatus::kUnderReview : model::SourceStatus::kActive,
                       kTestNow + i));
  stemedb::testing::CountingReader reader(store_->NewReader());
  ASSERT_TRUE(reader.Refresh().ok());
  EXPECT_TRUE(*IsRegisteredSource("s", reader));
  EXPECT_EQ(reader.operations, 1);
  EXPECT_FALSE(*IsRegisteredSource("unregistered", reader));
  EXPECT_FALSE(*IsRegisteredSource("unheard of", reader));
}

TEST_F(EngineOnKnowledge, TheFeedHoldsEverythingOnceNewestFirst) {
  Open();
  const Hash256 first = Add(Claim("a", "p", Number(0)));
  for (int i = 1; i < 20; ++i) {
    Add(Claim("a", "p", Number(i)));
    Add(Vote(first, 0.5, static_cast<uint8_t>(i)));
    ASSERT_TRUE(i != 9 || store_->Flush().ok());
  }
  Add(RetractionOf(first));
  std::vector<uint64_t> sequences;
  size_t operations = 0;
  for (uint64_t before = UINT64_MAX;;) {
    answer_.clear();
    ASSERT_TRUE(engine_->Feed(before, 7, answer_).ok());
    const auto page = Parse();
    for (auto item : List(page["items"])) {
      const std::string type(item["type"].get_string().value());
      sequences.push_back(item[type]["sequence"].get_uint64().value());
      if (type == "operation") {
        ++operations;
      } else {
        EXPECT_EQ(std::string_view(item[type]["status"]), sequences.back() == 1 ? "retracted" : "active");
      }
    }
    std::string_view next;
    if (page["next_cursor"].get(next) != simdjson::SUCCESS) break;
    before = std::stoull(std::string(next));
  }
  std::vector<uint64_t> expected;
  for (uint64_t sequence = 40; sequence > 0; --sequence) expected.push_back(sequence);
  EXPECT_EQ(sequences, expected);
  EXPECT_EQ(operations, 20u);
}

// On a loop, where no lens is called that would look at the clock.
TEST_F(EngineOnKnowledge, WhatOnlyLooksAtClaimsIsHandedOverWhenItsTimeIsUp) {
  constexpr int kClaims = 200;
  const auto say_all = [&] {
    StoreTest::Open();
    std::vector<store::PreparedRecord> records;
    for (int i = 0; i < kClaims; ++i) {
      auto claim = Claim("a", i % 2 == 0 ? "p" : "q", Number(i));
      claim.source = model::Source{"s", {}, "", ""};
      records.push_back(stemedb::testing::Prepare(claim));
      records.push_back(stemedb::testing::Prepare(Registration("source " + std::to_string(i))));
    }
    ASSERT_TRUE(stemedb::testing::Write(*store_, std::move(records)).status.ok());
    Add(RetractionAt("elsewhere", Cascade::kYes));
  };
  ASSERT_NO_FATAL_FAILURE(say_all());
  const auto engine = [&](double seconds, const ListingBounds& listing) {
    EngineOptions options = engine_options_;
    options.beyond = EngineOptions::Beyond::kHandOver;
    options.script_seconds_max = seconds;
    options.listing = listing;
    return std::make_unique<Engine>(store_->NewReader(), stemedb::testing::ShippedLenses(), options);
  };
  const auto from_source = RetractionFrom("s");
  const auto reasons = [&](Engine& asked) {
    std::vector<std::string> noted;
    const auto note = [&](const Status& status) { noted.emplace_back(status.reason()); };
    std::string out;
    for (const char* lens : {"", "consensus"}) {
      for (const char* predicate : {"", "p"}) {
        for (const bool subtree : {false, true}) {
          auto question = Ask(subtree ? "" : "a", lens);
          question.subtree = subtree;
          question.predicate = predicate;
          question.status = StatusFilter::kRetracted;  // none is
          note(asked.Answer(question, out));
        }
      }
    }
    note(asked.Sources("", 1'000, out));
    note(asked.Feed(UINT64_MAX, 1'000, out));
    const auto impact = asked.ImpactOf(from_source, {});
    note(impact ? Status::Ok() : impact.error());
    return noted;
  };
  for (const ListingBounds& listing : {ListingBounds(), ListingBounds{.scan_max = 10, .steps_max = 1'000}}) {
    EXPECT_THAT(reasons(*engine(-1, listing)), Each(std::string(kHandOverReason)));
    EXPECT_THAT(reasons(*engine(3'600, listing)), Each(std::string()));
  }
}

TEST_F(EngineOnKnowledge, RowsAreCountedOverAllNamesOfAConceptWantedOrNot) {
  Open();
  for (const char* name : {"x", "y", "z"}) {
    for (int i = 0; i < 8; ++i) Add(Claim(name, i % 2 == 0 ? "p" : "q", Number(i)));
  }
  Add(Alias("y", "x"));
  Add(Alias("z", "x"));
  const auto reason = [&](size_t rows_max, double min_confidence) {
    engine_options_.rows_max = rows_max;
    engine_ =
        std::make_unique<Engine>(store_->NewReader(), stemedb::testing::ShippedLenses(), engine_options_);
    auto question = Ask("x", "consensus");
    question.min_confidence = min_confidence;
    return std::string(Refusal(question).reason());
  };
  for (const bool in_lmdb : {false, true}) {
    if (in_lmdb) {
      ASSERT_TRUE(store_->Flush().ok());
    }
    for (const double min_confidence : {0.0, 1.0}) {
      EXPECT_EQ(reason(24, min_confidence), "");
      EXPECT_EQ(reason(23, min_confidence), kTooManyRows) << in_lmdb << ", from " << min_confidence;
      EXPECT_EQ(reason(10, min_confidence), kTooManyRows);
    }
  }
}

// Anybody may have made it; whoever may retract it gets the concept answered again.
TEST_F(EngineOnKnowledge, AClaimWhoseLineageIsTooLargeIsNotFollowedOnceItHasEndedItself) {
  engine_options_.lineage_max = 10;
  Open();
  std::vector<Hash256> chain;
  const auto on_chain = [&](const std::string& path, int number) {
    auto claim = Claim(path, "p", Number(number));
    if (!chain.empty()) claim.derived_from = {chain.back()};
    return Add(claim);
  };
  for (int i = 0; i < 30; ++i) chain.push_back(on_chain("elsewhere", i));
  const Hash256 good = Add(Claim("a", "p", Number(100)));
  Add(RetractionAt("nowhere", Cascade::kYes));
  Question listing = Ask("a"), pair = Ask("a"), resolved = Ask("a", "consensus");
  pair.predicate = "p";
  const auto expect_too_large = [&](const Hash256& id) {
    for (const Question& question : {listing, pair, resolved}) {
      const Status refusal = Refusal(question);
      EXPECT_EQ(refusal.reason(), kLineageTooLarge);
      EXPECT_THAT(std::string(refusal.message()), HasSubstr(ToHex(id)));
    }
  };
  const auto expect_answered = [&] {
    EXPECT_THAT(Numbers(listing), ElementsAre(100));
    EXPECT_THAT(Numbers(pair), ElementsAre(100));
    EXPECT_EQ(Candidates(resolved), 1u);
  };
  expect_answered();
  const Hash256 first = on_chain("a", 1);
  expect_too_large(first);
  Add(RetractionOf(first));
  expect_answered();
  const Hash256 second = on_chain("a", 2);
  expect_too_large(second);
  Add(Supersession(second, good));
  expect_answered();
  answer_.clear();
  ASSERT_TRUE(engine_->Assertion(first, answer_).ok());
  EXPECT_EQ(Parse()["status"].get_string().value(), "retracted");
}

TEST_F(EngineOnKnowledge, AListingCountsNoVotes) {
  Open();
  for (int i = 0; i < 5; ++i) Add(Vote(Add(Claim("a", i % 2 == 0 ? "p" : "q", Number(i))), 1));
  Add(RetractionAt("elsewhere"));
  auto counting = std::make_unique<stemedb::testing::CountingReader>(store_->NewReader());
  const int& tallies = counting->tallies;
  engine_ = std::make_unique<Engine>(std::move(counting), stemedb::testing::ShippedLenses(), engine_options_);
  EXPECT_THAT(Numbers(Ask("a")), ElementsAre(4, 3, 2, 1, 0));
  auto pair = Ask("a");
  pair.predicate = "p";
  EXPECT_THAT(Numbers(pair), ElementsAre(4, 2, 0));
  answer_.clear();
  ASSERT_TRUE(engine_->Feed(UINT64_MAX, 100, answer_).ok());
  EXPECT_EQ(tallies, 0) << "they aren't shown";
  Answer(Ask("a", "consensus"));
  EXPECT_EQ(tallies, 5) << "a lens is told of them, once";
}

TEST_F(EngineOnKnowledge, APageOfSourcesEndsWhenItIsLarge) {
  constexpr int kSources = 2'000;
  Open();
  std::vector<store::PreparedRecord> records;
  for (int i = 0; i < kSources; ++i) {
    auto source = Registration("s" + std::to_string(10'000 + i));
    source.url = std::string(2'000, 'u'), source.detail = std::string(1'000, 't');
    records.push_back(stemedb::testing::Prepare(source));
  }
  ASSERT_TRUE(stemedb::testing::Write(*store_, std::move(records)).status.ok());
  int seen = 0, pages = 0;
  for (std::string after;; ++pages) {
    answer_.clear();
    ASSERT_TRUE(engine_->Sources(after, kSources, answer_).ok());
    EXPECT_LT(answer_.size(), size_t{5} << 20);
    const auto page = Parse();
    for (auto one : List(page["sources"])) {
      ASSERT_EQ(std::string_view(one["source"]["id"]), "s" + std::to_string(10'000 + seen));
      ++seen;
    }
    std::string_view next;
    if (page["next_cursor"].get(next) != simdjson::SUCCESS) break;
    after = next;
  }
  EXPECT_EQ(seen, kSources);
  EXPECT_GE(pages, 1);
}

TEST_F(EngineOnKnowledge, WhatALensIsToldOfAClaimIsItsStanding) {
  StoreTest::Open();
  const char* body = R"lua(
return { kind = 'lens', api = 1, name = 'tells', version = '1', description = 'd',
  resolve = function(ctx, candidates)
    local c = candidates[1]
    return { winner = 1, explain = c.trust .. ' ' .. c.derived_trust .. ' ' .. c.votes .. ' ' .. c.vote_weight .. ' ' ..
      tostring(c.epoch_superseded) }
  end }
)lua";
  auto set = script::ScriptSet::Build({{"tells.lua", body}}, 1);
  ASSERT_TRUE(set) << set.error().message();
  engine_ = std::make_unique<Engine>(store_->NewReader(), *set, engine_options_);
  auto claim = Claim("a", "p", Number(1));
  claim.agent_id = Agent(1);
  claim.epoch = "old";
  const auto told = [&] {
    return std::string(Answer(Ask("a", "tells"))["resolutions"].at(0)["explain"].get_string().value());
  };
  const Hash256 id = Add(claim);
  EXPECT_EQ(told(), "0.5 0.5 0 0 false");
  Add(Vote(id, 0.25, 1));
  Add(Vote(id, 0.5, 2));
  EXPECT_EQ(told(), "0.5 0.5 2 0.75 false");
  Add(Trust(1, 0.75));
  Add(Epoch("new", "old"));
  EXPECT_EQ(told(), "0.75 0.75 2 0.75 true");
}

}  // namespace
}  // namespace stemedb::query
