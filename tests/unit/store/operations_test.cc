// SPDX-License-Identifier: Apache-2.0
// What a reader says of operations against a list that is searched from end to end, whichever part of the
// history is in LMDB, which in the delta, and which in both.
#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <thread>
#include <variant>

#include "index/layout.h"
#include "store/snapshot_reader.h"
#include "store_fixture.h"
#include "telemetry/stopwatch.h"

namespace stemedb::store {
namespace {

using index::LinkKind;
using model::OperationKind;
using model::SubjectKind;
using stemedb::testing::Alias;
using stemedb::testing::Ballots;
using stemedb::testing::Cascade;
using stemedb::testing::ChangeOfStatus;
using stemedb::testing::Claim;
using stemedb::testing::Encode;
using stemedb::testing::EncodedClaim;
using stemedb::testing::Epoch;
using stemedb::testing::kTestNow;
using stemedb::testing::Number;
using stemedb::testing::Prepare;
using stemedb::testing::Registration;
using stemedb::testing::RetractionAt;
using stemedb::testing::RetractionBelow;
using stemedb::testing::RetractionFrom;
using stemedb::testing::RetractionOf;
using stemedb::testing::Supersession;
using stemedb::testing::Trust;
using stemedb::testing::Vote;
using stemedb::testing::Write;
using ::testing::ElementsAre;

// The history, and what follows from it.
class History {
 public:
  struct Said {
    std::variant<model::Assertion, model::Operation> what;
    EncodedClaim encoded;
    const model::Assertion* claim() const { return std::get_if<model::Assertion>(&what); }
    const model::Operation* operation() const { return std::get_if<model::Operation>(&what); }
  };

  template <typename What>
  void Add(const What& what) {
    said_.push_back({what, Encode(what)});
    sequence_of_[said_.back().encoded.id] = said_.size();
  }
  uint64_t size() const { return said_.size(); }
  const Said& at(uint64_t sequence) const { return said_[sequence - 1]; }
  uint64_t SequenceOf(const Hash256& id) const {
    const auto known = sequence_of_.find(id);
    return known == sequence_of_.end() ? 0 : known->second;
  }
  uint64_t claims() const {
    return static_cast<uint64_t>(
        std::count_if(said_.begin(), said_.end(), [](const Said& said) { return said.claim() != nullptr; }));
  }

  // Calls visit(sequence, operation, subject) for each subject of each operation.
  template <typename Visit>
  void ForEachSubject(Visit visit) const {
    for (uint64_t sequence = 1; sequence <= size(); ++sequence) {
      const model::Operation* operation = at(sequence).operation();
      if (operation == nullptr) continue;
      for (const model::Subject& subject : model::SubjectsOf(*operation))
        visit(sequence, *operation, subject);
    }
  }
  std::vector<uint64_t> About(const model::Subject& wanted, uint64_t min, uint64_t max) const {
    std::vector<uint64_t> sequences;
    ForEachSubject([&](uint64_t sequence, const model::Operation&, const model::Subject& subject) {
      if (subject == wanted && sequence >= min && sequence <= max) sequences.push_back(sequence);
    });
    return sequences;
  }
  uint64_t Newest(SubjectKind kind) const {
    uint64_t newest = 0;
    ForEachSubject([&](uint64_t sequence, const model::Operation&, const model::Subject& subject) {
      if (subject.kind == kind) newest = sequence;
    });
    return newest;
  }
  uint64_t Newest(index::Effect effect) const {
    uint64_t newest = 0;
    ForEachSubject([&](uint64_t sequence, const model::Operation& operation, const model::Subject& subject) {
      const bool is_of_source = subject.kind == SubjectKind::kSource &&
                                (operation.kind == model::OperationKind::kRetraction ||
                                 (operation.kind == model::OperationKind::kSourceStatus &&
                                  operation.source_status == model::SourceStatus::kRetracted));
      if (effect == index::Effect::kCascade ? operation.cascade : is_of_source) newest = sequence;
    });
    return newest;
  }
  std::vector<std::string> Names(SubjectKind kind) const {
    std::map<std::string, std::string> by_key;
    ForEachSubject([&](uint64_t, const model::Operation&, const model::Subject& subject) {
      if (subject.kind != kind) return;
      std::string key;
      index::AppendPathKey(key, subject.name);
      by_key[key + '\0'] = subject.name;
    });
    std::vector<std::string> names;
    for (auto& [key, name] : by_key) names.push_back(name);
    return names;
  }
  // Those on a claim up to the sequence.
  Ballots BallotsOn(const Hash256& claim, uint64_t max = UINT64_MAX) const {
    Ballots ballots;
    for (uint64_t sequence = 1; sequence <= std::min(max, size()); ++sequence) {
      const model::Operation* vote = at(sequence).operation();
      if (vote != nullptr && vote->kind == OperationKind::kVote && vote->assertion_id == claim)
        ballots.Add(*vote);
    }
    return ballots;
  }
  std::vector<uint64_t> Resting(const std::string& name, LinkKind kind, uint64_t min, uint64_t max) const {
    std::vector<uint64_t> sequences;
    for (uint64_t sequence = min; sequence <= std::min(max, size()); ++sequence) {
      const model::Assertion* claim = sequence == 0 ? nullptr : at(sequence).claim();
      if (claim == nullptr) continue;
      const bool rests = kind == LinkKind::kSource ? claim->source && claim->source->id == name
                         : kind == LinkKind::kParent
                             ? claim->parent && AsView(*claim->parent) == name
                             : std::any_of(claim->derived_from.begin(), claim->derived_from.end(),
                                           [&](const Hash256& id) { return AsView(id) == name; });
      if (rests) sequences.push_back(sequence);
    }
    return sequences;
  }
  bool HasOperation(const Hash256& claim, SubjectKind kind) const {
    return !About({kind, std::string(AsView(claim))}, 0, UINT64_MAX).empty();
  }

 private:
  std::vector<Said> said_;
  std::map<Hash256, uint64_t> sequence_of_;
};

std::vector<uint64_t> Visited(Reader& reader, const model::Subject& subject, uint64_t min, uint64_t max,
                              From from, size_t count_max = SIZE_MAX) {
  std::vector<uint64_t> sequences;
  const Status visited =
      reader.VisitOperations({subject.kind, subject.name}, min, max, from, [&](const OperationRow& row) {
        if (sequences.size() == count_max) return false;
        sequences.push_back(row.sequence);
        return sequences.size() < count_max;
      });
  EXPECT_TRUE(visited.ok()) << visited.message();
  return sequences;
}

class OperationsAgainstReference : public stemedb::testing::RandomStoreTest {
 protected:
  int64_t AnyTime() { return kTestNow + static_cast<int64_t>(Below(8)); }
  std::string AnyPath() { return AnyOf(paths_); }
  std::string AnySource() { return AnyOf(sources_); }
  std::string AnyEpoch() { return "e" + std::to_string(Below(6)); }
  // Of a claim that is there; mostly one of the first few, so that much is said about each.
  Hash256 AnyClaim() {
    for (;;) {
      const uint64_t sequence =
          1 + Below(Below(3) == 0 ? history_.size() : std::min<uint64_t>(history_.size(), 12));
      if (history_.at(sequence).claim() != nullptr) return history_.at(sequence).encoded.id;
    }
  }
  Hash256 AnyId() {
    if (Below(8) == 0) return Hash256{static_cast<uint8_t>(Below(3))};  // nobody's
    return history_.at(1 + Below(history_.size())).encoded.id;
  }

  model::Assertion AnotherClaim() {
    auto claim = Claim(AnyPath(), "p", Number(static_cast<double>(serial_++)));
    if (Below(2) == 0) claim.source = model::Source{AnySource(), {}, "", ""};
    if (history_.size() == 0) return claim;
    if (Below(4) == 0) claim.parent = AnyId();
    for (uint64_t i = Below(3); i > 0; --i) {
      const Hash256 id = AnyId();
      if (std::find(claim.derived_from.begin(), claim.derived_from.end(), id) == claim.derived_from.end())
        claim.derived_from.push_back(id);
    }
    return claim;
  }
  model::Operation AnotherOperation() {
    switch (Below(16)) {
      case 0:
        return Supersession(AnyClaim(), AnyClaim(), AnyTime());
      case 1:
        return RetractionOf(AnyClaim(), AnyCascade(), AnyTime());
      case 2:
        return RetractionAt(AnyPath(), AnyCascade(), AnyTime());
      case 3:
        return RetractionBelow(AnyPath(), AnyCascade(), AnyTime());
      case 4:
        return RetractionFrom(AnySource(), AnyCascade(), AnyTime());
      case 5:
        return Epoch(AnyEpoch(), Below(2) == 0 ? "" : AnyEpoch() + "x", AnyTime());
      case 6:
        return Registration(AnySource(), AnyTime());
      case 7:
        return ChangeOfStatus(AnySource(), static_cast<model::SourceStatus>(Below(4)), AnyTime());
      case 8:
        return Alias(AnyPath(), AnyPath(), AnyTime());
      case 9:
        return Trust(static_cast<uint8_t>(1 + Below(4)), static_cast<double>(Below(101)) / 100, AnyTime());
      default:
        return Vote(AnyClaim(), static_cast<double>(Below(1001)) / 1000, static_cast<uint8_t>(Below(4)),
                    AnyTime());
    }
  }

  // Adds to the history what is new; a repeat must be answered as one.
  template <typename What>
  void Expect(const What& what, const ItemResult& item) {
    const uint64_t known = history_.SequenceOf(Encode(what).id);
    ASSERT_EQ(item.duplicate, known != 0);
    if (known == 0) history_.Add(what);
    ASSERT_EQ(item.sequence, known != 0 ? known : history_.size());
  }
  void WriteSome() {
    std::vector<std::variant<model::Assertion, model::Operation>> fresh;
    std::vector<PreparedRecord> records;
    for (uint64_t i = 1 + Below(9); i > 0; --i) {
      if (history_.size() == 0 || Below(3) == 0) {
        fresh.emplace_back(AnotherClaim());
      } else if (Below(12) == 0) {
        fresh.push_back(history_.at(1 + Below(history_.size())).what);
      } else {
        fresh.emplace_back(AnotherOperation());
      }
      records.push_back(std::visit([](const auto& what) { return Prepare(what); }, fresh.back()));
    }
    const auto result = Write(*store_, std::move(records));
    ASSERT_TRUE(result.status.ok()) << result.status.message();
    ASSERT_EQ(result.items.size(), fresh.size());
    for (size_t i = 0; i < fresh.size(); ++i)
      std::visit([&](const auto& what) { Expect(what, result.items[i]); }, fresh[i]);
  }

  model::Subject AnySubject() {
    const SubjectKind kind = kSubjectKinds[Below(kSubjectKinds.size())];
    switch (kind) {
      case SubjectKind::kAssertion:
      case SubjectKind::kVotesOn:
      case SubjectKind::kReplacement:
        return {kind, std::string(AsView(Below(6) == 0 ? AnyId() : AnyClaim()))};
      case SubjectKind::kEpoch:
        return {kind, AnyEpoch()};
      case SubjectKind::kOldEpoch:
        return {kind, AnyEpoch() + "x"};
      case SubjectKind::kPath:
      case SubjectKind::kSubtree:
      case SubjectKind::kAlias:
      case SubjectKind::kAliasTarget:
        return {kind, AnyPath()};
      case SubjectKind::kSource:
        return {kind, AnySource()};
      case SubjectKind::kAgent:
        return {kind, std::string(AsView(*stemedb::testing::Agent(static_cast<uint8_t>(1 + Below(5)))))};
    }
    return {};
  }
  std::pair<uint64_t, uint64_t> AnyRange() {
    return {Below(2) == 0 ? 0 : Below(history_.size() + 3),
            Below(2) == 0 ? UINT64_MAX : Below(history_.size() + 3)};
  }

  void CheckVisits(Reader& reader) {
    const model::Subject subject = AnySubject();
    const auto [min, max] = AnyRange();
    auto expected = history_.About(subject, min, max);
    ASSERT_EQ(Visited(reader, subject, min, max, From::kOldest), expected);
    const size_t some = 1 + Below(expected.size() + 1);
    auto first = expected;
    first.resize(std::min(some, first.size()));
    ASSERT_EQ(Visited(reader, subject, min, max, From::kOldest, some), first) << "at most " << some;
    std::reverse(expected.begin(), expected.end());
    ASSERT_EQ(Visited(reader, subject, min, max, From::kNewest), expected);
    auto last = expected;
    last.resize(std::min(some, last.size()));
    ASSERT_EQ(Visited(reader, subject, min, max, From::kNewest, some), last) << "at most " << some;
    const Status rows = reader.VisitOperations(
        {subject.kind, subject.name}, 0, UINT64_MAX, From::kOldest, [&](const OperationRow& row) {
          const auto whole = model::OperationView::Trusted(history_.at(row.sequence).encoded.record);
          EXPECT_EQ(row.operation.row(), whole.row());
          return true;
        });
    ASSERT_TRUE(rows.ok());
  }
  void CheckTallies(Reader& reader) {
    const Hash256 claim = Below(8) == 0 ? AnyId() : AnyClaim();
    for (const uint64_t moment : {uint64_t{0}, Below(history_.size() + 2), Below(history_.size() + 2),
                                  history_.size(), uint64_t{UINT64_MAX}}) {
      const auto [count, thousandths] = history_.BallotsOn(claim, moment).Sum();
      const auto tally = reader.VotesOn(AsView(claim), moment);
      ASSERT_TRUE(tally.has_value()) << tally.error().message();
      ASSERT_EQ(tally->count, count) << "as of " << moment;
      ASSERT_EQ(tally->weight_sum(), static_cast<double>(thousandths) / 1000) << "as of " << moment;
    }
  }
  void CheckBallots(Reader& reader) {
    const Hash256 claim = AnyClaim();
    for (uint8_t number = 0; number < 5; ++number) {
      const auto agent = stemedb::testing::Agent(number);
      const auto expected = history_.BallotsOn(claim).Of(agent);
      const auto ballot = reader.BallotOf(AsView(claim), AsView(agent.value_or(model::kAnonymousAgent)));
      ASSERT_TRUE(ballot.has_value()) << ballot.error().message();
      ASSERT_EQ(ballot->has_value(), expected.has_value());
      if (!expected) continue;
      ASSERT_EQ((*ballot)->timestamp_ms, expected->timestamp_ms);
      ASSERT_EQ((*ballot)->id, expected->id);
      ASSERT_EQ((*ballot)->weight, expected->thousandths * 1'000'000);
    }
  }
  void CheckSubjects(Reader& reader) {
    for (const index::Effect effect : index::kEffects)
      ASSERT_EQ(reader.NewestEffect(effect), history_.Newest(effect)) << static_cast<char>(effect);
    for (const SubjectKind kind : kSubjectKinds) {
      ASSERT_EQ(reader.NewestOperation(kind), history_.Newest(kind)) << static_cast<char>(kind);
      const size_t page = 1 + Below(7);
      std::vector<std::string> names;
      for (std::string after;;) {
        const auto some = reader.Subjects(kind, after, page);
        ASSERT_TRUE(some.has_value()) << some.error().message();
        ASSERT_LE(some->size(), page);
        names.insert(names.end(), some->begin(), some->end());
        if (some->size() < page) break;
        after = names.back();
      }
      ASSERT_EQ(names, history_.Names(kind)) << static_cast<char>(kind) << " by " << page;
    }
  }
  void CheckLinks(Reader& reader) {
    const LinkKind kind = AnyOf(std::vector{LinkKind::kDerivedFrom, LinkKind::kParent, LinkKind::kSource});
    const std::string name = kind == LinkKind::kSource ? AnySource() : std::string(AsView(AnyId()));
    const auto [min, max] = AnyRange();
    const auto expected = history_.Resting(name, kind, min, max);
    std::vector<uint64_t> all, some;
    const size_t some_max = 1 + Below(expected.size() + 1);
    ASSERT_TRUE(reader
                    .VisitLinks(name, kind, min, max,
                                [&](uint64_t sequence) {
                                  all.push_back(sequence);
                                  return true;
                                })
                    .ok());
    ASSERT_EQ(all, expected);
    ASSERT_TRUE(reader
                    .VisitLinks(name, kind, min, max,
                                [&](uint64_t sequence) {
                                  some.push_back(sequence);
                                  return some.size() < some_max;
                                })
                    .ok());
    all.resize(std::min(some_max, all.size()));
    ASSERT_EQ(some, all);
  }
  void CheckMarks(Reader& reader) {
    std::vector<Row> rows;
    ASSERT_TRUE(reader.Scan({.concept_path = "", .subtree = true}, 1'000'000, rows).has_value());
    ASSERT_EQ(rows.size(), history_.claims());
    for (const Row& row : rows) {
      const Hash256& id = history_.at(row.sequence).encoded.id;
      ASSERT_TRUE(row.has_marks);
      ASSERT_EQ(reader.MayHaveVotes(row), history_.HasOperation(id, SubjectKind::kVotesOn)) << row.sequence;
      ASSERT_EQ(reader.MayHaveOperations(row), history_.HasOperation(id, SubjectKind::kAssertion))
          << row.sequence;
    }
    // Back through the records: no marks there.
    ASSERT_TRUE(reader
                    .ScanNewest({.concept_path = "", .subtree = true},
                                [&](const Row& row) {
                                  const Hash256& id = history_.at(row.sequence).encoded.id;
                                  EXPECT_TRUE(reader.MayHaveVotes(row) ||
                                              !history_.HasOperation(id, SubjectKind::kVotesOn));
                                  EXPECT_TRUE(reader.MayHaveOperations(row) ||
                                              !history_.HasOperation(id, SubjectKind::kAssertion));
                                  return true;
                                })
                    .has_value());
  }
  void CheckRecords(Reader& reader) {
    ASSERT_EQ(reader.sequence(), history_.size());
    ASSERT_EQ(reader.assertion_count(), history_.claims());
    for (int i = 0; i < 10; ++i) {
      const uint64_t sequence = 1 + Below(history_.size());
      const auto& said = history_.at(sequence);
      const auto record = reader.Get(sequence);
      ASSERT_TRUE(record.has_value()) << record.error().message();
      ASSERT_EQ(record->is_operation(), said.operation() != nullptr);
      ASSERT_EQ(record->bytes, said.encoded.record);
      ASSERT_EQ(*reader.Find(said.encoded.id), sequence);
    }
  }
  void CheckAll(Reader& reader) {
    for (int i = 0; i < 6; ++i)
      CheckVisits(reader), CheckLinks(reader), CheckTallies(reader), CheckBallots(reader);
    CheckSubjects(reader);
    CheckMarks(reader);
    CheckRecords(reader);
  }

  const std::vector<std::string> paths_ = {"a",
                                           "a/b",
                                           "a/b/c",
                                           "a-b",
                                           "a b",
                                           "d://x",
                                           "d://x/y",
                                           "d:",
                                           std::string(330, 'l'),
                                           std::string(330, 'l') + "m"};
  const std::vector<std::string> sources_ = {
      "s", "s-t", "s t", "é", std::string(400, 's'), std::string(400, 's') + "t"};
  History history_;
  int serial_ = 0;
};

TEST_F(OperationsAgainstReference, AllLookupsAgreeWhateverIsInTheDelta) {
  Open();
  WriteSome();
  std::unique_ptr<Reader> old_reader = store_->NewReader();  // lives through flushes and refreshes
  for (int round = 0; round < 90; ++round) {
    if (Below(7) == 0) {
      ASSERT_TRUE(store_->Flush().ok());
    } else {
      WriteSome();
    }
    if (round == 30 || round == 60) {
      old_reader.reset();
      store_.reset();
      if (round == 60) RemoveTree("db/indexes");
      Open();
      old_reader = store_->NewReader();
    }
    const auto fresh_reader = store_->NewReader();
    for (Reader* reader : {old_reader.get(), fresh_reader.get()}) {
      if (reader == old_reader.get() && Below(3) == 0) continue;  // falls behind now and then
      ASSERT_TRUE(reader->Refresh().ok());
      CheckAll(*reader);
      reader->Release();
      ASSERT_FALSE(HasFailure()) << "round " << round;
    }
  }
  EXPECT_EQ(store_->stats().sequence, history_.size());
  EXPECT_EQ(store_->stats().assertions, history_.claims()) << "operations are none";
}

// The reader counts on from where it was; now and then much has moved into LMDB since.
TEST_F(OperationsAgainstReference, ATallyThatGrowsInTheDeltaIsCountedOn) {
  Open();
  WriteSome();
  const auto reader = store_->NewReader();
  const Hash256 claim = AnyClaim();
  for (int round = 0; round < 150; ++round) {
    for (uint64_t votes = 1 + Below(3); votes > 0; --votes) {
      const auto vote = Vote(claim, static_cast<double>(Below(1001)) / 1000, static_cast<uint8_t>(Below(6)),
                             kTestNow + static_cast<int64_t>(Below(8)) + round / 10);
      Expect(vote, Say(vote).items.at(0));
      if (Below(6) == 0) {
        ASSERT_TRUE(store_->Flush().ok());
      }
    }
    if (Below(2) == 0) continue;
    ASSERT_TRUE(reader->Refresh().ok());
    const auto [count, thousandths] = history_.BallotsOn(claim).Sum();
    const auto tally = reader->VotesOn(AsView(claim), UINT64_MAX);
    ASSERT_TRUE(tally.has_value());
    ASSERT_EQ(tally->count, count) << "round " << round;
    ASSERT_EQ(tally->weight_sum(), static_cast<double>(thousandths) / 1000) << "round " << round;
    const uint64_t past = Below(history_.size() + 1);
    ASSERT_EQ(reader->VotesOn(AsView(claim), past)->count, history_.BallotsOn(claim, past).Sum().first);
    reader->Release();
  }
}

// A popular claim's votes are each checked against the agent's last one; looking for it must not cost its
// voters.
TEST_F(OperationsAgainstReference, AnAgentsVoteIsFoundWithoutLookingAtAllVotesInTheDelta) {
  constexpr int kVotesOfFew = 100, kVotesOfMany = 40'000, kRounds = 5, kAsked = 200;
  Open();
  const auto reader = store_->NewReader();
  Hash256 claims[2];
  for (int i = 0; i < 2; ++i) {
    const auto claim = Claim("a", "p", Number(i));
    claims[i] = Encode(claim).id;
    std::vector<PreparedRecord> records{Prepare(claim)};
    for (int vote = 0; vote < (i == 0 ? kVotesOfFew : kVotesOfMany); ++vote)
      records.push_back(Prepare(Vote(claims[i], 0.5, static_cast<uint8_t>(1 + vote % 5), kTestNow + vote)));
    ASSERT_TRUE(Write(*store_, std::move(records)).status.ok());
  }
  ASSERT_TRUE(reader->Refresh().ok());
  const model::AgentId agent = *stemedb::testing::Agent(1);
  const auto seconds_of = [&](const Hash256& claim) {
    double least = 1e9;
    for (int round = 0; round < kRounds; ++round) {
      const telemetry::Stopwatch stopwatch;
      for (int i = 0; i < kAsked; ++i)
        EXPECT_TRUE(reader->BallotOf(AsView(claim), AsView(agent)).value().has_value());
      least = std::min(least, stopwatch.Seconds());
    }
    return least;
  };
  const double of_few = seconds_of(claims[0]), of_many = seconds_of(claims[1]);
  EXPECT_LT(of_many, 20 * of_few) << "400 times as many votes";
  EXPECT_EQ((*reader->BallotOf(AsView(claims[1]), AsView(agent)))->timestamp_ms, kTestNow + kVotesOfMany - 5);
  EXPECT_EQ(reader->VotesOn(AsView(claims[1]), UINT64_MAX)->count, 5u) << "what was counted counts once";
}

TEST_F(OperationsAgainstReference, AnEmptyStoreHasNothingToSayAboutAnything) {
  Open();
  const auto reader = store_->NewReader();
  ASSERT_TRUE(reader->Refresh().ok());
  for (const SubjectKind kind : kSubjectKinds) {
    EXPECT_EQ(reader->NewestOperation(kind), 0u);
    EXPECT_TRUE(reader->Subjects(kind, "", 10)->empty());
    EXPECT_TRUE(Visited(*reader, {kind, "x"}, 0, UINT64_MAX, From::kOldest).empty());
    EXPECT_TRUE(Visited(*reader, {kind, "x"}, 0, UINT64_MAX, From::kNewest).empty());
  }
  EXPECT_EQ(reader->VotesOn(AsView(Hash256{}), UINT64_MAX)->count, 0u);
}

TEST_F(OperationsAgainstReference, AViewOfOperationsStandsStillUntilItIsRefreshed) {
  Open();
  const auto claim = Claim("a", "p", Number(1));
  const Hash256 id = Encode(claim).id;
  ASSERT_TRUE(Say(claim).status.ok());
  ASSERT_TRUE(Say(Vote(id, 0.5, 1)).status.ok());
  const auto reader = store_->NewReader();
  ASSERT_TRUE(reader->Refresh().ok());
  ASSERT_TRUE(Say(Vote(id, 0.5, 2)).status.ok());
  ASSERT_TRUE(store_->Flush().ok());
  const model::Subject votes{SubjectKind::kVotesOn, std::string(AsView(id))};
  EXPECT_THAT(Visited(*reader, votes, 0, UINT64_MAX, From::kOldest), ElementsAre(2));
  EXPECT_EQ(reader->NewestOperation(SubjectKind::kVotesOn), 2u);
  EXPECT_EQ(reader->VotesOn(AsView(id), UINT64_MAX)->count, 1u);
  ASSERT_TRUE(reader->Refresh().ok());
  EXPECT_THAT(Visited(*reader, votes, 0, UINT64_MAX, From::kNewest), ElementsAre(3, 2));
  EXPECT_EQ(reader->VotesOn(AsView(id), UINT64_MAX)->count, 2u);
  EXPECT_EQ(reader->VotesOn(AsView(id), 2)->count, 1u) << "as it was";
}

// Moments that threads meet too seldom: tables and inbox are put into each state by hand.
class OperationsInBothPlaces : public ::testing::Test {
 protected:
  OperationsInBothPlaces() {
    const auto claim = Claim("a/b", "p", Number(1));
    const Hash256 id = Encode(claim).id;
    history_.Add(claim);
    history_.Add(Vote(id, 0.5, 1, 10));
    history_.Add(Vote(id, 0.25, 2, 10));
    history_.Add(Resting(id, 1));
    history_.Add(Vote(id, 1, 1, 12));
    history_.Add(RetractionOf(id));
    history_.Add(Vote(id, 0.75, 2, 9));  // changes nothing
    history_.Add(Resting(id, 2));
    history_.Add(Alias("x", "a/b"));
    history_.Add(Vote(id, 0, 1, 13));
    history_.Add(Vote(id, 1, 3, 1));
    history_.Add(RetractionAt("a/b"));
    history_.Add(Resting(id, 3));
  }
  static model::Assertion Resting(const Hash256& id, int number) {
    auto claim = Claim("c", "p", Number(number));
    claim.derived_from = {id};
    claim.source = model::Source{"s", {}, "", ""};
    return claim;
  }

  // The records of two sequences and all between, as one write made them durable.
  BatchPtr BatchOf(uint64_t from, uint64_t to) const {
    auto batch = std::make_shared<Batch>();
    for (uint64_t sequence = from; sequence <= to; ++sequence) {
      const auto& said = history_.at(sequence);
      batch->entries.push_back(
          {sequence, static_cast<int64_t>(sequence), said.encoded.id, said.encoded.record});
    }
    batch->after = At(to);
    return batch;
  }
  index::Checkpoint At(uint64_t sequence) const {
    uint64_t claims = 0;
    for (uint64_t i = 1; i <= sequence; ++i) claims += history_.at(i).claim() != nullptr ? 1 : 0;
    return {sequence, claims, static_cast<int64_t>(sequence), {}};
  }

  template <typename Table>
  void ApplyTo(Table& table, uint64_t sequence) {
    if (sequence == 0) return;
    std::vector<index::LoggedRecord> logged;
    for (uint64_t i = 1; i <= sequence; ++i)
      logged.push_back({i, static_cast<int64_t>(i), history_.at(i).encoded.record});
    auto txn = kv::WriteTxn::Begin(&table.environment());
    ASSERT_TRUE(table.Apply(**txn, logged, At(sequence)).ok());
    ASSERT_TRUE((*txn)->Commit().ok());
  }

  enum class Batches { kOneEach, kOneForAll };
  // The records are in LMDB up to `records`, the index is up to `index`, the inbox holds `from` to `to`.
  void Check(uint64_t records, uint64_t index, uint64_t from, uint64_t to,
             Batches batches = Batches::kOneEach) {
    const std::string where = "records " + std::to_string(records) + ", index " + std::to_string(index) +
                              ", inbox " + std::to_string(from) + " to " + std::to_string(to) +
                              (batches == Batches::kOneForAll ? " in one" : "");
    const std::string name = directory_.path() + "/" + std::to_string(++databases_);
    auto record_table = index::RecordTable::Open(name + ".kv", kMapBytes);
    ASSERT_TRUE(record_table.has_value());
    auto claim_index = index::ClaimIndex::Open(record_table->get(), name, kMapBytes);
    ASSERT_TRUE(claim_index.has_value());
    ApplyTo(**record_table, records);
    ApplyTo(**claim_index, index);
    Publisher publisher;
    if (batches == Batches::kOneForAll) {
      publisher.Publish(BatchOf(from, to));
    } else {
      for (uint64_t sequence = from; sequence <= to; ++sequence)
        publisher.Publish(BatchOf(sequence, sequence));
    }
    SnapshotReader reader(&publisher, record_table->get(), claim_index->get());
    ASSERT_TRUE(reader.Refresh().ok());
    const uint64_t end = std::max(index, to);
    ASSERT_EQ(reader.sequence(), end) << where;
    const Hash256& id = history_.at(1).encoded.id;
    for (uint64_t moment = 0; moment <= history_.size(); ++moment) {
      const auto [count, thousandths] = history_.BallotsOn(id, std::min(moment, end)).Sum();
      const auto tally = reader.VotesOn(AsView(id), moment);
      ASSERT_TRUE(tally.has_value());
      ASSERT_EQ(tally->count, count) << where << ", as of " << moment;
      ASSERT_EQ(tally->weight_sum(), static_cast<double>(thousandths) / 1000)
          << where << ", as of " << moment;
    }
    history_.ForEachSubject([&](uint64_t, const model::Operation&, const model::Subject& subject) {
      auto expected = history_.About(subject, 0, end);
      ASSERT_EQ(Visited(reader, subject, 0, UINT64_MAX, From::kOldest), expected) << where;
      std::reverse(expected.begin(), expected.end());
      ASSERT_EQ(Visited(reader, subject, 0, UINT64_MAX, From::kNewest), expected) << where;
      const auto names = reader.Subjects(subject.kind, "", 10);
      ASSERT_TRUE(names.has_value());
      ASSERT_EQ(names->size(), expected.empty() ? 0u : 1u) << where;
    });
    for (const auto& [what, kind] : {std::pair(std::string(AsView(id)), LinkKind::kDerivedFrom),
                                     std::pair(std::string("s"), LinkKind::kSource)}) {
      std::vector<uint64_t> resting;
      ASSERT_TRUE(reader
                      .VisitLinks(what, kind, 0, UINT64_MAX,
                                  [&](uint64_t sequence) {
                                    resting.push_back(sequence);
                                    return true;
                                  })
                      .ok());
      ASSERT_EQ(resting, history_.Resting(what, kind, 0, end)) << where;
    }
    std::vector<Row> rows;
    ASSERT_TRUE(reader.Scan({.concept_path = "a/b", .predicate = "p"}, 10, rows).has_value());
    ASSERT_EQ(rows.size(), end >= 1 ? 1u : 0u);
    for (const Row& row : rows) {
      ASSERT_EQ(reader.MayHaveVotes(row), end >= 2) << where;
      ASSERT_EQ(reader.MayHaveOperations(row), end >= 6) << where;
    }
  }

  static constexpr uint64_t kMapBytes = 1u << 20;
  stemedb::testing::TestDirectory directory_;
  History history_;
  int databases_ = 0;
};

TEST_F(OperationsInBothPlaces, ShowOnceWhereverTheBorderIs) {
  for (uint64_t index = 0; index <= history_.size(); index += 1 + index % 2) {
    const uint64_t ahead = std::min(history_.size(), index + 2);
    Check(ahead, index, index + 1, index);  // nothing in the inbox
    Check(index, index, index + 1, history_.size());
    Check(ahead, index, 1, history_.size());  // not trimmed yet
    Check(ahead, index, (index + 1) / 2 + 1, std::max(index, (index + history_.size()) / 2));
    // Half of what one write made durable is in LMDB.
    Check(ahead, index, 1, history_.size(), Batches::kOneForAll);
    Check(index, index, (index + 1) / 2 + 1, history_.size(), Batches::kOneForAll);
    ASSERT_FALSE(HasFatalFailure());
  }
}

// What was acknowledged counts, on every reader, at once; and no vote counts twice while the index thread
// moves it.
class VotesVisibility : public stemedb::testing::StoreTest {};

TEST_F(VotesVisibility, HoldsWhileTheIndexThreadIsAlwaysAtWork) {
  constexpr int kVoters = 3, kVotesEach = 120;
  options_.index_interval_ms = 0;
  options_.index_transaction_records = 3;
  Open();
  const auto claim = Claim("a", "p", Number(1));
  const Hash256 id = Encode(claim).id;
  ASSERT_TRUE(Say(claim).status.ok());
  std::atomic<int> acknowledged[kVoters] = {};
  std::atomic<bool> done = false;
  std::vector<std::thread> voters, readers;
  for (int voter = 0; voter < kVoters; ++voter) {
    voters.emplace_back([&, voter] {
      // Each vote replaces the one before it: at any moment a voter's weight is 1 or 0.
      for (int i = 0; i < kVotesEach; ++i) {
        const auto vote = Vote(id, i % 2 == 0 ? 1 : 0, static_cast<uint8_t>(1 + voter), i);
        ASSERT_TRUE(Write(*store_, {Prepare(vote)}).status.ok());
        acknowledged[voter].store(i + 1, std::memory_order_release);
      }
    });
  }
  for (int reader_number = 0; reader_number < 3; ++reader_number) {
    readers.emplace_back([&] {
      const auto reader = store_->NewReader();
      while (!done) {
        int before = 0, voting = 0;
        for (const auto& votes : acknowledged) {
          const int made = votes.load(std::memory_order_acquire);
          before += made, voting += made > 0 ? 1 : 0;
        }
        ASSERT_TRUE(reader->Refresh().ok());
        const auto tally = reader->VotesOn(AsView(id), UINT64_MAX);
        ASSERT_TRUE(tally.has_value());
        ASSERT_GE(tally->count, static_cast<uint64_t>(voting));
        ASSERT_LE(tally->count, uint64_t{kVoters});
        ASSERT_LE(tally->weight_sum(), static_cast<double>(tally->count));
        const model::Subject votes{SubjectKind::kVotesOn, std::string(AsView(id))};
        const auto visited = Visited(*reader, votes, 0, UINT64_MAX, From::kOldest);
        ASSERT_GE(visited.size(), static_cast<size_t>(before));
        ASSERT_EQ(visited.size(), reader->sequence() - 1) << "each vote once";
        ASSERT_TRUE(std::is_sorted(visited.begin(), visited.end()));
        auto backwards = Visited(*reader, votes, 0, UINT64_MAX, From::kNewest);
        std::reverse(backwards.begin(), backwards.end());
        ASSERT_EQ(backwards, visited);
        reader->Release();
      }
    });
  }
  for (std::thread& voter : voters) voter.join();
  done = true;
  for (std::thread& reader : readers) reader.join();
  const auto reader = store_->NewReader();
  ASSERT_TRUE(reader->Refresh().ok());
  EXPECT_EQ(reader->VotesOn(AsView(id), UINT64_MAX)->weight, 0u) << "each one's last vote is for nothing";
}

}  // namespace
}  // namespace stemedb::store
