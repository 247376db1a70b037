// SPDX-License-Identifier: Apache-2.0
// Env::Posix on real files, and FaultInjectingEnv on top of it.
#include "env/env.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/bytes.h"
#include "env/fault_env.h"

namespace stemedb::env {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class EnvTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = ::testing::TempDir() + "env_" + ::testing::UnitTest::GetInstance()->current_test_info()->name() +
           "_" + std::to_string(::getpid());
    std::filesystem::remove_all(dir_);
    ASSERT_TRUE(env_->MakeDirs(dir_).ok());
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::string Path(const std::string& name) const { return dir_ + "/" + name; }
  std::string Content(const std::string& name) const {
    std::ifstream in(Path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // Writes "synced" durably and "lost" after it without a Sync; the file is closed again.
  void WriteHalfSynced(Env& env, const std::string& name) {
    auto file = env.OpenAppend(Path(name));
    ASSERT_TRUE(file.has_value());
    ASSERT_TRUE((*file)->Append("synced").ok());
    ASSERT_TRUE((*file)->Sync().ok());
    ASSERT_TRUE(env.SyncDir(dir_).ok());
    ASSERT_TRUE((*file)->Append("lost").ok());
  }

  Env* env_ = Env::Posix();
  std::string dir_;
};

TEST_F(EnvTest, AppendsPartsInOrderAndReadsThemBack) {
  auto file = env_->OpenAppend(Path("a"));
  ASSERT_TRUE(file.has_value());
  const std::string_view parts[] = {"one", "", "two", "three"};
  ASSERT_TRUE((*file)->Append(parts).ok());
  ASSERT_TRUE((*file)->Append("!").ok());
  EXPECT_EQ((*file)->size(), 12u);
  std::vector<uint8_t> bytes(20);
  EXPECT_EQ(*(*file)->ReadAt(3, bytes), 9u);
  EXPECT_EQ(AsView(std::span(bytes).first(9)), "twothree!");
  EXPECT_EQ(Content("a"), "onetwothree!");
}

TEST_F(EnvTest, AppendsMorePartsThanOneSystemCallTakes) {
  std::vector<std::string> texts;
  std::string whole;
  for (int i = 0; i < 3000; ++i) whole += texts.emplace_back(std::to_string(i));
  const std::vector<std::string_view> parts(texts.begin(), texts.end());
  auto file = env_->OpenAppend(Path("a"));
  ASSERT_TRUE(file.has_value());
  ASSERT_TRUE((*file)->Append(parts).ok());
  EXPECT_EQ(Content("a"), whole);
}

TEST_F(EnvTest, OpeningAgainGoesOnAtTheEndAndTruncateMovesIt) {
  { ASSERT_TRUE((*env_->OpenAppend(Path("a")))->Append("abc").ok()); }
  auto file = env_->OpenAppend(Path("a"));
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ((*file)->size(), 3u);
  ASSERT_TRUE((*file)->Truncate(1).ok());
  ASSERT_TRUE((*file)->Append("z").ok());
  EXPECT_EQ(Content("a"), "az");
  EXPECT_EQ(*env_->FileSize(Path("a")), 2u);
}

TEST_F(EnvTest, AFileKnowsWhetherItsNameStillLeadsToIt) {
  FaultInjectingEnv fault_env(env_);
  for (Env* env : {env_, static_cast<Env*>(&fault_env)}) {
    auto file = std::move(*env->OpenAppend(Path("a")));
    ASSERT_TRUE(file->Append("text").ok());
    EXPECT_TRUE(file->IsInPlace());
    ASSERT_TRUE(env->Rename(Path("a"), Path("b")).ok());
    EXPECT_FALSE(file->IsInPlace()) << "it is elsewhere";
    std::ofstream(Path("a")) << "text";
    EXPECT_FALSE(file->IsInPlace()) << "that is another one";
    ASSERT_TRUE(env->Rename(Path("b"), Path("a")).ok());
    EXPECT_TRUE(file->IsInPlace());
    std::filesystem::resize_file(Path("a"), 3);
    EXPECT_FALSE(file->IsInPlace()) << "somebody has cut it short";
    ASSERT_TRUE(file->Truncate(3).ok());
    EXPECT_TRUE(file->IsInPlace());
    ASSERT_TRUE(env->Remove(Path("a")).ok());
    EXPECT_FALSE(file->IsInPlace());
  }
}

TEST_F(EnvTest, ListsSortedNamesAndRenamesAndRemoves) {
  for (const char* name : {"b", "a", "c"}) ASSERT_TRUE(env_->OpenAppend(Path(name)).has_value());
  EXPECT_THAT(*env_->List(dir_), ElementsAre("a", "b", "c"));
  ASSERT_TRUE(env_->Rename(Path("a"), Path("d")).ok());
  ASSERT_TRUE(env_->Remove(Path("b")).ok());
  ASSERT_TRUE(env_->SyncDir(dir_).ok());
  EXPECT_THAT(*env_->List(dir_), ElementsAre("c", "d"));
  EXPECT_GT(*env_->FreeBytes(dir_), 0u);
}

TEST_F(EnvTest, MakesAllMissingDirectoriesAndRefusesAFileInTheWay) {
  ASSERT_TRUE(env_->MakeDirs(Path("x/y/z")).ok());
  EXPECT_TRUE(std::filesystem::is_directory(Path("x/y/z")));
  ASSERT_TRUE(env_->OpenAppend(Path("file")).has_value());
  EXPECT_THAT(std::string(env_->MakeDirs(Path("file/sub")).message()), HasSubstr("Not a directory"));
}

TEST_F(EnvTest, AMissingFileIsNamedInOperatorsWords) {
  const auto file = env_->OpenRead(Path("nothing"));
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code(), Code::kNotFound);
  EXPECT_EQ(file.error().message(), "No such file or directory: " + Path("nothing"));
}

TEST_F(EnvTest, ALinkThatLeadsNowhereIsNoDirectory) {
  std::filesystem::create_symlink(Path("nowhere"), Path("link"));
  EXPECT_EQ(env_->MakeDirs(Path("link")).reason(), "no_such_file");
}

TEST_F(EnvTest, PermissionDeniedNamesPathOwnerAndWantedMode) {
  ASSERT_TRUE(env_->OpenAppend(Path("closed")).has_value());
  ASSERT_EQ(::chmod(Path("closed").c_str(), 0400), 0);
  const Status status = StatusFromErrno(EACCES, "open", Path("closed"));
  EXPECT_EQ(status.code(), Code::kPermissionDenied);
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("Permission denied: " + Path("closed")));
  EXPECT_THAT(message, HasSubstr("mode 0400"));
  EXPECT_THAT(message, HasSubstr("needs rw"));
  EXPECT_THAT(message, ::testing::ContainsRegex("owned by [^:]+:[^,]+,"));
}

TEST_F(EnvTest, PermissionDeniedIsWhatTheKernelSaysToo) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may open anything";
  ASSERT_EQ(::chmod(dir_.c_str(), 0500), 0);
  const auto file = env_->OpenAppend(Path("new"));
  ::chmod(dir_.c_str(), 0700);
  ASSERT_FALSE(file.has_value());
  EXPECT_THAT(std::string(file.error().message()), HasSubstr(dir_ + " is owned by"));
}

TEST_F(EnvTest, AFullDiskIsToldApart) {
  const Status status = StatusFromErrno(ENOSPC, "write", Path("a"));
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_EQ(status.reason(), "disk_full");
  EXPECT_THAT(std::string(status.message()), HasSubstr("No space left on device: " + Path("a")));
}

TEST_F(EnvTest, WhatIsNoFileIsRefusedAsWhatItIsAndNeverWaitedFor) {
  ASSERT_EQ(::mkfifo(Path("fifo").c_str(), 0600), 0);
  ASSERT_EQ(::mkdir(Path("dir").c_str(), 0700), 0);
  std::filesystem::create_symlink("/dev/zero", Path("zero"));
  const std::map<std::string, std::string> kinds = {
      {"fifo", "a FIFO"}, {"dir", "a directory"}, {"zero", "a device"}};
  for (const auto& [name, kind] : kinds) {
    const std::string expected = Path(name) + ": is " + kind + ", not a file: move it away";
    for (const bool reads : {true, false}) {
      const auto opened = reads ? env_->OpenRead(Path(name)) : env_->OpenAppend(Path(name));
      ASSERT_FALSE(opened);
      EXPECT_EQ(opened.error().reason(), "io_error");
      EXPECT_EQ(opened.error().message(), expected);
    }
  }
  ASSERT_TRUE((*env_->OpenAppend(Path("a")))->Append("x").ok());
  std::filesystem::create_symlink("a", Path("link"));
  EXPECT_EQ((*env_->OpenRead(Path("link")))->size(), 1u);
}

TEST_F(EnvTest, ASecondHolderOfTheLockIsRefusedWithThePid) {
  auto first = env_->LockDir(dir_);
  ASSERT_TRUE(first.has_value());
  const auto second = env_->LockDir(dir_);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), Code::kConflict);
  EXPECT_THAT(std::string(second.error().message()), HasSubstr("pid " + std::to_string(::getpid())));
  first->reset();
  EXPECT_TRUE(env_->LockDir(dir_).has_value());
}

TEST(FakeClock, StandsStillUntilItIsMoved) {
  FakeClock clock(1000);
  clock.AdvanceMs(5);
  EXPECT_EQ(clock.NowMs(), 1005);
  EXPECT_EQ(clock.MonotonicNs(), 5'000'000);
  clock.SetNowMs(10);
  EXPECT_EQ(clock.NowMs(), 10);
  EXPECT_EQ(clock.MonotonicNs(), 5'000'000);
}

TEST(SystemClock, MonotonicTimeNeverGoesBack) {
  const int64_t before = Clock::System()->MonotonicNs();
  EXPECT_GE(Clock::System()->MonotonicNs(), before);
  EXPECT_GT(Clock::System()->NowMs(), 1'700'000'000'000);
}

TEST_F(EnvTest, FaultsStrikeTheChosenOperationAlone) {
  FaultInjectingEnv faulty;
  faulty.Fail(Operation::kSync, Failure::kIoError, 1, 1);
  auto file = faulty.OpenAppend(Path("a"));
  ASSERT_TRUE(file.has_value());
  EXPECT_TRUE((*file)->Append("x").ok());
  EXPECT_TRUE((*file)->Sync().ok());
  EXPECT_EQ((*file)->Sync().reason(), "io_error");
  EXPECT_TRUE((*file)->Sync().ok());
  EXPECT_EQ(faulty.count(Operation::kSync), 3u);
}

TEST_F(EnvTest, AShortWriteLeavesHalfOfTheBytes) {
  FaultInjectingEnv faulty;
  faulty.Fail(Operation::kWrite, Failure::kShortWrite);
  auto file = faulty.OpenAppend(Path("a"));
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ((*file)->Append("abcdef").reason(), "disk_full");
  EXPECT_EQ(Content("a"), "abc");
}

TEST_F(EnvTest, APowerLossTakesWhatWasNotSynced) {
  FaultInjectingEnv faulty;
  WriteHalfSynced(faulty, "a");
  { ASSERT_TRUE((*faulty.OpenAppend(Path("nameless")))->Append("x").ok()); }
  ASSERT_TRUE(faulty.LoseUnsynced(Loss::kEverything).ok());
  EXPECT_EQ(Content("a"), "synced");
  EXPECT_THAT(*env_->List(dir_), ElementsAre("a"));
}

TEST_F(EnvTest, APowerLossBySectorsNeverTouchesWhatWasSynced) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    FaultInjectingEnv faulty;
    std::filesystem::remove(Path("a"));
    WriteHalfSynced(faulty, "a");
    ASSERT_TRUE(faulty.LoseUnsynced(Loss::kSomeSectors, seed).ok());
    EXPECT_TRUE(Content("a") == "synced" || Content("a") == "syncedlost") << "seed " << seed;
  }
}

}  // namespace
}  // namespace stemedb::env
