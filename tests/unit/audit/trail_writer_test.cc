// SPDX-License-Identifier: Apache-2.0
// The trail on disk: what was written is there again, its bounds hold, and whatever is missing is told of.
#include "audit/trail_writer.h"

#include <sys/stat.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "trail_fixture.h"

namespace stemedb::audit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kDayMs = int64_t{24} * 60 * 60 * 1000;

std::string Load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void Store(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

TEST_F(TrailTest, WhatWasWrittenIsThereAgainAndIdsGoOn) {
  {
    const auto writer = Open();
    EXPECT_THAT(Ids(*writer), IsEmpty());
    const auto written = writer->Write(Frames(2));
    EXPECT_EQ(written.first_id, 1u);
    EXPECT_EQ(written.bytes, Frames(2).size());
    EXPECT_THAT(Ids(*writer), ElementsAre(2, 1));
    writer->Close();
  }
  const auto writer = Open();
  EXPECT_THAT(Ids(*writer), ElementsAre(2, 1));
  EXPECT_EQ(writer->Write(Frames(1)).first_id, 3u);
  EXPECT_THAT(Ids(*writer), ElementsAre(3, 2, 1));
  EXPECT_THAT(Gaps(*writer), IsEmpty()) << "it was closed";
  EXPECT_EQ(metrics_.audit().queries_total.Value(), 3);
}

TEST_F(TrailTest, WithoutACloseTheNextOneTellsOfAGap) {
  Open()->Write(Frames(3));
  clock_.AdvanceMs(5000);
  const auto writer = Open();
  EXPECT_TRUE(writer->has_gap());
  writer->Write({});
  EXPECT_THAT(Gaps(*writer), ElementsAre("4 unclean_stop -1"));
  EXPECT_THAT(Ids(*writer), ElementsAre(4, 3, 2, 1));
  writer->Close();
  EXPECT_FALSE(Open()->has_gap()) << "told once";
}

TEST_F(TrailTest, ATornEndIsCutOffAndTold) {
  Open()->Write(Frames(3));
  const std::string whole = Load(PathOf(1));
  for (const size_t torn : {size_t{1}, size_t{8}, size_t{30}, FrameOf(Query("{}")).size() - 1}) {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directory(directory_);
    Store(PathOf(1), whole + FrameOf(Query("{}")).substr(0, torn));
    const auto writer = Open();
    EXPECT_EQ(writer->Segments().at(0).entries, 3u);
    writer->Write(Frames(1));
    EXPECT_THAT(Ids(*writer), ElementsAre(5, 4, 3, 2, 1));
    const auto gap = Page(*writer)["entries"].at(1)["gap"];
    EXPECT_EQ(gap["torn_bytes"].get_uint64().value(), torn);
    writer->Close();
    EXPECT_EQ(Load(PathOf(1)).size(), whole.size() + kSealFrameBytes) << "nothing of it is left";
  }
}

TEST_F(TrailTest, WhatAPowerCutLeavesOfTheLastWritesIsReadAsFarAsItIsWhole) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::filesystem::remove_all(directory_);
    SCOPED_TRACE("seed " + std::to_string(seed));
    env::FaultInjectingEnv disk(env::Env::Posix(), &clock_);
    {
      const auto writer = TrailWriter::Open(disk, metrics_, directory_, bounds_);
      ASSERT_TRUE(writer);
      (*writer)->Write(Frames(10));
      (*writer)->Sync();
      (*writer)->Write(Frames(20));
    }
    ASSERT_TRUE(disk.LoseUnsynced(env::Loss::kSomeSectors, seed).ok());
    const auto writer = Open();
    writer->Write(Frames(1));
    const auto ids = Ids(*writer);
    EXPECT_GE(ids.size(), 12u) << "what was synced, the gap, and the new one";
    EXPECT_EQ(ids.back(), 1u);
    EXPECT_EQ(ids.front(), ids.size()) << "no id is missing, none is there twice";
  }
}

TEST_F(TrailTest, AFileThatWasJustBeingMadeIsRemovedAndToldOf) {
  std::filesystem::create_directory(directory_);
  Store(PathOf(1), "STEMEQ");
  const auto writer = Open();
  EXPECT_THAT(Files(), IsEmpty());
  writer->Write(Frames(1));
  EXPECT_THAT(Ids(*writer), ElementsAre(2, 1));
  EXPECT_THAT(Gaps(*writer), ElementsAre("1 unclean_stop -1")) << "whoever made it did not stop";
}

TEST_F(TrailTest, APowerCutBeforeTheFirstSyncOfASegmentIsToldOf) {
  {
    const auto writer = Open();
    writer->Write(Frames(3));
    writer->Close();
  }
  env::FaultInjectingEnv disk(env::Env::Posix(), &clock_);
  {
    const auto writer = TrailWriter::Open(disk, metrics_, directory_, bounds_);
    ASSERT_TRUE(writer);
    (*writer)->Write(Frames(10));
  }
  ASSERT_TRUE(disk.LoseUnsynced(env::Loss::kEverything).ok());
  EXPECT_EQ(Load(PathOf(2)).size(), kTrailHeaderBytes) << "its header was synced before any entry";
  const auto writer = Open();
  writer->Write(Frames(1));
  EXPECT_THAT(Gaps(*writer), ElementsAre("4 unclean_stop -1"));
  EXPECT_THAT(Ids(*writer), ElementsAre(5, 4, 3, 2, 1));
}

TEST_F(TrailTest, QuestionsThatWereOnlyCountedWhenTheProcessStoppedAreToldOf) {
  {
    const auto writer = Open();
    writer->Write(Frames(2));
    writer->Close();
  }
  {
    const auto writer = Open();
    EXPECT_FALSE(writer->has_gap());
    clock_.AdvanceMs(60'000);
    env_.Fail(env::Operation::kOpen, env::Failure::kDiskFull);
    EXPECT_EQ(writer->Write(Frames(3, clock_.NowMs())).bytes, 0u);
    writer->Close();
    env_.Heal();
  }
  clock_.AdvanceMs(60'000);
  const auto writer = Open();
  writer->Write({});
  EXPECT_THAT(Gaps(*writer), ElementsAre("3 unclean_stop -1"));
  const int64_t asked_ms = clock_.NowMs() - 60'000;
  EXPECT_THAT(Gaps(*writer, {.filter = {.from_ms = asked_ms, .to_ms = asked_ms + 1}}),
              ElementsAre("3 unclean_stop -1"));
  writer->Close();
  EXPECT_FALSE(Open()->has_gap()) << "told once";
}

TEST_F(TrailTest, AGapThatCanBeWrittenAtTheStopIsNoUncleanStop) {
  const auto writer = Open();
  writer->Write(Frames(1));
  env_.Fail(env::Operation::kWrite, env::Failure::kDiskFull);
  writer->Write(Frames(3));
  env_.Heal();
  writer->Close();  // in the second in which nothing else would be tried
  const auto next = Open();
  EXPECT_FALSE(next->has_gap());
  EXPECT_THAT(Gaps(*next), ElementsAre("2 write_failed 3"));
}

TEST_F(TrailTest, AKillIsToldOfThoughNoSegmentWasOpen) {
  Open();  // and killed before the first question
  clock_.AdvanceMs(1000);
  {
    const auto writer = Open();
    EXPECT_TRUE(writer->has_gap());
  }  // killed once more before it could be told
  clock_.AdvanceMs(1000);
  const auto writer = Open();
  writer->Write({});
  EXPECT_THAT(Gaps(*writer), ElementsAre("1 unclean_stop -1"));
  const int64_t begin_ms = clock_.NowMs() - 2000;
  EXPECT_THAT(Gaps(*writer, {.filter = {.to_ms = begin_ms + 1}}), ElementsAre("1 unclean_stop -1"))
      << "of both";
  EXPECT_THAT(Gaps(*writer, {.filter = {.to_ms = begin_ms}}), IsEmpty());
}

TEST_F(TrailTest, ATornEndIsNotFinishedBeforeItIsSureToBeToldOf) {
  Open()->Write(Frames(2));
  Open();  // finds it, and is killed
  const auto writer = Open();
  writer->Write({});
  EXPECT_THAT(Gaps(*writer), ElementsAre("3 unclean_stop -1"));
}

TEST_F(TrailTest, AMarkThatMakesNoSenseIsNoCleanStop) {
  {
    const auto writer = Open();
    writer->Write(Frames(1));
    writer->Close();
  }
  const std::string mark = Load(directory_ + "/mark");
  for (const std::string& bytes : {std::string(), mark.substr(0, mark.size() - 1), std::string(40, 'x')}) {
    Store(directory_ + "/mark", bytes);
    EXPECT_TRUE(Open()->has_gap());
  }
  std::filesystem::remove(directory_ + "/mark");
  EXPECT_TRUE(Open()->has_gap());
  Store(directory_ + "/mark", mark);
  EXPECT_FALSE(Open()->has_gap());
}

TEST_F(TrailTest, AMarkThatCannotBeReplacedIsTakenAway) {
  {
    const auto writer = Open();
    writer->Write(Frames(1));
    writer->Close();
  }
  env_.Fail(env::Operation::kWrite, env::Failure::kDiskFull);
  EXPECT_FALSE(Open()->has_gap());
  env_.Heal();
  EXPECT_TRUE(Open()->has_gap()) << "the one that could not write was not closed";
}

TEST_F(TrailTest, NewestSegmentsThatAreGoneAtTheStartAreToldOfAndTheirIdsAreNotGivenAgain) {
  for (int i = 0; i < 2; ++i) {
    const auto writer = Open();
    writer->Write(Frames(3));
    writer->Close();
  }
  std::filesystem::remove(PathOf(2));
  {
    const auto writer = Open();
    EXPECT_EQ(writer->Write(Frames(1)).first_id, 8u);
    EXPECT_THAT(Gaps(*writer), ElementsAre("7 file_lost 3", "4 unreadable 3"));
    EXPECT_THAT(Ids(*writer), ElementsAre(8, 7, 4, 3, 2, 1));
    writer->Close();
  }
  std::string newest = Load(PathOf(3));
  newest[3] ^= 1;
  Store(PathOf(3), newest);
  {
    const auto writer = Open();
    EXPECT_EQ(writer->Write(Frames(1)).first_id, 10u);
    EXPECT_THAT(Gaps(*writer), ElementsAre("9 file_lost 5", "4 unreadable 5"));
    writer->Close();
  }
  for (const std::string& file : Files()) std::filesystem::remove(directory_ + "/" + file);
  const auto writer = Open();
  EXPECT_EQ(writer->Write(Frames(1)).first_id, 12u);
  EXPECT_THAT(Gaps(*writer), ElementsAre("11 file_lost -1"));
}

TEST_F(TrailTest, WhatWentByItsAgeIsNotMissedAtTheNextStart) {
  {
    const auto writer = Open();
    writer->Write(Frames(3));
    clock_.AdvanceMs(100 * kDayMs);
    writer->Tend();
    EXPECT_THAT(Files(), IsEmpty());
    writer->Close();
  }
  const auto writer = Open();
  EXPECT_FALSE(writer->has_gap());
  EXPECT_EQ(writer->Write(Frames(1)).first_id, 4u);
}

TEST_F(TrailTest, EntriesThatWereToldOfAsLostDoNotComeBackUnderOtherIds) {
  {
    const auto writer = Open();
    writer->Write(Frames(2));
    // Half of it gets there, and can't be taken away again.
    env_.Fail(env::Operation::kWrite, env::Failure::kShortWrite, 0, 1);
    env_.Fail(env::Operation::kTruncate, env::Failure::kIoError, 0, 1);
    EXPECT_EQ(writer->Write(Frames(4)).bytes, 0u);
    clock_.AdvanceMs(1000);
    writer->Write(Frames(1));
    writer->Close();
  }
  const auto writer = Open();
  EXPECT_EQ(writer->Segments().at(0).entries, 2u);
  EXPECT_THAT(Ids(*writer), ElementsAre(4, 3, 2, 1));
  EXPECT_THAT(Gaps(*writer), ElementsAre("3 write_failed 4"));
  auto third = ReadTrailEntry(env_, writer->Segments(), 3);
  ASSERT_TRUE(third);
  EXPECT_TRUE(std::holds_alternative<Gap>(third->entry));
}

TEST_F(TrailTest, AGapIsToldOnceThoughTheNextOneCannotBeWritten) {
  bounds_.bytes_max = 4 << 20;
  const auto writer = Open();
  std::string gap;
  AppendFrame(gap, Gap{.time_ms = 1, .reason = GapReason::kFileLost, .from_ms = 1, .to_ms = 1, .queries = 1});
  const auto room = [&] {
    return bounds_.segment_bytes() - kSealFrameBytes - writer->Segments().back().bytes;
  };
  do {
    writer->Write(Frames(1));
  } while (room() > 1000);
  std::string path;
  const auto filling = [&] { return FrameOf(Query(R"({"concept_path":")" + path + "\"}")); };
  while (room() - filling().size() >= 2 * gap.size()) path += 'a';
  writer->Write(filling());
  ASSERT_EQ(Files().size(), 1u);
  ASSERT_GE(room(), gap.size()) << "for one gap, and not for two";
  writer->AddLost(GapReason::kBufferFull, 1, 1, 1);
  writer->AddLost(GapReason::kFileLost, 2, 1, 1);
  env_.Fail(env::Operation::kOpen, env::Failure::kDiskFull);
  writer->Write({});
  env_.Heal();
  clock_.AdvanceMs(1000);
  writer->Write({});
  EXPECT_THAT(Gaps(*writer, {.limit = 10'000}),
              ElementsAre(HasSubstr("file_lost 2"), HasSubstr("buffer_full 1")));
}

TEST_F(TrailTest, SegmentsAreFinishedWhenFullAndReadThroughAll) {
  bounds_.bytes_max = 4 << 20;  // segments of 64 KiB
  const auto writer = Open();
  constexpr size_t kQueries = 2000;
  EXPECT_EQ(writer->Write(Frames(kQueries)).bytes, Frames(kQueries).size());
  EXPECT_GT(Files().size(), 3u);
  for (const std::string& file : Files())
    EXPECT_LE(std::filesystem::file_size(directory_ + "/" + file), bounds_.segment_bytes());
  const auto ids = Ids(*writer, {.limit = 10'000});
  ASSERT_EQ(ids.size(), kQueries);
  EXPECT_EQ(ids.front(), kQueries);
  EXPECT_EQ(ids.back(), 1u);
}

TEST_F(TrailTest, ItNeverTakesMoreThanItsBytesAndTheOldestGo) {
  bounds_.bytes_max = 1 << 20;
  const auto writer = Open();
  uint64_t last = 0;
  for (int i = 0; i < 60; ++i) {
    const std::string frames = Frames(200);
    last = writer->Write(frames).first_id + 199;
    ASSERT_LE(BytesOnDisk(), bounds_.bytes_max);
  }
  EXPECT_GT(BytesOnDisk(), bounds_.bytes_max / 2) << "and not much less";
  const auto ids = Ids(*writer, {.limit = 100'000});
  EXPECT_EQ(ids.front(), last);
  EXPECT_GT(ids.back(), 1u);
  EXPECT_EQ(writer->oldest_id(), ids.back());
  EXPECT_EQ(metrics_.audit().disk_usage_bytes.Value(), static_cast<double>(BytesOnDisk()));
  EXPECT_THAT(Gaps(*writer, {.limit = 100'000}), IsEmpty()) << "what is too old is not missing";
}

TEST_F(TrailTest, ASmallerBoundHoldsFromTheNextLookOn) {
  bounds_.bytes_max = 8 << 20;
  {
    const auto writer = Open();
    for (int i = 0; i < 20; ++i) writer->Write(Frames(1000));
    writer->Close();
  }
  ASSERT_GT(BytesOnDisk(), 2u << 20);
  bounds_.bytes_max = 1 << 20;
  const auto writer = Open();
  writer->Tend();
  EXPECT_LE(BytesOnDisk(), bounds_.bytes_max);
  EXPECT_THAT(Ids(*writer), Not(IsEmpty()));
}

TEST_F(TrailTest, WhatIsOlderThanItsAgeGoes) {
  bounds_.age_ms_max = 16 * kDayMs;
  const auto writer = Open();
  for (int day = 0; day < 40; ++day) {
    writer->Tend();
    writer->Write(Frames(1, clock_.NowMs()));
    clock_.AdvanceMs(kDayMs);
  }
  writer->Tend();
  const auto ids = Ids(*writer);
  EXPECT_GE(ids.size(), 16u);
  EXPECT_LE(ids.size(), 18u) << "a sixteenth more than its age";
  EXPECT_EQ(ids.front(), 40u);
  clock_.AdvanceMs(100 * kDayMs);
  writer->Tend();
  EXPECT_THAT(Ids(*writer), IsEmpty());
  EXPECT_EQ(writer->Write(Frames(1, clock_.NowMs())).first_id, 41u) << "no id is given out twice";
}

TEST_F(TrailTest, AFullDiskCostsEntriesThatAreCountedAndToldOfAndNothingElse) {
  const auto writer = Open();
  writer->Write(Frames(2));
  for (const auto failure : {env::Failure::kDiskFull, env::Failure::kShortWrite, env::Failure::kIoError}) {
    env_.Fail(env::Operation::kWrite, failure);
    const uint64_t tried = env_.count(env::Operation::kWrite);
    for (int i = 0; i < 10; ++i) EXPECT_EQ(writer->Write(Frames(3)).bytes, 0u);
    EXPECT_LE(env_.count(env::Operation::kWrite), tried + 2) << "tried once a second at most";
    env_.Heal();
    EXPECT_EQ(writer->Write(Frames(1)).bytes, 0u) << "not yet";
    clock_.AdvanceMs(1000);
    EXPECT_GT(writer->Write(Frames(1)).bytes, 0u);
  }
  EXPECT_THAT(Gaps(*writer), ElementsAre("7 write_failed 31", "5 write_failed 31", "3 write_failed 31"));
  EXPECT_THAT(Ids(*writer), ElementsAre(8, 7, 6, 5, 4, 3, 2, 1));
  EXPECT_EQ(Dropped(GapReason::kWriteFailed), 93);
}

TEST_F(TrailTest, WhatAFailedSyncWasToSaveIsToldOf) {
  const auto writer = Open();
  writer->Write(Frames(4));
  env_.Fail(env::Operation::kSync, env::Failure::kIoError, 0, 1);
  writer->Sync();
  clock_.AdvanceMs(1000);
  writer->Write(Frames(1));
  EXPECT_THAT(Gaps(*writer), ElementsAre("5 write_failed 4"));
  EXPECT_THAT(Ids(*writer), ElementsAre(6, 5, 4, 3, 2, 1)) << "they may be there all the same";
  EXPECT_EQ(Files().size(), 2u) << "the file is not trusted any more";
}

TEST_F(TrailTest, ItCanBeginOnAFullDisk) {
  std::filesystem::create_directory(directory_);
  env_.Fail(env::Operation::kOpen, env::Failure::kDiskFull);
  const auto writer = Open();
  ASSERT_NE(writer, nullptr);
  EXPECT_EQ(writer->Write(Frames(1)).bytes, 0u);
  env_.Heal();
  clock_.AdvanceMs(1000);
  writer->Write(Frames(1));
  EXPECT_THAT(Gaps(*writer), ElementsAre("1 write_failed 1"));
}

TEST_F(TrailTest, AHeaderThatCannotBeWrittenLeavesNoFile) {
  const auto writer = Open();
  env_.Fail(env::Operation::kWrite, env::Failure::kShortWrite, 0, 1);
  EXPECT_EQ(writer->Write(Frames(1)).bytes, 0u);
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(TrailTest, DamageIsToldOfAndWhatIsBeforeAndBehindItIsRead) {
  bounds_.bytes_max = 4 << 20;
  {
    const auto writer = Open();
    writer->Write(Frames(1000));
    writer->Close();
  }
  const auto first = Open()->Segments().at(0);
  ASSERT_GT(Files().size(), 2u);
  std::string bytes = Load(PathOf(1));
  const size_t frame = FrameOf(Query(R"({"concept_path":"a"})")).size();
  bytes[kTrailHeaderBytes + 10 * frame + 20] ^= 1;  // in the eleventh entry
  Store(PathOf(1), bytes);
  const auto writer = Open();
  const auto ids = Ids(*writer, {.limit = 10'000});
  EXPECT_EQ(ids.size(), 1000 - first.entries + 11) << "ten before the damage, and one that tells of it";
  EXPECT_THAT(Gaps(*writer, {.limit = 10'000}),
              ElementsAre("11 unreadable " + std::to_string(first.entries - 10)));
}

TEST_F(TrailTest, AnEntryThatThisVersionDoesNotUnderstandIsToldOf) {
  const auto writer = Open();
  std::string frames = Frames(1);
  // Another kind, with a checksum that holds.
  std::string stranger = FrameOf(Query("{}"));
  stranger[kFrameHeaderBytes] = '\x09';
  const auto rest = AsBytes(std::string_view(stranger).substr(kFrameHeaderBytes));
  StoreLittle(stranger.data() + 4,
              Crc32cExtend(Crc32c(AsBytes(std::string_view(stranger).substr(0, 4))), rest));
  frames += stranger;
  frames += Frames(1);
  writer->Write(frames);
  EXPECT_THAT(Ids(*writer), ElementsAre(3, 2, 1));
  EXPECT_THAT(Gaps(*writer), ElementsAre("2 unreadable 1"));
}

TEST_F(TrailTest, AMissingSegmentIsToldOf) {
  bounds_.bytes_max = 4 << 20;
  uint64_t entries = 0;
  {
    const auto writer = Open();
    writer->Write(Frames(1500));
    entries = writer->Segments().at(1).entries;
    writer->Close();
  }
  std::filesystem::remove(PathOf(2));
  const auto writer = Open();
  EXPECT_EQ(Ids(*writer, {.limit = 10'000}).size(), 1500 - entries + 1);
  const auto gaps = Gaps(*writer, {.limit = 10'000});
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_THAT(gaps[0], HasSubstr(" unreadable " + std::to_string(entries)));
}

TEST_F(TrailTest, WhatIsNoSegmentIsPassedOver) {
  Open()->Write(Frames(1));
  Store(directory_ + "/queries-00007.log", std::string(500, 'x'));
  ASSERT_EQ(mkfifo((directory_ + "/queries-00009.log").c_str(), 0600), 0);
  Store(directory_ + "/notes.txt", "mine");
  Store(directory_ + "/queries-000001.log", "another spelling");
  const auto writer = Open();
  ASSERT_NE(writer, nullptr);
  writer->Write(Frames(1));
  EXPECT_THAT(Files(), ::testing::Contains("queries-00010.log")) << "behind all that are there";
  EXPECT_EQ(Ids(*writer).back(), 1u);
  EXPECT_EQ(Load(directory_ + "/notes.txt"), "mine");
  EXPECT_EQ(Load(directory_ + "/queries-000001.log"), "another spelling");
}

TEST_F(TrailTest, WhatSomebodyTakesAwayUnderTheRunningServerIsToldOf) {
  bounds_.bytes_max = 4 << 20;
  const auto writer = Open();
  writer->Write(Frames(700));
  const auto segments = writer->Segments();
  ASSERT_GE(segments.size(), 2u);
  std::filesystem::remove_all(directory_);
  writer->Tend();
  writer->Write(Frames(1));
  EXPECT_THAT(Gaps(*writer), ElementsAre("701 file_lost 700"));
  EXPECT_EQ(writer->Write(Frames(1)).first_id, 703u);
  EXPECT_THAT(Ids(*writer), ElementsAre(703, 702, 701));
  EXPECT_EQ(Dropped(GapReason::kFileLost), 700);
  writer->Close();
  EXPECT_THAT(Ids(*Open()), ElementsAre(703, 702, 701)) << "it is on disk";
}

TEST_F(TrailTest, AFileCutShortUnderTheRunningServerIsToldOf) {
  const auto writer = Open();
  writer->Write(Frames(5));
  std::filesystem::resize_file(PathOf(1),
                               kTrailHeaderBytes + 2 * FrameOf(Query(R"({"concept_path":"a"})")).size());
  writer->Tend();
  writer->Write(Frames(1));
  EXPECT_THAT(Gaps(*writer), ElementsAre("3 unreadable 3"));
  EXPECT_THAT(Ids(*writer), ElementsAre(6, 3, 2, 1));
}

TEST_F(TrailTest, ADirectoryThatCannotBeMadeFailsTheStart) {
  Store(directory_, "a file");
  const auto writer = TrailWriter::Open(env_, metrics_, directory_ + "/audit", bounds_);
  EXPECT_FALSE(writer);
}

TEST_F(TrailTest, RestartsDoNotFillTheDirectoryWithNames) {
  // As many as a server that starts once a minute makes in three days.
  std::filesystem::create_directory(directory_);
  constexpr uint32_t kStarts = 4200;
  for (uint32_t number = 1; number <= kStarts; ++number) {
    SegmentInfo info{.number = number, .first_id = number, .begun_ms = clock_.NowMs()};
    std::string bytes;
    AppendTrailHeader(bytes, info);
    bytes += Frames(1);
    AppendFrame(bytes, Seal{1, 1767225600000, 1767225600000});
    Store(PathOf(number), bytes);
  }
  const auto writer = Open();
  writer->Write(Frames(1));
  EXPECT_LE(Files().size(), 4096u);
  EXPECT_EQ(Ids(*writer, {.limit = 1}).at(0), kStarts + 2) << "behind a gap: nothing says that they stopped";
}

}  // namespace
}  // namespace stemedb::audit
