// SPDX-License-Identifier: Apache-2.0
// Which operations are let in, also when several come at once, and what a retraction says beforehand that it
// would do.
#include "query/operation_rules.h"

#include <atomic>
#include <mutex>
#include <thread>

#include "knowledge_fixture.h"

namespace stemedb::query {
namespace {

using model::OperationKind;
using stemedb::testing::Alias;
using stemedb::testing::Cascade;
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
using stemedb::testing::Supersession;
using stemedb::testing::Trust;
using stemedb::testing::Vote;
using stemedb::testing::WantsLongForm;
using stemedb::testing::Write;

class OperationRules : public stemedb::testing::KnowledgeTest {
 protected:
  ~OperationRules() override { reader_.reset(); }
  void Open() {
    reader_.reset();
    StoreTest::Open();
    reader_ = store_->NewReader();
    for (int i = 0; i < 4; ++i) {
      const auto claim = Claim("a", "p", Number(i));
      claims_.push_back(Encode(claim).id);
      Put(claim);
    }
  }
  Status Check(const model::Operation& operation, Authority authority = Authority::kOperator) {
    EXPECT_TRUE(reader_->Refresh().ok());
    return CheckOperation(operation, Encode(operation).id, authority, *reader_);
  }
  // Lets it in when the rules do.
  Status Try(const model::Operation& operation) {
    Status checked = Check(operation);
    if (checked.ok()) Put(operation);
    return checked;
  }
  // Both are right by themselves, judged at the same moment, and sent at once.
  void ExpectOneOfTwo(const model::Operation& first, const model::Operation& second) {
    ASSERT_TRUE(Check(first).ok()) << Check(first).message();
    ASSERT_TRUE(Check(second).ok()) << Check(second).message();
    const uint64_t as_of = reader_->sequence();
    std::promise<store::CommitResult> promises[2];
    for (int i = 0; i < 2; ++i) {
      const Status queued = store_->Submit(
          {.records = {Prepare(i == 0 ? first : second)},
           .names_as_of = as_of,
           .done = [&promises,
                    i](store::CommitResult&& result) { promises[i].set_value(std::move(result)); }},
          store::Wake::kWithOthers);
      ASSERT_TRUE(queued.ok());
    }
    store_->Begin();
    const auto of_first = promises[0].get_future().get(), of_second = promises[1].get_future().get();
    ASSERT_TRUE(of_first.status.ok()) << of_first.status.message();
    reference_.Add(of_first.items.at(0).sequence, first);
    EXPECT_EQ(of_second.status.reason(), "names_changed");
    EXPECT_EQ(Check(second).reason(), "would_close_circle") << "judged again";
  }
  void ExpectAliasesCanBeFollowed(const std::vector<std::string>& paths) {
    ASSERT_TRUE(reader_->Refresh().ok());
    for (const std::string& path : paths) {
      std::string concept_path = path;
      std::vector<std::string> aliases;
      const Status covered = CoverAliases(*reader_, reader_->sequence(), concept_path, aliases);
      ASSERT_TRUE(covered.ok()) << path << ": " << covered.message();
    }
  }

  std::unique_ptr<store::Reader> reader_;
  std::vector<Hash256> claims_;
};

TEST_F(OperationRules, OfTwoThatTogetherCloseACircleOneIsLetIn) {
  Open();
  ExpectOneOfTwo(Alias("x", "y"), Alias("y", "x"));
  ExpectOneOfTwo(Supersession(claims_[0], claims_[1]), Supersession(claims_[1], claims_[0]));
  ExpectOneOfTwo(Epoch("e1", "e2"), Epoch("e2", "e1"));
}

TEST_F(OperationRules, OfTwoThatCloseALongCircleOneIsLetIn) {
  Open();
  ASSERT_TRUE(Try(Alias("b", "c")).ok());
  ASSERT_TRUE(Try(Alias("d", "e")).ok());
  ExpectOneOfTwo(Alias("c", "d"), Alias("e", "b"));
  ASSERT_TRUE(Try(Supersession(claims_[0], claims_[1])).ok());
  ASSERT_TRUE(Try(Supersession(claims_[2], claims_[3])).ok());
  ExpectOneOfTwo(Supersession(claims_[1], claims_[2]), Supersession(claims_[3], claims_[0]));
  ASSERT_TRUE(Try(Epoch("f", "g")).ok());
  ASSERT_TRUE(Try(Epoch("h", "i")).ok());
  ExpectOneOfTwo(Epoch("g", "h"), Epoch("i", "f"));
}

TEST_F(OperationRules, VotesAndTrustNeedNoOrder) {
  for (const OperationKind kind : {OperationKind::kVote, OperationKind::kTrust})
    EXPECT_FALSE(DependsOnNames(kind));
  for (const OperationKind kind :
       {OperationKind::kAlias, OperationKind::kSupersession, OperationKind::kEpoch, OperationKind::kSource})
    EXPECT_TRUE(DependsOnNames(kind));
}

TEST_F(OperationRules, AnAgentFromElsewhereVotesAndDealsWithItsOwnClaims) {
  Open();
  auto claim = Claim("a", "p", Number(10));
  claim.agent_id = stemedb::testing::Agent(1);
  claim.signatures = {{*stemedb::testing::Agent(1), {}}, {*stemedb::testing::Agent(2), {}}};
  Put(claim);
  Put(Claim("a/below", "p", Number(11)));
  const Hash256 own = Encode(claim).id, others = claims_[0];
  const auto by = [](model::Operation operation, uint8_t agent) {
    operation.agent_id = stemedb::testing::Agent(agent);
    return operation;
  };
  EXPECT_TRUE(Check(Vote(others, 1, 1), Authority::kAgent).ok());
  EXPECT_TRUE(Check(by(RetractionOf(own), 1), Authority::kAgent).ok());
  EXPECT_TRUE(Check(by(RetractionOf(own), 2), Authority::kAgent).ok()) << "whoever has signed it";
  EXPECT_TRUE(Check(by(Supersession(own, others), 1), Authority::kAgent).ok());
  for (const auto& operation :
       {by(RetractionOf(own), 3), by(RetractionOf(own), 0), by(RetractionOf(others), 1),
        by(RetractionAt("a"), 1), by(RetractionBelow("a"), 1), by(RetractionFrom("s"), 1),
        by(Supersession(others, own), 1), by(Epoch("e"), 1), by(Alias("x", "a"), 1), by(Trust(1, 1), 1),
        by(Registration("s"), 1)}) {
    const Status checked = Check(operation, Authority::kAgent);
    EXPECT_EQ(checked.reason(), "not_yours") << NameOf(operation.kind);
    EXPECT_EQ(checked.code(), Code::kPermissionDenied);
    EXPECT_TRUE(Check(operation).ok()) << "of the operator: " << Check(operation).message();
  }
}

TEST_F(OperationRules, ARepeatIsNoConflict) {
  Open();
  const auto supersession = Supersession(claims_[0], claims_[1]);
  ASSERT_TRUE(Try(supersession).ok());
  EXPECT_TRUE(Check(supersession).ok());
  EXPECT_EQ(Check(Supersession(claims_[0], claims_[2])).reason(), "already_superseded");
  EXPECT_EQ(Check(Supersession(claims_[0], claims_[1], kTestNow + 1)).reason(), "already_superseded");
  const auto epoch = Epoch("e");
  ASSERT_TRUE(Try(epoch).ok());
  EXPECT_TRUE(Check(epoch).ok());
  EXPECT_EQ(Check(Epoch("e", "", kTestNow + 1)).reason(), "epoch_exists");
  const auto retraction = RetractionOf(claims_[0], Cascade::kYes);
  ASSERT_TRUE(Try(retraction).ok());
  EXPECT_TRUE(Check(retraction).ok());
  EXPECT_EQ(Check(RetractionOf(claims_[0])).reason(), "already_retracted");
}

TEST_F(OperationRules, AnAliasThatIsGivenANewTargetClosesNoCircleEither) {
  Open();
  ASSERT_TRUE(Try(Alias("a", "x")).ok());
  ASSERT_TRUE(Try(Alias("b", "a")).ok());
  EXPECT_FALSE(Try(Alias("a", "b", kTestNow + 1)).ok()) << "b stands for a, whatever a stands for at present";
  ExpectAliasesCanBeFollowed({"a", "b", "x"});
  EXPECT_TRUE(Try(Alias("a", "y", kTestNow + 2)).ok());
  EXPECT_EQ(Try(Alias("y", "b", kTestNow + 3)).reason(), "would_close_circle");
  ExpectAliasesCanBeFollowed({"a", "b", "x", "y"});
  EXPECT_TRUE(Try(Alias("b", "x", kTestNow + 4)).ok());
  EXPECT_TRUE(Try(Alias("y", "b", kTestNow + 5)).ok()) << "the way back is gone";
  ExpectAliasesCanBeFollowed({"a", "b", "x", "y"});
}

TEST_F(OperationRules, AnAliasThatStandsForTheConceptAlreadyNeedntBeMade) {
  Open();
  ASSERT_TRUE(Try(Alias("a", "x")).ok());
  ASSERT_TRUE(Try(Alias("b", "a")).ok());
  EXPECT_EQ(Try(Alias("a", "x", kTestNow + 1)).reason(), "alias_exists");
  EXPECT_EQ(Try(Alias("b", "x", kTestNow + 1)).reason(), "alias_exists");
  EXPECT_TRUE(Try(Alias("a", "x")).ok()) << "a repeat";
}

// Whatever the rules let in, a question can be answered.
class AliasLimit : public OperationRules {
 protected:
  // So many aliases of each: x0, x1, … of x.
  void SayAliases(const std::vector<std::string>& targets, size_t count) {
    std::vector<store::PreparedRecord> aliases;
    for (const std::string& target : targets) {
      for (size_t i = 0; i < count; ++i)
        aliases.push_back(Prepare(Alias(target + std::to_string(i), target)));
    }
    ASSERT_TRUE(Write(*store_, std::move(aliases)).status.ok());
  }
  // Let in or not, the concepts can be asked for afterwards.
  void ExpectHarmless(const model::Operation& alias, const std::vector<std::string>& paths) {
    const Status checked = Check(alias);
    if (checked.ok()) {
      ASSERT_TRUE(Say(alias).status.ok());
    } else {
      EXPECT_EQ(checked.reason(), "alias_limit");
      EXPECT_EQ(checked.code(), Code::kConflict);
    }
    ExpectAliasesCanBeFollowed(paths);
  }
};

TEST_F(AliasLimit, IsKeptWhenTwoConceptsBecomeOne) {
  Open();
  SayAliases({"x", "y"}, 200);
  ExpectHarmless(Alias("y", "x"), {"x", "y", "x7", "y199"});
}

TEST_F(AliasLimit, IsKeptWhenAnAliasTakesOthersWithItToAnotherConcept) {
  Open();
  SayAliases({"x", "y"}, 200);
  ASSERT_TRUE(Say(Alias("y", "z")).status.ok());  // y0 … y199 stand for z by way of y
  ExpectHarmless(Alias("y", "x", kTestNow + 1), {"x", "y", "z", "x7", "y199"});
}

TEST_F(AliasLimit, IsReachedAndNotPassed) {
  Open();
  SayAliases({"x"}, 200);
  size_t more = 0;
  for (; more < 100; ++more) {
    const auto one = Alias("z" + std::to_string(more), "x");
    const Status checked = Check(one);
    if (!checked.ok()) {
      EXPECT_EQ(checked.reason(), "alias_limit");
      break;
    }
    ASSERT_TRUE(Say(one).status.ok());
  }
  EXPECT_EQ(more, kAliasesMax - 200);
  ExpectAliasesCanBeFollowed({"x", "z0", "z" + std::to_string(more)});
  EXPECT_TRUE(Check(Alias("z0", "elsewhere", kTestNow + 1)).ok()) << "one may leave";
}

TEST_F(OperationRules, AnAliasThatIsGivenTargetsAgainAndAgainSpoilsNoConcept) {
  Open();
  std::vector<store::PreparedRecord> aliases;
  size_t flips = 0;
  const auto next = [&] {
    ++flips;
    return Alias("z", flips % 2 == 0 ? "x" : "y", kTestNow + static_cast<int64_t>(flips));
  };
  while (flips < 2'040) aliases.push_back(Prepare(next()));
  ASSERT_TRUE(Write(*store_, std::move(aliases)).status.ok());
  for (int i = 0; i < 30; ++i) {
    const auto flip = next();
    if (!Check(flip).ok()) continue;
    ASSERT_TRUE(Say(flip).status.ok());
    ExpectAliasesCanBeFollowed({"x", "y", "z"});
    ASSERT_FALSE(HasFatalFailure()) << "after " << flips;
  }
}

TEST_F(OperationRules, AChainOfAliasesIsFollowedToItsEnd) {
  Open();
  size_t length = 0;
  for (; length < 300; ++length) {
    const auto one = Alias("n" + std::to_string(length + 1), "n" + std::to_string(length));
    const Status checked = Check(one);
    if (!checked.ok()) break;
    ASSERT_TRUE(Say(one).status.ok());
  }
  EXPECT_EQ(length, kAliasesMax);
  ExpectAliasesCanBeFollowed({"n0", "n1", "n" + std::to_string(length / 2), "n" + std::to_string(length)});
  EXPECT_EQ(*ConceptOf(*reader_, reader_->sequence(), "n" + std::to_string(length)), "n0");
}

// As several loops let operations in: each with a view of its own, judged again when names have changed.
TEST_F(OperationRules, WhatManyLetInAtOnceCouldHaveComeOneAfterTheOther) {
  constexpr int kThreads = 4;
  const int tries = WantsLongForm() ? 400 : 60;
  Open();
  std::mutex mutex;
  std::vector<std::pair<uint64_t, model::Operation>> let_in;
  std::atomic<int> refused = 0, judged_again = 0;
  const auto run = [&](uint64_t seed) {
    std::mt19937_64 random(seed);
    const auto below = [&](uint64_t n) { return random() % n; };
    const auto name = [&](const char* front, uint64_t count) { return front + std::to_string(below(count)); };
    const auto reader = store_->NewReader();
    for (int i = 0; i < tries; ++i) {
      const auto time = kTestNow + static_cast<int64_t>(below(1'000'000));
      const model::Operation choices[] = {
          Alias(name("n", 5), name("n", 5), time), Alias(name("n", 5), name("n", 5), time),
          Supersession(claims_[below(4)], claims_[below(4)], time), Epoch(name("e", 40), name("e", 40), time),
          Registration(name("s", 10), time)};
      const model::Operation& operation = choices[below(std::size(choices))];
      if ((operation.kind == OperationKind::kAlias && operation.path == operation.other_name) ||
          (operation.kind == OperationKind::kSupersession && operation.assertion_id == operation.other_id) ||
          (operation.kind == OperationKind::kEpoch && operation.name == operation.other_name))
        continue;
      for (;;) {
        ASSERT_TRUE(reader->Refresh().ok());
        const uint64_t as_of = reader->sequence();
        const Status checked = CheckOperation(operation, Encode(operation).id, Authority::kOperator, *reader);
        reader->Release();
        if (!checked.ok()) {
          ++refused;
          break;
        }
        const auto result = Write(*store_, {Prepare(operation)}, store::Atomicity::kEachItem, as_of);
        if (result.status.ok()) {
          const std::lock_guard lock(mutex);
          if (!result.items[0].duplicate) let_in.emplace_back(result.items[0].sequence, operation);
          break;
        }
        ASSERT_EQ(result.status.reason(), "names_changed");
        ++judged_again;
      }
    }
  };
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) threads.emplace_back(run, random_());
  for (std::thread& thread : threads) thread.join();
  std::sort(let_in.begin(), let_in.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [sequence, operation] : let_in) {
    ASSERT_EQ(reference_.Refusal(operation), "") << NameOf(operation.kind) << " at " << sequence;
    reference_.Add(sequence, operation);
  }
  EXPECT_GT(let_in.size(), 20u);
  EXPECT_GT(refused.load(), 10);
  std::printf("%zu let in, %d refused, %d judged again\n", let_in.size(), refused.load(),
              judged_again.load());
  ExpectAliasesCanBeFollowed({"n0", "n1", "n2", "n3", "n4"});
}

class RetractionImpact : public stemedb::testing::RandomKnowledge {
 protected:
  Result<Impact> ImpactOf(const model::Operation& operation, size_t claims_max = 1'000'000) {
    EXPECT_TRUE(reader_->Refresh().ok());
    Standing standing(kStepsMax);
    standing.Begin(*reader_, reader_->sequence());
    return query::ImpactOf(operation, *reader_, standing, claims_max);
  }
  static bool IsRetracting(const model::Operation& operation) {
    return operation.kind == OperationKind::kRetraction ||
           (operation.kind == OperationKind::kSourceStatus &&
            operation.source_status == model::SourceStatus::kRetracted);
  }
  // What it says beforehand is what comes about.
  void ExpectForetold(const model::Operation& operation) {
    const auto impact = ImpactOf(operation);
    ASSERT_TRUE(impact.has_value()) << impact.error().message();
    const uint64_t before = reference_.newest();
    const auto then = Wanted(before);
    Put(operation);
    ASSERT_EQ(reference_.newest(), before + 1);
    std::set<Hash256> retracted;
    uint64_t cascaded = 0;
    for (const auto& entry : reference_.entries()) {
      if (entry.claim() == nullptr || then.at(entry.sequence).status == "retracted") continue;
      if (Wanted(before + 1).at(entry.sequence).status != "retracted") continue;
      retracted.insert(entry.id);
      cascaded += KnowledgeReference::Retracts(operation, before + 1, entry) ? 0 : 1;
    }
    EXPECT_EQ(impact->retracted, retracted.size());
    EXPECT_EQ(impact->cascaded, cascaded);
    EXPECT_FALSE(impact->is_cut);
    EXPECT_EQ(impact->sample.size(), std::min<size_t>(kSampleMax, retracted.size()));
    std::set<Hash256> sample;
    for (const Hash256& id : impact->sample) {
      EXPECT_TRUE(retracted.contains(id));
      EXPECT_TRUE(sample.insert(id).second) << "each once";
    }
  }

  std::unique_ptr<store::Reader> reader_;
};

TEST_F(RetractionImpact, IsWhatComesAbout) {
  int foretold = 0;
  for (int history = 0; history < (WantsLongForm() ? 100 : 8); ++history) {
    reader_.reset();
    ForgetHistory();
    store_.reset();
    RemoveTree("db");
    RemoveTree("wal");
    Open();
    reader_ = store_->NewReader();
    Plan(40);
    while (has_waiting()) {
      if (Below(3) > 0 || !HasClaims()) {
        Put(NextClaim());
      } else {
        const auto operation = AnyOperation();
        if (!IsRetracting(operation) || !reference_.Refusal(operation).empty()) continue;
        ExpectForetold(operation);
        ++foretold;
      }
      if (Below(10) == 0) {
        ASSERT_TRUE(store_->Flush().ok());
      }
      ASSERT_FALSE(HasFailure()) << "history " << history;
    }
  }
  EXPECT_GT(foretold, 20);
  reader_.reset();
}

TEST_F(RetractionImpact, ABoundIsSaidWhenItBites) {
  Open();
  reader_ = store_->NewReader();
  auto root = Claim("a", "p", Number(0));
  root.source = model::Source{"s", {}, "", ""};
  Put(root);
  std::vector<Hash256> level{Encode(root).id};
  for (int i = 1; i < 30; ++i) {
    auto claim = Claim("a", "p", Number(i));
    claim.derived_from = {level[Below(level.size())]};
    Put(claim);
    level.push_back(Encode(claim).id);
  }
  for (const auto& operation : {RetractionOf(level[0], Cascade::kYes), RetractionAt("a"),
                                RetractionAt("a", Cascade::kYes), RetractionFrom("s", Cascade::kYes)}) {
    for (const size_t bound : {size_t{1}, size_t{7}, size_t{29}, size_t{30}, size_t{31}}) {
      const auto impact = ImpactOf(operation, bound);
      ASSERT_TRUE(impact.has_value());
      EXPECT_EQ(impact->is_cut, bound < 30) << bound;
      EXPECT_EQ(impact->retracted, std::min<size_t>(bound, 30)) << bound;
    }
  }
  EXPECT_EQ(ImpactOf(RetractionOf(level[29]), 1)->is_cut, false);
  reader_.reset();
}

// Links to what has been looked at already mustn't use up the room for others.
TEST_F(RetractionImpact, WhatRestsOnSeveralIsFoundThoughTheBoundIsNear) {
  Open();
  reader_ = store_->NewReader();
  const auto of_source = [](int number, std::vector<Hash256> from) {
    auto claim = Claim("a", "p", Number(number));
    claim.source = model::Source{"s", {}, "", ""};
    claim.derived_from = std::move(from);
    return claim;
  };
  const auto first = of_source(1, {});
  const Hash256 id = Encode(first).id;
  Put(first);
  for (int i = 2; i <= 4; ++i) Put(of_source(i, {id}));
  auto last = Claim("b", "p", Number(5));
  last.derived_from = {id};
  Put(last);
  const auto impact = ImpactOf(RetractionFrom("s", Cascade::kYes), 5);
  ASSERT_TRUE(impact.has_value());
  EXPECT_EQ(impact->retracted, 5u);
  EXPECT_EQ(impact->cascaded, 1u);
  EXPECT_FALSE(impact->is_cut);
  const auto cut = ImpactOf(RetractionFrom("s", Cascade::kYes), 4);
  ASSERT_TRUE(cut.has_value());
  EXPECT_EQ(cut->retracted, 4u);
  EXPECT_TRUE(cut->is_cut);
  reader_.reset();
}

}  // namespace
}  // namespace stemedb::query
