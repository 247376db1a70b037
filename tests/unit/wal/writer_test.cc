// SPDX-License-Identifier: Apache-2.0
// The Writer on whole and on failing disks.
#include "wal/writer.h"

#include <sys/stat.h>

#include "wal_fixture.h"

namespace stemedb::wal {
namespace {

using env::Failure;
using env::Operation;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using WalWriter = WalTest;

TEST_F(WalWriter, WhatWasSyncedComesBackInOrder) {
  {
    auto writer = OpenWriter();
    EXPECT_EQ(writer->next_sequence(), 1u);
    ASSERT_TRUE(WriteGroup(*writer, {"a", ""}).ok());
    ASSERT_TRUE(WriteGroup(*writer, {"c"}).ok());
    EXPECT_EQ(writer->next_sequence(), 4u);
    EXPECT_EQ(writer->stats().records, 3u);
    EXPECT_EQ(writer->stats().writes, 2u);
  }
  const auto recovered = RecoverLog();
  ASSERT_TRUE(recovered.has_value());
  EXPECT_THAT(Payloads(), ElementsAre("a", "", "c"));
  EXPECT_EQ(replayed_[0].recorded_at_ms, 1'700'000'000'000);
  EXPECT_EQ(recovered->end.next_sequence, 4u);
  EXPECT_EQ(recovered->end.chain, replayed_[2].chain);
  EXPECT_EQ(recovered->bytes_cut, 0u);
  EXPECT_EQ(recovered->records_replayed, 3u);
}

TEST_F(WalWriter, ManyAppendsAreOneWriteAndOneSync) {
  auto writer = OpenWriter();
  const uint64_t writes = env_.count(Operation::kWrite), syncs = env_.count(Operation::kSync);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(AppendGroup(*writer, {"x"}).ok());
  ASSERT_TRUE(writer->Sync().ok());
  EXPECT_EQ(env_.count(Operation::kWrite), writes + 1);
  EXPECT_EQ(env_.count(Operation::kSync), syncs + 1);
  ASSERT_TRUE(writer->Sync().ok());
  EXPECT_EQ(env_.count(Operation::kSync), syncs + 1) << "nothing to do";
}

TEST_F(WalWriter, GivesBackWhatAClosedSegmentHadReserved) {
  auto writer = OpenWriter(300);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(WriteGroup(*writer, {std::string(50, 'x')}).ok());
  ASSERT_EQ(writer->stats().segments, 5u);
  for (const char* closed : {"segment-00001.log", "segment-00004.log"}) {
    struct stat info;
    ASSERT_EQ(::stat((dir_ + "/" + closed).c_str(), &info), 0);
    EXPECT_LE(info.st_blocks * 512, 64 * 1024) << closed;
  }
}

TEST_F(WalWriter, RotatesWhenTheSegmentIsFull) {
  {
    auto writer = OpenWriter(300);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(WriteGroup(*writer, {std::string(50, 'x')}).ok());
    EXPECT_EQ(writer->stats().rotations, 4u);
    EXPECT_EQ(writer->stats().segments, 5u);
    uint64_t bytes = 0;
    for (const auto& [name, content] : ReadFiles()) {
      EXPECT_LE(content.size(), 300u) << name;
      bytes += content.size();
    }
    EXPECT_EQ(writer->stats().disk_bytes, bytes);
    EXPECT_EQ(writer->stats().bytes_written, bytes);
  }
  const auto recovered = RecoverLog();
  ASSERT_TRUE(recovered.has_value());
  EXPECT_EQ(replayed_.size(), 10u);
  EXPECT_EQ(recovered->segments, 5u);
}

TEST_F(WalWriter, AWriteLargerThanASegmentStaysWhole) {
  {
    auto writer = OpenWriter(300);
    ASSERT_TRUE(WriteGroup(*writer, {"a"}).ok());
    ASSERT_TRUE(WriteGroup(*writer, std::vector<std::string>(20, std::string(50, 'x'))).ok());
    ASSERT_TRUE(WriteGroup(*writer, {"b"}).ok());
    EXPECT_EQ(writer->stats().rotations, 2u);
  }
  ASSERT_TRUE(RecoverLog().has_value());
  EXPECT_EQ(replayed_.size(), 22u);
}

TEST_F(WalWriter, RefusesWhatCannotBeARecord) {
  auto writer = OpenWriter();
  const RecordToWrite open_group[] = {{1, kFlagMore, 0, "x"}};
  EXPECT_EQ(writer->Append(open_group).reason(), "wal_open_group");
  const RecordToWrite flags[] = {{1, 0x80, 0, "x"}};
  EXPECT_EQ(writer->Append(flags).reason(), "wal_flags");
  const std::string large(kPayloadBytesMax + 1, 'x');
  const RecordToWrite too_large[] = {{1, 0, 0, large}};
  EXPECT_EQ(writer->Append(too_large).reason(), "wal_record_too_large");
  EXPECT_EQ(writer->next_sequence(), 1u);
}

TEST_F(WalWriter, TheBufferIsBounded) {
  auto recovered = RecoverLog();
  WriterOptions options = Writing(1u << 20);
  options.buffer_bytes_max = 1000;
  auto writer = Writer::Open(options, *recovered);
  ASSERT_TRUE(AppendGroup(**writer, {std::string(800, 'x')}).ok());
  EXPECT_EQ(AppendGroup(**writer, {std::string(800, 'x')}).reason(), "wal_buffer_full");
  ASSERT_TRUE((*writer)->Sync().ok());
  EXPECT_TRUE(AppendGroup(**writer, {std::string(800, 'x')}).ok());
}

TEST_F(WalWriter, AFullDiskTakesTheWriteBackAndALaterOneSucceeds) {
  {
    auto writer = OpenWriter();
    ASSERT_TRUE(WriteGroup(*writer, {"before"}).ok());
    const std::string whole = ReadFile(Path("segment-00001.log"));
    for (Failure failure : {Failure::kDiskFull, Failure::kShortWrite}) {
      env_.Fail(Operation::kWrite, failure, 0, 1);
      EXPECT_EQ(WriteGroup(*writer, {"lost", "lost"}).reason(), "disk_full");
      EXPECT_EQ(ReadFile(Path("segment-00001.log")), whole);
      EXPECT_EQ(writer->next_sequence(), 2u);
    }
    EXPECT_TRUE(writer->failed().ok());
    EXPECT_EQ(writer->stats().write_errors, 2u);
    ASSERT_TRUE(WriteGroup(*writer, {"after"}).ok());
  }
  ASSERT_TRUE(RecoverLog().has_value());
  EXPECT_THAT(Payloads(), ElementsAre("before", "after"));
  EXPECT_EQ(replayed_[1].sequence, 2u);
}

TEST_F(WalWriter, AFailedWriteThatWasTakenBackIsNoReasonToStop) {
  auto writer = OpenWriter();
  env_.Fail(Operation::kWrite, Failure::kIoError, 0, 1);
  EXPECT_EQ(WriteGroup(*writer, {"lost"}).reason(), "io_error");
  EXPECT_TRUE(WriteGroup(*writer, {"kept"}).ok());
}

TEST_F(WalWriter, AFailedFsyncStopsItForGood) {
  auto writer = OpenWriter();
  ASSERT_TRUE(WriteGroup(*writer, {"before"}).ok());
  env_.Fail(Operation::kSync, Failure::kIoError, 0, 1);
  const Status status = WriteGroup(*writer, {"unknown"});
  EXPECT_EQ(status.reason(), "wal_failed");
  EXPECT_THAT(std::string(status.message()), HasSubstr("segment-00001.log"));
  env_.Heal();
  EXPECT_EQ(AppendGroup(*writer, {"later"}).reason(), "wal_failed");
  EXPECT_EQ(writer->Sync().reason(), "wal_failed");
  EXPECT_EQ(writer->durable().next_sequence, 2u);
}

TEST_F(WalWriter, AWriteThatCannotBeTakenBackStopsItForGood) {
  for (Operation undo : {Operation::kTruncate, Operation::kSync}) {
    std::filesystem::remove(Path("segment-00001.log"));
    auto writer = OpenWriter();
    env_.Fail(Operation::kWrite, Failure::kShortWrite, 0, 1);
    env_.Fail(undo, Failure::kIoError, 0, 1);
    EXPECT_EQ(WriteGroup(*writer, {"half"}).reason(), "wal_failed");
    env_.Heal();
    EXPECT_EQ(writer->Sync().reason(), "wal_failed");
    writer.reset();
  }
}

TEST_F(WalWriter, DiscardGivesTheSequencesBack) {
  auto writer = OpenWriter();
  ASSERT_TRUE(AppendGroup(*writer, {"x", "y"}).ok());
  EXPECT_EQ(writer->next_sequence(), 3u);
  writer->Discard();
  EXPECT_EQ(writer->next_sequence(), 1u);
  ASSERT_TRUE(WriteGroup(*writer, {"z"}).ok());
  writer.reset();
  ASSERT_TRUE(RecoverLog().has_value());
  EXPECT_THAT(Payloads(), ElementsAre("z"));
}

// Every call that a rotation makes fails once; whatever it was, the log stays whole and the writer either
// goes on or says that it can't.
TEST_F(WalWriter, AFailureInARotationLosesNothingThatWasAcknowledged) {
  for (Operation operation :
       {Operation::kOpen, Operation::kWrite, Operation::kSync, Operation::kTruncate, Operation::kSyncDir}) {
    for (Failure failure : {Failure::kIoError, Failure::kDiskFull, Failure::kShortWrite}) {
      if (failure == Failure::kShortWrite && operation != Operation::kWrite) continue;
      RestoreFiles({});
      std::vector<std::string> acknowledged = {"first", "second"};
      {
        auto writer = OpenWriter(260);
        ASSERT_TRUE(WriteGroup(*writer, {"first"}).ok());
        ASSERT_TRUE(WriteGroup(*writer, {"second"}).ok());
        const std::string full = ReadFile(Path("segment-00001.log"));
        env_.Fail(operation, failure, 0, 1);
        EXPECT_FALSE(WriteGroup(*writer, {std::string(100, 'x')}).ok());
        env_.Heal();
        // Small enough for the old segment, which must not be written to any more.
        if (WriteGroup(*writer, {"4"}).ok())
          acknowledged.push_back("4");
        else
          EXPECT_FALSE(writer->failed().ok());
        EXPECT_EQ(ReadFile(Path("segment-00001.log")), full);
      }
      const auto recovered = RecoverLog();
      ASSERT_TRUE(recovered.has_value()) << recovered.error().message();
      EXPECT_EQ(Payloads(), acknowledged);
    }
  }
}

TEST_F(WalWriter, OnFsyncIsToldTheLatency) {
  int64_t calls = 0;
  auto recovered = RecoverLog();
  WriterOptions options = Writing(1u << 20);
  options.on_fsync = [&](int64_t ns) { calls += ns >= 0 ? 1 : 0; };
  auto writer = Writer::Open(options, *recovered);
  ASSERT_TRUE(WriteGroup(**writer, {"x"}).ok());
  EXPECT_EQ(calls, 1);
}

TEST_F(WalWriter, GoesOnBehindACheckpointWithASegmentOfItsOwn) {
  { ASSERT_TRUE(WriteGroup(*OpenWriter(), {"old"}).ok()); }
  auto recovered = RecoverLog(100);
  ASSERT_TRUE(recovered.has_value());
  EXPECT_TRUE(recovered->ends_before_needed);
  recovered->end = {100, Hash256{1, 2, 3}};
  {
    auto writer = Writer::Open(Writing(1u << 20), *recovered);
    ASSERT_TRUE(writer.has_value());
    ASSERT_TRUE(WriteGroup(**writer, {"new"}).ok());
    EXPECT_EQ((*writer)->stats().segments, 2u);
  }
  ASSERT_TRUE(RecoverLog(100).has_value());
  EXPECT_THAT(Payloads(), ElementsAre("new"));
  EXPECT_EQ(replayed_[0].sequence, 100u);
  EXPECT_EQ(RecoverLog(50).error().reason(), "wal_gap");
}

TEST_F(WalWriter, RefusesADirectoryThatSomebodyElseWritesTo) {
  { ASSERT_TRUE(WriteGroup(*OpenWriter(), {"a"}).ok()); }
  const auto recovered = RecoverLog();
  { ASSERT_TRUE(WriteGroup(*OpenWriter(), {"b"}).ok()); }
  EXPECT_EQ(Writer::Open(Writing(1u << 20), *recovered).error().reason(), "wal_changed");
}

}  // namespace
}  // namespace stemedb::wal
