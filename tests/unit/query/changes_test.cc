// SPDX-License-Identifier: Apache-2.0
// What a question with `since` is told besides new claims: held against a search through the whole history,
// in which the effect of a record is the difference between the moment before it and its own; and that
// whoever applies it to an earlier answer has the later one. Then the corners, and what an answer says of it.
#include "query/changes.h"

#include <map>
#include <set>

#include "knowledge_fixture.h"
#include "query/aliases.h"
#include "query/watching.h"
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
using stemedb::testing::Number;
using stemedb::testing::Registration;
using stemedb::testing::RetractionAt;
using stemedb::testing::RetractionFrom;
using stemedb::testing::RetractionOf;
using stemedb::testing::Supersession;
using stemedb::testing::Trust;
using stemedb::testing::Vote;
using stemedb::testing::WantsLongForm;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using Entry = KnowledgeReference::Entry;

// A claim's sequence, and its status before and behind a change; "" where its path isn't the question's.
struct Turn {
  uint64_t sequence = 0;
  std::string from, to;
  friend auto operator<=>(const Turn&, const Turn&) = default;
};
struct Told {
  std::vector<Turn> claims;
  std::vector<std::string> joined, left;
  friend bool operator==(const Told&, const Told&) = default;
};
using ToldBySequence = std::map<uint64_t, Told>;

void PrintTo(const Told& told, std::ostream* out) {
  for (const Turn& turn : told.claims) *out << turn.sequence << ":" << turn.from << ">" << turn.to << " ";
  for (const std::string& path : told.joined) *out << "+" << path << " ";
  for (const std::string& path : told.left) *out << "-" << path << " ";
}

bool Passes(StatusFilter filter, const std::string& status) {
  switch (filter) {
    case StatusFilter::kActive:
      return status == "active";
    case StatusFilter::kSuperseded:
      return status == "superseded";
    case StatusFilter::kRetracted:
      return status == "retracted";
    case StatusFilter::kAny:
      break;
  }
  return true;
}

std::string TextOf(const std::optional<ClaimStatus>& status) {
  return status ? std::string(NameOf(*status)) : std::string();
}

class ChangesAgainstReference : public stemedb::testing::RandomKnowledge {
 protected:
  // Of the reference

  std::set<std::string> PathsAt(const Question& question, uint64_t moment) const {
    const auto cover = reference_.CoverOf(question.concept_path, moment);
    std::set<std::string> paths(cover.aliases.begin(), cover.aliases.end());
    paths.insert(cover.concept_path);
    paths.insert(question.concept_path);
    return paths;
  }
  // All claims of the scope up to the end of the window; those that its filters don't take as well.
  std::vector<const Entry*> ScopeOf(const Question& question, uint64_t since, uint64_t to) const {
    std::set<std::string> paths;
    if (!question.subtree) {
      paths = PathsAt(question, since);
      paths.merge(PathsAt(question, to));
    }
    std::vector<const Entry*> scope;
    for (const Entry& entry : reference_.entries()) {
      if (entry.claim() == nullptr || entry.sequence > to) continue;
      const std::string& path = entry.claim()->concept_path;
      const bool is_there = question.subtree ? question.concept_path.empty() ||
                                                   KnowledgeReference::IsBelow(path, question.concept_path)
                                             : paths.contains(path);
      if (is_there && (question.predicate.empty() || question.predicate == entry.claim()->predicate))
        scope.push_back(&entry);
    }
    return scope;
  }
  static bool TakenByFilters(const Question& question, const model::Assertion& claim) {
    return (question.epoch.empty() || claim.epoch == question.epoch) &&
           (!question.agent_id || claim.agent_id == question.agent_id);
  }
  std::string StatusAt(const Entry& claim, uint64_t moment) {
    return RandomKnowledge::Wanted(moment).at(claim.sequence).status;
  }
  // Of all agents of the claims and of what these are derived from.
  std::set<model::AgentId> AgentsOf(const std::vector<const Entry*>& claims, uint64_t to) const {
    std::map<Hash256, const Entry*> by_id;
    for (const Entry& entry : reference_.entries()) {
      if (entry.claim() != nullptr && entry.sequence <= to) by_id[entry.id] = &entry;
    }
    std::set<model::AgentId> agents;
    std::set<const Entry*> seen(claims.begin(), claims.end());
    std::vector<const Entry*> todo = claims;
    while (!todo.empty()) {
      const model::Assertion& claim = *todo.back()->claim();
      todo.pop_back();
      if (claim.agent_id) agents.insert(*claim.agent_id);
      for (const Hash256& id : claim.derived_from) {
        const auto above = by_id.find(id);
        if (above != by_id.end() && seen.insert(above->second).second) todo.push_back(above->second);
      }
    }
    return agents;
  }

  static bool Names(const model::Operation& operation, uint64_t sequence, const Entry& entry) {
    const model::Assertion& claim = *entry.claim();
    switch (operation.kind) {
      case model::OperationKind::kVote:
        return operation.assertion_id == entry.id;
      case model::OperationKind::kSupersession:
        return operation.assertion_id == entry.id || operation.other_id == entry.id;
      case model::OperationKind::kRetraction:
        return KnowledgeReference::Retracts(operation, sequence, entry);
      case model::OperationKind::kSourceStatus:
        return claim.source && claim.source->id == operation.name;
      case model::OperationKind::kEpoch:
        return !claim.epoch.empty() && (claim.epoch == operation.name || claim.epoch == operation.other_name);
      default:
        return false;
    }
  }

  // What the question must be told; `by_names` says whether its claims' agents and epochs are looked at.
  ToldBySequence Expected(const Question& question, uint64_t since, uint64_t to, bool by_names) {
    std::vector<const Entry*> claims;
    for (const Entry* entry : ScopeOf(question, since, to)) {
      if (TakenByFilters(question, *entry->claim())) claims.push_back(entry);
    }
    const auto agents = AgentsOf(claims, to);
    ToldBySequence expected;
    for (const Entry& entry : reference_.entries()) {
      const uint64_t n = entry.sequence;
      if (n <= since || n > to) continue;
      const model::Operation* operation = entry.operation();
      const bool is_alias = operation != nullptr && operation->kind == model::OperationKind::kAlias;
      Told told;
      bool is_told = false;
      std::set<std::string> before, behind;
      if (!question.subtree) before = PathsAt(question, n - 1), behind = PathsAt(question, n);
      if (is_alias && !question.subtree) {
        is_told = before.contains(operation->path) || before.contains(operation->other_name);
        std::set_difference(behind.begin(), behind.end(), before.begin(), before.end(),
                            std::back_inserter(told.joined));
        std::set_difference(before.begin(), before.end(), behind.begin(), behind.end(),
                            std::back_inserter(told.left));
      }
      for (const Entry* claim : claims) {
        if (claim->sequence >= n) continue;
        const std::string from = StatusAt(*claim, n - 1), status = StatusAt(*claim, n);
        const std::string& path = claim->claim()->concept_path;
        const bool was_in = question.subtree || before.contains(path);
        const bool is_in = question.subtree || behind.contains(path);
        if (from != status && operation != nullptr) is_told = true;
        if (was_in && is_in && from != status) told.claims.push_back({claim->sequence, from, status});
        if (was_in && !is_in) told.claims.push_back({claim->sequence, from, ""});
        if (!was_in && is_in) told.claims.push_back({claim->sequence, "", status});
      }
      if (operation == nullptr) {
        is_told = !told.claims.empty();
      } else if (operation->kind == model::OperationKind::kTrust) {
        is_told = !by_names || agents.contains(operation->other_id);
      } else if (operation->kind == model::OperationKind::kEpoch && !by_names) {
        is_told = question.epoch.empty() || question.epoch == operation->name ||
                  question.epoch == operation->other_name;
      } else if (!is_alias) {
        is_told = is_told || std::any_of(claims.begin(), claims.end(),
                                         [&](const Entry* claim) { return Names(*operation, n, *claim); });
      }
      if (is_told) expected[n] = told;
    }
    return expected;
  }
  // The claims that an answer lists: sequence and status.
  std::map<uint64_t, std::string> AnswerAt(const Question& question, uint64_t moment, uint64_t above = 0) {
    std::map<uint64_t, std::string> answer;
    for (const Entry* entry : ScopeOf(question, moment, moment)) {
      const std::string status = StatusAt(*entry, moment);
      if (entry->sequence > above && TakenByFilters(question, *entry->claim()) &&
          Passes(question.status, status))
        answer[entry->sequence] = status;
    }
    return answer;
  }

  // Of the engine

  void FindAll(store::Reader& reader, Question question, const ChangesBounds& bounds, uint64_t to,
               std::vector<Change>& changes) {
    question.changes_after.reset();
    for (int page_number = 0;; ++page_number) {
      ASSERT_LT(page_number, 2'000);
      const auto viewpoint = ViewpointOf(question, reader, clock_.NowMs());
      ASSERT_TRUE(viewpoint.has_value()) << viewpoint.error().message();
      ASSERT_EQ(viewpoint->sequence_max, to);
      standing_.Begin(reader, to);
      ChangesPage page;
      const Status found = FindChanges(question, *viewpoint, bounds, reader, standing_, page);
      ASSERT_TRUE(found.ok()) << found.message();
      ASSERT_LE(page.changes.size(), question.limit);
      for (Change& change : page.changes) changes.push_back(std::move(change));
      if (!page.has_more) return;
      ASSERT_GT(page.next_after, question.changes_after.value_or(0)) << "a page gets further";
      question.changes_after = page.next_after;
    }
  }

  Question AnyQuestion() {
    Question question;
    question.subtree = Below(3) == 0;
    question.concept_path =
        question.subtree ? (Below(3) == 0 ? "" : AnyOf(above_)) : AnyOf(Below(2) == 0 ? names_ : paths_);
    if (Below(3) == 0) question.predicate = Below(2) == 0 ? "p" : "q";
    if (Below(5) == 0) question.epoch = AnyOf(epochs_);
    if (Below(5) == 0) question.agent_id = Agent(static_cast<uint8_t>(1 + Below(4)));
    constexpr StatusFilter kFilters[] = {StatusFilter::kActive, StatusFilter::kSuperseded,
                                         StatusFilter::kRetracted, StatusFilter::kAny};
    question.status = kFilters[Below(std::size(kFilters))];
    return question;
  }
  ChangesBounds AnyBounds() {
    ChangesBounds bounds;
    if (Below(2) == 0) bounds.few = 0;  // so that a narrow window is gone through along the log
    if (Below(3) == 0) bounds.listing.steps_max = 1 + Below(10);
    if (Below(3) == 0) bounds.claims_of_page_max = 1 + Below(4);
    return bounds;
  }

  void CheckWindow(store::Reader& reader) {
    Question question = AnyQuestion();
    const uint64_t to = Below(reference_.newest() + 1);
    const uint64_t since = Below(3) == 0 && to > 0 ? to - std::min(to, 1 + Below(6)) : Below(to + 1);
    question.as_of = Moment{.sequence = to, .time_ms = {}};
    question.since = Moment{.sequence = since, .time_ms = {}};
    question.limit = Below(2) == 0 ? 10'000 : 1 + Below(4);
    const ChangesBounds bounds = AnyBounds();
    const std::string where = "/" + question.concept_path + (question.subtree ? "/*" : "") + " " +
                              question.predicate + " since " + std::to_string(since) + " to " +
                              std::to_string(to) + ", few " + std::to_string(bounds.few);

    std::vector<Change> changes;
    FindAll(reader, question, bounds, to, changes);
    ASSERT_FALSE(HasFatalFailure()) << where;
    ToldBySequence found;
    uint64_t last = since;
    for (const Change& change : changes) {
      ASSERT_GT(change.sequence, last) << where << ": in the order of the log, each once";
      last = change.sequence;
      ASSERT_FALSE(change.is_cut) << where;
      Told& told = found[change.sequence];
      for (const ChangedClaim& claim : change.claims)
        told.claims.push_back({claim.sequence, TextOf(claim.from), TextOf(claim.to)});
      told.joined = change.joined;
      told.left = change.left;
    }
    const size_t in_scope = ScopeOf(question, since, to).size();
    const bool by_names = in_scope <= std::max<uint64_t>(to - since, bounds.few);
    ASSERT_EQ(found, Expected(question, since, to, by_names)) << where;
    ++(by_names ? by_claims_ : along_log_);
    if (by_names) ExpectJudgedAlike(reader, question, since, to, changes, where);
    ExpectBringsUpToDate(question, since, to, changes, where);
  }

  // What the index finds is what those who watch would be told or asked again for.
  void ExpectJudgedAlike(store::Reader& reader, const Question& question, uint64_t since, uint64_t to,
                         const std::vector<Change>& changes, const std::string& where) {
    WatchedScope scope{{question.concept_path}, question.subtree, question.predicate};
    if (!question.subtree) {
      std::set<std::string> paths = PathsAt(question, since);
      paths.merge(PathsAt(question, to));
      scope.paths.assign(paths.begin(), paths.end());
    }
    for (const Change& change : changes) {
      const auto record = reader.Get(change.sequence);
      ASSERT_TRUE(record.has_value());
      if (!record->is_operation() || record->operation().kind() == model::OperationKind::kAlias) continue;
      Concern concern;
      ASSERT_TRUE(FindConcern(*record, reader, concern).ok());
      ASSERT_TRUE(concern.anywhere || IsAbout(concern, scope)) << where << ": " << change.sequence;
    }
  }
  void ExpectBringsUpToDate(const Question& question, uint64_t since, uint64_t to,
                            const std::vector<Change>& changes, const std::string& where) {
    std::map<uint64_t, std::string> copy = AnswerAt(question, since);
    for (const Change& change : changes) {
      for (const ChangedClaim& claim : change.claims) {
        const std::string status = TextOf(claim.to);
        copy.erase(claim.sequence);
        if (claim.to && Passes(question.status, status)) copy[claim.sequence] = status;
      }
    }
    for (const auto& [sequence, status] : AnswerAt(question, to, since)) copy[sequence] = status;
    ASSERT_EQ(copy, AnswerAt(question, to)) << where;
  }

  void Step() {
    if (has_waiting() && Below(2) == 0) return Put(NextClaim());
    if (!HasClaims()) return;
    const model::Operation operation = AnyOperation();
    if (IsWellFormed(operation) && reference_.Refusal(operation).empty()) Put(operation);
  }
  void LiveThrough() {
    ForgetHistory();
    store_.reset();
    RemoveTree("db");
    RemoveTree("wal");
    Open();
    Plan(25 + Below(25));
    std::unique_ptr<store::Reader> reader = store_->NewReader();
    const size_t steps = 100 + Below(60);
    for (size_t step = 0; step < steps; ++step) {
      Step();
      if (Below(12) == 0) {
        ASSERT_TRUE(store_->Flush().ok());
      }
      ASSERT_FALSE(HasFatalFailure());
      if (Below(4) > 0) continue;
      ASSERT_TRUE(reader->Refresh().ok());
      CheckWindow(*reader);
      reader->Release();
      ASSERT_FALSE(HasFatalFailure()) << "step " << step;
    }
    ASSERT_TRUE(store_->Flush().ok());
    ASSERT_TRUE(reader->Refresh().ok());
    for (int window = 0; window < 150; ++window) {
      CheckWindow(*reader);
      ASSERT_FALSE(HasFatalFailure()) << "window " << window;
    }
    reader.reset();
  }

  Standing standing_{kStepsMax};
  size_t by_claims_ = 0, along_log_ = 0;
};

TEST_F(ChangesAgainstReference, AreTheSameInEveryWindowAndBringAnAnswerUpToDate) {
  const int histories = WantsLongForm() ? 60 : 4;
  for (int history = 1; history <= histories; ++history) {
    LiveThrough();
    ASSERT_FALSE(HasFatalFailure()) << "history " << history;
  }
  EXPECT_GT(by_claims_, 50u);
  EXPECT_GT(along_log_, 50u);
}

class Changes : public stemedb::testing::KnowledgeTest {
 protected:
  void Open() {
    reader_.reset();
    StoreTest::Open();
    reader_ = store_->NewReader();
  }
  ~Changes() override { reader_.reset(); }

  Hash256 Add(model::Assertion claim) {
    Put(claim);
    return Encode(claim).id;
  }
  // A claim's number makes it another one.
  Hash256 AddAt(std::string path, double number, std::vector<Hash256> from = {}) {
    auto claim = Claim(std::move(path), "p", Number(number));
    claim.derived_from = std::move(from);
    return Add(claim);
  }
  ChangesPage Find(const std::string& path, uint64_t since, const ChangesBounds& bounds = {},
                   std::optional<uint64_t> as_of = {}) {
    Question question;
    if (as_of) question.as_of = Moment{.sequence = *as_of, .time_ms = {}};
    question.subtree = path == "*";
    question.concept_path = question.subtree ? "" : path;
    question.since = Moment{.sequence = since, .time_ms = {}};
    question.limit = 1'000;
    ChangesPage page;
    EXPECT_TRUE(reader_->Refresh().ok());
    const auto viewpoint = ViewpointOf(question, *reader_, clock_.NowMs());
    EXPECT_TRUE(viewpoint.has_value());
    Standing standing(kStepsMax);
    standing.Begin(*reader_, viewpoint->sequence_max);
    const Status found = FindChanges(question, *viewpoint, bounds, *reader_, standing, page);
    EXPECT_TRUE(found.ok()) << found.message();
    return page;
  }
  static std::vector<uint64_t> SequencesOf(const ChangesPage& page) {
    std::vector<uint64_t> sequences;
    for (const Change& change : page.changes) sequences.push_back(change.sequence);
    return sequences;
  }
  // Whatever the window, it is gone through along the log.
  static ChangesBounds AlongLog(size_t reach_max = 1'000) {
    ChangesBounds bounds;
    bounds.few = 0;
    bounds.reach_max = reach_max;
    return bounds;
  }

  std::unique_ptr<store::Reader> reader_;
};

TEST_F(Changes, APremiseThatComesLateTakesWithItWhatRestsOnIt) {
  Open();
  auto premise = Claim("elsewhere", "p", Number(1));
  premise.source = model::Source{"s", {}, "", ""};
  const Hash256 middle = AddAt("elsewhere", 2, {Encode(premise).id});  // 1
  AddAt("a", 3, {middle});                                             // 2
  for (int i = 0; i < 5; ++i) AddAt("a", 10 + i);                      // 3 … 7
  Put(RetractionFrom("s", Cascade::kYes));                             // 8
  Put(premise);                                                        // 9
  for (const ChangesBounds& bounds : {ChangesBounds(), AlongLog()}) {
    const ChangesPage page = Find("a", 7, bounds);
    ASSERT_THAT(SequencesOf(page), ElementsAre(9)) << "the retraction itself reached nothing here";
    ASSERT_EQ(page.changes[0].claims.size(), 1u);
    EXPECT_EQ(page.changes[0].claims[0].sequence, 2u);
    EXPECT_EQ(page.changes[0].claims[0].from, ClaimStatus::kActive);
    EXPECT_EQ(page.changes[0].claims[0].to, ClaimStatus::kRetracted);
  }
}

TEST_F(Changes, WhatAnOperationReachesBeyondTheBoundIsSaidToBeCut) {
  Open();
  for (int i = 0; i < 20; ++i) AddAt("a", i);
  Put(RetractionAt("a"));
  const ChangesPage cut = Find("a", 20, AlongLog(4));
  ASSERT_THAT(SequencesOf(cut), ElementsAre(21));
  EXPECT_TRUE(cut.changes[0].is_cut);
  EXPECT_EQ(cut.changes[0].claims.size(), 4u);
  const ChangesPage whole = Find("a", 20);
  EXPECT_FALSE(whole.changes[0].is_cut);
  EXPECT_EQ(whole.changes[0].claims.size(), 20u);
  ChangesBounds few_shown;
  few_shown.claims_of_change_max = 3;
  const ChangesPage shown = Find("a", 20, few_shown);
  EXPECT_TRUE(shown.changes[0].is_cut);
  EXPECT_EQ(shown.changes[0].claims.size(), 3u);
}

// However many of them there are: each may have to pass by as many claims that came later.
TEST_F(Changes, WhatPathsReachIsLookedForInSoManyStepsAltogether) {
  Open();
  for (int i = 0; i < 40; ++i) AddAt("b", i);
  for (int i = 0; i < 3; ++i) Put(RetractionAt("a", Cascade::kNo, NextTime()));  // 41 … 43
  for (int i = 0; i < 20; ++i) AddAt("a", i);
  ChangesBounds bounds = AlongLog();
  EXPECT_THAT(Find("*", 40, bounds, 43).changes, IsEmpty()) << "there was nothing there";
  bounds.listing.scan_max = 30;
  const ChangesPage page = Find("*", 40, bounds, 43);
  ASSERT_THAT(SequencesOf(page), ElementsAre(42, 43)) << "the second one comes to 10 more, the third to none";
  for (const Change& change : page.changes) EXPECT_TRUE(change.is_cut) << change.sequence;
}

TEST_F(Changes, AllPathsOfAConceptTogetherMakeItLarge) {
  Open();
  Put(Alias("b", "a"));  // 1
  AddAt("a", 1);
  Put(Trust(1, 0.9));  // 3: told along the log, and not by the claims
  for (int i = 0; i < 30; ++i) {
    AddAt("a", 100 + i);
    AddAt("b", 100 + i);
  }
  ChangesBounds bounds;
  EXPECT_THAT(Find("a", 2, bounds, 3).changes, IsEmpty());
  bounds.listing.scan_max = 40;  // more than each has
  EXPECT_THAT(SequencesOf(Find("a", 2, bounds, 3)), ElementsAre(3));
}

TEST_F(Changes, ASourceThatNobodyHereNamesConcernsNobodyHere) {
  Open();
  for (int i = 0; i < 5; ++i) AddAt("a", i);
  Put(Registration("s"));
  Put(ChangeOfStatus("s", model::SourceStatus::kUnderReview));
  Put(RetractionFrom("t"));
  Put(Epoch("e1", "e0"));
  Put(Trust(1, 0.9));
  EXPECT_THAT(Find("a", 5).changes, IsEmpty());
  // Whether a claim names an epoch or is an agent's isn't looked at then; a source's claims are.
  EXPECT_THAT(SequencesOf(Find("a", 6, AlongLog())), ElementsAre(9, 10));
}

TEST_F(Changes, AWindowOfAFewRecordsLooksAtAFewClaims) {
  Open();
  for (int i = 0; i < 300; ++i) AddAt("a", i);
  Put(Vote(Encode(Claim("a", "p", Number(7))).id, 0.5));
  ASSERT_TRUE(store_->Flush().ok());
  ChangesBounds bounds = AlongLog(10);
  bounds.listing.scan_max = 20;  // what looking at all claims would take is refused
  EXPECT_THAT(SequencesOf(Find("a", 299, bounds)), ElementsAre(301));
  EXPECT_THAT(SequencesOf(Find("*", 299, bounds)), ElementsAre(301));
}

TEST_F(Changes, AConceptOfAFewClaimsLooksAtFewOfTheWindowsRecords) {
  Open();
  const Hash256 claim = AddAt("a", 1);
  for (int i = 0; i < 300; ++i) AddAt("b", i);
  Put(RetractionOf(claim));
  ASSERT_TRUE(store_->Flush().ok());
  ChangesBounds bounds;
  bounds.listing.steps_max = 1;  // along the log it would take 300 pages
  const ChangesPage page = Find("a", 0, bounds);
  EXPECT_THAT(SequencesOf(page), ElementsAre(302));
  EXPECT_FALSE(page.has_more);
}

TEST_F(Changes, AnAliasThatGoesElsewhereTakesItsClaimsAlong) {
  Open();
  AddAt("x", 1);
  AddAt("a", 2);
  Put(Alias("x", "a"));
  Put(Alias("x", "b"));
  const ChangesPage page = Find("a", 2);
  ASSERT_THAT(SequencesOf(page), ElementsAre(3, 4));
  EXPECT_THAT(page.changes[0].joined, ElementsAre("x"));
  EXPECT_THAT(page.changes[1].left, ElementsAre("x"));
  // Its claims were the concept's neither at the beginning nor at the end.
  EXPECT_THAT(page.changes[0].claims, IsEmpty());
  EXPECT_THAT(page.changes[1].claims, IsEmpty());
  const ChangesPage second = Find("a", 3);
  ASSERT_EQ(second.changes.size(), 1u);
  ASSERT_EQ(second.changes[0].claims.size(), 1u);
  EXPECT_EQ(second.changes[0].claims[0].from, ClaimStatus::kActive);
  EXPECT_FALSE(second.changes[0].claims[0].to.has_value());
}

TEST_F(Changes, AnAliasThatIsTakenBackTakesItsClaimsAndItsAliasesAlong) {
  Open();
  AddAt("x", 1);
  AddAt("a", 2);
  Put(Alias("x", "a"));
  Put(Alias("y", "x"));
  Put(Alias("x", "x"));
  const ChangesPage page = Find("a", 4);
  ASSERT_THAT(SequencesOf(page), ElementsAre(5));
  EXPECT_THAT(page.changes[0].left, ElementsAre("x", "y"));
  ASSERT_EQ(page.changes[0].claims.size(), 1u);
  EXPECT_EQ(page.changes[0].claims[0].from, ClaimStatus::kActive);
  EXPECT_FALSE(page.changes[0].claims[0].to.has_value());
  const ChangesPage own = Find("x", 4);
  ASSERT_THAT(SequencesOf(own), ElementsAre(5));
  EXPECT_THAT(own.changes[0].left, ElementsAre("a"));
}

TEST_F(Changes, ManyAliasesArePagesOfTheirOwn) {
  Open();
  AddAt("a", 1);
  for (int i = 0; i < 100; ++i) Put(Alias("x" + std::to_string(i), "a", NextTime()));
  const ChangesPage page = Find("a", 1);
  EXPECT_TRUE(page.has_more);
  ASSERT_LT(page.changes.size(), 100u);
  EXPECT_EQ(page.next_after, page.changes.back().sequence);
}

class ChangesInAnswers : public stemedb::testing::EngineTest {
 protected:
  static Question Since(std::string path, uint64_t since) {
    Question question = Ask(std::move(path));
    question.since = Moment{.sequence = since, .time_ms = {}};
    return question;
  }
};

TEST_F(ChangesInAnswers, StandBesideTheClaimsRecordedSince) {
  Open();
  auto claim = Claim("a", "p", Number(1));
  claim.agent_id = Agent(1);
  const Hash256 id = Encode(claim).id;
  SayAll({claim});
  ASSERT_TRUE(Say(Vote(id, 0.25)).status.ok());
  ASSERT_TRUE(Say(Trust(1, 0.75)).status.ok());
  SayAll({Claim("a", "p", Number(2))});
  ASSERT_TRUE(Say(Supersession(id, Encode(Claim("a", "p", Number(2))).id)).status.ok());
  Answer(Since("a", 1));
  EXPECT_THAT(answer_, HasSubstr(R"("votes":{"count":1,"weight":0.25})"));
  EXPECT_THAT(answer_, HasSubstr(R"("trust":{"from":0.5,"to":0.75})"));
  EXPECT_THAT(answer_, HasSubstr(R"("claims":[{"id":")" + ToHex(id) +
                                 R"(","sequence":1,"from":"active","to":"superseded"}])"));
  auto root = Parse();
  std::vector<std::string> kinds;
  for (auto change : List(root["changes"]))
    kinds.emplace_back(change["operation"]["kind"].get_string().value());
  EXPECT_THAT(kinds, ElementsAre("vote", "trust", "supersession"));
  EXPECT_EQ(List(root["assertions"]).size(), 1u);

  auto question = Since("a", 1);
  question.as_of = Moment{.sequence = 4, .time_ms = {}};
  root = Answer(question);
  EXPECT_EQ(List(root["changes"]).size(), 2u) << "the window ends with the question's moment";
  Answer(Ask("a"));
  EXPECT_THAT(answer_, Not(HasSubstr("\"changes\"")));
  question.limit = 0;
  Answer(question);
  EXPECT_THAT(answer_, HasSubstr("\"changes\":[]"));
}

TEST_F(ChangesInAnswers, OneCursorGoesOnWithBothLists) {
  Open();
  SayAll({Claim("a", "p", Number(0))});
  const Hash256 id = Encode(Claim("a", "p", Number(0))).id;
  for (int i = 1; i <= 5; ++i) {
    SayAll({Claim("a", "p", Number(i))});
    for (int j = 0; j < 2; ++j)
      ASSERT_TRUE(Say(Vote(id, 0.5, static_cast<uint8_t>(1 + 2 * i + j))).status.ok());
  }
  auto question = Since("a", 1);
  question.limit = 3;
  std::vector<double> claims;
  std::vector<uint64_t> changes;
  for (int page = 0;; ++page) {
    ASSERT_LT(page, 10);
    const auto answer = Answer(question);
    EXPECT_EQ(answer["as_of"]["sequence"].get_uint64().value(), 16u);
    for (auto assertion : List(answer["assertions"]))
      claims.push_back(assertion["value"].get_double().value());
    for (auto change : List(answer["changes"]))
      changes.push_back(change["operation"]["sequence"].get_uint64().value());
    std::string_view text;
    if (answer["next_cursor"].get(text) != simdjson::SUCCESS) break;
    const auto cursor = DecodeCursor(text);
    ASSERT_TRUE(cursor && cursor->changes_after);
    question.before_sequence = cursor->before_sequence;  // as the api room does
    question.changes_after = cursor->changes_after;
    question.as_of = Moment{.sequence = cursor->as_of_sequence, .time_ms = {}};
    question.now_ms = cursor->now_ms;
    ASSERT_TRUE(Say(Vote(id, 0.1, static_cast<uint8_t>(100 + page))).status.ok());
  }
  EXPECT_THAT(claims, ElementsAre(5, 4, 3, 2, 1));
  EXPECT_THAT(changes, ElementsAre(3, 4, 6, 7, 9, 10, 12, 13, 15, 16));
}

TEST_F(ChangesInAnswers, ALensJudgesByTheTrustThatWasKnownThen) {
  Open();
  auto first = Claim("a", "p", Number(1)), second = Claim("a", "p", Number(2));
  first.agent_id = Agent(1);
  second.agent_id = Agent(2);
  first.confidence = 0.9;
  SayAll({first, second});
  ASSERT_TRUE(Say(Trust(1, 0.1)).status.ok());
  ASSERT_TRUE(Say(Trust(2, 0.8)).status.ok());
  const auto value = [&](std::optional<uint64_t> as_of) {
    Question question = Ask("a", "authority");
    if (as_of) question.as_of = Moment{.sequence = as_of, .time_ms = {}};
    double number = 0;
    for (auto resolution : List(Answer(question)["resolutions"]))
      number = resolution["value"].get_double().value();
    return number;
  };
  EXPECT_EQ(value({}), 2);
  EXPECT_EQ(value(3), 2) << "0.9 × 0.1 against 0.8 × 0.5";
  EXPECT_EQ(value(2), 1) << "before anybody had a rank";
}

}  // namespace
}  // namespace stemedb::query
