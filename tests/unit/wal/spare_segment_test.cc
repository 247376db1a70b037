// SPDX-License-Identifier: Apache-2.0
// Segments that are prepared ahead of need: what stands behind a log's end, and what becomes of a spare.
#include "wal/spare_segment.h"

#include <chrono>
#include <thread>

#include "wal_fixture.h"

namespace stemedb::wal {
namespace {

using env::Failure;
using env::Operation;
using ::testing::ElementsAre;

constexpr uint64_t kSegmentBytes = 64 * 1024;
constexpr auto kPatience = std::chrono::seconds(60);

class SpareSegmentTest : public WalTest {
 protected:
  std::string SparePath() const { return dir_ + "/spare-segment"; }

  std::unique_ptr<Writer> OpenPreparing() {
    auto recovered = RecoverLog();
    EXPECT_TRUE(recovered.has_value()) << recovered.error().message();
    WriterOptions options = Writing(kSegmentBytes);
    options.prepare_segments = true;
    auto writer = Writer::Open(options, *recovered);
    EXPECT_TRUE(writer.has_value()) << writer.error().message();
    return std::move(*writer);
  }

  // Writes until a prepared segment is in use.
  void WriteUntilPrepared(Writer& writer) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (PreparedBytes() == 0) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      ASSERT_TRUE(WriteGroup(writer, {std::string(1000, 'x')}).ok());
      ++written_;
    }
  }

  // Of the last segment: how much longer the file is than what stands in it.
  uint64_t PreparedBytes() {
    const auto files = ListSegments(&env_, dir_);
    if (!files || files->empty()) return 0;
    const std::string content = ReadFile(files->back().path);
    return content.size() - content.find_last_not_of('\0') - 1;
  }

  static std::string ReadFile(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  bool WaitForSpare(const SpareSegment& spare) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!spare.ready() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    return spare.ready();
  }

  uint64_t written_ = 0;
};

TEST_F(SpareSegmentTest, ABusyLogMovesToAPreparedSegment) {
  auto writer = OpenPreparing();
  WriteUntilPrepared(*writer);
  EXPECT_GE(writer->stats().rotations, 1u);
  const auto last = ListSegments(&env_, dir_)->back();
  EXPECT_EQ(last.bytes, kSegmentBytes) << "written in place";
  ASSERT_TRUE(WriteGroup(*writer, {"more"}).ok());
  EXPECT_EQ(ListSegments(&env_, dir_)->back().bytes, kSegmentBytes);
}

TEST_F(SpareSegmentTest, AQuietLogHasNone) {
  auto writer = OpenPreparing();
  ASSERT_TRUE(WriteGroup(*writer, {"x"}).ok());
  EXPECT_FALSE(std::filesystem::exists(SparePath()));
}

TEST_F(SpareSegmentTest, ACloseLeavesFilesThatEndWhereTheirRecordsEnd) {
  {
    auto writer = OpenPreparing();
    WriteUntilPrepared(*writer);
  }
  EXPECT_EQ(PreparedBytes(), 0u);
  EXPECT_FALSE(std::filesystem::exists(SparePath()));
}

TEST_F(SpareSegmentTest, AfterACrashTheZerosAreNoTornWrite) {
  Files crashed;
  {
    auto writer = OpenPreparing();
    WriteUntilPrepared(*writer);
    ASSERT_TRUE(WriteGroup(*writer, {"last"}).ok());
    ++written_;
    std::filesystem::copy(dir_, dir_ + "-crashed");
  }
  std::filesystem::remove_all(dir_);
  std::filesystem::rename(dir_ + "-crashed", dir_);
  ASSERT_GT(PreparedBytes(), 0u);
  const auto recovered = RecoverLog();
  ASSERT_TRUE(recovered.has_value()) << recovered.error().message();
  EXPECT_EQ(recovered->bytes_cut, 0u);
  EXPECT_EQ(log_, "");
  EXPECT_EQ(replayed_.size(), written_);
  EXPECT_EQ(replayed_.back().payload, "last");
  EXPECT_EQ(PreparedBytes(), 0u);
  auto writer = OpenPreparing();
  ASSERT_TRUE(WriteGroup(*writer, {"next"}).ok());
  writer.reset();
  ASSERT_TRUE(RecoverLog().has_value());
  EXPECT_EQ(replayed_.back().payload, "next");
}

TEST_F(SpareSegmentTest, ZerosBehindAClosedSegmentDontHideAMissingOne) {
  auto writer = OpenWriter(300);
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(WriteGroup(*writer, {std::string(100, 'x')}).ok());
  ASSERT_GE(writer->stats().segments, 3u);
  writer.reset();
  auto first = env_.OpenAppend(dir_ + "/segment-00001.log");
  ASSERT_TRUE((*first)->Append(std::string(5000, '\0')).ok());
  EXPECT_TRUE(RecoverLog().has_value()) << "a crash came before it was cut";
  std::filesystem::remove(dir_ + "/segment-00002.log");
  EXPECT_FALSE(RecoverLog().has_value());
}

TEST_F(SpareSegmentTest, WhatACrashLeftOfASpareIsRemoved) {
  std::ofstream(SparePath()) << "half";
  const auto writer = OpenPreparing();
  EXPECT_FALSE(std::filesystem::exists(SparePath()));
}

TEST_F(SpareSegmentTest, IsZerosOfTheWholeSize) {
  SpareSegment spare(&env_, dir_, 3'000'000);
  EXPECT_FALSE(*spare.MoveTo(dir_ + "/segment-00001.log")) << "there is none yet";
  spare.Prepare();
  ASSERT_TRUE(WaitForSpare(spare));
  ASSERT_TRUE(*spare.MoveTo(dir_ + "/segment-00001.log"));
  EXPECT_EQ(ReadFile(dir_ + "/segment-00001.log"), std::string(3'000'000, '\0'));
  EXPECT_FALSE(spare.ready());
}

TEST_F(SpareSegmentTest, AFailureLeavesNothingBehindAndIsNotTriedAtOnceAgain) {
  SpareSegment spare(&env_, dir_, kSegmentBytes);
  env_.Fail(Operation::kSync, Failure::kIoError);
  const uint64_t removed = env_.count(Operation::kRemove);
  spare.Prepare();
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (env_.count(Operation::kRemove) == removed && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  while (std::filesystem::exists(SparePath())) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  env_.Heal();
  while (!*spare.MoveTo(dir_ + "/segment-00001.log")) {  // each segment is a new try
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    spare.Prepare();
  }
}

TEST_F(SpareSegmentTest, AFullDiskGetsItsRoomBack) {
  auto writer = OpenPreparing();
  WriteUntilPrepared(*writer);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  std::error_code error;
  while (std::filesystem::file_size(SparePath(), error) != kSegmentBytes) {  // nothing more is written to it
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    ASSERT_TRUE(WriteGroup(*writer, {std::string(1000, 'x')}).ok());
    ++written_;
  }
  env_.Fail(Operation::kWrite, Failure::kShortWrite);
  while (std::filesystem::exists(SparePath())) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    EXPECT_EQ(WriteGroup(*writer, {"refused"}).reason(), "disk_full");
  }
  env_.Heal();
  ASSERT_TRUE(WriteGroup(*writer, {"taken"}).ok());
  writer.reset();
  ASSERT_TRUE(RecoverLog().has_value());
  EXPECT_EQ(replayed_.size(), written_ + 1);
  EXPECT_EQ(replayed_.back().payload, "taken");
}

TEST_F(SpareSegmentTest, ASegmentWhoseHeaderCouldNotBeWrittenIsUsedInTheNextTry) {
  auto writer = OpenPreparing();
  while (!std::filesystem::exists(SparePath()) || std::filesystem::file_size(SparePath()) != kSegmentBytes) {
    if (WriteGroup(*writer, {std::string(1000, 'x')}).ok()) ++written_;
  }
  // From here on each write fails: the first is to go into the spare, whose header can't be written.
  env_.Fail(Operation::kWrite, Failure::kDiskFull);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::filesystem::exists(SparePath())) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    EXPECT_EQ(WriteGroup(*writer, {"refused"}).reason(), "disk_full");
  }
  EXPECT_EQ(WriteGroup(*writer, {"refused"}).reason(), "disk_full")
      << "and not another process's file in the way";
  env_.Heal();
  ASSERT_TRUE(WriteGroup(*writer, {"taken"}).ok());
  writer.reset();
  ASSERT_TRUE(RecoverLog().has_value());
  EXPECT_EQ(replayed_.size(), written_ + 1);
  EXPECT_EQ(replayed_.back().payload, "taken");
}

TEST_F(SpareSegmentTest, AFailureHalfwayThroughTheMoveIsTriedAgain) {
  auto writer = OpenPreparing();
  WriteUntilPrepared(*writer);
  const uint64_t segments = writer->stats().segments;
  env_.Fail(Operation::kRename, Failure::kIoError, 0, 1);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  size_t refused = 0;
  while (refused == 0 || writer->stats().segments < segments + 2) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    const Status status = WriteGroup(*writer, {std::string(1000, 'x')});
    (status.ok() ? written_ : refused) += 1;
  }
  EXPECT_EQ(refused, 1u);
  writer.reset();
  ASSERT_TRUE(RecoverLog().has_value());
  EXPECT_EQ(replayed_.size(), written_);
}

}  // namespace
}  // namespace stemedb::wal
