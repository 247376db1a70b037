// SPDX-License-Identifier: Apache-2.0
// The trail as loops and readers see it: entries go through buffers and a thread, and what finds no room is
// told.
#include "audit/query_trail.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "trail_fixture.h"

namespace stemedb::audit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Keeps whoever asks it for the time waiting while it is held, as a disk that takes its time does with who
// writes.
class HeldClock final : public env::Clock {
 public:
  int64_t NowMs() const override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !is_held_; });
    return 1767225600000;
  }
  int64_t MonotonicNs() const override { return 0; }
  void Hold(bool is_held) {
    {
      const std::lock_guard lock(mutex_);
      is_held_ = is_held;
    }
    changed_.notify_all();
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool is_held_ = false;
};

class QueryTrailTest : public TrailTest {
 protected:
  QueryTrailTest() {
    options_.env = &env_;
    options_.metrics = &metrics_;
    options_.directory = directory_;
  }
  ~QueryTrailTest() override { trail_.reset(); }

  void Start() {
    trail_.reset();
    auto trail = QueryTrail::Open(options_);
    ASSERT_TRUE(trail) << trail.error().message();
    trail_ = std::move(*trail);
  }
  void Ask(TrailBuffer& buffer, int64_t time_ms, uint64_t claim = 7, std::string_view path = "a") {
    const std::string question = R"({"concept_path":")" + std::string(path) + "\"}";
    QueryRecord record = Query(question, time_ms);
    record.claims[0].sequence = claim;
    trail_->Add(buffer, FrameOf(record), time_ms);
  }
  simdjson::dom::element List(const TrailPage& page = {}) {
    text_.clear();
    trail_->AppendPage(text_, page);
    simdjson::dom::element root;
    EXPECT_EQ(parser_.parse(text_).get(root), simdjson::SUCCESS) << text_;
    return root;
  }
  // True once `condition` holds; false when it doesn't within ten seconds.
  template <typename Condition>
  static bool Becomes(Condition condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition() && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return condition();
  }

  QueryTrail::Options options_;
  std::unique_ptr<QueryTrail> trail_;
};

TEST_F(QueryTrailTest, AReaderKnowsOfEveryEntryThatWasAddedBefore) {
  options_.take_ms = 60'000;  // nobody comes by himself
  Start();
  TrailBuffer& buffer = trail_->NewBuffer();
  for (int i = 1; i <= 50; ++i) {
    Ask(buffer, 1000 + i);
    ASSERT_EQ(IdsOf(List({.limit = 1000})).size(), static_cast<size_t>(i));
  }
  EXPECT_TRUE(trail_->Read(50));
  EXPECT_FALSE(trail_->Read(51));
}

TEST_F(QueryTrailTest, WhatSeveralLoopsBringStandsInTheOrderOfItsTimes) {
  options_.take_ms = 60'000;
  Start();
  TrailBuffer &one = trail_->NewBuffer(), &two = trail_->NewBuffer(), &three = trail_->NewBuffer();
  Ask(two, 2000);
  Ask(one, 1000);
  Ask(one, 3000);
  Ask(three, 2500);
  const auto entries = List()["entries"];
  std::vector<std::string> times;
  for (auto entry : entries.get_array()) times.emplace_back(entry["time"].get_string().value());
  EXPECT_THAT(times, ElementsAre("1970-01-01T00:00:03.000Z", "1970-01-01T00:00:02.500Z",
                                 "1970-01-01T00:00:02.000Z", "1970-01-01T00:00:01.000Z"));
}

TEST_F(QueryTrailTest, LoopsThatAskAtOnceLoseNothingAndRepeatNothing) {
  Start();
  constexpr size_t kLoops = 4, kEach = 5000;
  std::vector<std::thread> loops;
  for (size_t loop = 0; loop < kLoops; ++loop) {
    loops.emplace_back([this, &buffer = trail_->NewBuffer(), loop] {
      for (size_t i = 0; i < kEach; ++i) Ask(buffer, static_cast<int64_t>(1000 + i), loop * kEach + i);
    });
  }
  for (std::thread& loop : loops) loop.join();
  std::vector<bool> seen(kLoops * kEach);
  TrailPage page{.limit = 1000};
  for (size_t pages = 0; pages <= kLoops * kEach / 1000; ++pages) {
    const auto root = List(page);
    for (auto entry : root["entries"].get_array()) {
      const uint64_t claim = entry["contributions"].at(0)["sequence"].get_uint64().value();
      ASSERT_FALSE(seen.at(claim));
      seen[claim] = true;
    }
    std::string_view cursor;
    if (root["next_cursor"].get(cursor) != simdjson::SUCCESS) break;
    page.before = std::stoull(std::string(cursor));
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), kLoops * kEach);
  EXPECT_EQ(Dropped(GapReason::kBufferFull), 0);
}

TEST_F(QueryTrailTest, WhatFindsNoRoomIsDroppedCountedAndToldOfAndNobodyWaits) {
  options_.take_ms = 60'000;
  options_.buffer_bytes_max = 100 << 10;
  Start();
  TrailBuffer& buffer = trail_->NewBuffer();
  // Straight into the buffer, so that nobody wakes the thread: as if the disk kept it.
  const std::string frame = FrameOf(Query(R"({"concept_path":"a"})", 5000));
  constexpr size_t kMany = 3000;
  size_t kept = 0;
  for (size_t i = 0; i < kMany; ++i) kept += buffer.Add(frame, 5000, 0) == TrailBuffer::Kept::kNo ? 0 : 1;
  EXPECT_LT(kept, kMany);
  EXPECT_GT(kept, kMany / 10);
  const auto newest_of = [&] { return List({.limit = 1000})["entries"].at(0)["id"].get_uint64().value(); };
  EXPECT_EQ(newest_of(), kept + 1) << "and one gap";
  EXPECT_EQ(Dropped(GapReason::kBufferFull), static_cast<double>(kMany - kept));
  const auto gap = List({.filter = {.agent = "nobody"}})["entries"].at(0)["gap"];
  EXPECT_EQ(gap["reason"].get_string().value(), "buffer_full");
  EXPECT_EQ(gap["queries"].get_uint64().value(), kMany - kept);
  Ask(buffer, 6000);
  EXPECT_EQ(newest_of(), kept + 2) << "there is room again";
}

TEST_F(QueryTrailTest, AHalfFullBufferWakesTheThread) {
  options_.take_ms = 60'000;
  options_.buffer_bytes_max = 64 << 10;
  Start();
  TrailBuffer& buffer = trail_->NewBuffer();
  double asked = 0;
  EXPECT_TRUE(Becomes([&] {
    Ask(buffer, 1000 + static_cast<int64_t>(++asked));
    return metrics_.audit().queries_total.Value() > 100;
  }));
}

TEST_F(QueryTrailTest, ADiskThatFailsHurtsNobodyAndIsToldOfAfterwards) {
  options_.take_ms = 1;
  env_.Fail(env::Operation::kWrite, env::Failure::kDiskFull);
  Start();
  TrailBuffer& buffer = trail_->NewBuffer();
  for (int i = 0; i < 5; ++i) Ask(buffer, 1000);
  EXPECT_TRUE(Becomes([&] { return Dropped(GapReason::kWriteFailed) == 5; }));
  EXPECT_THAT(IdsOf(List()), IsEmpty());
  env_.Heal();
  clock_.AdvanceMs(1000);
  EXPECT_TRUE(Becomes([&] { return IdsOf(List()).size() == 1; })) << "the gap, without any further query";
}

TEST_F(QueryTrailTest, AStopWritesWhatIsThere) {
  options_.take_ms = 60'000;
  Start();
  TrailBuffer& buffer = trail_->NewBuffer();
  for (int i = 0; i < 5; ++i) Ask(buffer, 1000);
  trail_->Stop();
  trail_->Stop();
  EXPECT_THAT(IdsOf(List()), ElementsAre(5, 4, 3, 2, 1)) << "and it can still be read";
  Start();
  EXPECT_THAT(IdsOf(List()), ElementsAre(5, 4, 3, 2, 1)) << "without a gap";
}

TEST_F(QueryTrailTest, WhatWasTakenIsOnDiskThoughTheProcessIsKilled) {
  options_.take_ms = 1;
  Start();
  TrailBuffer& buffer = trail_->NewBuffer();
  for (int i = 0; i < 5; ++i) Ask(buffer, 1000);
  ASSERT_TRUE(Becomes([&] { return metrics_.audit().queries_total.Value() == 5; }));
  // As a kill would leave it.
  const std::string copy = directory_ + ".copy";
  std::filesystem::remove_all(copy);
  std::filesystem::copy(directory_, copy);
  trail_.reset();
  options_.directory = copy;
  Start();
  EXPECT_TRUE(Becomes([&] { return IdsOf(List()).size() == 6; })) << "and a gap for what may be missing";
  trail_.reset();
  std::filesystem::remove_all(copy);
}

TEST_F(QueryTrailTest, ItIsSyncedEverySoOften) {
  options_.take_ms = 1;
  options_.sync_ms = 1000;
  Start();
  TrailBuffer& buffer = trail_->NewBuffer();
  Ask(buffer, 1000);
  ASSERT_TRUE(Becomes([&] { return metrics_.audit().queries_total.Value() == 1; }));
  const uint64_t before = env_.count(env::Operation::kSync);
  clock_.AdvanceMs(1000);
  EXPECT_TRUE(Becomes([&] { return env_.count(env::Operation::kSync) == before + 1; }));
}

TEST_F(QueryTrailTest, ATraceKnowsWhoAskedAlsoBeforeTheStart) {
  Start();
  TrailBuffer& buffer = trail_->NewBuffer();
  Ask(buffer, 1000, 3);
  Ask(buffer, 2000, 4);
  Ask(buffer, 3000, 3);
  List();
  const auto ids = [&](uint64_t claim) {
    std::vector<uint64_t> all;
    for (const ClaimQuery& query : trail_->AskedAbout(claim)) all.push_back(query.id);
    return all;
  };
  EXPECT_THAT(ids(3), ElementsAre(3, 1));
  EXPECT_THAT(ids(4), ElementsAre(2));
  EXPECT_THAT(ids(5), IsEmpty());
  Start();
  EXPECT_TRUE(Becomes([&] { return ids(3) == std::vector<uint64_t>({3, 1}); }));
}

TEST_F(QueryTrailTest, WhatIsNotKeptAnyMoreIsNotTold) {
  options_.bounds.bytes_max = 1 << 20;
  options_.take_ms = 60'000;
  Start();
  TrailBuffer& buffer = trail_->NewBuffer();
  Ask(buffer, 1000, 3);
  List();
  ASSERT_EQ(trail_->AskedAbout(3).size(), 1u);
  for (int i = 0; i < 12'000; ++i) {
    Ask(buffer, 2000 + i);
    if (i % 1000 == 0) List({.limit = 1});
  }
  List({.limit = 1});
  EXPECT_THAT(trail_->AskedAbout(3), IsEmpty());
}

TEST_F(QueryTrailTest, AReaderDoesNotWaitLongForASlowDiskAndNotAtAllOnceItIsLate) {
  HeldClock clock;
  env::FaultInjectingEnv env(env::Env::Posix(), &clock);
  options_.env = &env;
  options_.take_ms = 1;
  Start();
  List();
  clock.Hold(true);
  Ask(trail_->NewBuffer(), 1000);  // a segment's header has the time
  const auto time_of_a_list = [&] {
    const auto began = std::chrono::steady_clock::now();
    EXPECT_THAT(IdsOf(List()), IsEmpty());
    return std::chrono::steady_clock::now() - began;
  };
  EXPECT_LT(time_of_a_list(), std::chrono::seconds(1));
  std::chrono::nanoseconds late = std::chrono::hours(1);  // the quickest of some
  for (int i = 0; i < 5; ++i) late = std::min<std::chrono::nanoseconds>(late, time_of_a_list());
  EXPECT_LT(late, std::chrono::milliseconds(200));
  clock.Hold(false);
  EXPECT_TRUE(Becomes([&] { return IdsOf(List()).size() == 1; }));
  trail_.reset();
}

TEST_F(QueryTrailTest, AReaderOfAStoppedTrailWaitsForNobody) {
  Start();
  TrailBuffer& buffer = trail_->NewBuffer();
  Ask(buffer, 1000);
  trail_->Stop();
  const auto began = std::chrono::steady_clock::now();
  List();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(1)) << "nobody takes any more";
}

}  // namespace
}  // namespace stemedb::audit
