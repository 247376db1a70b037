// SPDX-License-Identifier: Apache-2.0
// Which operations are let in, also when several come at once, and what a retraction says beforehand that it
// would do.
#include "query/operation_rules.h"

#include <atomic>
#include <mutex>
#include <thread>

#include "counting_reader.h"
#include "knowledge_fixture.h"
#include "query/reach.h"

namespace stemedb::query {
namespace {

using model::OperationKind;
using stemedb::testing::Alias;
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
    return CheckOperation(operation, Encode(operation).id, authority, *reader_, judgement_);
  }
  // Lets it in when the rules do.
  Status Try(const model::Operation& operation) {
    Status checked = Check(operation);
    if (checked.ok()) Put(operation);
    return checked;
  }
  // Both are right by themselves, judged at the same moment, and sent at once.
  void SendBoth(const model::Operation& first, const model::Operation& second,
                store::CommitResult (&results)[2]) {
    std::promise<store::CommitResult> promises[2];
    store::Judgement judgements[2];
    for (int i = 0; i < 2; ++i) {
      const Status checked = Check(i == 0 ? first : second);
      ASSERT_TRUE(checked.ok()) << checked.message();
      judgements[i] = judgement_;
    }
    for (int i = 0; i < 2; ++i) {
      const Status queued = store_->Submit(
          {.records = {Prepare(i == 0 ? first : second)},
           .judged = judgements[i],
           .done = [&promises,
                    i](store::CommitResult&& result) { promises[i].set_value(std::move(result)); }},
          store::Wake::kWithOthers);
      ASSERT_TRUE(queued.ok());
    }
    store_->Begin();
    for (int i = 0; i < 2; ++i) results[i] = promises[i].get_future().get();
    ASSERT_TRUE(results[0].status.ok()) << results[0].status.message();
    reference_.Add(results[0].items.at(0).sequence, first);
    if (results[1].status.ok()) reference_.Add(results[1].items.at(0).sequence, second);
  }
  void ExpectOneOfTwo(const model::Operation& first, const model::Operation& second,
                      std::string_view refusal = "would_close_circle") {
    store::CommitResult results[2];
    ASSERT_NO_FATAL_FAILURE(SendBoth(first, second, results));
    EXPECT_EQ(results[1].status.reason(), "names_changed");
    EXPECT_EQ(Check(second).reason(), refusal) << "judged again";
  }
  void ExpectBoth(const model::Operation& first, const model::Operation& second) {
    store::CommitResult results[2];
    ASSERT_NO_FATAL_FAILURE(SendBoth(first, second, results));
    EXPECT_TRUE(results[1].status.ok()) << results[1].status.message();
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
  store::Judgement judgement_;  // of the last check
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

TEST_F(OperationRules, OfTwoThatSayTheSameThingOneIsLetIn) {
  Open();
  ExpectOneOfTwo(Supersession(claims_[0], claims_[1]), Supersession(claims_[0], claims_[2]),
                 "already_superseded");
  ExpectOneOfTwo(RetractionOf(claims_[1]), RetractionOf(claims_[1], Cascade::kNo, kTestNow + 1),
                 "already_retracted");
  ExpectOneOfTwo(Epoch("e"), Epoch("e", "", kTestNow + 1), "epoch_exists");
  ExpectOneOfTwo(Registration("s"), Registration("s", kTestNow + 1), "source_exists");
  ExpectOneOfTwo(RetractionFrom("s"), ChangeOfStatus("s", model::SourceStatus::kActive), "already_retracted");
  ASSERT_TRUE(Try(Alias("y", "z")).ok());
  ExpectOneOfTwo(Alias("x", "z"), Alias("x", "y", kTestNow + 1), "alias_exists");
}

TEST_F(OperationRules, TwoThatCannotContradictEachOtherAreBothLetInAtOnce) {
  Open();
  ExpectBoth(RetractionOf(claims_[0]), RetractionOf(claims_[1]));
  ExpectBoth(Supersession(claims_[0], claims_[3]), Supersession(claims_[1], claims_[3]));
  ExpectBoth(RetractionAt("a"), RetractionAt("a", Cascade::kNo, kTestNow + 1));
  ExpectBoth(Epoch("e1", "e0"), Epoch("f1", "f0"));
  ExpectBoth(Registration("s"), Registration("t"));
  ExpectBoth(RetractionFrom("s"), ChangeOfStatus("t", model::SourceStatus::kDeprecated));
  ExpectBoth(Alias("x", "y"), Alias("v", "w"));
  ExpectBoth(Alias("u", "t"), Epoch("t"));
}

TEST_F(OperationRules, VotesAndTrustNeedNoOrder) {
  for (const OperationKind kind : {OperationKind::kVote, OperationKind::kTrust})
    EXPECT_FALSE(DependsOnNames(kind));
  for (const OperationKind kind :
       {OperationKind::kAlias, OperationKind::kSupersession, OperationKind::kEpoch, OperationKind::kSource,
        OperationKind::kRetraction, OperationKind::kSourceStatus})
    EXPECT_TRUE(DependsOnNames(kind)) << NameOf(kind);
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
  EXPECT_TRUE(Check(by(Supersession(own, others), 1), Authority::kAgent).ok());
  for (const auto& operation :
       {by(RetractionOf(own), 3), by(RetractionOf(own), 0), by(RetractionOf(others), 1), RetractionOf(own),
        RetractionOf(others), by(RetractionAt("a"), 1), by(RetractionBelow("a"), 1),
        by(RetractionFrom("s"), 1), by(Supersession(others, own), 1), by(Epoch("e"), 1),
        by(Alias("x", "a"), 1), by(Trust(1, 1), 1), by(Registration("s"), 1)}) {
    const Status checked = Check(operation, Authority::kAgent);
    EXPECT_EQ(checked.reason(), "not_yours") << NameOf(operation.kind);
    EXPECT_EQ(checked.code(), Code::kPermissionDenied);
    EXPECT_TRUE(Check(operation).ok()) << "of the operator: " << Check(operation).message();
  }
}

// The list of signatures is no part of a claim's id, so anybody may put himself into it before others arrive.
TEST_F(OperationRules, WhoHasSignedAClaimBesideItsAgentHasNoSayInIt) {
  Open();
  auto claim = Claim("a", "p", Number(10));
  claim.agent_id = stemedb::testing::Agent(1);
  claim.signatures = {{*stemedb::testing::Agent(1), {}}, {*stemedb::testing::Agent(2), {}}};
  Put(claim);
  for (auto operation : {RetractionOf(Encode(claim).id), Supersession(Encode(claim).id, claims_[0])}) {
    operation.agent_id = stemedb::testing::Agent(2);
    EXPECT_EQ(Check(operation, Authority::kAgent).reason(), "not_yours");
    operation.agent_id = stemedb::testing::Agent(1);
    EXPECT_TRUE(Check(operation, Authority::kAgent).ok());
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

TEST_F(OperationRules, OfTwoVotesOfOneMomentTheOneWithTheGreaterIdCountsInWhateverOrderTheyCome) {
  Open();
  for (size_t i = 0; i < 4; ++i) {  // in the delta and in LMDB
    auto lesser = Vote(claims_[i], 0.25, 1), greater = Vote(claims_[i], 0.75, 1);
    if (Encode(greater).id < Encode(lesser).id) std::swap(lesser, greater);
    if (i % 2 == 0) {
      ASSERT_TRUE(Try(lesser).ok());
      ASSERT_TRUE(Try(greater).ok());
    } else {
      ASSERT_TRUE(Try(greater).ok());
      const Status refused = Try(lesser);
      EXPECT_EQ(refused.reason(), "stale_vote");
      EXPECT_NE(refused.message().find("the one with the greater id counts"), std::string_view::npos);
      Put(lesser);  // as when both are sent at once
    }
    if (i >= 2) {
      ASSERT_TRUE(store_->Flush().ok());
    }
    ASSERT_TRUE(reader_->Refresh().ok());
    const auto tally = reader_->VotesOn(AsView(claims_[i]), UINT64_MAX);
    ASSERT_TRUE(tally.has_value());
    EXPECT_EQ(tally->count, 1u);
    EXPECT_EQ(tally->weight_sum(), greater.number) << i;
    const auto before = reader_->VotesOn(AsView(claims_[i]), reader_->sequence() - 1);
    EXPECT_EQ(before->weight_sum(), i % 2 == 0 ? lesser.number : greater.number)
        << "as of the first of them; " << i;
  }
}

TEST_F(OperationRules, AnAliasThatStandsForTheConceptAlreadyNeedntBeMade) {
  Open();
  ASSERT_TRUE(Try(Alias("a", "x")).ok());
  ASSERT_TRUE(Try(Alias("b", "a")).ok());
  EXPECT_EQ(Try(Alias("a", "x", kTestNow + 1)).reason(), "alias_exists");
  EXPECT_EQ(Try(Alias("b", "x", kTestNow + 1)).reason(), "alias_exists");
  EXPECT_TRUE(Try(Alias("a", "x")).ok()) << "a repeat";
}

TEST_F(OperationRules, AnAliasThatStandsForItselfAgainIsNoneAnyMore) {
  Open();
  EXPECT_EQ(Try(Alias("a", "a")).reason(), "not_an_alias") << "it never was one";
  ASSERT_TRUE(Try(Alias("a", "x")).ok());
  ASSERT_TRUE(Try(Alias("b", "a")).ok());
  EXPECT_EQ(Try(Alias("x", "x")).reason(), "not_an_alias") << "others stand for it";
  const uint64_t before = reference_.newest();
  ASSERT_TRUE(Try(Alias("a", "a", kTestNow + 1)).ok());
  ExpectAliasesCanBeFollowed({"a", "b", "x"});
  EXPECT_EQ(*ConceptOf(*reader_, reader_->sequence(), "a"), "a");
  EXPECT_EQ(*ConceptOf(*reader_, reader_->sequence(), "b"), "a") << "it stays with what it stood for";
  EXPECT_EQ(*ConceptOf(*reader_, before, "b"), "x") << "as it was";
  EXPECT_EQ(Try(Alias("a", "a", kTestNow + 2)).reason(), "not_an_alias") << "once is enough";
  EXPECT_TRUE(Try(Alias("a", "a", kTestNow + 1)).ok()) << "a repeat";
  EXPECT_TRUE(Try(Alias("x", "b", kTestNow + 3)).ok()) << "the way back is gone";
  EXPECT_EQ(Try(Alias("a", "x", kTestNow + 4)).reason(), "would_close_circle");
  EXPECT_TRUE(Try(Alias("x", "x", kTestNow + 5)).ok());
  EXPECT_TRUE(Try(Alias("a", "x", kTestNow + 6)).ok()) << "it may be one again";
  ExpectAliasesCanBeFollowed({"a", "b", "x"});
}

TEST_F(OperationRules, AnAliasIsTakenBackOnceThoughTwoDoItAtOnce) {
  Open();
  ASSERT_TRUE(Try(Alias("x", "y")).ok());
  ExpectOneOfTwo(Alias("x", "x", kTestNow + 1), Alias("x", "x", kTestNow + 2), "not_an_alias");
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

TEST_F(OperationRules, AnAliasThatIsTakenBackAgainAndAgainSpoilsNoConcept) {
  Open();
  std::vector<store::PreparedRecord> aliases;
  size_t flips = 0, refused = 0;
  const auto next = [&] {
    ++flips;
    return Alias("z", flips % 2 == 0 ? "z" : "x", kTestNow + static_cast<int64_t>(flips));
  };
  while (flips < 4'080) aliases.push_back(Prepare(next()));
  ASSERT_TRUE(Write(*store_, std::move(aliases)).status.ok());
  for (int i = 0; i < 30; ++i) {
    const auto flip = next();
    const Status checked = Check(flip);
    refused += checked.reason() == "alias_limit" ? 1 : 0;
    if (!checked.ok()) continue;
    ASSERT_TRUE(Say(flip).status.ok());
    ExpectAliasesCanBeFollowed({"x", "z"});
    ASSERT_FALSE(HasFatalFailure()) << "after " << flips;
  }
  EXPECT_GT(refused, 0u);
}

// That it couldn't be followed to its end is no circle.
TEST_F(OperationRules, AChainThatIsTooLongIsSaidToBeThat) {
  constexpr int kLinks = 12;
  Open();
  std::vector<Hash256> chain;
  for (int i = 0; i <= kLinks; ++i) {
    const auto claim = Claim("chain", "p", Number(i));
    chain.push_back(Encode(claim).id);
    Put(claim);
  }
  const auto epoch = [](int i) { return "epoch " + std::to_string(i); };
  for (int i = kLinks - 1; i >= 0; --i) Put(Supersession(chain[i], chain[i + 1]));
  for (int i = 1; i <= kLinks; ++i) Put(Epoch(epoch(i), epoch(i - 1)));
  const auto check = [&](const model::Operation& operation, size_t chain_max) {
    EXPECT_TRUE(reader_->Refresh().ok());
    return CheckOperation(operation, Encode(operation).id, Authority::kOperator, *reader_, judgement_,
                          chain_max);
  };
  const auto replacement = Supersession(claims_[0], chain[0]), circle = Supersession(chain[kLinks], chain[0]);
  for (const auto& [operation, enough] : {std::pair{replacement, ""},
                                          {Epoch("new", epoch(kLinks)), ""},
                                          {circle, "would_close_circle"},
                                          {Epoch(epoch(0), epoch(kLinks)), "would_close_circle"}}) {
    const Status refused = check(operation, kLinks - 1);
    EXPECT_EQ(refused.reason(), kChainTooLong) << NameOf(operation.kind);
    EXPECT_EQ(refused.code(), Code::kOutOfRange);
    EXPECT_EQ(check(operation, kLinks + 2).reason(), enough) << NameOf(operation.kind);
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
          Alias(name("n", 5), name("n", 5), time),
          Alias(name("n", 5), name("n", 5), time),
          Supersession(claims_[below(claims_.size())], claims_[below(claims_.size())], time),
          RetractionOf(claims_[below(claims_.size())], below(2) == 0 ? Cascade::kYes : Cascade::kNo, time),
          Epoch(name("e", 40), name("e", 40), time),
          Registration(name("s", 10), time),
          ChangeOfStatus(name("s", 10), static_cast<model::SourceStatus>(below(4)), time)};
      const model::Operation& operation = choices[below(std::size(choices))];
      if ((operation.kind == OperationKind::kSupersession && operation.assertion_id == operation.other_id) ||
          (operation.kind == OperationKind::kEpoch && operation.name == operation.other_name))
        continue;
      for (;;) {
        ASSERT_TRUE(reader->Refresh().ok());
        store::Judgement judgement;
        const Status checked =
            CheckOperation(operation, Encode(operation).id, Authority::kOperator, *reader, judgement);
        reader->Release();
        if (!checked.ok()) {
          ++refused;
          break;
        }
        const auto result = Write(*store_, {Prepare(operation)}, store::Atomicity::kEachItem, judgement);
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

TEST_F(OperationRules, WhetherAPathHasClaimsIsToldWithoutGoingThroughThem) {
  Open();
  stemedb::testing::CountingReader reader(store_->NewReader());
  const auto reason = [&](const model::Operation& operation) {
    return std::string(
        CheckOperation(operation, Encode(operation).id, Authority::kOperator, reader, judgement_).reason());
  };
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(reader.Refresh().ok());
    EXPECT_EQ(reason(RetractionAt("a")), "");
    EXPECT_EQ(reason(RetractionBelow("a")), "unknown_concept");
    EXPECT_EQ(reason(RetractionAt("a/b")), "unknown_concept");
    ASSERT_TRUE(store_->Flush().ok());
  }
  EXPECT_EQ(reader.scans, 0);
}

class RetractionImpact : public stemedb::testing::RandomKnowledge {
 protected:
  Result<Impact> ImpactOf(const model::Operation& operation, size_t claims_max = 1'000'000) {
    EXPECT_TRUE(reader_->Refresh().ok());
    Standing standing(kStepsMax);
    standing.Begin(*reader_, reader_->sequence());
    return query::ImpactOf(operation, *reader_, standing, {.claims_max = claims_max});
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

TEST_F(RetractionImpact, TimeIsABoundToo) {
  Open();
  reader_ = store_->NewReader();
  const auto root = Claim("a", "p", Number(0));
  Put(root);
  auto resting = Claim("b", "p", Number(1));
  resting.derived_from = {Encode(root).id};
  Put(resting);
  ASSERT_TRUE(reader_->Refresh().ok());
  Standing standing(kStepsMax);
  for (const auto& operation : {RetractionOf(Encode(root).id, Cascade::kYes), RetractionAt("a"),
                                RetractionFrom("s"), RetractionAt("b")}) {
    standing.Begin(*reader_, reader_->sequence());
    const auto impact = query::ImpactOf(operation, *reader_, standing, {.seconds_max = -1});
    ASSERT_TRUE(impact.has_value()) << impact.error().message();
    EXPECT_EQ(impact->retracted, 0u);
    EXPECT_EQ(impact->is_cut, operation.name != "s") << "there is nothing of that source";
  }
  standing.Begin(*reader_, reader_->sequence());
  const auto whole = query::ImpactOf(RetractionOf(Encode(root).id, Cascade::kYes), *reader_, standing,
                                     {.seconds_max = 3600});
  ASSERT_TRUE(whole.has_value());
  EXPECT_EQ(whole->retracted, 2u);
  EXPECT_FALSE(whole->is_cut);
  reader_.reset();
}

// 1 ← 2 ← 3, and 4 rests on 1 as well: claims of agents; 0 is nobody.
class AgentsCascade : public RetractionImpact {
 protected:
  void Build(const std::vector<uint8_t>& agents) {
    Open();
    reader_ = store_->NewReader();
    for (size_t i = 0; i < agents.size(); ++i) {
      auto claim = Claim("a", "p", Number(static_cast<double>(i)));
      if (agents[i] != 0) {
        claim.agent_id = stemedb::testing::Agent(agents[i]);
        claim.signatures = {{*claim.agent_id, {}}};
      }
      if (i > 0) claim.derived_from = {ids_[i == 3 ? 0 : i - 1]};
      Put(claim);
      ids_.push_back(Encode(claim).id);
    }
  }
  // By agent 1.
  Status Reach(const Hash256& id, Cascade cascade = Cascade::kYes, size_t claims_max = 100) {
    auto operation = RetractionOf(id, cascade);
    operation.agent_id = stemedb::testing::Agent(1);
    const auto impact = ImpactOf(operation, claims_max);
    return impact ? CheckReach(operation, *impact) : impact.error();
  }
  ~AgentsCascade() override { reader_.reset(); }

  std::vector<Hash256> ids_;
};

TEST_F(AgentsCascade, IsTakenWhenAllThatItReachesIsItsOwn) {
  Build({1, 1, 1, 1});
  for (const Hash256& id : ids_) EXPECT_TRUE(Reach(id).ok());
}

TEST_F(AgentsCascade, ReachesNobodyElsesClaims) {
  Build({1, 1, 2, 0});
  const Status two = Reach(ids_[0]);
  EXPECT_EQ(two.reason(), "not_yours");
  EXPECT_EQ(two.code(), Code::kPermissionDenied);
  EXPECT_THAT(two.message(), ::testing::HasSubstr("2 are not this agent's"));
  EXPECT_THAT(two.message(), ::testing::HasSubstr("retract without cascade, or leave it to an operator"));
  EXPECT_THAT(Reach(ids_[1]).message(), ::testing::HasSubstr("1 is not this agent's"));
  EXPECT_TRUE(Reach(ids_[0], Cascade::kNo).ok());
}

TEST_F(AgentsCascade, IsNotHeldUpByWhatIsRetractedAlready) {
  Build({1, 1, 2, 1});
  EXPECT_EQ(Reach(ids_[0]).reason(), "not_yours");
  Put(RetractionOf(ids_[2]));
  EXPECT_TRUE(Reach(ids_[0]).ok());
}

TEST_F(AgentsCascade, IsRefusedWhenNotAllOfItWasLookedAt) {
  Build({1, 1, 1, 2});
  EXPECT_TRUE(Reach(ids_[1], Cascade::kYes, 2).ok());
  EXPECT_EQ(Reach(ids_[1], Cascade::kYes, 1).reason(), "not_yours");
  EXPECT_THAT(Reach(ids_[0], Cascade::kYes, 3).message(), ::testing::HasSubstr("at least 1 is not"));
}

// Lets time pass until the stopwatch is behind so many seconds.
void WaitUntil(const telemetry::Stopwatch& stopwatch, double seconds) {
  while (stopwatch.Seconds() <= seconds) std::this_thread::yield();
}

TEST_F(RetractionImpact, TimeIsABoundOfOneClaimsLineageToo) {
  constexpr int kLength = 300;
  Open();
  std::vector<Hash256> chain;
  for (int i = 0; i < kLength; ++i) {
    auto claim = Claim("a", "p", Number(i));
    if (!chain.empty()) claim.derived_from = {chain.back()};
    Put(claim);
    chain.push_back(Encode(claim).id);
  }
  Put(RetractionAt("elsewhere", Cascade::kYes));
  stemedb::testing::CountingReader reader(store_->NewReader());
  ASSERT_TRUE(reader.Refresh().ok());
  reader.before_find = [] { WaitUntil(telemetry::Stopwatch(), 0.002); };
  const auto look = [&](const Patience& patience, double seconds_max) {
    Standing standing(kStepsMax);
    standing.Begin(reader, reader.sequence(), patience);
    return query::ImpactOf(RetractionOf(chain.back()), reader, standing, {.seconds_max = seconds_max});
  };
  const auto cut = look({}, 0.1);
  ASSERT_TRUE(cut.has_value()) << cut.error().message();
  EXPECT_TRUE(cut->is_cut);
  EXPECT_EQ(cut->retracted, 0u);
  EXPECT_LT(reader.finds, kLength);
  const auto handed_over = look(Patience(telemetry::Stopwatch(), 0.1), 3'600);
  ASSERT_FALSE(handed_over.has_value());
  EXPECT_EQ(handed_over.error().reason(), kHandOverReason);
  const auto whole = look({}, 3'600);
  ASSERT_TRUE(whole.has_value()) << whole.error().message();
  EXPECT_FALSE(whole->is_cut);
  EXPECT_EQ(whole->retracted, 1u);
}

TEST_F(RetractionImpact, LinksToWhatWasSeenTakeTimeToo) {
  Open();
  reader_ = store_->NewReader();
  const auto root = Claim("a", "p", Number(0));
  Put(root);
  for (int i = 1; i <= 100; ++i) {
    auto claim = Claim("a", "p", Number(i));
    claim.derived_from = {Encode(root).id};
    Put(claim);
  }
  ASSERT_TRUE(reader_->Refresh().ok());
  Reach reach(*reader_, {.claims_max = 1'000, .steps_max = 1'000, .seconds_max = 1});
  const telemetry::Stopwatch stopwatch;
  ASSERT_TRUE(reach.AddNamed({model::SubjectKind::kPath, "a"}, UINT64_MAX).ok());
  ASSERT_EQ(reach.named(), 101u);
  ASSERT_FALSE(reach.is_cut());
  WaitUntil(stopwatch, 1);
  ASSERT_TRUE(reach.AddResting().ok());
  EXPECT_TRUE(reach.is_cut());
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
