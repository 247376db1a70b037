// SPDX-License-Identifier: Apache-2.0
// The promise of the store, with real threads: what was acknowledged is there for every reader, at once, and
// a view is whole: it ends at one sequence for every kind of lookup. Worth running under ThreadSanitizer.
#include <atomic>
#include <thread>

#include "store_fixture.h"

namespace stemedb::store {
namespace {

using stemedb::testing::Claim;
using stemedb::testing::Number;
using stemedb::testing::Prepare;
using stemedb::testing::Write;

constexpr int kWriters = 3, kReaders = 3, kClaimsEach = 300;

class Visibility : public stemedb::testing::StoreTest {
 protected:
  static model::Assertion ClaimOf(int writer, int number) {
    return Claim("w/" + std::to_string(writer) + (number % 3 == 0 ? "/deep" : ""), "p", Number(number));
  }

  // Writes its claims one by one; behind each acknowledgement it looks itself, and tells the others.
  void RunWriter(int writer) {
    const auto reader = store_->NewReader();
    for (int i = 0; i < kClaimsEach; ++i) {
      const auto prepared = Prepare(ClaimOf(writer, i));
      const Hash256 id = prepared.id;
      const auto result = Write(*store_, {prepared});
      ASSERT_TRUE(result.status.ok()) << result.status.message();
      acknowledged_[writer].store(i + 1, std::memory_order_release);
      ASSERT_TRUE(reader->Refresh().ok());
      const auto found = reader->Find(id);
      ASSERT_TRUE(found.has_value() && found->has_value()) << "writer " << writer << " claim " << i;
      ASSERT_EQ(**found, result.items[0].sequence);
      const auto record = reader->Get(**found);
      ASSERT_TRUE(record.has_value()) << record.error().message();
      reader->Release();
    }
  }

  // Everything acknowledged before the refresh is in view, under every kind of lookup, once.
  void RunReader() {
    const auto reader = store_->NewReader();
    std::vector<Row> rows;
    for (bool last_round = false; !last_round;) {
      last_round = writers_done_.load();
      int before[kWriters];
      for (int w = 0; w < kWriters; ++w) before[w] = acknowledged_[w].load(std::memory_order_acquire);
      ASSERT_TRUE(reader->Refresh().ok());
      CheckView(*reader, rows, before);
      if (HasFatalFailure()) return;
      reader->Release();
    }
  }

  void CheckView(Reader& reader, std::vector<Row>& rows, const int (&before)[kWriters]) {
    rows.clear();
    const auto more = reader.Scan({.concept_path = "", .subtree = true}, 1'000'000, rows);
    ASSERT_TRUE(more.has_value()) << more.error().message();
    ASSERT_EQ(rows.size(), reader.sequence()) << "a view ends at one sequence, and shows nothing twice";
    ASSERT_EQ(reader.assertion_count(), reader.sequence());
    int seen[kWriters] = {};
    for (const Row& row : rows) ++seen[row.concept_path[2] - '0'];
    for (int w = 0; w < kWriters; ++w)
      ASSERT_GE(seen[w], before[w]) << "an acknowledged claim is not in view";
    if (reader.sequence() == 0) return;
    const auto newest = reader.Get(reader.sequence());
    ASSERT_TRUE(newest.has_value()) << newest.error().message();
    ASSERT_EQ(reader.Get(reader.sequence() + 1).error().code(), Code::kNotFound);
    ASSERT_EQ(*reader.SequenceAt(INT64_MAX), reader.sequence());
    const auto children = reader.Children("", "", 10);
    ASSERT_TRUE(children.has_value());
    ASSERT_EQ(children->size(), 1u);
    ASSERT_EQ(children->front().assertions_below, reader.sequence());
  }

  void Run() {
    Open();
    std::vector<std::thread> writers, readers;
    for (int w = 0; w < kWriters; ++w) writers.emplace_back([this, w] { RunWriter(w); });
    for (int r = 0; r < kReaders; ++r) readers.emplace_back([this] { RunReader(); });
    for (std::thread& writer : writers) writer.join();
    writers_done_ = true;
    for (std::thread& reader : readers) reader.join();
    EXPECT_EQ(store_->stats().assertions, uint64_t{kWriters * kClaimsEach});
  }

  std::atomic<int> acknowledged_[kWriters] = {};
  std::atomic<bool> writers_done_ = false;
};

TEST_F(Visibility, HoldsWhileTheIndexThreadIsAlwaysAtWork) {
  options_.index_interval_ms = 0;
  options_.index_transaction_records = 1;
  Run();
}

TEST_F(Visibility, HoldsWithTheDefaults) {
  options_.index_interval_ms = Options().index_interval_ms;
  Run();
}

TEST_F(Visibility, HoldsWhenAllIsInTheDelta) { Run(); }

TEST_F(Visibility, ReadersComeAndGoWhileClaimsArrive) {
  options_.index_interval_ms = 0;
  Open();
  std::atomic<int> acknowledged = 0;
  std::atomic<bool> done = false;
  std::vector<std::thread> threads;
  for (int r = 0; r < 2; ++r) {
    threads.emplace_back([&] {
      while (!done) {
        const int before = acknowledged.load();
        const auto reader = store_->NewReader();
        ASSERT_TRUE(reader->Refresh().ok());
        ASSERT_GE(reader->sequence(), static_cast<uint64_t>(before));
      }
    });
  }
  for (; said_ < 400; acknowledged = said_) SayMany(1);
  done = true;
  for (std::thread& thread : threads) thread.join();
  ExpectAllThere();
}

// The machine's clock, set forth and back by some milliseconds all the time.
class UnsteadyClock final : public env::Clock {
 public:
  int64_t NowMs() const override {
    const uint64_t call = calls_.fetch_add(1);
    return env::Clock::System()->NowMs() + static_cast<int64_t>(call * 2654435761U % 7) - 3;
  }
  int64_t MonotonicNs() const override { return env::Clock::System()->MonotonicNs(); }

 private:
  mutable std::atomic<uint64_t> calls_{0};
};

TEST_F(Visibility, WhatWasToldOfAMomentStaysAsItWas) {
  UnsteadyClock clock;
  options_.clock = &clock;
  options_.index_interval_ms = 1;
  Open();
  std::atomic<bool> done = false;
  std::vector<std::pair<int64_t, uint64_t>> told[2];
  std::vector<std::thread> threads;
  for (auto& answers : told) {
    threads.emplace_back([&] {
      const auto reader = store_->NewReader();
      while (!done) {
        ASSERT_TRUE(reader->Refresh().ok());
        const int64_t now_ms = clock.NowMs();
        const int64_t closed_ms = reader->closed_time_ms(now_ms);
        ASSERT_LT(closed_ms, now_ms);
        const auto sequence = reader->SequenceAt(closed_ms);
        ASSERT_TRUE(sequence.has_value());
        if (answers.empty() || answers.back() != std::pair(closed_ms, *sequence))
          answers.emplace_back(closed_ms, *sequence);
        reader->Release();
      }
    });
  }
  while (said_ < 2000) SayMany(20);
  done = true;
  for (std::thread& thread : threads) thread.join();
  const auto reader = store_->NewReader();
  ASSERT_TRUE(reader->Refresh().ok());
  for (const auto& answers : told) {
    EXPECT_GT(answers.size(), 10u);
    for (const auto& [time_ms, sequence] : answers)
      ASSERT_EQ(*reader->SequenceAt(time_ms), sequence) << time_ms;
  }
}

TEST_F(Visibility, TheMomentBeforeNowIsOverWhenNothingIsUnderWay) {
  Open();
  SayMany(1);
  const auto reader = store_->NewReader();
  ASSERT_TRUE(reader->Refresh().ok());
  EXPECT_EQ(reader->closed_time_ms(clock_.NowMs()), clock_.NowMs() - 1);
  clock_.AdvanceMs(3'600'000);
  const int64_t closed_ms = reader->closed_time_ms(clock_.NowMs());
  EXPECT_EQ(closed_ms, clock_.NowMs() - 1);
  clock_.SetNowMs(clock_.NowMs() - 1000);
  SayMany(1);
  ASSERT_TRUE(reader->Refresh().ok());
  EXPECT_EQ(reader->Get(2)->recorded_at_ms, closed_ms + 1) << "the clock was set back behind it";
}

TEST_F(Visibility, AWriteThatEndedSinceTheViewWasTakenIsTakenIn) {
  Open();
  SayMany(1);
  const auto reader = store_->NewReader();
  ASSERT_TRUE(reader->Refresh().ok());
  clock_.AdvanceMs(10);
  SayMany(1);
  clock_.AdvanceMs(10);
  const int64_t closed_ms = reader->closed_time_ms(clock_.NowMs());
  EXPECT_EQ(closed_ms, clock_.NowMs() - 1);
  EXPECT_EQ(*reader->SequenceAt(closed_ms), 2u);
}

TEST_F(Visibility, AnIdleReaderCatchesUpWithWhatWasTrimmedMeanwhile) {
  Open();
  const auto idle = store_->NewReader();
  SayMany(5);
  ASSERT_TRUE(idle->Refresh().ok());
  idle->Release();
  SayMany(5);
  ASSERT_TRUE(store_->Flush().ok());  // takes both batches out of its inbox
  SayMany(5);
  ASSERT_TRUE(idle->Refresh().ok());
  EXPECT_EQ(idle->sequence(), 15u);
  std::vector<Row> rows;
  ASSERT_TRUE(idle->Scan({.concept_path = "a", .subtree = true}, 100, rows).has_value());
  EXPECT_EQ(rows.size(), 15u);
}

}  // namespace
}  // namespace stemedb::store
