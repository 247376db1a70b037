// SPDX-License-Identifier: Apache-2.0
// The sort against std::stable_sort, in memory and through scratch files, and the loaders against Apply.
#include "index/sorted_runs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "claims.h"
#include "contents.h"
#include "env/fault_env.h"
#include "index/loaders.h"

namespace stemedb::index {
namespace {

using stemedb::testing::Contents;
using stemedb::testing::Pairs;
using stemedb::testing::PrintedRandom;
using stemedb::testing::TestDirectory;

Pairs RandomPairs(std::mt19937_64& random, size_t count) {
  Pairs pairs;
  for (size_t i = 0; i < count; ++i) {
    std::string key(1 + random() % 20, 'k');
    key.back() = static_cast<char>(random());
    key.front() = static_cast<char>('a' + random() % 4);
    pairs.emplace_back(key, std::string(random() % 300, 'v') + std::to_string(i));
  }
  return pairs;
}

Pairs Sorted(Pairs pairs) {
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  return pairs;
}

Status AddAll(SortedRuns& runs, const Pairs& pairs) {
  for (const auto& [key, value] : pairs) STEMEDB_RETURN_IF_ERROR(runs.Add(key, value));
  return Status::Ok();
}

Pairs DrainAll(SortedRuns& runs, size_t* batches = nullptr) {
  Pairs out;
  const Status drained = runs.Drain([&](std::span<const SortedRuns::Pair> batch) {
    for (const auto& [key, value] : batch) out.emplace_back(key, value);
    if (batches != nullptr) ++*batches;
    return Status::Ok();
  });
  EXPECT_TRUE(drained.ok()) << drained.message();
  return out;
}

class SortedRunsTest : public ::testing::Test {
 protected:
  SortedRuns::Options Small(env::Env* env = env::Env::Posix()) const {
    return {.env = env,
            .dir = directory_.path(),
            .memory_bytes_max = 64 << 10,
            .run_bytes_max = 8 << 10,
            .batch_bytes_max = 10 << 10};
  }
  size_t FilesInDirectory() const {
    const std::filesystem::directory_iterator files(directory_.path());
    return static_cast<size_t>(std::distance(begin(files), end(files)));
  }
  TestDirectory directory_;
};

TEST_F(SortedRunsTest, GivesPairsInOrderFromMemoryAlone) {
  auto random = PrintedRandom();
  const Pairs pairs = RandomPairs(random, 200);
  SortedRuns runs(Small());
  ASSERT_TRUE(AddAll(runs, pairs).ok());
  EXPECT_EQ(DrainAll(runs), Sorted(pairs));
}

TEST_F(SortedRunsTest, GivesPairsInOrderThroughScratchFilesThatLeaveNoName) {
  auto random = PrintedRandom();
  const Pairs pairs = RandomPairs(random, 5'000);  // some 800 KB: a dozen files
  SortedRuns runs(Small());
  ASSERT_TRUE(AddAll(runs, pairs).ok());
  EXPECT_EQ(FilesInDirectory(), 0u);
  size_t batches = 0;
  EXPECT_EQ(DrainAll(runs, &batches), Sorted(pairs));
  EXPECT_GT(batches, 50u);
}

TEST_F(SortedRunsTest, TakesAPairThatIsLargerThanItsBuffers) {
  const Pairs pairs = {{"b", std::string(3 << 20, 'x')}, {"a", ""}, {"c", std::string(70'000, 'y')}};
  SortedRuns runs(Small());
  ASSERT_TRUE(AddAll(runs, pairs).ok());
  ASSERT_TRUE(AddAll(runs, pairs).ok());
  Pairs twice = pairs;
  twice.insert(twice.end(), pairs.begin(), pairs.end());
  EXPECT_EQ(DrainAll(runs), Sorted(twice));
}

TEST_F(SortedRunsTest, GivesNothingOfNothing) {
  SortedRuns runs(Small());
  EXPECT_TRUE(DrainAll(runs).empty());
}

TEST_F(SortedRunsTest, SaysThatTheDiskIsFull) {
  auto random = PrintedRandom();
  env::FaultInjectingEnv env;
  env.Fail(env::Operation::kWrite, env::Failure::kDiskFull);
  SortedRuns runs(Small(&env));
  EXPECT_EQ(AddAll(runs, RandomPairs(random, 5'000)).reason(), "disk_full");
}

TEST_F(SortedRunsTest, EndsWithTheFailureOfWhoTakesThePairs) {
  auto random = PrintedRandom();
  SortedRuns runs(Small());
  ASSERT_TRUE(AddAll(runs, RandomPairs(random, 1'000)).ok());
  const Status drained = runs.Drain(
      [](std::span<const SortedRuns::Pair>) { return Status(Code::kIoError, "broken", "broken"); });
  EXPECT_EQ(drained.reason(), "broken");
}

class Loaders : public SortedRunsTest {
 protected:
  void SetUp() override {
    auto random = PrintedRandom();
    for (size_t i = 0; i < 3'000; ++i) {
      encoded_.push_back(testing::Encode(testing::Claim(testing::RandomPath(random), random() % 2 ? "p" : "q",
                                                        testing::Number(static_cast<double>(i)))));
    }
    for (size_t i = 0; i < encoded_.size(); ++i)
      logged_.push_back({i + 1, static_cast<int64_t>(i), encoded_[i].record});
  }
  static Checkpoint At(uint64_t count) { return {count, count, static_cast<int64_t>(count), {}}; }
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
  void ApplyAll(Table& table) {
    const Status applied =
        In(table)([&](kv::WriteTxn& txn) { return table.Apply(txn, logged_, At(logged_.size())); });
    ASSERT_TRUE(applied.ok()) << applied.message();
  }
  // In chunks of 700, the second time after a loading that was broken off.
  template <typename Table, typename Loader>
  void LoadAll(Table& table) {
    for (const bool whole : {false, true}) {
      Loader loader(&table, In(table), Small());
      ASSERT_TRUE(loader.Begin().ok());
      for (size_t from = 0; from < (whole ? logged_.size() : 1'400); from += 700) {
        const size_t count = std::min<size_t>(700, logged_.size() - from);
        ASSERT_TRUE(loader.Add(std::span(logged_).subspan(from, count)).ok());
      }
      if (whole) {
        ASSERT_TRUE(loader.Finish(At(logged_.size())).ok());
      }
    }
  }

  std::vector<testing::EncodedClaim> encoded_;
  std::vector<LoggedRecord> logged_;
};

TEST_F(Loaders, FillTheRecordTableAsApplyDoes) {
  auto applied = RecordTable::Open(directory_.path() + "/applied.kv");
  auto loaded = RecordTable::Open(directory_.path() + "/loaded.kv");
  ASSERT_TRUE(applied && loaded);
  ApplyAll(**applied);
  LoadAll<RecordTable, RecordLoader>(**loaded);
  auto& a = (*applied)->environment();
  auto& b = (*loaded)->environment();
  EXPECT_EQ(Contents(a, (*applied)->records()), Contents(b, (*loaded)->records()));
  EXPECT_EQ(Contents(a, (*applied)->ids()), Contents(b, (*loaded)->ids()));
  EXPECT_EQ(Contents(b, (*loaded)->ids()).size(), logged_.size());
}

TEST_F(Loaders, FillTheClaimIndexAsApplyDoes) {
  auto records = RecordTable::Open(directory_.path() + "/records.kv");
  ASSERT_TRUE(records.has_value());
  auto applied = ClaimIndex::Open(records->get(), directory_.path() + "/applied");
  auto loaded = ClaimIndex::Open(records->get(), directory_.path() + "/loaded");
  ASSERT_TRUE(applied && loaded);
  ApplyAll(**applied);
  LoadAll<ClaimIndex, ClaimLoader>(**loaded);
  auto& a = (*applied)->environment();
  auto& b = (*loaded)->environment();
  EXPECT_EQ(Contents(a, (*applied)->claims()), Contents(b, (*loaded)->claims()));
  EXPECT_EQ(Contents(a, (*applied)->concepts()), Contents(b, (*loaded)->concepts()));
  EXPECT_EQ(Contents(b, (*loaded)->claims()).size(), logged_.size());
}

TEST_F(Loaders, DoNotThrowRecordsAwayThatNoLoadingLeft) {
  auto table = RecordTable::Open(directory_.path() + "/table.kv");
  ASSERT_TRUE(table.has_value());
  const Status appended =
      In(**table)([&](kv::WriteTxn& txn) { return (*table)->AppendRecords(txn, logged_); });
  ASSERT_TRUE(appended.ok());
  RecordLoader loader(table->get(), In(**table), Small());
  EXPECT_EQ(loader.Begin().reason(), "checkpoint_lost");
  EXPECT_EQ(Contents((*table)->environment(), (*table)->records()).size(), logged_.size());
}

TEST_F(Loaders, SetTheCheckpointAtTheEndAlone) {
  auto records = RecordTable::Open(directory_.path() + "/records.kv");
  ASSERT_TRUE(records.has_value());
  auto table = ClaimIndex::Open(records->get(), directory_.path() + "/table");
  ASSERT_TRUE(table.has_value());
  const auto checkpoint = [&] {
    auto txn = kv::ReadTxn::Open(&(*table)->environment());
    const kv::ReadScope scope(**txn);
    return (*table)->checkpoint(**txn)->sequence;
  };
  ClaimLoader loader(table->get(), In(**table), Small());
  ASSERT_TRUE(loader.Begin().ok());
  ASSERT_TRUE(loader.Add(logged_).ok());
  EXPECT_EQ(checkpoint(), 0u);
  ASSERT_TRUE(loader.Finish(At(logged_.size())).ok());
  EXPECT_EQ(checkpoint(), logged_.size());
}

}  // namespace
}  // namespace stemedb::index
