// SPDX-License-Identifier: Apache-2.0
// What the index says of operations, table by table, against tables that are made from the history by nothing
// but maps; however the index came about: record by record, in large steps, sorted from nothing, or both.
#include "operations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <variant>

#include "claims.h"
#include "contents.h"
#include "index/layout.h"
#include "index/loaders.h"

namespace stemedb::index {
namespace {

using stemedb::testing::Agent;
using stemedb::testing::Alias;
using stemedb::testing::Cascade;
using stemedb::testing::ChangeOfStatus;
using stemedb::testing::Claim;
using stemedb::testing::Contents;
using stemedb::testing::Encode;
using stemedb::testing::EncodedClaim;
using stemedb::testing::EntriesByMdbStat;
using stemedb::testing::Epoch;
using stemedb::testing::kTestNow;
using stemedb::testing::Number;
using stemedb::testing::PrintedRandom;
using stemedb::testing::RandomPath;
using stemedb::testing::Registration;
using stemedb::testing::RetractionAt;
using stemedb::testing::RetractionBelow;
using stemedb::testing::RetractionFrom;
using stemedb::testing::RetractionOf;
using stemedb::testing::Supersession;
using stemedb::testing::TablesOf;
using stemedb::testing::Trust;
using stemedb::testing::Vote;

using Table = std::map<std::string, std::string>;
using Said = std::variant<model::Assertion, model::Operation>;

constexpr uint64_t kSmallMap = 64u << 20;  // a test has several databases at a time

std::string Big(uint64_t number) {
  std::string bytes(8, '\0');
  StoreBig64(bytes.data(), number);
  return bytes;
}

std::string Little(uint64_t number) {
  std::string bytes(8, '\0');
  StoreLittle(bytes.data(), number);
  return bytes;
}

std::string NameKey(const std::string& name) {
  std::string key;
  AppendPathKey(key, name);
  return key + '\0';
}

// Of 10^-9 each.
uint64_t Units(double weight) { return static_cast<uint64_t>(std::llround(weight * 1e9)); }

class OperationTables : public ::testing::Test {
 protected:
  Hash256 Say(Said said) {
    encoded_.push_back(std::visit([](const auto& one) { return Encode(one); }, said));
    said_.push_back(std::move(said));
    return encoded_.back().id;
  }

  std::vector<LoggedRecord> Logged(size_t from, size_t to) const {
    std::vector<LoggedRecord> logged;
    for (size_t i = from; i < to; ++i) logged.push_back({i + 1, static_cast<int64_t>(i), encoded_[i].record});
    return logged;
  }
  Checkpoint At(size_t count) const {
    const auto claims =
        std::count_if(said_.begin(), said_.begin() + static_cast<ptrdiff_t>(count),
                      [](const Said& said) { return std::holds_alternative<model::Assertion>(said); });
    return {.sequence = count, .assertions = static_cast<uint64_t>(claims), .recorded_at_ms = 0, .chain = {}};
  }

  // A record table and an index beside it.
  struct Database {
    std::unique_ptr<RecordTable> records;
    std::unique_ptr<ClaimIndex> index;
    std::string directory;
  };
  Database OpenDatabase(const std::string& name) {
    Database database;
    database.directory = directory_.path() + "/" + name;
    auto records = RecordTable::Open(database.directory + ".kv", kSmallMap);
    EXPECT_TRUE(records.has_value());
    database.records = std::move(*records);
    auto index = ClaimIndex::Open(database.records.get(), database.directory, kSmallMap);
    EXPECT_TRUE(index.has_value());
    database.index = std::move(*index);
    return database;
  }

  template <typename Table>
  static Transact In(Table& table) {
    return [&table](const std::function<Status(kv::WriteTxn&)>& change) -> Status {
      auto txn = kv::WriteTxn::Begin(&table.environment());
      if (!txn) return txn.error();
      STEMEDB_RETURN_IF_ERROR(change(**txn));
      return (*txn)->Commit();
    };
  }
  template <typename Table>
  void ApplyTo(Table& table, size_t from, size_t to) {
    const Status applied =
        In(table)([&](kv::WriteTxn& txn) { return table.Apply(txn, Logged(from, to), At(to)); });
    ASSERT_TRUE(applied.ok()) << applied.message();
  }
  // As the index thread does it: the records first.
  void Apply(const Database& database, size_t from, size_t to) {
    ApplyTo(*database.records, from, to);
    ApplyTo(*database.index, from, to);
  }
  // As a start does it when there is no index: sorted, through scratch files, in several transactions.
  void Load(const Database& database, size_t count) {
    ApplyTo(*database.records, 0, count);
    ClaimLoader loader(database.index.get(), In(*database.index),
                       {.env = env::Env::Posix(),
                        .dir = directory_.path(),
                        .memory_bytes_max = 64 << 10,
                        .run_bytes_max = 8 << 10,
                        .batch_bytes_max = 3 << 10});
    ASSERT_TRUE(loader.Begin().ok());
    for (size_t from = 0; from < count; from += 70) {
      const Status added = loader.Add(Logged(from, std::min(count, from + 70)));
      ASSERT_TRUE(added.ok()) << added.message();
    }
    const Status finished = loader.Finish(At(count));
    ASSERT_TRUE(finished.ok()) << finished.message();
  }

  // The tables as they follow from the first `count` records.
  // -------------------------------------------------

  template <typename Visit>
  void ForEachOperation(size_t count, Visit visit) const {
    for (size_t i = 0; i < count; ++i) {
      if (const auto* operation = std::get_if<model::Operation>(&said_[i])) visit(i + 1, *operation);
    }
  }

  struct Ballots {
    using Ballot = std::tuple<int64_t, Hash256, double>;  // time, id, weight
    std::map<std::pair<Hash256, model::AgentId>, Ballot> latest;
    // Of all agents: how many, and their weights in units.
    std::pair<uint64_t, uint64_t> Sum(const Hash256& claim) const {
      std::pair<uint64_t, uint64_t> sum;
      for (const auto& [who, ballot] : latest) {
        if (who.first != claim) continue;
        ++sum.first;
        sum.second += Units(std::get<double>(ballot));
      }
      return sum;
    }
  };
  // Of each agent the vote with the latest time; of several with the same time the one with the greatest id.
  Ballots BallotsAt(size_t count) const {
    Ballots ballots;
    ForEachOperation(count, [&](uint64_t, const model::Operation& operation) {
      if (operation.kind != model::OperationKind::kVote) return;
      const std::pair who{*operation.assertion_id, operation.agent_id.value_or(model::kAnonymousAgent)};
      const Ballots::Ballot ballot{*operation.timestamp_ms, Encode(operation).id, operation.number};
      const auto [known, is_first] = ballots.latest.emplace(who, ballot);
      if (!is_first) known->second = std::max(known->second, ballot);
    });
    return ballots;
  }

  Table ExpectedOperations(size_t count) const {
    Table table;
    ForEachOperation(count, [&](uint64_t sequence, const model::Operation& operation) {
      std::string value(model::OperationView::Trusted(encoded_[sequence - 1].record).row());
      if (operation.kind == model::OperationKind::kVote) {
        const auto [votes, weight] = BallotsAt(sequence).Sum(*operation.assertion_id);
        value += Little(votes) + Little(weight);
      }
      for (const model::Subject& subject : model::SubjectsOf(operation))
        table[static_cast<char>(subject.kind) + NameKey(subject.name) + Big(sequence)] = value;
    });
    return table;
  }
  Table ExpectedVotes(size_t count) const {
    Table table;
    for (const auto& [who, ballot] : BallotsAt(count).latest) {
      table[std::string(AsView(who.first)).append(AsView(who.second))] =
          Little(static_cast<uint64_t>(std::get<int64_t>(ballot))) + Little(Units(std::get<double>(ballot))) +
          std::string(AsView(std::get<Hash256>(ballot)));
    }
    return table;
  }
  Table ExpectedLinks(size_t count) const {
    Table table;
    for (size_t i = 0; i < count; ++i) {
      const auto* claim = std::get_if<model::Assertion>(&said_[i]);
      if (claim == nullptr) continue;
      if (claim->parent) table["p" + std::string(AsView(*claim->parent)) + Big(i + 1)];
      for (const Hash256& id : claim->derived_from) table["d" + std::string(AsView(id)) + Big(i + 1)];
      if (claim->source && !claim->source->id.empty()) table["s" + NameKey(claim->source->id) + Big(i + 1)];
    }
    return table;
  }
  Table ExpectedRows(size_t count) const {
    std::set<Hash256> voted_on, operated_on;
    ForEachOperation(count, [&](uint64_t, const model::Operation& operation) {
      if (!operation.assertion_id) return;
      (operation.kind == model::OperationKind::kVote ? voted_on : operated_on)
          .insert(*operation.assertion_id);
    });
    Table table;
    for (size_t i = 0; i < count; ++i) {
      const auto* claim = std::get_if<model::Assertion>(&said_[i]);
      if (claim == nullptr) continue;
      std::string row(model::ClaimView::Trusted(encoded_[i].record).row());
      const int marks =
          (voted_on.contains(encoded_[i].id) ? 64 : 0) + (operated_on.contains(encoded_[i].id) ? 128 : 0);
      row[5] = static_cast<char>(static_cast<uint8_t>(row[5]) | marks);
      table[NameKey(claim->concept_path) + claim->predicate + '\0' + Big(i + 1)] = row;
    }
    return table;
  }
  Table ExpectedNewest(size_t count) const {
    Table table;
    ForEachOperation(count, [&](uint64_t sequence, const model::Operation& operation) {
      for (const model::Subject& subject : model::SubjectsOf(operation))
        table[std::string("newest:") + static_cast<char>(subject.kind)] = Big(sequence);
      const bool is_status = operation.kind == model::OperationKind::kSourceStatus &&
                             operation.source_status == model::SourceStatus::kRetracted;
      if (!is_status && operation.kind != model::OperationKind::kRetraction) return;
      if (operation.cascade) table["newest:C"] = Big(sequence);
      if (!operation.assertion_id && operation.path.empty()) table["newest:S"] = Big(sequence);
    });
    return table;
  }

  void ExpectTables(const Database& database, size_t count, const std::string& how) {
    auto tables = TablesOf(database.index->environment());
    EXPECT_EQ(tables["operations"], ExpectedOperations(count)) << how;
    EXPECT_EQ(tables["votes"], ExpectedVotes(count)) << how;
    EXPECT_EQ(tables["links"], ExpectedLinks(count)) << how;
    EXPECT_EQ(tables["claims"], ExpectedRows(count)) << how;
    Table meta = tables["meta"];
    EXPECT_EQ(meta.erase("checkpoint"), 1u) << how;
    EXPECT_EQ(meta.erase("layout"), 1u) << how;
    EXPECT_EQ(meta, ExpectedNewest(count)) << how;
  }

  // The last tally that the index has of a claim.
  Tally TallyOf(const Database& database, const Hash256& claim) {
    Tally tally;
    for (const auto& [key, value] : Contents(database.index->environment(), std::string("operations"))) {
      if (!key.starts_with("v" + std::string(AsView(claim)))) continue;
      const auto stored = DecodeOperation(value);
      EXPECT_TRUE(stored.has_value());
      tally = stored->tally;
    }
    return tally;
  }

  stemedb::testing::TestDirectory directory_;
  std::vector<Said> said_;
  std::vector<EncodedClaim> encoded_;
};

// Claims that rest on others, on ids that nobody has made and on sources with short and long names; and every
// kind of operation, about what is there, about what isn't, and about other operations.
class RandomOperationTables : public OperationTables {
 protected:
  uint64_t Below(uint64_t n) { return random_() % n; }
  Hash256 AnyId() {
    if (encoded_.empty() || Below(12) == 0) {
      Hash256 id;
      for (uint8_t& byte : id) byte = static_cast<uint8_t>(random_());
      return id;
    }
    return encoded_[Below(encoded_.size())].id;
  }
  // Ids that agree in their front, as keys do that lie side by side.
  Hash256 SomeClaim() {
    for (int i = 0; i < 50 && !encoded_.empty(); ++i) {
      const size_t at = Below(std::min<size_t>(encoded_.size(), 40));
      if (std::holds_alternative<model::Assertion>(said_[at])) return encoded_[at].id;
    }
    return AnyId();
  }
  std::string AnySource() {
    static const std::vector<std::string> kSources = {
        "s", "s-t", "s t", "é", std::string(330, 's'), std::string(330, 's') + "t", std::string(512, 's')};
    return kSources[Below(kSources.size())];
  }
  std::string AnyEpoch() { return "e" + std::to_string(Below(5)); }
  int64_t AnyTime() { return kTestNow + static_cast<int64_t>(Below(6)); }
  Cascade AnyCascade() { return Below(2) == 0 ? Cascade::kYes : Cascade::kNo; }

  void SayAClaim() {
    auto claim =
        Claim(RandomPath(random_), Below(2) == 0 ? "p" : "q", Number(static_cast<double>(said_.size())));
    if (Below(2) == 0) claim.source = model::Source{AnySource(), {}, "", ""};
    if (Below(4) == 0) claim.parent = AnyId();
    for (uint64_t i = Below(4); i > 0; --i) {
      const Hash256 id = AnyId();
      if (std::find(claim.derived_from.begin(), claim.derived_from.end(), id) == claim.derived_from.end())
        claim.derived_from.push_back(id);
    }
    if (Below(4) == 0) claim.parent = claim.derived_from.empty() ? claim.parent : claim.derived_from[0];
    if (Below(3) == 0) claim.epoch = AnyEpoch();
    Say(claim);
  }
  void SayAnOperation() {
    switch (Below(14)) {
      case 0:
        return Add(Supersession(SomeClaim(), AnyId(), AnyTime()));
      case 1:
        return Add(RetractionOf(Below(2) == 0 ? SomeClaim() : AnyId(), AnyCascade(), AnyTime()));
      case 2:
        return Add(RetractionAt(RandomPath(random_), AnyCascade(), AnyTime()));
      case 3:
        return Add(RetractionBelow(RandomPath(random_), AnyCascade(), AnyTime()));
      case 4:
        return Add(RetractionFrom(AnySource(), AnyCascade(), AnyTime()));
      case 5:
        return Add(Epoch(AnyEpoch(), Below(2) == 0 ? "" : AnyEpoch() + "x", AnyTime()));
      case 6:
        return Add(Registration(AnySource(), AnyTime()));
      case 7:
        return Add(ChangeOfStatus(AnySource(), static_cast<model::SourceStatus>(Below(4)), AnyTime()));
      case 8:
        return Add(Alias(RandomPath(random_), RandomPath(random_), AnyTime()));
      case 9:
        return Add(
            Trust(static_cast<uint8_t>(1 + Below(3)), static_cast<double>(Below(101)) / 100, AnyTime()));
      default:
        return Add(Vote(SomeClaim(), static_cast<double>(Below(1001)) / 1000, static_cast<uint8_t>(Below(4)),
                        AnyTime()));
    }
  }
  // A repeat isn't logged.
  void Add(const model::Operation& operation) {
    const Hash256 id = Encode(operation).id;
    const bool is_there =
        std::any_of(encoded_.begin(), encoded_.end(), [&](const EncodedClaim& one) { return one.id == id; });
    if (!is_there) Say(operation);
  }
  void SayMany(size_t count) {
    while (said_.size() < count) Below(2) == 0 ? SayAClaim() : SayAnOperation();
  }

  std::mt19937_64 random_ = PrintedRandom();
};

TEST_F(RandomOperationTables, AreWhatFollowsFromTheHistoryHoweverTheyWereMade) {
  SayMany(700);
  const Database live = OpenDatabase("live");
  for (size_t from = 0; from < said_.size();) {
    const size_t to = std::min(said_.size(), from + 1 + Below(60));
    Apply(live, from, to);
    from = to;
  }
  ExpectTables(live, said_.size(), "step by step");
  const Database at_once = OpenDatabase("at_once");
  Apply(at_once, 0, said_.size());
  ExpectTables(at_once, said_.size(), "at once");
  const Database rebuilt = OpenDatabase("rebuilt");
  Load(rebuilt, said_.size());
  ExpectTables(rebuilt, said_.size(), "rebuilt from nothing");
  const Database caught_up = OpenDatabase("caught_up");
  const size_t half = 200 + Below(300);
  Load(caught_up, half);
  ExpectTables(caught_up, half, "half of it from nothing");
  for (size_t from = half; from < said_.size(); from += 100)
    Apply(caught_up, from, std::min(said_.size(), from + 100));
  const auto tables = TablesOf(live.index->environment());
  for (const Database* other : {&at_once, &rebuilt, &caught_up})
    EXPECT_EQ(TablesOf(other->index->environment()), tables) << "concepts and checkpoint as well";
}

TEST_F(RandomOperationTables, EachStepIsWhatFollowsFromTheHistorySoFar) {
  SayMany(150);
  const Database live = OpenDatabase("live");
  for (size_t i = 0; i < said_.size(); ++i) {
    Apply(live, i, i + 1);
    if (i % 10 == 9) ExpectTables(live, i + 1, "after " + std::to_string(i + 1));
  }
}

TEST_F(RandomOperationTables, ApplyingAgainWhatTheCheckpointCoversChangesNothing) {
  SayMany(200);
  const Database live = OpenDatabase("live");
  Apply(live, 0, 120);
  Apply(live, 0, 120);
  Apply(live, 40, 200);
  Apply(live, 0, 200);
  ExpectTables(live, 200, "with repeats");
}

TEST_F(RandomOperationTables, ALoadingThatWasBrokenOffLeavesNoTrace) {
  SayMany(300);
  const Database rebuilt = OpenDatabase("rebuilt");
  ApplyTo(*rebuilt.records, 0, 300);
  ASSERT_TRUE(In(*rebuilt.index)([&](kv::WriteTxn& txn) {
                return rebuilt.index->ApplyOperations(txn, Logged(0, 300));  // and no checkpoint
              }).ok());
  Load(rebuilt, 300);
  ExpectTables(rebuilt, 300, "the second time");
}

TEST_F(RandomOperationTables, LmdbsOwnToolCountsTheSame) {
  SayMany(300);
  Database live = OpenDatabase("live");
  Apply(live, 0, 300);
  live.index.reset();
  EXPECT_EQ(EntriesByMdbStat(live.directory, "operations"), ExpectedOperations(300).size());
  EXPECT_EQ(EntriesByMdbStat(live.directory, "votes"), ExpectedVotes(300).size());
  EXPECT_EQ(EntriesByMdbStat(live.directory, "links"), ExpectedLinks(300).size());
}

TEST_F(OperationTables, RowsAreMarkedWhenSomethingIsSaidAboutTheirClaims) {
  const Hash256 voted = Say(Claim("a", "p", Number(1)));
  const Hash256 superseded = Say(Claim("a", "p", Number(2)));
  const Hash256 replacement = Say(Claim("a", "p", Number(3)));
  const Hash256 both = Say(Claim(std::string(500, 'l'), "p", Number(4)));
  const Hash256 unmentioned = Say(Claim("a", "p", Number(5)));
  const Hash256 vote = Say(Vote(voted, 1));
  Say(Supersession(superseded, replacement));
  Say(RetractionOf(both));
  Say(Vote(both, 0.5));
  Say(RetractionAt("a"));
  Say(RetractionOf(vote));       // of what is no claim
  Say(RetractionOf(Hash256{}));  // of what isn't there
  const Database database = OpenDatabase("live");
  Apply(database, 0, said_.size());
  std::map<Hash256, std::pair<bool, bool>> marks;
  for (const auto& [key, value] : Contents(database.index->environment(), std::string("claims"))) {
    const auto row = model::ClaimView::OfRow(value);
    ASSERT_TRUE(row.has_value()) << row.error().message();
    Hash256 id;
    std::copy_n(row->id(), id.size(), id.begin());
    marks[id] = {row->has_votes(), row->has_operations()};
  }
  EXPECT_EQ(marks[voted], std::pair(true, false));
  EXPECT_EQ(marks[superseded], std::pair(false, true));
  EXPECT_EQ(marks[replacement], std::pair(false, false)) << "nothing changes for it";
  EXPECT_EQ(marks[both], std::pair(true, true));
  EXPECT_EQ(marks[unmentioned], std::pair(false, false)) << "what is said about a path marks no row";
  EXPECT_EQ(marks.size(), 5u);
}

TEST_F(OperationTables, ALaterVoteTakesAnEarlierOnesPlaceAndAnOlderOneChangesNothing) {
  const Hash256 claim = Say(Claim("a", "p", Number(1)));
  const Database database = OpenDatabase("live");
  Apply(database, 0, 1);
  std::vector<Hash256> ids;
  const auto after = [&](double weight, uint8_t agent, int64_t time_ms) {
    ids.push_back(Say(Vote(claim, weight, agent, time_ms)));
    Apply(database, said_.size() - 1, said_.size());
    const Tally tally = TallyOf(database, claim);
    return std::pair(tally.count, tally.weight_sum());
  };
  EXPECT_EQ(after(0.5, 1, 100), std::pair(uint64_t{1}, 0.5));
  EXPECT_EQ(after(0.25, 2, 100), std::pair(uint64_t{2}, 0.75));
  EXPECT_EQ(after(1.0, 1, 101), std::pair(uint64_t{2}, 1.25)) << "in the place of the first";
  EXPECT_EQ(after(0.125, 1, 100), std::pair(uint64_t{2}, 1.25)) << "an older one that comes late";
  const auto tied = after(0.0, 1, 101);
  const double mine = ids[4] > ids[2] ? 0 : 1;
  EXPECT_EQ(tied, std::pair(uint64_t{2}, mine + 0.25)) << "of two of one time the one with the greater id";
  EXPECT_EQ(after(1.0, 0, 50), std::pair(uint64_t{3}, mine + 1.25)) << "the anonymous agent is one more";
  EXPECT_EQ(after(0.0, 0, 51), std::pair(uint64_t{3}, mine + 0.25));
  EXPECT_EQ(after(0.75, 2, INT64_MAX / 2), std::pair(uint64_t{3}, mine + 0.75));
}

TEST_F(OperationTables, TheSumDoesntDependOnTheOrderOfArrival) {
  auto random = PrintedRandom();
  const Hash256 claim = Say(Claim("a", "p", Number(1)));
  std::vector<model::Operation> votes;
  for (int i = 0; i < 60; ++i) {
    // Weights that no double holds; times that all differ.
    votes.push_back(Vote(claim, static_cast<double>(random() % 1'000'001) / 1'000'000,
                         static_cast<uint8_t>(random() % 7), kTestNow + i));
  }
  std::map<uint8_t, uint64_t> latest;  // by the last byte of the agent
  for (const model::Operation& vote : votes)
    latest[vote.agent_id ? vote.agent_id->back() : 0] = Units(vote.number);
  uint64_t sum = 0;
  for (const auto& [agent, units] : latest) sum += units;
  for (int order = 0; order < 5; ++order) {
    said_.resize(1), encoded_.resize(1);
    std::shuffle(votes.begin(), votes.end(), random);
    for (const model::Operation& vote : votes) Say(vote);
    const Database database = OpenDatabase("order" + std::to_string(order));
    Apply(database, 0, said_.size());
    const Tally tally = TallyOf(database, claim);
    EXPECT_EQ(tally.count, latest.size());
    EXPECT_EQ(tally.weight, sum) << "to the unit";
  }
}

TEST_F(OperationTables, AVoteThatIsTakenBackLeavesNoTraceInTheSum) {
  const Hash256 claim = Say(Claim("a", "p", Number(1)));
  for (uint8_t agent = 1; agent <= 10; ++agent) Say(Vote(claim, 0.1, agent, 1));
  for (uint8_t agent = 1; agent <= 10; ++agent) Say(Vote(claim, agent == 10 ? 0.1 : 0, agent, 2));
  const Database database = OpenDatabase("live");
  Apply(database, 0, said_.size());
  const Tally tally = TallyOf(database, claim);
  EXPECT_EQ(tally.count, 10u);
  EXPECT_EQ(tally.weight, Units(0.1));
  EXPECT_EQ(tally.weight_sum(), 0.1);
}

TEST_F(OperationTables, WhatIsNoOperationIsToldApart) {
  EXPECT_FALSE(DecodeOperation("").has_value());
  EXPECT_FALSE(DecodeOperation(std::string(200, '\0')).has_value());
  const EncodedClaim vote = Encode(Vote(Hash256{1}, 1));
  const std::string row(model::OperationView::Trusted(vote.record).row());
  EXPECT_EQ(DecodeOperation(row).error().reason(), "index_unreadable") << "a vote without its tally";
  EXPECT_TRUE(DecodeOperation(row + std::string(16, '\0')).has_value());
  EXPECT_FALSE(DecodeOperation(row + std::string(17, '\0')).has_value());
  EXPECT_EQ(DecodeBallot(std::string(15, '\0')).error().reason(), "index_unreadable");
}

}  // namespace
}  // namespace stemedb::index
