// SPDX-License-Identifier: Apache-2.0
// What becomes of a submission: repeats, groups, times, full queues, and disks that fail.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "store_fixture.h"

namespace stemedb::store {
namespace {

using stemedb::testing::Alias;
using stemedb::testing::Claim;
using stemedb::testing::Encode;
using stemedb::testing::EntriesByMdbStat;
using stemedb::testing::kTestNow;
using stemedb::testing::Number;
using stemedb::testing::Prepare;
using stemedb::testing::PrepareAll;
using stemedb::testing::RetractionOf;
using stemedb::testing::Supersession;
using stemedb::testing::Text;
using stemedb::testing::Vote;
using stemedb::testing::Write;
using ::testing::HasSubstr;
using ::testing::Not;

class Commit : public stemedb::testing::StoreTest {
 protected:
  // Holds the commit thread in the callback of a first claim until Open is called, so that what follows
  // queues up.
  class Gate {
   public:
    explicit Gate(Store& store) {
      Submission first{.records = PrepareAll({Claim("gate", "p", Number(0))}),
                       .done = [this](CommitResult&&) {
                         entered_.set_value();
                         opened_.get_future().wait();
                       }};
      EXPECT_TRUE(store.Submit(std::move(first)).ok());
      entered_.get_future().wait();
    }
    void Open() { opened_.set_value(); }

   private:
    std::promise<void> entered_, opened_;
  };

  // Aliases that were judged by what their paths mean at a sequence.
  static Judgement Judged(const std::vector<model::Operation>& aliases, uint64_t as_of) {
    Judgement judgement{as_of, {}};
    for (const model::Operation& alias : aliases) {
      for (const std::string& path : {alias.path, alias.other_name}) {
        judgement.RelyOn({model::SubjectKind::kAlias, path});
        judgement.RelyOn({model::SubjectKind::kAliasTarget, path});
      }
    }
    return judgement;
  }
  CommitResult SayNamed(const model::Operation& alias, uint64_t as_of) {
    return Write(*store_, {Prepare(alias)}, Atomicity::kEachItem, Judged({alias}, as_of));
  }
  std::future<CommitResult> QueueNamed(const model::Operation& alias, uint64_t as_of) {
    return QueueJudged(alias, Judged({alias}, as_of));
  }
  std::future<CommitResult> QueueJudged(const model::Operation& operation, Judgement judgement) {
    auto promise = std::make_shared<std::promise<CommitResult>>();
    Submission submission{.records = {Prepare(operation)},
                          .judged = std::move(judgement),
                          .done = [promise](CommitResult&& r) { promise->set_value(std::move(r)); }};
    EXPECT_TRUE(store_->Submit(std::move(submission)).ok());
    return promise->get_future();
  }
  static Hash256 IdOf(int number) { return Encode(Numbered(number)).id; }

  // Queues one claim; its result appears in the future.
  std::future<CommitResult> Queue(const model::Assertion& claim, Status* queued = nullptr) {
    auto promise = std::make_shared<std::promise<CommitResult>>();
    Submission submission{.records = PrepareAll({claim}),
                          .done = [promise](CommitResult&& r) { promise->set_value(std::move(r)); }};
    const Status status = store_->Submit(std::move(submission));
    if (queued != nullptr) *queued = status;
    return promise->get_future();
  }
};

TEST_F(Commit, ARepeatGetsTheFirstSequenceAndTimeWhereverTheFirstIs) {
  Open();
  const auto first = Say(Numbered(7));
  ASSERT_FALSE(first.items[0].duplicate);
  const auto expect_repeat = [&](const char* where) {
    clock_.AdvanceMs(1000);
    const auto again = Say(Numbered(7));
    ASSERT_TRUE(again.status.ok()) << where;
    EXPECT_TRUE(again.items[0].duplicate) << where;
    EXPECT_EQ(again.items[0].sequence, 1u) << where;
    EXPECT_EQ(again.items[0].recorded_at_ms, kTestNow) << where;
  };
  expect_repeat("in the delta");
  ASSERT_TRUE(store_->Flush().ok());
  expect_repeat("in LMDB");
  expect_repeat("in LMDB, and forgotten by the commit thread");
  Open();
  expect_repeat("after a restart");
  EXPECT_EQ(store_->stats().assertions, 1u);
  const auto both = Write(*store_, PrepareAll({Numbered(8), Numbered(7), Numbered(8)}));
  EXPECT_FALSE(both.items[0].duplicate);
  EXPECT_TRUE(both.items[1].duplicate);
  EXPECT_TRUE(both.items[2].duplicate) << "in the same submission";
  EXPECT_EQ(both.items[2].sequence, both.items[0].sequence);
  EXPECT_EQ(store_->stats().assertions, 2u);
}

TEST_F(Commit, ARepeatInTheSameFsyncIsARepeat) {
  Open();
  Gate gate(*store_);
  auto first = Queue(Numbered(1)), second = Queue(Numbered(1));
  gate.Open();
  const CommitResult a = first.get(), b = second.get();
  EXPECT_FALSE(a.items[0].duplicate);
  EXPECT_TRUE(b.items[0].duplicate);
  EXPECT_EQ(a.items[0].sequence, b.items[0].sequence);
}

TEST_F(Commit, ARepeatedOperationIsARepeatWhereverTheFirstIs) {
  Open();
  SayMany(2);
  const auto vote = Vote(IdOf(0), 0.5, 1);
  const auto supersession = Supersession(IdOf(0), IdOf(1));
  ASSERT_FALSE(Say(vote).items.at(0).duplicate);
  ASSERT_FALSE(Say(supersession).items.at(0).duplicate);
  const auto expect_repeats = [&](const char* where) {
    clock_.AdvanceMs(1000);
    const auto again = Write(*store_, {Prepare(supersession), Prepare(vote), Prepare(Numbered(1))});
    ASSERT_TRUE(again.status.ok()) << where;
    ASSERT_EQ(again.items.size(), 3u);
    for (const ItemResult& item : again.items) {
      EXPECT_TRUE(item.duplicate) << where;
      EXPECT_EQ(item.recorded_at_ms, kTestNow) << where;
    }
    EXPECT_EQ(again.items[0].sequence, 4u) << where;
    EXPECT_EQ(again.items[1].sequence, 3u) << where;
    EXPECT_EQ(again.items[2].sequence, 2u) << where;
  };
  expect_repeats("in the delta");
  ASSERT_TRUE(store_->Flush().ok());
  expect_repeats("in LMDB");
  expect_repeats("in LMDB, and forgotten by the commit thread");
  Open();
  expect_repeats("after a restart");
  EXPECT_EQ(store_->stats().sequence, 4u);
  EXPECT_EQ(store_->stats().assertions, 2u) << "operations are none";
}

TEST_F(Commit, TheSameVoteAgainByAnotherAgentOrAtAnotherTimeIsAnotherOne) {
  Open();
  SayMany(1);
  for (const auto& vote : {Vote(IdOf(0), 0.5, 1), Vote(IdOf(0), 0.5, 2), Vote(IdOf(0), 0.5, 0),
                           Vote(IdOf(0), 0.5, 1, kTestNow + 1)})
    EXPECT_FALSE(Say(vote).items.at(0).duplicate);
  EXPECT_EQ(store_->stats().sequence, 5u);
}

TEST_F(Commit, WhatWasJudgedBeforeNamesChangedIsRefused) {
  Open();
  SayMany(2);
  EXPECT_EQ(SayNamed(Alias("a", "b"), 2).items.at(0).sequence, 3u);
  const auto refused = SayNamed(Alias("b", "c"), 2);
  EXPECT_EQ(refused.status.reason(), "names_changed");
  EXPECT_EQ(refused.status.code(), Code::kConflict);
  EXPECT_TRUE(refused.items.empty());
  EXPECT_EQ(store_->stats().sequence, 3u) << "nothing of it is there";
  EXPECT_TRUE(store_->stats().accepting_writes);
  EXPECT_EQ(SayNamed(Alias("b", "c"), 3).items.at(0).sequence, 4u) << "judged again";
  const auto reader = store_->NewReader();
  ASSERT_TRUE(reader->Refresh().ok());
  EXPECT_EQ(reader->sequence(), 4u);
}

TEST_F(Commit, WhatChangesNoNamesIsInNobodysWay) {
  Open();
  SayMany(1);
  ASSERT_TRUE(SayNamed(Alias("a", "b"), 1).status.ok());
  SayMany(5);
  ASSERT_TRUE(Say(Vote(IdOf(0), 0.5, 1)).status.ok());
  ASSERT_TRUE(Say(Alias("c", "d")).status.ok()) << "not judged by names";
  EXPECT_TRUE(SayNamed(Alias("b", "c"), 2).status.ok()) << "these names are as they were at 2";
  EXPECT_EQ(SayNamed(Alias("c", "g"), 8).status.reason(), "names_changed");
  EXPECT_TRUE(SayNamed(Alias("e", "f"), 0).status.ok()) << "these have never been given a meaning";
}

TEST_F(Commit, ManyThatWereJudgedByDifferentNamesAreAllTakenAtOnce) {
  constexpr int kMany = 64;
  Open();
  SayMany(kMany);
  Gate gate(*store_);
  std::vector<std::future<CommitResult>> results;
  for (int i = 0; i < kMany; ++i) {
    const Hash256 id = IdOf(i);
    Judgement judgement{kMany, {}};
    judgement.RelyOn({model::SubjectKind::kAssertion, AsView(id)});
    results.push_back(QueueJudged(RetractionOf(id), std::move(judgement)));
  }
  gate.Open();
  for (int i = 0; i < kMany; ++i) {
    const CommitResult result = results[static_cast<size_t>(i)].get();
    ASSERT_TRUE(result.status.ok()) << i << ": " << result.status.message();
    EXPECT_EQ(result.items.at(0).sequence, static_cast<uint64_t>(kMany + 2 + i));
  }
}

TEST_F(Commit, OfSeveralInOneFsyncThatWereJudgedAlikeOneIsTaken) {
  Open();
  SayMany(1);
  Gate gate(*store_);
  auto before = Queue(Numbered(5));
  auto first = QueueNamed(Alias("a", "b"), 2), second = QueueNamed(Alias("b", "a"), 2);
  auto between = Queue(Numbered(6));
  auto third = QueueNamed(Alias("a", "c"), 2), other = QueueNamed(Alias("d", "e"), 2);
  gate.Open();
  EXPECT_EQ(before.get().items.at(0).sequence, 3u);
  EXPECT_EQ(first.get().items.at(0).sequence, 4u);
  EXPECT_EQ(second.get().status.reason(), "names_changed");
  EXPECT_EQ(between.get().items.at(0).sequence, 5u) << "no gap where something was refused";
  EXPECT_EQ(third.get().status.reason(), "names_changed");
  EXPECT_EQ(other.get().items.at(0).sequence, 6u);
  Open();
  EXPECT_EQ(store_->stats().sequence, 6u);
  EXPECT_TRUE(SayNamed(Alias("a", "c"), 6).status.ok())
      << "after a restart the end of the log is the newest there is";
}

TEST_F(Commit, ASubmissionOfSeveralThatWereJudgedTogetherIsTakenOrRefusedAsOne) {
  Open();
  SayMany(2);
  const auto both = [&](const char* one, const char* other, uint64_t as_of) {
    return Write(*store_, {Prepare(Alias(one, "x")), Prepare(Alias(other, "x"))}, Atomicity::kEachItem,
                 Judged({Alias(one, "x"), Alias(other, "x")}, as_of));
  };
  const auto taken = both("a", "b", 2);
  ASSERT_TRUE(taken.status.ok()) << taken.status.message();
  ASSERT_EQ(taken.items.size(), 2u);
  EXPECT_EQ(taken.items[1].sequence, 4u);
  EXPECT_EQ(both("a", "c", 3).status.reason(), "names_changed");
  EXPECT_EQ(store_->stats().sequence, 4u);
  EXPECT_EQ(both("a", "c", 4).items.at(1).sequence, 5u);
}

TEST_F(Commit, AWriteThatFailsChangesNoNames) {
  Open();
  SayMany(2);
  env_.Fail(env::Operation::kWrite, env::Failure::kDiskFull);
  EXPECT_EQ(SayNamed(Alias("a", "b"), 2).status.reason(), "disk_full");
  env_.Heal();
  EXPECT_EQ(SayNamed(Alias("b", "a"), 2).items.at(0).sequence, 3u);
  EXPECT_EQ(SayNamed(Alias("a", "b"), 2).status.reason(), "names_changed");
}

TEST_F(Commit, ARepeatChangesNoNames) {
  Open();
  SayMany(2);
  ASSERT_TRUE(SayNamed(Alias("a", "b"), 2).status.ok());
  const auto again = SayNamed(Alias("a", "b"), 3);
  ASSERT_TRUE(again.status.ok());
  EXPECT_TRUE(again.items.at(0).duplicate);
  EXPECT_TRUE(SayNamed(Alias("b", "c"), 3).status.ok());
  const auto later = SayNamed(Alias("a", "b"), 2);
  ASSERT_TRUE(later.status.ok()) << "what is there already needs no judgement: " << later.status.message();
  EXPECT_TRUE(later.items.at(0).duplicate);
  EXPECT_EQ(later.items.at(0).sequence, 3u);
}

TEST_F(Commit, AResultSaysWhetherThereAreOperations) {
  Open();
  EXPECT_FALSE(Say(Numbered(1)).has_operations);
  EXPECT_TRUE(Write(*store_, {Prepare(Numbered(2)), Prepare(Alias("a", "b"))}).has_operations);
  EXPECT_TRUE(Say(Numbered(1)).has_operations) << "a repeat";
  Open();
  EXPECT_TRUE(Say(Numbered(3)).has_operations) << "after a restart";
}

TEST_F(Commit, AnEmptySubmissionIsAnswered) {
  Open();
  const auto result = Write(*store_, {});
  EXPECT_TRUE(result.status.ok());
  EXPECT_TRUE(result.items.empty());
}

// A clock that gains twenty milliseconds and loses five, by turns, as it is asked.
class JumpingClock final : public env::Clock {
 public:
  int64_t NowMs() const override {
    const int64_t call = calls_.fetch_add(1);
    return kTestNow + 10 * call - (call % 2 == 0 ? 0 : 15);
  }
  int64_t MonotonicNs() const override { return env::Clock::System()->MonotonicNs(); }

 private:
  mutable std::atomic<int64_t> calls_{0};
};

TEST_F(Commit, RecordedTimesNeverFallAlongTheLog) {
  JumpingClock clock;
  options_.clock = &clock;
  Open();
  std::vector<std::future<CommitResult>> results;
  {
    Gate gate(*store_);
    for (int i = 0; i < 20; ++i)
      results.push_back(Queue(Numbered(i)));  // one fsync, twenty looks at the clock
    gate.Open();
    for (auto& result : results) ASSERT_TRUE(result.get().status.ok());
  }
  ASSERT_TRUE(Say(Numbered(20)).status.ok());
  Open();
  ASSERT_TRUE(Say(Numbered(21)).status.ok());
  const auto reader = store_->NewReader();
  ASSERT_TRUE(reader->Refresh().ok());
  int64_t before = INT64_MIN;
  for (uint64_t sequence = 1; sequence <= reader->sequence(); ++sequence) {
    const auto record = reader->Get(sequence);
    ASSERT_TRUE(record.has_value());
    EXPECT_GE(record->recorded_at_ms, before) << sequence;
    before = record->recorded_at_ms;
  }
}

TEST_F(Commit, AFailedFsyncEndsAcknowledgingForGood) {
  Open();
  SayMany(3);
  ASSERT_TRUE(store_->Flush().ok());
  env_.Fail(env::Operation::kSync, env::Failure::kIoError, 0, 1);  // once; every later fsync would "succeed"
  const auto failed = Say(Claim("a/x", "p", Number(1)));
  EXPECT_EQ(failed.status.reason(), "wal_failed");
  EXPECT_TRUE(failed.items.empty());
  env_.Heal();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Say(Claim("a/y", "p", Number(i))).status.reason(), "wal_failed");
    EXPECT_EQ(Say(Claim("a/x", "p", Number(1))).status.reason(), "wal_failed") << "nor is it a repeat";
  }
  EXPECT_FALSE(store_->stats().accepting_writes);
  EXPECT_THAT(store_->stats().not_accepting_reason, HasSubstr("restart the server"));
  ExpectAllThere();  // reads go on
  EXPECT_EQ(store_->stats().sequence, 3u);
}

TEST_F(Commit, AFullDiskRefusesWritesAndRecoversWhenThereIsRoom) {
  Open();
  SayMany(3);
  for (env::Failure failure : {env::Failure::kDiskFull, env::Failure::kShortWrite}) {
    env_.Fail(env::Operation::kWrite, failure);
    const auto refused = Say(Claim("a/x", "p", Number(1)));
    EXPECT_EQ(refused.status.reason(), "disk_full");
    EXPECT_FALSE(store_->stats().accepting_writes);
    ExpectAllThere();
    env_.Heal();
    SayMany(2);
    EXPECT_TRUE(store_->stats().accepting_writes);
    ExpectAllThere();
  }
  EXPECT_THAT(TakeLog(), HasSubstr("writes are accepted again"));
  Open();
  ExpectAllThere();
  const auto later = Say(Claim("a/x", "p", Number(1)));
  EXPECT_FALSE(later.items[0].duplicate) << "what was refused did not happen";
}

TEST_F(Commit, ARepeatIsAnsweredWhileTheDiskIsFullAndEndsNoRefusal) {
  Open();
  SayMany(3);
  env_.Fail(env::Operation::kWrite, env::Failure::kDiskFull);
  EXPECT_EQ(Say(Claim("a/x", "p", Number(1))).status.reason(), "disk_full");
  const auto repeat = Say(Numbered(1));
  ASSERT_TRUE(repeat.status.ok()) << repeat.status.message();
  EXPECT_TRUE(repeat.items[0].duplicate);
  EXPECT_TRUE(Write(*store_, {}).status.ok());
  EXPECT_FALSE(store_->stats().accepting_writes);
  EXPECT_THAT(TakeLog(), Not(HasSubstr("accepted again")));

  Gate gate(*store_);
  auto fresh = Queue(Claim("a/x", "p", Number(1))), old = Queue(Numbered(2)),
       again = Queue(Claim("a/x", "p", Number(1)));
  gate.Open();  // three in one write, which fails
  EXPECT_EQ(fresh.get().status.reason(), "disk_full");
  EXPECT_TRUE(old.get().status.ok());
  EXPECT_EQ(again.get().status.reason(), "disk_full") << "a repeat of what was never stored";
}

TEST_F(Commit, WritesAreAcceptedAgainWithoutAWriteWhenThereIsRoom) {
  Open();
  env_.Fail(env::Operation::kWrite, env::Failure::kDiskFull);
  EXPECT_EQ(Say(Claim("a/x", "p", Number(1))).status.reason(), "disk_full");
  EXPECT_FALSE(store_->stats().accepting_writes);
  env_.Heal();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!store_->stats().accepting_writes && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  EXPECT_TRUE(store_->stats().accepting_writes);
  EXPECT_THAT(TakeLog(), HasSubstr("writes are accepted again"));
}

TEST_F(Commit, AQueueThatIsFullSaysSo) {
  options_.queue_records_max = 10;
  Open();
  Gate gate(*store_);
  std::vector<std::future<CommitResult>> taken;
  Status status;
  for (int i = 0; i < 10; ++i) {
    taken.push_back(Queue(Numbered(i), &status));
    ASSERT_TRUE(status.ok()) << i;
  }
  Queue(Numbered(10), &status);
  EXPECT_EQ(status.reason(), "overloaded");
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  gate.Open();
  for (auto& result : taken) EXPECT_TRUE(result.get().status.ok());
  EXPECT_TRUE(Say(Numbered(10)).status.ok()) << "and takes again when it has emptied";
}

TEST_F(Commit, AQueueThatHoldsTooManyBytesSaysSo) {
  options_.queue_bytes_max = 100'000;
  Open();
  Gate gate(*store_);
  Status status;
  auto first = Queue(Claim("a", "p", Text(std::string(60'000, 'x'))), &status);
  EXPECT_TRUE(status.ok());
  Queue(Claim("a", "p", Text(std::string(60'000, 'y'))), &status);
  EXPECT_EQ(status.reason(), "overloaded");
  gate.Open();
  EXPECT_TRUE(first.get().status.ok());
}

TEST_F(Commit, EmptySubmissionsCountInTheQueue) {
  options_.queue_records_max = 3;
  Open();
  Gate gate(*store_);
  std::atomic<int> answered = 0;
  int taken = 0;
  for (int i = 0; i < 10; ++i)
    taken += store_->Submit({.records = {}, .done = [&](CommitResult&&) { ++answered; }}).ok() ? 1 : 0;
  EXPECT_EQ(taken, 3);
  gate.Open();
  store_->Close();
  EXPECT_EQ(answered, 3);
}

TEST_F(Commit, ASubmissionThatCouldNeverBeLoggedIsRefusedAloneAndAtOnce) {
  options_.submission_bytes_max = 50'000;
  Open();
  EXPECT_EQ(Say(Claim("a", "p", Text(std::string(60'000, 'x')))).status.reason(), "batch_too_large");
  SayMany(1);
  EXPECT_TRUE(store_->stats().accepting_writes);
}

TEST_F(Commit, ABacklogOfTheIndexThreadHoldsWritersBack) {
  options_.unindexed_records_max = 10;
  Open();
  int taken = 0;
  Status status;
  for (; taken < 100; ++taken) {
    status = Say(Numbered(taken)).status;
    if (!status.ok()) break;
  }
  EXPECT_EQ(status.reason(), "overloaded");
  EXPECT_LE(taken, 11);
  ASSERT_TRUE(store_->Flush().ok());
  EXPECT_TRUE(Say(Numbered(99)).status.ok());
}

TEST_F(Commit, ABacklogIsBoundedInBytesAsWell) {
  options_.unindexed_bytes_max = 200'000;
  Open();
  Status status;
  int taken = 0;
  for (; taken < 100 && status.ok(); ++taken)
    status = Say(Claim("a", "p", Text(std::string(20'000, 'x') + std::to_string(taken)))).status;
  EXPECT_EQ(status.reason(), "overloaded");
  EXPECT_LE(taken, 10);
  ASSERT_TRUE(store_->Flush().ok());
  EXPECT_TRUE(Say(Claim("a", "p", Text("y"))).status.ok());
}

// The filter is made by the index thread, and taken over by the commit thread while claims come in.
TEST_F(Commit, NoRepeatIsTakenForNewWhenTheFilterOfIdsTakesOver) {
  constexpr int kBefore = 5'000;
  Open();
  std::vector<model::Assertion> claims;
  for (int i = 0; i < kBefore; ++i) claims.push_back(Numbered(i));
  for (const auto& item : Write(*store_, PrepareAll(claims)).items) ASSERT_FALSE(item.duplicate);
  ASSERT_TRUE(store_->Flush().ok());
  options_.index_interval_ms = 1;
  store_->Close();
  Open();
  while (!store_->stats().has_id_filter || claims.size() < kBefore + 500) {
    claims.push_back(Numbered(static_cast<int>(claims.size())));
    ASSERT_FALSE(Write(*store_, PrepareAll({claims.back()})).items.at(0).duplicate);
    ASSERT_LT(claims.size(), 200'000u);
  }
  const auto again = Write(*store_, PrepareAll(claims));
  ASSERT_EQ(again.items.size(), claims.size());
  for (size_t i = 0; i < claims.size(); ++i) {
    ASSERT_TRUE(again.items[i].duplicate) << i;
    ASSERT_EQ(again.items[i].sequence, i + 1);
  }
}

TEST_F(Commit, TheFilterOfIdsKnowsOperationsAsWell) {
  constexpr int kOperations = 3'000;
  Open();
  SayMany(1);
  std::vector<PreparedRecord> votes;
  for (int i = 0; i < kOperations; ++i) votes.push_back(Prepare(Vote(IdOf(0), 0.5, 1, i)));
  for (const auto& item : Write(*store_, votes).items) ASSERT_FALSE(item.duplicate);
  ASSERT_TRUE(store_->Flush().ok());
  store_->Close();
  Open();
  int fresh = kOperations;
  while (!store_->stats().has_id_filter) {
    ASSERT_FALSE(Say(Vote(IdOf(0), 0.5, 1, fresh++)).items.at(0).duplicate);
    ASSERT_LT(fresh, 200'000) << "it has to hold as many ids as there are records";
  }
  for (const int more : {0, 1, 2}) {
    ASSERT_FALSE(Say(Vote(IdOf(0), 0.25, 1, fresh + more)).items.at(0).duplicate);
    ASSERT_TRUE(Say(Vote(IdOf(0), 0.25, 1, fresh + more)).items.at(0).duplicate);
  }
  const auto again = Write(*store_, votes);
  ASSERT_EQ(again.items.size(), votes.size());
  for (size_t i = 0; i < votes.size(); ++i) {
    ASSERT_TRUE(again.items[i].duplicate) << i;
    ASSERT_EQ(again.items[i].sequence, i + 2);
  }
}

TEST_F(Commit, AnIndexThreadThatIsFullInBytesDoesntWaitForMore) {
  options_.index_interval_ms = 3'600'000;
  options_.index_transaction_bytes = 100'000;
  Open();
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(Say(Claim("a/" + std::to_string(i), "p", Text(std::string(10'000, 'x')))).status.ok());
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (store_->stats().checkpoint < 30 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  EXPECT_GE(store_->stats().checkpoint, 30u);
}

TEST_F(Commit, ClaimsThatWaitForOthersAreWrittenTogetherWhenToldToBegin) {
  Open();
  constexpr int kWaiting = 20;  // too few to begin by themselves
  std::vector<std::promise<uint64_t>> stored(kWaiting);
  const uint64_t writes_before = metrics_.wal().batch_size.Collect().histogram.sample_count;
  for (int i = 0; i < kWaiting; ++i, ++said_) {
    ASSERT_TRUE(
        store_
            ->Submit({.records = PrepareAll({Numbered(i)}),
                      .done = [&, i](CommitResult&& r) { stored[i].set_value(r.items.at(0).sequence); }},
                     Wake::kWithOthers)
            .ok());
  }
  store_->Begin();
  for (int i = 0; i < kWaiting; ++i) EXPECT_EQ(stored[i].get_future().get(), static_cast<uint64_t>(i + 1));
  EXPECT_EQ(metrics_.wal().batch_size.Collect().histogram.sample_count, writes_before + 1) << "one fsync";
}

TEST_F(Commit, EnoughThatWaitForOthersNeedNoWordToBegin) {
  Open();
  std::vector<std::promise<bool>> stored(200);
  for (size_t i = 0; i < stored.size(); ++i, ++said_) {
    ASSERT_TRUE(store_
                    ->Submit({.records = PrepareAll({Numbered(static_cast<int>(i))}),
                              .done = [&, i](CommitResult&& r) { stored[i].set_value(r.status.ok()); }},
                             Wake::kWithOthers)
                    .ok());
  }
  for (size_t i = 0; i < 64; ++i) EXPECT_TRUE(stored[i].get_future().get());
  store_->Close();
  for (size_t i = 64; i < stored.size(); ++i)
    EXPECT_TRUE(stored[i].get_future().get()) << "a close begins, too";
}

TEST_F(Commit, CloseAnswersEverythingThatWasQueued) {
  Open();
  std::atomic<int> answered = 0, stored = 0;
  {
    Gate gate(*store_);
    for (int i = 0; i < 50; ++i, ++said_) {
      ASSERT_TRUE(store_
                      ->Submit({.records = PrepareAll({Numbered(i)}),
                                .done =
                                    [&](CommitResult&& r) {
                                      ++answered;
                                      stored += r.status.ok() ? 1 : 0;
                                    }})
                      .ok());
    }
    std::thread closer([&] { store_->Close(); });
    gate.Open();
    closer.join();
  }
  EXPECT_EQ(answered, 50);
  EXPECT_EQ(stored, 50);
  EXPECT_EQ(Say(Numbered(50)).status.reason(), "shutting_down");
  store_->Close();
  Open();
  ExpectAllThere(stemedb::testing::Others::kMayBeThere);
}

TEST_F(Commit, TheMapGrowsWhileReadersAreAtWork) {
  options_.map_bytes = 1u << 20;
  options_.index_interval_ms = 1;
  Open();
  std::atomic<bool> done = false;
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&] {
      const auto reader = store_->NewReader();
      std::vector<Row> rows;
      while (!done) {
        ASSERT_TRUE(reader->Refresh().ok());
        rows.clear();
        ASSERT_TRUE(reader->Scan({.concept_path = "big", .subtree = true}, 1'000'000, rows).has_value());
        ASSERT_EQ(rows.size(), reader->sequence());
        for (const Row& row : rows) ASSERT_EQ(row.claim.value_text().size(), 20'000u);
        reader->Release();
      }
    });
  }
  readers.emplace_back([&] {  // as a probe does
    while (!done) {
      const Stats stats = store_->stats();
      ASSERT_GE(stats.map_size_bytes, stats.map_used_bytes);
    }
  });
  for (int i = 0; i < 200; ++i) {
    auto claim = Claim("big/" + std::to_string(i % 7), "p",
                       Text(std::string(20'000, static_cast<char>('a' + i % 26))));
    claim.epoch = std::to_string(i);
    const auto result = Say(claim);
    ASSERT_TRUE(result.status.ok()) << result.status.message();
  }
  const Status flushed = store_->Flush();
  done = true;
  for (std::thread& reader : readers) reader.join();
  ASSERT_TRUE(flushed.ok()) << flushed.message();
  EXPECT_THAT(TakeLog(), HasSubstr("growing the map"));
  EXPECT_GT(store_->stats().map_size_bytes, uint64_t{8} << 20);
}

}  // namespace
}  // namespace stemedb::store
