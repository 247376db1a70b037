// SPDX-License-Identifier: Apache-2.0
// LMDB in RAII on real files; counts are held against LMDB's own mdb_stat (package lmdb-utils).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/bytes.h"
#include "kv/environment.h"
#include "kv/txn.h"

namespace stemedb::kv {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class KvTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = ::testing::TempDir() + "kv_" + ::testing::UnitTest::GetInstance()->current_test_info()->name() +
           "_" + std::to_string(::getpid());
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  EnvironmentOptions Options(uint64_t map_bytes = 64u << 20) const {
    EnvironmentOptions options;
    options.path = dir_ + "/test.kv";
    options.map_bytes = map_bytes;
    return options;
  }

  static std::unique_ptr<Environment> Open(const EnvironmentOptions& options) {
    auto environment = Environment::Open(options);
    EXPECT_TRUE(environment.has_value()) << environment.error().message();
    return std::move(*environment);
  }

  static Status PutOne(Environment& environment, Database database, std::string_view key,
                       std::string_view value) {
    auto txn = WriteTxn::Begin(&environment);
    if (!txn) return txn.error();
    STEMEDB_RETURN_IF_ERROR((*txn)->Put(database, key, value));
    return (*txn)->Commit();
  }

  static std::string GetOne(Environment& environment, Database database, std::string_view key) {
    auto txn = ReadTxn::Open(&environment);
    EXPECT_TRUE((*txn)->Renew().ok());
    auto value = (*txn)->Get(database, key);
    EXPECT_TRUE(value.has_value());
    return *value ? std::string(**value) : "(absent)";
  }

  static std::vector<std::string> KeysFrom(Cursor& cursor, std::string_view from) {
    std::vector<std::string> keys;
    for (Status s = cursor.Seek(from); s.ok() && cursor.valid(); s = cursor.Next())
      keys.emplace_back(cursor.key());
    return keys;
  }

  std::string dir_;
};

TEST_F(KvTest, WhatWasCommittedIsThereAfterReopening) {
  {
    auto environment = Open(Options());
    const Database database = *environment->OpenDatabase("numbers");
    ASSERT_TRUE(PutOne(*environment, database, "one", "1").ok());
  }
  auto environment = Open(Options());
  EXPECT_EQ(GetOne(*environment, *environment->OpenDatabase("numbers"), "one"), "1");
  EXPECT_EQ(GetOne(*environment, *environment->OpenDatabase("numbers"), "two"), "(absent)");
}

TEST_F(KvTest, AnAbortedTransactionLeavesNothing) {
  auto environment = Open(Options());
  const Database database = *environment->OpenDatabase("d");
  {
    auto txn = WriteTxn::Begin(environment.get());
    ASSERT_TRUE((*txn)->Put(database, "k", "v").ok());
    EXPECT_EQ(**(*txn)->Get(database, "k"), "v") << "a writer sees its own writes";
  }
  EXPECT_EQ(GetOne(*environment, database, "k"), "(absent)");
}

TEST_F(KvTest, PutModesKeepTheirWord) {
  auto environment = Open(Options());
  const Database database = *environment->OpenDatabase("d");
  auto txn = WriteTxn::Begin(environment.get());
  ASSERT_TRUE((*txn)->Put(database, "b", "1", PutMode::kAppend).ok());
  EXPECT_EQ((*txn)->Put(database, "a", "1", PutMode::kAppend).reason(), "key_exists");
  EXPECT_EQ((*txn)->Put(database, "b", "2", PutMode::kNoOverwrite).reason(), "key_exists");
  EXPECT_TRUE((*txn)->Put(database, "b", "3").ok());
  EXPECT_TRUE(*(*txn)->Delete(database, "b"));
  EXPECT_FALSE(*(*txn)->Delete(database, "b"));
  EXPECT_EQ((*txn)->Put(database, std::string(512, 'x'), "").reason(), "key_size");
  EXPECT_TRUE((*txn)->Put(database, std::string(kKeyBytesMax, 'x'), "").ok());
  ASSERT_TRUE((*txn)->Clear(database).ok());
  EXPECT_EQ(*(*txn)->Count(database), 0u);
}

TEST_F(KvTest, ACursorWalksBothWays) {
  auto environment = Open(Options());
  const Database database = *environment->OpenDatabase("d");
  for (const char* key : {"a", "c", "e"}) ASSERT_TRUE(PutOne(*environment, database, key, key).ok());
  auto txn = ReadTxn::Open(environment.get());
  ReadScope scope(**txn);
  ASSERT_TRUE(scope.status().ok());
  auto cursor = Cursor::Open(**txn, database);
  ASSERT_TRUE(cursor.has_value());
  EXPECT_THAT(KeysFrom(*cursor, "b"), ElementsAre("c", "e"));
  EXPECT_THAT(KeysFrom(*cursor, ""), ElementsAre("a", "c", "e"));
  EXPECT_THAT(KeysFrom(*cursor, "f"), ElementsAre());
  ASSERT_TRUE(cursor->SeekBefore("c").ok());
  EXPECT_EQ(cursor->key(), "a");
  ASSERT_TRUE(cursor->SeekBefore("zzz").ok());
  EXPECT_EQ(cursor->key(), "e");
  ASSERT_TRUE(cursor->SeekBefore("a").ok());
  EXPECT_FALSE(cursor->valid());
  ASSERT_TRUE(cursor->Last().ok());
  EXPECT_EQ(cursor->value(), "e");
  ASSERT_TRUE(cursor->Prev().ok());
  EXPECT_EQ(cursor->key(), "c");
}

TEST_F(KvTest, AReusedReadTransactionSeesTheNewestSnapshotAfterRenewAlone) {
  auto environment = Open(Options());
  const Database database = *environment->OpenDatabase("d");
  auto txn = ReadTxn::Open(environment.get());
  ASSERT_TRUE((*txn)->Renew().ok());
  auto cursor = Cursor::Open(**txn, database);
  ASSERT_TRUE(PutOne(*environment, database, "k", "v").ok());
  EXPECT_FALSE((*txn)->Get(database, "k")->has_value()) << "a snapshot stands still";
  (*txn)->Reset();
  ASSERT_TRUE((*txn)->Renew().ok());
  EXPECT_TRUE((*txn)->Get(database, "k")->has_value());
  ASSERT_TRUE(cursor->Renew(**txn).ok());
  EXPECT_THAT(KeysFrom(*cursor, ""), ElementsAre("k"));
}

TEST_F(KvTest, AFullMapIsToldApartAndGrowsLive) {
  auto environment = Open(Options(256u << 10));
  const Database database = *environment->OpenDatabase("d");
  const std::string value(4000, 'v');
  int failures = 0;
  for (int i = 0; i < 500; ++i) {
    const std::string key = "key" + std::to_string(i);
    Status status = PutOne(*environment, database, key, value);
    if (status.reason() == "map_full") {
      ++failures;
      ASSERT_TRUE(environment->GrowMap(environment->stats().map_bytes * 2).ok());
      status = PutOne(*environment, database, key, value);
    }
    ASSERT_TRUE(status.ok()) << status.message();
  }
  EXPECT_GE(failures, 3);
  auto txn = ReadTxn::Open(environment.get());
  ASSERT_TRUE((*txn)->Renew().ok());
  EXPECT_EQ(*(*txn)->Count(database), 500u);
  EXPECT_GT(environment->stats().used_bytes, 500u * 4000);
  EXPECT_LE(environment->stats().used_bytes, environment->stats().map_bytes);
}

TEST_F(KvTest, TheMapGrowsUnderReadersOnOtherThreads) {
  auto environment = Open(Options(1u << 20));
  const Database database = *environment->OpenDatabase("d");
  ASSERT_TRUE(PutOne(*environment, database, "k", "value").ok());
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> reads{0}, wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      auto txn = ReadTxn::Open(environment.get());
      while (!stop) {
        ReadScope scope(**txn);
        auto value = scope.status().ok() ? (*txn)->Get(database, "k")
                                         : Result<std::optional<std::string_view>>(scope.status());
        if (!value || !*value || **value != "value") ++wrong;
        ++reads;
      }
    });
  }
  // Figures are asked for without a transaction, on whatever thread answers a probe.
  readers.emplace_back([&] {
    while (!stop) {
      const EnvironmentStats figures = environment->stats();
      if (figures.map_bytes < 1u << 20 || figures.used_bytes == 0) ++wrong;
    }
  });
  uint64_t map_bytes = 1u << 20;
  for (int round = 0; round < 40; ++round) {
    map_bytes += 1u << 20;
    const uint64_t seen = reads;
    ASSERT_TRUE(environment->GrowMap(map_bytes).ok());
    ASSERT_TRUE(PutOne(*environment, database, "k" + std::to_string(round), "x").ok());
    while (reads == seen) std::this_thread::yield();
  }
  stop = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(environment->stats().map_bytes, map_bytes);
}

TEST_F(KvTest, GrowingGivesUpWhileAReaderStays) {
  auto environment = Open(Options(1u << 20));
  auto txn = ReadTxn::Open(environment.get());
  ASSERT_TRUE((*txn)->Renew().ok());
  EXPECT_EQ(environment->GrowMap(2u << 20, 1).reason(), "readers_busy");
  (*txn)->Reset();
  EXPECT_TRUE(environment->GrowMap(2u << 20, 1).ok());
  EXPECT_TRUE((*txn)->Renew().ok());
}

TEST_F(KvTest, AFileThatACrashLeftHalfMadeIsMadeAgain) {
  for (const auto layout : {Layout::kSingleFile, Layout::kDirectory}) {
    EnvironmentOptions options = Options();
    options.layout = layout;
    options.path = dir_ + (layout == Layout::kSingleFile ? "/new.kv" : "/new");
    std::string file = options.path;
    if (layout == Layout::kDirectory) {
      std::filesystem::create_directory(options.path);
      file += "/data.mdb";
    }
    std::ofstream(file + ".new") << std::string(8192, '\0');
    std::ofstream(file + "-lock") << "";
    auto environment = Open(options);
    EXPECT_FALSE(std::filesystem::exists(file + ".new"));
    const Database database = environment->OpenDatabase("d").value();
    EXPECT_TRUE(PutOne(*environment, database, "key", "value").ok());
  }
}

TEST_F(KvTest, FiguresAreThereWhileGrowingWaitsForAReader) {
  auto environment = Open(Options(1u << 20));
  auto txn = ReadTxn::Open(environment.get());
  ASSERT_TRUE((*txn)->Renew().ok());
  std::atomic<bool> done{false};
  std::thread grower([&] {
    EXPECT_TRUE(environment->GrowMap(2u << 20).ok());
    done = true;
  });
  uint64_t asked = 0;
  while (asked < 100'000) asked += environment->stats().map_bytes == 1u << 20 ? 1 : 0;
  EXPECT_FALSE(done);
  (*txn)->Reset();
  grower.join();
  EXPECT_EQ(environment->stats().map_bytes, 2u << 20);
}

TEST_F(KvTest, AReadOnlyEnvironmentReadsAndAMissingDatabaseIsNamed) {
  { ASSERT_TRUE(Open(Options())->OpenDatabase("d").has_value()); }
  EnvironmentOptions options = Options();
  options.access = Access::kReadOnly;
  auto environment = Open(options);
  EXPECT_TRUE(environment->OpenDatabase("d").has_value());
  EXPECT_EQ(environment->OpenDatabase("other").error().reason(), "no_such_database");
}

TEST_F(KvTest, AMissingDirectoryAndAForeignFileAreNamed) {
  EnvironmentOptions options = Options();
  options.path = dir_ + "/nowhere/test.kv";
  EXPECT_EQ(Environment::Open(options).error().message(), "No such file or directory: " + options.path);
  options.path = dir_ + "/foreign.kv";
  std::ofstream(options.path) << std::string(8192, 'x');
  const auto foreign = Environment::Open(options);
  ASSERT_FALSE(foreign.has_value());
  EXPECT_EQ(foreign.error().code(), Code::kCorruption);
  EXPECT_THAT(std::string(foreign.error().message()), HasSubstr(options.path));
}

TEST_F(KvTest, ADirectoryLayoutMakesItsDirectory) {
  EnvironmentOptions options = Options();
  options.layout = Layout::kDirectory;
  options.path = dir_ + "/indexes";
  auto environment = Open(options);
  ASSERT_TRUE(environment->OpenDatabase("d").has_value());
  EXPECT_TRUE(std::filesystem::exists(dir_ + "/indexes/data.mdb"));
}

TEST_F(KvTest, ACopyHoldsWhatWasCommitted) {
  auto environment = Open(Options());
  const Database database = *environment->OpenDatabase("d");
  ASSERT_TRUE(PutOne(*environment, database, "k", "v").ok());
  EnvironmentOptions options = Options();
  options.path = dir_ + "/copy.kv";
  ASSERT_TRUE(environment->CopyTo(options.path).ok());
  ASSERT_TRUE(PutOne(*environment, database, "k", "later").ok());
  auto copy = Open(options);
  EXPECT_EQ(GetOne(*copy, *copy->OpenDatabase("d"), "k"), "v");
}

// RLIMIT_FSIZE makes the kernel refuse growth with EFBIG: a commit that can't reach the disk must fail, and
// what was there before must stay.
TEST_F(KvTest, AFailedCommitLeavesTheOldState) {
  auto environment = Open(Options());
  const Database database = *environment->OpenDatabase("d");
  ASSERT_TRUE(PutOne(*environment, database, "k", "old").ok());
  ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit old {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const struct rlimit tight { environment->stats().used_bytes, old.rlim_max };
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  const Status status = PutOne(*environment, database, "k", std::string(1u << 20, 'n'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("test.kv"));
  EXPECT_EQ(GetOne(*environment, database, "k"), "old");
  EXPECT_TRUE(PutOne(*environment, database, "k", "new").ok());
}

TEST_F(KvTest, AFullDiskIsToldInOperatorsWords) {
  auto environment = Open(Options());
  const Status status = environment->Failure(ENOSPC, "commit to");
  EXPECT_EQ(status.reason(), "disk_full");
  EXPECT_THAT(std::string(status.message()), HasSubstr("No space left on device: " + dir_ + "/test.kv"));
}

TEST_F(KvTest, MdbStatCountsTheSameEntries) {
  {
    auto environment = Open(Options());
    const Database database = *environment->OpenDatabase("numbers");
    auto txn = WriteTxn::Begin(environment.get());
    for (int i = 0; i < 1234; ++i) ASSERT_TRUE((*txn)->Put(database, std::to_string(i), "v").ok());
    EXPECT_EQ(*(*txn)->Count(database), 1234u);
    ASSERT_TRUE((*txn)->Commit().ok());
  }
  FILE* pipe = ::popen(("mdb_stat -n -s numbers '" + dir_ + "/test.kv' 2>&1").c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string output;
  std::array<char, 256> line{};
  while (std::fgets(line.data(), static_cast<int>(line.size()), pipe)) output += line.data();
  const int status = ::pclose(pipe);
  if (output.find("not found") != std::string::npos) GTEST_SKIP() << "mdb_stat (lmdb-utils) is not installed";
  EXPECT_EQ(status, 0);
  EXPECT_THAT(output, HasSubstr("Entries: 1234"));
}

}  // namespace
}  // namespace stemedb::kv
