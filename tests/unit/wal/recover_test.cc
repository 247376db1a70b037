// SPDX-License-Identifier: Apache-2.0
// Recovery after crashes: torn tails, rotation, power loss, checkpoints, restored logs, and the Reader on the
// same files.
#include "wal/recover.h"

#include <random>

#include "wal_fixture.h"

namespace stemedb::wal {
namespace {

using env::Loss;
using env::Operation;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WalRecovery : public WalTest {
 protected:
  // Three segments with two groups each: a bc | d ef | g hi.
  void WriteThreeSegments() {
    auto writer = OpenWriter(250);
    for (const auto& group :
         std::vector<std::vector<std::string>>{{"a"}, {"b", "c"}, {"d"}, {"e", "f"}, {"g"}, {"h", "i"}}) {
      ASSERT_TRUE(WriteGroup(*writer, group).ok());
    }
    ASSERT_EQ(writer->stats().segments, 3u);
  }
  // Recovers and writes one more record, which must then be found behind what was there.
  void ExpectUsable(const std::vector<std::string>& expected) {
    auto recovered = RecoverLog();
    ASSERT_TRUE(recovered.has_value()) << recovered.error().message();
    EXPECT_EQ(Payloads(), expected);
    {
      auto writer = Writer::Open(Writing(320), *recovered);
      ASSERT_TRUE(writer.has_value()) << writer.error().message();
      ASSERT_TRUE(WriteGroup(**writer, {"more"}).ok());
    }
    std::vector<std::string> longer = expected;
    longer.push_back("more");
    ASSERT_TRUE(RecoverLog().has_value());
    EXPECT_EQ(Payloads(), longer);
  }
};

TEST_F(WalRecovery, AnEmptyDirectoryIsANewLog) {
  std::filesystem::remove_all(dir_);
  const auto recovered = RecoverLog();
  ASSERT_TRUE(recovered.has_value());
  EXPECT_EQ(recovered->end, Position{});
  EXPECT_EQ(recovered->last_segment, 0u);
  EXPECT_TRUE(std::filesystem::is_directory(dir_));
}

TEST_F(WalRecovery, RunningItAgainChangesNothing) {
  WriteThreeSegments();
  WriteFile(Path("segment-00003.log"), ReadFile(Path("segment-00003.log")) + std::string(33, 'x'));
  ASSERT_EQ(RecoverLog()->bytes_cut, 33u);
  const auto first = replayed_;
  const Files files = ReadFiles();
  const auto again = RecoverLog();
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->bytes_cut, 0u);
  EXPECT_EQ(replayed_, first);
  EXPECT_EQ(ReadFiles(), files);
}

TEST_F(WalRecovery, GarbageBehindTheEndIsCutAndZerosArePreparedRoom) {
  WriteThreeSegments();
  const Files whole = ReadFiles();
  std::mt19937 random(7);
  RecordProperty("seed", 7);
  for (size_t length = 1; length < 700; length += 13) {
    for (const bool zeros : {true, false}) {
      std::string tail(length, '\0');
      if (!zeros) std::generate(tail.begin(), tail.end(), [&] { return static_cast<char>(random()); });
      RestoreFiles(whole);
      WriteFile(Path("segment-00003.log"), whole.at("segment-00003.log") + tail);
      const auto recovered = RecoverLog();
      ASSERT_TRUE(recovered.has_value()) << recovered.error().message();
      EXPECT_EQ(ReadFiles(), whole);
      EXPECT_EQ(recovered->bytes_cut, zeros ? 0 : length);
      if (zeros)
        EXPECT_EQ(log_, "");
      else
        EXPECT_THAT(log_, HasSubstr("cut " + std::to_string(length) + " bytes"));
      log_.clear();
    }
  }
}

TEST_F(WalRecovery, AnIncompleteGroupIsCutAtItsBeginning) {
  WriteThreeSegments();
  const std::string last = ReadFile(Path("segment-00003.log"));
  WriteFile(Path("segment-00003.log"),
            last.substr(0, last.size() - kRecordHeaderBytes - 1));  // "h" is whole, "i" is gone
  ExpectUsable({"a", "b", "c", "d", "e", "f", "g"});
}

TEST_F(WalRecovery, ACrashInTheMiddleOfARotationIsMended) {
  WriteThreeSegments();
  std::string header;
  const auto end = RecoverLog()->end;
  AppendSegmentHeader(header, {4, end});
  const Files whole = ReadFiles();
  for (size_t length = 0; length <= header.size(); ++length) {
    RestoreFiles(whole);
    WriteFile(Path("segment-00004.log"), header.substr(0, length));
    const auto recovered = RecoverLog();
    ASSERT_TRUE(recovered.has_value()) << recovered.error().message();
    EXPECT_EQ(recovered->last_segment, 4u);
    EXPECT_EQ(recovered->end, end);
    ExpectUsable({"a", "b", "c", "d", "e", "f", "g", "h", "i"});
  }
  // The same in a segment that was prepared.
  for (size_t length = 0; length <= header.size(); ++length) {
    RestoreFiles(whole);
    WriteFile(Path("segment-00004.log"), header.substr(0, length) + std::string(4096 - length, '\0'));
    const auto recovered = RecoverLog();
    ASSERT_TRUE(recovered.has_value()) << length << ": " << recovered.error().message();
    EXPECT_EQ(recovered->end, end);
    ExpectUsable({"a", "b", "c", "d", "e", "f", "g", "h", "i"});
  }
}

TEST_F(WalRecovery, ACrashWhileTheVeryFirstSegmentIsMadeIsMended) {
  WriteFile(Path("segment-00001.log"), "STEM");
  ExpectUsable({});
}

// Whatever a power cut leaves of the last write: all that was synced is there, in order, and nothing refuses.
TEST_F(WalRecovery, APowerLossNeverTakesWhatWasSynced) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RestoreFiles({});
    std::mt19937_64 random(seed);
    std::vector<std::string> synced, written;
    {
      auto writer = OpenWriter(3000);
      const uint64_t writes = 1 + random() % 6;
      for (uint64_t i = 0; i < writes; ++i) {
        if (i + 1 == writes) env_.Fail(Operation::kSync, env::Failure::kIoError);  // the cut comes here
        for (uint64_t group = 1 + random() % 4; group > 0; --group) {
          std::vector<std::string> payloads;
          for (uint64_t n = 1 + random() % 3; n > 0; --n) {
            std::string payload(random() % 900, '\0');
            for (char& c : payload) c = static_cast<char>('a' + random() % 26);
            payloads.push_back(payload);
          }
          ASSERT_TRUE(AppendGroup(*writer, payloads).ok());
          written.insert(written.end(), payloads.begin(), payloads.end());
        }
        if (writer->Sync().ok()) synced = written;
      }
    }
    env_.Heal();
    ASSERT_TRUE(env_.LoseUnsynced(seed % 4 == 0 ? Loss::kEverything : Loss::kSomeSectors, seed).ok());
    const auto recovered = RecoverLog();
    ASSERT_TRUE(recovered.has_value()) << recovered.error().message();
    const auto payloads = Payloads();
    ASSERT_GE(payloads.size(), synced.size());
    ASSERT_LE(payloads.size(), written.size());
    EXPECT_TRUE(std::equal(payloads.begin(), payloads.end(), written.begin()));
    ExpectUsable(payloads);
  }
}

TEST_F(WalRecovery, SyncsWhatItFoundBeforeTheWriterGoesOn) {
  { ASSERT_TRUE(WriteGroup(*OpenWriter(), {"a"}).ok()); }
  const uint64_t syncs = env_.count(Operation::kSync);
  ASSERT_TRUE(RecoverLog().has_value());
  EXPECT_EQ(env_.count(Operation::kSync), syncs + 1);
}

TEST_F(WalRecovery, SegmentsBelowTheCheckpointMayBeGone) {
  WriteThreeSegments();
  EXPECT_EQ(*RemoveSegmentsBelow(&env_, dir_, 6), 1u);
  EXPECT_FALSE(std::filesystem::exists(Path("segment-00001.log")));
  ASSERT_TRUE(RecoverLog(4).has_value());
  EXPECT_THAT(Payloads(), ElementsAre("d", "e", "f", "g", "h", "i"));
  ASSERT_TRUE(RecoverLog(6).has_value());
  EXPECT_THAT(Payloads(), ElementsAre("f", "g", "h", "i"));
  EXPECT_EQ(RecoverLog(3).error().reason(), "wal_gap");
  EXPECT_EQ(RecoverLog(1).error().code(), Code::kCorruption);
}

TEST_F(WalRecovery, SegmentsBelowTheCheckpointAreNotRead) {
  WriteThreeSegments();
  const auto recovered = RecoverLog(8);
  ASSERT_TRUE(recovered.has_value());
  EXPECT_EQ(recovered->records_read, 3u);
  EXPECT_EQ(recovered->segments, 3u);
  EXPECT_THAT(Payloads(), ElementsAre("h", "i"));
}

TEST_F(WalRecovery, PruningNeverTakesTheLastSegment) {
  WriteThreeSegments();
  EXPECT_EQ(*RemoveSegmentsBelow(&env_, dir_, 1'000'000), 2u);
  EXPECT_TRUE(RecoverLog(10).has_value());
}

TEST_F(WalRecovery, AnAllGoneLogStartsWhereTheCheckpointEnds) {
  const auto recovered = RecoverLog(42);
  ASSERT_TRUE(recovered.has_value());
  EXPECT_EQ(recovered->end.next_sequence, 42u);
  EXPECT_FALSE(recovered->ends_before_needed);
}

TEST_F(WalRecovery, ARestoredOlderLogIsReportedNotRefused) {
  WriteThreeSegments();
  const auto recovered = RecoverLog(500);
  ASSERT_TRUE(recovered.has_value());
  EXPECT_TRUE(recovered->ends_before_needed);
  EXPECT_EQ(recovered->end.next_sequence, 10u);
  EXPECT_THAT(Payloads(), ElementsAre());
}

TEST_F(WalRecovery, AMissingSegmentInTheMiddleRefuses) {
  WriteThreeSegments();
  std::filesystem::remove(Path("segment-00002.log"));
  const auto recovered = RecoverLog(1);
  ASSERT_FALSE(recovered.has_value());
  const std::string message(recovered.error().message());
  EXPECT_THAT(message, HasSubstr("Failed to recover WAL segment " + Path("segment-00003.log")));
  EXPECT_THAT(message, HasSubstr("a segment is missing"));
  EXPECT_TRUE(RecoverLog(7).has_value()) << "the checkpoint covers it";
}

TEST_F(WalRecovery, AFailingCallbackEndsIt) {
  WriteThreeSegments();
  RecoverOptions options;
  options.env = &env_;
  options.dir = dir_;
  const auto recovered = Recover(options, [](const Record& record) {
    return record.sequence < 3 ? Status::Ok() : Status(Code::kInternal, "stop", "stop");
  });
  EXPECT_EQ(recovered.error().reason(), "stop");
}

TEST_F(WalRecovery, AnUnreadableDiskIsAnErrorAndCutsNothing) {
  WriteThreeSegments();
  const Files whole = ReadFiles();
  for (uint64_t after = 0; after < 7; ++after) {
    env_.Fail(Operation::kRead, env::Failure::kIoError, after, 1);
    const auto recovered = RecoverLog();
    env_.Heal();
    if (!recovered.has_value()) {
      EXPECT_EQ(recovered.error().reason(), "io_error");
    }
    EXPECT_EQ(ReadFiles(), whole);
  }
}

using WalReader = WalRecovery;

std::vector<std::string> ReadAll(env::Env* env, const std::string& dir, uint64_t from,
                                 uint64_t to = UINT64_MAX) {
  std::vector<std::string> payloads;
  auto reader = Reader::Open({env, dir, from, to});
  EXPECT_TRUE(reader.has_value()) << reader.error().message();
  Record record;
  while (true) {
    const auto more = (*reader)->Next(record);
    EXPECT_TRUE(more.has_value()) << more.error().message();
    if (!more || !*more) return payloads;
    payloads.emplace_back(record.payload);
  }
}

TEST_F(WalReader, StreamsFromASequenceToAnother) {
  WriteThreeSegments();
  EXPECT_THAT(ReadAll(&env_, dir_, 1), ElementsAre("a", "b", "c", "d", "e", "f", "g", "h", "i"));
  EXPECT_THAT(ReadAll(&env_, dir_, 4, 7), ElementsAre("d", "e", "f", "g"));
  EXPECT_THAT(ReadAll(&env_, dir_, 9), ElementsAre("i"));
  EXPECT_THAT(ReadAll(&env_, dir_, 10), ElementsAre());
}

TEST_F(WalReader, StopsBeforeAWriteThatIsNotWholeYetAndChangesNothing) {
  WriteThreeSegments();
  WriteFile(Path("segment-00003.log"), ReadFile(Path("segment-00003.log")) + "half");
  WriteFile(Path("segment-00004.log"), "");
  EXPECT_THAT(ReadAll(&env_, dir_, 1, 9).size(), 9u);
  std::filesystem::remove(Path("segment-00004.log"));
  const Files files = ReadFiles();
  EXPECT_THAT(ReadAll(&env_, dir_, 8), ElementsAre("h", "i"));
  EXPECT_EQ(ReadFiles(), files);
}

TEST_F(WalReader, SaysWhenTheBeginningIsGone) {
  WriteThreeSegments();
  ASSERT_TRUE(RemoveSegmentsBelow(&env_, dir_, 5).has_value());
  EXPECT_EQ(Reader::Open({&env_, dir_, 3}).error().reason(), "wal_pruned");
}

}  // namespace
}  // namespace stemedb::wal
