// SPDX-License-Identifier: Apache-2.0
// What operations make of claims, at every moment of random histories, against a reference that finds it from
// scratch; and the corners one by one.
#include "query/standing.h"

#include "knowledge_fixture.h"

namespace stemedb::query {
namespace {

using stemedb::testing::Agent;
using stemedb::testing::Cascade;
using stemedb::testing::ChangeOfStatus;
using stemedb::testing::Claim;
using stemedb::testing::Encode;
using stemedb::testing::Epoch;
using stemedb::testing::KnowledgeReference;
using stemedb::testing::kTestNow;
using stemedb::testing::Number;
using stemedb::testing::Prepare;
using stemedb::testing::Registration;
using stemedb::testing::RetractionAt;
using stemedb::testing::RetractionBelow;
using stemedb::testing::RetractionFrom;
using stemedb::testing::RetractionOf;
using stemedb::testing::RowWithoutMarks;
using stemedb::testing::Said;
using stemedb::testing::Supersession;
using stemedb::testing::Trust;
using stemedb::testing::Vote;
using stemedb::testing::WantsLongForm;
using stemedb::testing::Write;

class StandingAgainstReference : public stemedb::testing::RandomKnowledge {
 protected:
  // All moments; the lasting standing in no order, so that what it has kept of one must not colour another.
  void ExpectEveryMoment(store::Reader& reader, Standing& lasting, const std::string& when) {
    ASSERT_TRUE(reader.Refresh().ok());
    ASSERT_EQ(reader.sequence(), reference_.newest()) << when;
    Standing fresh(kStepsMax);
    for (uint64_t moment = 0; moment <= reference_.newest(); ++moment) {
      ExpectMoment(reader, fresh, moment, when);
      if (Below(3) == 0)
        ExpectMoment(reader, lasting, Below(reference_.newest() + 1), when + ", out of order");
      ExpectCovers(reader, names_, moment);
      ASSERT_FALSE(HasFatalFailure());
    }
    reader.Release();
  }
  void ExpectSomeMoments(store::Reader& reader, Standing& lasting, const std::string& when) {
    ASSERT_TRUE(reader.Refresh().ok());
    for (const uint64_t moment : {reference_.newest(), Below(reference_.newest() + 1)}) {
      ExpectMoment(reader, lasting, moment, when);
      Standing forgetful(kStepsMax, 1 + Below(6));
      ExpectMoment(reader, forgetful, moment, when + ", keeping next to nothing");
      ExpectCovers(reader, names_, moment);
      ASSERT_FALSE(HasFatalFailure());
    }
    reader.Release();
  }

  // One step of a history. Operations that make no sense are left out; the two must agree on which.
  void Step(store::Reader& reader) {
    if (has_waiting() && Below(2) == 0) return Put(NextClaim());
    if (!HasClaims()) return;
    const model::Operation operation = AnyOperation();
    if (!IsWellFormed(operation)) return;
    ASSERT_TRUE(reader.Refresh().ok());
    store::Judgement judgement;
    const Status checked =
        CheckOperation(operation, Encode(operation).id, Authority::kOperator, reader, judgement);
    reader.Release();
    const std::string wanted = reference_.Refusal(operation);
    ASSERT_EQ(checked.reason(), wanted) << NameOf(operation.kind) << ": " << checked.message();
    // What the rules can't keep out, since others may send it at the same moment, must do no harm either.
    const bool is_stale = checked.reason() == "stale_vote" && Below(2) == 0;
    if (checked.ok() || is_stale) Put(operation);
  }

  void LiveThrough(int history) {
    const std::string name = "history " + std::to_string(history);
    ForgetHistory();
    store_.reset();
    RemoveTree("db");
    RemoveTree("wal");
    Open();
    Plan(20 + Below(25));
    std::unique_ptr<store::Reader> reader = store_->NewReader();
    std::unique_ptr<Standing> lasting = std::make_unique<Standing>(kStepsMax);
    const size_t steps = 90 + Below(60);
    for (size_t step = 0; step < steps; ++step) {
      Step(*reader);
      if (Below(12) == 0) {
        ASSERT_TRUE(store_->Flush().ok());
      }
      if (Below(6) == 0) ExpectSomeMoments(*reader, *lasting, name + ", step " + std::to_string(step));
      ASSERT_FALSE(HasFatalFailure());
    }
    ExpectEveryMoment(*reader, *lasting, name);
    ASSERT_TRUE(store_->Flush().ok());
    ExpectEveryMoment(*reader, *lasting, name + ", all in LMDB");
    for (const char* lost : {"", "db/indexes", "db"}) {
      reader.reset();
      store_.reset();
      if (*lost != '\0') RemoveTree(lost);
      Open();
      reader = store_->NewReader();
      lasting = std::make_unique<Standing>(kStepsMax);
      ExpectEveryMoment(*reader, *lasting, name + ", after a restart without " + lost);
      ASSERT_FALSE(HasFatalFailure());
    }
  }
};

TEST_F(StandingAgainstReference, IsTheSameAtEveryMomentOfEveryHistory) {
  const int histories = WantsLongForm() ? 60 : 4;
  for (int history = 1; history <= histories; ++history) {
    LiveThrough(history);
    ASSERT_FALSE(HasFatalFailure());
  }
}

// Ten thousand small worlds in one store, whose records come in mixed with each other.
class DerivationGraphs : public stemedb::testing::KnowledgeTest {
 protected:
  struct Graph {
    std::string root;
    std::vector<Said> events;  // in its own order
    KnowledgeReference reference;
  };

  Graph Make(uint64_t round, uint64_t number, size_t claims_max, size_t operations_max) {
    Graph graph;
    graph.root = "r" + std::to_string(round) + "/" + std::to_string(number);
    const uint64_t serial = round * 100 + number;
    const auto agent = [&](uint8_t which) {
      model::AgentId id{which};
      StoreLittle(id.data() + 8, serial + 1);
      return id;
    };
    const auto source = [&] { return graph.root + " s" + std::to_string(Below(2)); };
    const auto path = [&] { return graph.root + AnyOf(std::vector<std::string>{"/a", "/a/b", "/c"}); };

    std::vector<model::Assertion> claims;
    std::vector<Hash256> ids;
    const size_t count = 2 + Below(claims_max - 1);
    for (size_t i = 0; i < count; ++i) {
      auto claim = Claim(path(), "p", Number(static_cast<double>(i)));
      if (Below(3) == 0) claim.source = model::Source{source(), {}, "", ""};
      if (Below(2) == 0) claim.agent_id = agent(static_cast<uint8_t>(1 + Below(2)));
      for (size_t above = 0; above < ids.size(); ++above) {
        if (claim.derived_from.size() < 5 && Below(ids.size() + 1) < 2)
          claim.derived_from.push_back(ids[above]);
      }
      if (Below(12) == 0) claim.derived_from.push_back(Hash256{7, static_cast<uint8_t>(i)});  // nobody's
      ids.push_back(Encode(claim).id);
      claims.push_back(claim);
    }
    // In any order: some are there before what they are derived from, and one may never come.
    std::shuffle(claims.begin(), claims.end(), random_);
    if (Below(4) == 0) claims.pop_back();
    std::vector<Hash256> there;
    size_t operations = 1 + Below(operations_max);
    while (!claims.empty() || operations > 0) {
      if (!claims.empty() && (there.empty() || Below(3) > 0)) {
        there.push_back(Encode(claims.back()).id);
        graph.events.emplace_back(claims.back());
        claims.pop_back();
        continue;
      }
      if (operations == 0 || there.empty()) break;
      --operations;
      const Cascade cascade = Below(4) > 0 ? Cascade::kYes : Cascade::kNo;
      const model::Operation choices[] = {
          RetractionOf(AnyOf(there), cascade, NextTime()),
          RetractionOf(AnyOf(there), Cascade::kYes, NextTime()),
          RetractionAt(path(), cascade, NextTime()),
          RetractionBelow(graph.root + (Below(2) == 0 ? "" : "/a"), cascade, NextTime()),
          RetractionFrom(source(), cascade, NextTime()),
          ChangeOfStatus(source(), model::SourceStatus::kRetracted, NextTime()),
          Supersession(AnyOf(there), AnyOf(there), NextTime()),
          [&] {
            model::Operation trust = Trust(1, static_cast<double>(Below(101)) / 100, NextTime());
            trust.other_id = agent(static_cast<uint8_t>(1 + Below(2)));
            return trust;
          }(),
      };
      graph.events.emplace_back(choices[Below(std::size(choices))]);
    }
    return graph;
  }

  // All graphs' events in one submission, each graph's in its own order.
  void Submit(std::vector<Graph>& graphs) {
    std::vector<size_t> turns;
    for (size_t i = 0; i < graphs.size(); ++i) turns.insert(turns.end(), graphs[i].events.size(), i);
    std::shuffle(turns.begin(), turns.end(), random_);
    std::vector<store::PreparedRecord> records;
    std::vector<size_t> next(graphs.size());
    std::vector<const Said*> sent;
    for (const size_t turn : turns) {
      sent.push_back(&graphs[turn].events[next[turn]++]);
      records.push_back(Prepare(*sent.back()));
    }
    const auto result = Write(*store_, std::move(records));
    ASSERT_TRUE(result.status.ok()) << result.status.message();
    for (size_t i = 0; i < turns.size(); ++i) {
      ASSERT_FALSE(result.items[i].duplicate);
      graphs[turns[i]].reference.Add(result.items[i].sequence, *sent[i]);
    }
  }

  void Check(const std::vector<Graph>& graphs, const std::string& round, uint64_t moment) {
    standing_.Begin(*reader_, moment);
    std::map<uint64_t, ClaimStanding> found;
    std::vector<store::Row> rows;
    ASSERT_TRUE(
        reader_->Scan({.concept_path = round, .subtree = true, .sequence_max = moment}, SIZE_MAX, rows)
            .has_value());
    for (const store::Row& row : rows) {
      const auto one = standing_.Of(row);
      ASSERT_TRUE(one.has_value()) << one.error().message();
      found[row.sequence] = *one;
    }
    size_t claims = 0;
    for (const Graph& graph : graphs) {
      const auto wanted = graph.reference.At(moment);
      claims += wanted.size();
      std::map<Hash256, double> derived_trusts;
      for (const auto& entry : graph.reference.entries()) {
        if (entry.claim() == nullptr || entry.sequence > moment) continue;
        const std::string where = graph.root + ", the claim of sequence " + std::to_string(entry.sequence) +
                                  " at " + std::to_string(moment);
        ASSERT_TRUE(found.contains(entry.sequence)) << where;
        ExpectStanding(found.at(entry.sequence), wanted.at(entry.sequence), where);
        ASSERT_FALSE(HasFatalFailure());
        derived_trusts[entry.id] = found.at(entry.sequence).derived_trust;
      }
      // Nothing is trusted more than what it is derived from, nor more than whoever says it.
      for (const auto& entry : graph.reference.entries()) {
        if (!derived_trusts.contains(entry.id)) continue;
        ASSERT_LE(derived_trusts[entry.id], found.at(entry.sequence).trust);
        for (const Hash256& id : entry.claim()->derived_from) {
          if (derived_trusts.contains(id)) {
            ASSERT_LE(derived_trusts[entry.id], derived_trusts[id]) << graph.root;
          }
        }
      }
    }
    ASSERT_EQ(found.size(), claims);
  }

  std::unique_ptr<store::Reader> reader_;
  Standing standing_{kStepsMax};
};

TEST_F(DerivationGraphs, CascadesEqualRecomputingFromScratchOnTenThousandGraphs) {
  constexpr uint64_t kRounds = 100, kGraphs = 100;
  const size_t claims_max = WantsLongForm() ? 40 : 8, operations_max = WantsLongForm() ? 12 : 4;
  Open();
  reader_ = store_->NewReader();
  for (uint64_t round = 0; round < kRounds; ++round) {
    std::vector<Graph> graphs;
    for (uint64_t number = 0; number < kGraphs; ++number)
      graphs.push_back(Make(round, number, claims_max, operations_max));
    const uint64_t before = store_->stats().sequence;
    Submit(graphs);
    ASSERT_FALSE(HasFatalFailure());
    if (Below(3) == 0) {
      ASSERT_TRUE(store_->Flush().ok());
    }
    ASSERT_TRUE(reader_->Refresh().ok());
    const uint64_t after = reader_->sequence();
    for (const uint64_t moment :
         {after, before + Below(after - before + 1), before + Below(after - before + 1)}) {
      Check(graphs, "r" + std::to_string(round), moment);
      ASSERT_FALSE(HasFatalFailure()) << "round " << round;
    }
    reader_->Release();
  }
  reader_.reset();
}

class StandingOf : public stemedb::testing::KnowledgeTest {
 protected:
  void Open() {
    reader_.reset();
    StoreTest::Open();
    reader_ = store_->NewReader();
  }
  ~StandingOf() override { reader_.reset(); }

  Hash256 Add(model::Assertion claim) {
    Put(claim);
    return Encode(claim).id;
  }
  static model::Assertion Derived(double number, const std::vector<Hash256>& from, uint8_t agent = 0) {
    auto claim = Claim("a", "p", Number(number));
    claim.derived_from = from;
    claim.agent_id = Agent(agent);
    return claim;
  }
  ClaimStanding Of(const Hash256& id, uint64_t moment = UINT64_MAX) {
    EXPECT_TRUE(reader_->Refresh().ok());
    standing_.Begin(*reader_, std::min(moment, reader_->sequence()));
    const auto record = reader_->Get(**reader_->Find(id));
    const auto found = standing_.Of(RowWithoutMarks(*record));
    EXPECT_TRUE(found.has_value()) << found.error().message();
    return found ? *found : ClaimStanding();
  }
  std::string_view StatusOf(const Hash256& id, uint64_t moment = UINT64_MAX) {
    return NameOf(Of(id, moment).status);
  }

  std::unique_ptr<store::Reader> reader_;
  Standing standing_{kStepsMax};
};

TEST_F(StandingOf, AClaimOfWhichNobodyHasSaidAnything) {
  Open();
  const Hash256 claim = Add(Derived(1, {}, 1));
  EXPECT_EQ(StatusOf(claim), "active");
  EXPECT_FALSE(standing_.AnyOperation());
  EXPECT_EQ(Of(claim).trust, kTrustAtStart);
  EXPECT_EQ(Of(claim).votes, 0u);
  Put(stemedb::testing::Alias("x", "a"));
  EXPECT_EQ(StatusOf(claim), "active");
  EXPECT_FALSE(standing_.AnyOperation()) << "an alias says nothing about a claim";
  Put(Registration("s"));
  EXPECT_EQ(StatusOf(claim), "active");
}

TEST_F(StandingOf, ARetractedClaimThatWasSupersededIsRetracted) {
  Open();
  const Hash256 old_claim = Add(Derived(1, {})), new_claim = Add(Derived(2, {}));
  Put(Supersession(old_claim, new_claim));
  EXPECT_EQ(StatusOf(old_claim), "superseded");
  EXPECT_EQ(StatusOf(new_claim), "active");
  Put(RetractionOf(old_claim));
  EXPECT_EQ(StatusOf(old_claim), "retracted");
  EXPECT_EQ(StatusOf(old_claim, 3), "superseded") << "as it was";
  EXPECT_EQ(StatusOf(old_claim, 2), "active");
}

TEST_F(StandingOf, APathsRetractionIsAboutTheClaimsThatWereThere) {
  Open();
  const Hash256 before = Add(Claim("a/b", "p", Number(1))), beside = Add(Claim("a/bc", "p", Number(1))),
                below = Add(Claim("a/b/c", "p", Number(1)));
  Put(RetractionAt("a/b"));
  const Hash256 after = Add(Claim("a/b", "p", Number(2)));
  EXPECT_EQ(StatusOf(before), "retracted");
  EXPECT_EQ(StatusOf(after), "active");
  EXPECT_EQ(StatusOf(beside), "active");
  EXPECT_EQ(StatusOf(below), "active") << "the path alone";
  Put(RetractionBelow("a/b"));
  EXPECT_EQ(StatusOf(below), "retracted");
  EXPECT_EQ(StatusOf(after), "active") << "all below it, not itself";
  Put(RetractionBelow("a"));
  EXPECT_EQ(StatusOf(after), "retracted");
  EXPECT_EQ(StatusOf(beside), "retracted");
}

TEST_F(StandingOf, ASourcesRetractionIsAboutWhateverItSaysLaterAsWell) {
  Open();
  auto claim = Claim("a", "p", Number(1));
  claim.source = model::Source{"s", {}, "", ""};
  const Hash256 before = Add(claim);
  Put(Registration("s"));
  Put(ChangeOfStatus("s", model::SourceStatus::kDeprecated));
  EXPECT_EQ(StatusOf(before), "active");
  Put(ChangeOfStatus("s", model::SourceStatus::kRetracted));
  claim.value = Number(2);
  const Hash256 after = Add(claim);
  EXPECT_EQ(StatusOf(before), "retracted");
  EXPECT_EQ(StatusOf(after), "retracted");
  EXPECT_EQ(StatusOf(before, 3), "active");
}

TEST_F(StandingOf, ACascadeGoesOnToWhatComesLater) {
  Open();
  const Hash256 root = Add(Derived(1, {}));
  const auto late_parent = Derived(2, {root});
  const Hash256 waits = Add(Derived(3, {Encode(late_parent).id}));
  Put(RetractionOf(root, Cascade::kYes));
  EXPECT_EQ(StatusOf(waits), "active") << "nobody knows what it rests on";
  const uint64_t before = reference_.newest();
  const Hash256 child = Add(Derived(4, {waits, root}));
  EXPECT_EQ(StatusOf(child), "retracted");
  Add(late_parent);
  EXPECT_EQ(StatusOf(waits), "retracted") << "now it is known";
  EXPECT_EQ(StatusOf(waits, before), "active") << "as it was";
  EXPECT_EQ(StatusOf(child, before + 1), "retracted");
}

TEST_F(StandingOf, ARetractionWithoutACascadeLeavesWhatRestsOnIt) {
  Open();
  const Hash256 root = Add(Derived(1, {})), child = Add(Derived(2, {root})),
                grandchild = Add(Derived(3, {child}));
  Put(RetractionOf(root));
  EXPECT_EQ(StatusOf(root), "retracted");
  EXPECT_EQ(StatusOf(child), "active");
  Put(RetractionOf(root, Cascade::kYes));
  EXPECT_EQ(StatusOf(child), "retracted");
  EXPECT_EQ(StatusOf(grandchild), "retracted");
}

TEST_F(StandingOf, AParentIsNoSource) {
  Open();
  const Hash256 first = Add(Derived(1, {}));
  auto changed = Derived(2, {});
  changed.parent = first;
  const Hash256 second = Add(changed);
  Put(RetractionOf(first, Cascade::kYes));
  EXPECT_EQ(StatusOf(second), "active") << "a change of a claim doesn't rest on it";
}

TEST_F(StandingOf, AnEpochThatIsSupersededIsSaidAndChangesNothingElse) {
  Open();
  auto claim = Claim("a", "p", Number(1));
  claim.epoch = "old";
  const Hash256 of_old = Add(claim);
  claim.epoch = "unknown";
  const Hash256 of_unknown = Add(claim);
  const Hash256 of_none = Add(Derived(2, {}));
  Put(Epoch("old"));
  EXPECT_FALSE(Of(of_old).epoch_superseded);
  Put(Epoch("new", "old"));
  EXPECT_TRUE(Of(of_old).epoch_superseded);
  EXPECT_EQ(StatusOf(of_old), "active");
  EXPECT_FALSE(Of(of_unknown).epoch_superseded);
  EXPECT_FALSE(Of(of_none).epoch_superseded);
  EXPECT_FALSE(Of(of_old, 4).epoch_superseded) << "as it was";
}

TEST_F(StandingOf, TrustIsTheLatestStatementAndGoesDownTheLineage) {
  Open();
  const Hash256 root = Add(Derived(1, {}, 1));
  const Hash256 child = Add(Derived(2, {root}, 2));
  const Hash256 anonymous = Add(Derived(3, {child}));
  Put(Trust(2, 0.9));
  EXPECT_EQ(Of(child).trust, 0.9);
  EXPECT_EQ(Of(child).derived_trust, 0.5) << "that of an agent of whom nobody has said anything";
  Put(Trust(1, 0.8));
  EXPECT_EQ(Of(child).derived_trust, 0.8);
  Put(Trust(1, 0.1, kTestNow - 1'000));
  EXPECT_EQ(Of(child).derived_trust, 0.1) << "the latest in the log, whatever its own time";
  EXPECT_EQ(Of(anonymous).trust, 0.5);
  EXPECT_EQ(Of(anonymous).derived_trust, 0.1);
  EXPECT_EQ(Of(child, 5).derived_trust, 0.8) << "as it was";
}

TEST_F(StandingOf, AnOperationIsNothingThatAClaimCouldRestOn) {
  Open();
  const auto vote = Vote(Add(Derived(1, {}, 1)), 1);
  Put(vote);
  const Hash256 claim = Add(Derived(2, {Encode(vote).id}, 2));
  Put(Trust(2, 0.9));
  EXPECT_EQ(Of(claim).trust, 0.9);
  EXPECT_EQ(Of(claim).derived_trust, 0.9) << "its id is no claim's, like one that nobody has made";
  const auto retraction = RetractionAt("elsewhere", Cascade::kYes);
  Put(retraction);
  EXPECT_EQ(StatusOf(claim), "active");
}

TEST_F(StandingOf, ALongLineageIsClimbedWithinItsBound) {
  constexpr int kLength = 20'000;
  Open();
  std::vector<Hash256> chain;
  for (int from = 0; from < kLength; from += 1'000) {
    std::vector<store::PreparedRecord> records;
    for (int i = from; i < from + 1'000; ++i) {
      records.push_back(
          Prepare(Derived(i, chain.empty() ? std::vector<Hash256>() : std::vector{chain.back()}, 1)));
      chain.push_back(records.back().id);
    }
    ASSERT_TRUE(Write(*store_, std::move(records)).status.ok());
    ASSERT_TRUE(from % 2'000 != 0 || store_->Flush().ok());
  }
  ASSERT_TRUE(Say(RetractionOf(chain.front(), Cascade::kYes)).status.ok());
  EXPECT_EQ(StatusOf(chain.back()), "retracted");

  Standing bounded(1'000);
  bounded.Begin(*reader_, reader_->sequence());
  const auto row = [&](int number) {
    return RowWithoutMarks(*reader_->Get(static_cast<uint64_t>(number) + 1));
  };
  const auto refused = bounded.Of(row(kLength - 1));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().reason(), kLineageTooLarge);
  EXPECT_EQ(refused.error().code(), Code::kOutOfRange);
  EXPECT_NE(refused.error().message().find(ToHex(chain.back())), std::string_view::npos) << "which one it is";
  EXPECT_EQ(bounded.RetractedSince(row(kLength - 1)).error().reason(), kLineageTooLarge);
  // What was found stays, so that a long way is gone in steps.
  for (int number = 900; number < kLength; number += 900) {
    bounded.Begin(*reader_, reader_->sequence());
    const auto found = bounded.Of(row(number));
    ASSERT_TRUE(found.has_value()) << number << ": " << found.error().message();
    ASSERT_EQ(found->status, ClaimStatus::kRetracted) << number;
  }
  bounded.Begin(*reader_, uint64_t{kLength});
  const auto before = bounded.Of(row(kLength - 1));
  ASSERT_TRUE(before.has_value()) << before.error().message();
  EXPECT_EQ(before->status, ClaimStatus::kActive) << "of the moment before, without climbing again";
}

TEST_F(StandingOf, WhatWasFoundOfALineageStaysUntilACascadeComesIn) {
  constexpr int kSteps = 10, kLength = 3 * kSteps;
  Open();
  std::vector<Hash256> chain;
  for (int i = 0; i < kLength; ++i)
    chain.push_back(Add(Derived(i, chain.empty() ? std::vector<Hash256>() : std::vector{chain.back()})));
  const Hash256 other = Add(Derived(1'000, {})), another = Add(Derived(1'001, {}));
  Put(RetractionOf(another, Cascade::kYes));
  Standing bounded(kSteps);
  const auto of = [&](int number) {
    EXPECT_TRUE(reader_->Refresh().ok());
    bounded.Begin(*reader_, reader_->sequence());
    return bounded.Of(RowWithoutMarks(*reader_->Get(static_cast<uint64_t>(number) + 1)));
  };
  const auto find_all = [&] {
    for (int number = kSteps - 1; number < kLength; number += kSteps)
      ASSERT_TRUE(of(number).has_value()) << number;
  };
  ASSERT_FALSE(of(kLength - 1).has_value()) << "too far at a stretch";
  find_all();
  const model::Operation harmless[] = {Supersession(other, chain[0]),
                                       Registration("s"),
                                       ChangeOfStatus("s", model::SourceStatus::kDeprecated),
                                       ChangeOfStatus("s", model::SourceStatus::kRetracted),
                                       RetractionFrom("t"),
                                       RetractionAt("a"),
                                       RetractionOf(chain[5]),
                                       Vote(chain[0], 1)};
  for (const bool in_lmdb : {false, true}) {
    if (in_lmdb) {
      ASSERT_TRUE(store_->Flush().ok());
    }
    for (const model::Operation& operation : harmless) {
      if (!in_lmdb) Put(operation);
      ASSERT_TRUE(of(kLength - 1).has_value()) << "not looked at again after a " << NameOf(operation.kind);
    }
  }
  int64_t time = kTestNow;
  for (const model::Operation& operation :
       {RetractionFrom("u", Cascade::kYes, ++time), RetractionAt("b", Cascade::kYes, ++time),
        RetractionBelow("b", Cascade::kYes, ++time), RetractionOf(chain[0], Cascade::kYes, ++time)}) {
    Put(operation);
    EXPECT_FALSE(of(kLength - 1).has_value())
        << "another " << NameOf(operation.kind) << " may have reached it";
    find_all();
  }
  EXPECT_EQ(of(kLength - 1)->status, ClaimStatus::kRetracted);
}

TEST_F(StandingOf, AWideLineageIsLookedAtOnce) {
  // Ladders, in which the ways double with each rung.
  Open();
  std::vector<Hash256> rung;
  for (int height = 0; height < 60; ++height) {
    std::vector<Hash256> next;
    for (int side = 0; side < 3; ++side) next.push_back(Add(Derived(height * 3 + side, rung)));
    rung = next;
  }
  const auto first = reference_.entries().front().id;
  Put(RetractionOf(first, Cascade::kYes));
  ASSERT_TRUE(reader_->Refresh().ok());
  // Each is looked up once, but for those of the top's two neighbours.
  constexpr size_t kIds = 3 + 58 * 3 * 3;
  const auto top = RowWithoutMarks(*reader_->Get(180));
  Standing bounded(kIds), too_narrow(kIds - 1);
  bounded.Begin(*reader_, reader_->sequence());
  const auto found = bounded.Of(top);
  ASSERT_TRUE(found.has_value()) << found.error().message();
  EXPECT_EQ(found->status, ClaimStatus::kRetracted);
  too_narrow.Begin(*reader_, reader_->sequence());
  EXPECT_EQ(too_narrow.Of(top).error().reason(), kLineageTooLarge);
}

TEST_F(StandingOf, IdsThatNobodyHasMadeAreLookedUpOnceUntilOneOfThemComes) {
  constexpr size_t kIds = 150;
  Open();
  const auto made_up = [](uint8_t first) {
    std::vector<Hash256> ids;
    for (size_t i = 0; i < kIds; ++i) ids.push_back(Hash256{first, static_cast<uint8_t>(i), 1});
    return ids;
  };
  auto awaited = Claim("elsewhere", "p", Number(1));
  awaited.source = model::Source{"bad", {}, "", ""};
  auto ids = made_up(1);
  ids.back() = Encode(awaited).id;
  const Hash256 first = Add(Derived(1, ids));
  Put(RetractionFrom("bad", Cascade::kYes));
  Standing bounded(kIds);
  const auto of = [&](const Hash256& id) {
    EXPECT_TRUE(reader_->Refresh().ok());
    return bounded.Of(RowWithoutMarks(*reader_->Get(**reader_->Find(id))));
  };
  const auto begin = [&] {
    EXPECT_TRUE(reader_->Refresh().ok());
    bounded.Begin(*reader_, reader_->sequence());
  };
  begin();
  ASSERT_TRUE(of(first).has_value());
  EXPECT_EQ(of(first)->status, ClaimStatus::kActive);
  const Hash256 second = Add(Derived(2, made_up(2)));
  begin();
  ASSERT_TRUE(of(second).has_value());
  ASSERT_TRUE(of(first).has_value()) << "what came in is nothing that it waits for";
  EXPECT_EQ(of(Add(Derived(3, made_up(3)))).error().reason(), kLineageTooLarge)
      << "made-up ids count as others do";
  Add(awaited);
  begin();
  ASSERT_TRUE(of(first).has_value());
  EXPECT_EQ(of(first)->status, ClaimStatus::kRetracted) << "now it is there";
}

// More of these ids than are kept: then whatever comes in may be one.
TEST_F(StandingOf, OneOfVeryManyIdsThatNobodyHadMadeIsNotOverlooked) {
  Open();
  std::vector<model::Assertion> awaited;
  std::vector<Hash256> ids;
  for (int i = 0; i < 20; ++i) {
    awaited.push_back(Claim("elsewhere", "p", Number(i)));
    awaited.back().source = model::Source{"bad", {}, "", ""};
    ids.push_back(Encode(awaited.back()).id);
  }
  const Hash256 claim = Add(Derived(1, ids)), other = Add(Derived(2, {ids[0]}));
  Put(RetractionFrom("bad", Cascade::kYes));
  Standing tight(kStepsMax, 5);
  const auto status_of = [&](const Hash256& id) {
    EXPECT_TRUE(reader_->Refresh().ok());
    tight.Begin(*reader_, reader_->sequence());
    return tight.Of(RowWithoutMarks(*reader_->Get(**reader_->Find(id))))->status;
  };
  EXPECT_EQ(status_of(claim), ClaimStatus::kActive);
  EXPECT_LE(tight.kept(), 5u);
  EXPECT_EQ(status_of(other), ClaimStatus::kActive);
  Add(awaited.back());
  EXPECT_EQ(status_of(claim), ClaimStatus::kRetracted);
  EXPECT_EQ(status_of(other), ClaimStatus::kActive);
}

TEST_F(StandingOf, WhatIsKeptStaysWithinItsBoundInTheMidstOfAQuestion) {
  constexpr int kClaims = 200;
  Open();
  Hash256 root{};
  for (int i = 0; i < kClaims; ++i) {
    auto claim = Derived(i, i == 0 ? std::vector<Hash256>() : std::vector{root}, static_cast<uint8_t>(1 + i));
    claim.concept_path = "a/" + std::to_string(i) + "/b";
    claim.epoch = "e" + std::to_string(i);
    claim.source = model::Source{"s" + std::to_string(i), {}, "", ""};
    const Hash256 id = Add(claim);
    if (i == 0) root = id;
  }
  Put(Epoch("new", "e5"));
  Put(Trust(1, 0.25));
  Put(RetractionBelow("nowhere"));
  Put(RetractionFrom("nobody"));
  Put(RetractionOf(root, Cascade::kYes));
  ASSERT_TRUE(reader_->Refresh().ok());
  Standing tight(kStepsMax, 7);
  tight.Begin(*reader_, reader_->sequence());
  for (uint64_t sequence = kClaims; sequence >= 1; --sequence) {
    const auto found = tight.Of(RowWithoutMarks(*reader_->Get(sequence)));
    ASSERT_TRUE(found.has_value()) << found.error().message();
    ASSERT_EQ(found->status, ClaimStatus::kRetracted) << sequence;
    ASSERT_EQ(found->derived_trust, 0.25) << sequence;
    ASSERT_EQ(found->epoch_superseded, sequence == 6) << sequence;
    ASSERT_LE(tight.kept(), 8u) << sequence << ", its lineage included";
  }
}

// Each on its own: a claim whose lineage is long, and many claims that rest on nothing.
TEST_F(StandingOf, EndsWithPatience) {
  Open();
  std::vector<Hash256> ids;
  for (uint8_t i = 0; i < 200; ++i) ids.push_back(Hash256{1, i});
  const Hash256 rests = Add(Derived(1, ids)), alone = Add(Derived(2, {}));
  Put(RetractionAt("elsewhere", Cascade::kYes));
  ASSERT_TRUE(reader_->Refresh().ok());
  const auto row_of = [&](const Hash256& id) { return RowWithoutMarks(*reader_->Get(**reader_->Find(id))); };
  const Patience none(telemetry::Stopwatch(), -1), enough(telemetry::Stopwatch(), 3'600);
  standing_.Begin(*reader_, reader_->sequence(), none);
  const auto refused = standing_.Of(row_of(rests));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().reason(), kHandOverReason);
  EXPECT_EQ(refused.error().code(), Code::kUnavailable);
  const auto looked_at_alone = [&](const Patience& patience) {
    standing_.Begin(*reader_, reader_->sequence(), patience);
    int looked_at = 0;
    while (looked_at < 1'000 && standing_.StatusOf(row_of(alone)).has_value()) ++looked_at;
    return looked_at;
  };
  EXPECT_LT(looked_at_alone(none), 100);
  EXPECT_EQ(looked_at_alone(enough), 1'000);
  standing_.Begin(*reader_, reader_->sequence(), enough);
  EXPECT_TRUE(standing_.Of(row_of(rests)).has_value());
  standing_.Begin(*reader_, reader_->sequence(), {});
  EXPECT_TRUE(standing_.Of(row_of(rests)).has_value());
}

// Those on one claim may be very many.
TEST_F(StandingOf, LooksAtTheClockWhereThereAreVotes) {
  Open();
  const Hash256 voted = Add(Derived(1, {}));
  Add(Derived(2, {}));
  Put(Vote(voted, 0.5));
  ASSERT_TRUE(store_->Flush().ok());
  ASSERT_TRUE(reader_->Refresh().ok());
  std::vector<store::Row> rows;
  ASSERT_TRUE(reader_->Scan({.concept_path = "a"}, 10, rows).has_value());
  ASSERT_EQ(rows.size(), 2u);
  standing_.Begin(*reader_, reader_->sequence(), Patience(telemetry::Stopwatch(), -1));
  EXPECT_EQ(standing_.Of(rows[0]).error().reason(), kHandOverReason);
  EXPECT_TRUE(standing_.Of(rows[1]).has_value()) << "there is nothing to count";
}

}  // namespace
}  // namespace stemedb::query
