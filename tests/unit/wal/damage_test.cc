// SPDX-License-Identifier: Apache-2.0
// Every byte of a small log, cut and flipped in turn: recovery either hands out a true beginning of the log
// that misses the last group at most, or refuses. It never hands out a record that was not written.
#include "wal_fixture.h"

namespace stemedb::wal {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WalDamage : public WalTest {
 protected:
  void SetUp() override {
    WalTest::SetUp();
    auto writer = OpenWriter(300);
    for (const auto& group :
         std::vector<std::vector<std::string>>{{"one"}, {"two", "three"}, {"four"}, {"five", "six"}}) {
      ASSERT_TRUE(WriteGroup(*writer, group).ok());
    }
    // The last write holds two groups: a record alone, then a pair.
    ASSERT_TRUE(AppendGroup(*writer, {"seven"}).ok());
    ASSERT_TRUE(AppendGroup(*writer, {"eight", "nine"}).ok());
    ASSERT_TRUE(writer->Sync().ok());
    ASSERT_EQ(writer->stats().segments, 3u);
    writer.reset();
    ASSERT_TRUE(RecoverLog().has_value());
    truth_ = replayed_;
    files_ = ReadFiles();
  }

  static std::string LastName() { return "segment-00003.log"; }
  void ExpectBeginningOfTruth() const {
    ASSERT_LE(replayed_.size(), truth_.size());
    EXPECT_TRUE(std::equal(replayed_.begin(), replayed_.end(), truth_.begin()));
  }
  static void ExpectOperatorsWords(const Status& status, const std::string& file) {
    EXPECT_EQ(status.code(), Code::kCorruption);
    const std::string message(status.message());
    EXPECT_THAT(message, HasSubstr("Failed to recover WAL segment"));
    EXPECT_THAT(message, HasSubstr(file));
    EXPECT_THAT(message, HasSubstr("at byte"));
    EXPECT_THAT(message, AnyOf(HasSubstr("WAL magic byte validation failed"),
                               HasSubstr("Checksum mismatch in WAL"), HasSubstr("the header at byte")));
  }
  // A copy of the log with one byte changed.
  Files Flipped(const std::string& name, size_t at, int mask) const {
    Files files = files_;
    files[name][at] = static_cast<char>(files[name][at] ^ mask);
    return files;
  }

  std::vector<Kept> truth_;
  Files files_;
};

TEST_F(WalDamage, EveryTruncationOfTheLastSegmentCutsExactlyWhatIsNotWhole) {
  const std::string& last = files_.at(LastName());
  // Ends of whole groups: header, "seven", then "eight" with "nine".
  const size_t after_seven = kSegmentHeaderBytes + kRecordHeaderBytes + 5;
  for (size_t length = 0; length <= last.size(); ++length) {
    SCOPED_TRACE(length);
    Files files = files_;
    files[LastName()] = last.substr(0, length);
    RestoreFiles(files);
    const auto recovered = RecoverLog();
    ASSERT_TRUE(recovered.has_value()) << recovered.error().message();
    ExpectBeginningOfTruth();
    EXPECT_EQ(replayed_.size(), length == last.size() ? 9u : length >= after_seven ? 7u : 6u);
    ASSERT_TRUE(RecoverLog().has_value()) << "again";
    ExpectBeginningOfTruth();
  }
}

TEST_F(WalDamage, EveryTruncationOfAnEarlierSegmentRefuses) {
  for (const std::string name : {"segment-00001.log", "segment-00002.log"}) {
    for (size_t length = 0; length < files_.at(name).size(); ++length) {
      SCOPED_TRACE(name + " " + std::to_string(length));
      Files files = files_;
      files[name] = files_.at(name).substr(0, length);
      RestoreFiles(files);
      const auto recovered = RecoverLog();
      ASSERT_FALSE(recovered.has_value());
      EXPECT_EQ(recovered.error().code(), Code::kCorruption);
      ExpectBeginningOfTruth();
      EXPECT_EQ(ReadFiles(), files) << "a refusal changes nothing";
    }
  }
}

TEST_F(WalDamage, EveryFlippedByteIsCutAsTheLastGroupOrRefused) {
  for (const auto& [name, content] : files_) {
    const size_t last_group = content.size() - 2 * kRecordHeaderBytes - 9;  // "eight" and "nine"
    for (size_t at = 0; at < content.size(); ++at) {
      for (int mask : {0x01, 0x80, 0xff}) {
        SCOPED_TRACE(name + " byte " + std::to_string(at) + " xor " + std::to_string(mask));
        const Files files = Flipped(name, at, mask);
        RestoreFiles(files);
        const auto recovered = RecoverLog();
        ExpectBeginningOfTruth();
        if (recovered.has_value()) {
          // Nothing tells a changed last record from a torn one: that group alone may go.
          EXPECT_EQ(name, LastName());
          EXPECT_GE(at, last_group);
          EXPECT_EQ(replayed_.size(), 7u);
        } else {
          ExpectOperatorsWords(recovered.error(), name);
          EXPECT_EQ(ReadFiles(), files) << "a refusal changes nothing";
        }
      }
    }
  }
}

TEST_F(WalDamage, EveryFlippedByteOfTheFirstOfTwoRecordsInTheLastWriteRefuses) {
  const size_t begin = kSegmentHeaderBytes, end = begin + kRecordHeaderBytes + 5;  // "seven"
  for (size_t at = begin; at < end; ++at) {
    RestoreFiles(Flipped(LastName(), at, 0x10));
    EXPECT_FALSE(RecoverLog().has_value()) << at;
  }
}

TEST_F(WalDamage, AMagicThatIsWrongIsCalledSo) {
  RestoreFiles(Flipped("segment-00001.log", 0, 0xff));
  const auto recovered = RecoverLog();
  ASSERT_FALSE(recovered.has_value());
  EXPECT_EQ(recovered.error().reason(), "wal_magic");
  EXPECT_THAT(std::string(recovered.error().message()), HasSubstr("WAL magic byte validation failed"));
}

TEST_F(WalDamage, TheByteOfTheDamageIsNamed) {
  RestoreFiles(Flipped("segment-00001.log", kSegmentHeaderBytes + kRecordHeaderBytes + 1, 1));
  const auto recovered = RecoverLog();
  ASSERT_FALSE(recovered.has_value());
  EXPECT_THAT(std::string(recovered.error().message()),
              HasSubstr("Checksum mismatch in WAL at byte 64 (wrong CRC-32C, sequence 1 is due)"));
}

TEST_F(WalDamage, AForeignRecordWithAGoodChecksumIsNeverTaken) {
  // Written for another chain, though its sequence is right.
  Position elsewhere{10, Hash256{9}};
  std::string foreign;
  AppendRecord(foreign, {7, 0, 1, "foreign"}, kMarkWriteBegins, elsewhere);
  Files files = files_;
  files[LastName()] += foreign;
  RestoreFiles(files);
  const auto recovered = RecoverLog();
  ASSERT_FALSE(recovered.has_value());
  EXPECT_THAT(std::string(recovered.error().message()), HasSubstr("broken hash chain"));
}

TEST_F(WalDamage, ATornRecordThatCarriesARecordAsItsPayloadIsStillTorn) {
  std::string inner;
  Position inner_at{11, Hash256{1}};
  AppendRecord(inner, {7, 0, 1, "planted"}, kMarkWriteBegins, inner_at);
  auto recovered = RecoverLog();
  {
    auto writer = Writer::Open(Writing(1u << 20), *recovered);
    ASSERT_TRUE(WriteGroup(**writer, {inner + inner + "tail"}).ok());
  }
  Files files = ReadFiles();
  files[LastName()].resize(files[LastName()].size() - 2);
  RestoreFiles(files);
  recovered = RecoverLog();
  ASSERT_TRUE(recovered.has_value()) << recovered.error().message();
  EXPECT_EQ(replayed_, truth_);
}

TEST_F(WalDamage, AnEmptiedBlockOfAWriteThatWasSyncedRefuses) {
  auto recovered = RecoverLog();
  {
    auto writer = Writer::Open(Writing(1u << 20), *recovered);
    ASSERT_TRUE(WriteGroup(**writer, {std::string(2000, 'x')}).ok());
    ASSERT_TRUE(WriteGroup(**writer, {"later"}).ok());
  }
  Files files = ReadFiles();
  files[LastName()].replace(1024, 512, 512, '\0');
  RestoreFiles(files);
  const auto refused = RecoverLog();
  ASSERT_FALSE(refused.has_value());
  ExpectOperatorsWords(refused.error(), LastName());
}

TEST_F(WalDamage, SalvageEndsTheLogBeforeTheDamageAndKeepsTheRest) {
  // In "five": the second segment keeps "four", the third is set aside.
  const size_t five = kSegmentHeaderBytes + kRecordHeaderBytes + 4;
  const Files damaged = Flipped("segment-00002.log", five + 3, 0x40);
  RestoreFiles(damaged);
  const auto recovered = RecoverLog(1, OnDamage::kSalvage);
  ASSERT_TRUE(recovered.has_value()) << recovered.error().message();
  EXPECT_THAT(Payloads(), ElementsAre("one", "two", "three", "four"));
  EXPECT_EQ(recovered->files_set_aside, 2u);
  EXPECT_EQ(recovered->end.next_sequence, 5u);
  const Files after = ReadFiles();
  EXPECT_EQ(after.at("segment-00002.log"), files_.at("segment-00002.log").substr(0, five));
  EXPECT_EQ(after.at("segment-00002.log.damaged-20260211T101530Z"), damaged.at("segment-00002.log"));
  EXPECT_EQ(after.at("segment-00003.log.damaged-20260211T101530Z"), damaged.at("segment-00003.log"));
  EXPECT_FALSE(after.contains("segment-00003.log"));
  EXPECT_TRUE(RecoverLog().has_value()) << "from now on without the flag";
  EXPECT_THAT(Payloads(), ElementsAre("one", "two", "three", "four"));
}

TEST_F(WalDamage, SalvageOfEveryFlippedByteLeavesALogThatStarts) {
  for (const auto& [name, content] : files_) {
    for (size_t at = 0; at < content.size(); at += 3) {
      SCOPED_TRACE(name + " byte " + std::to_string(at));
      RestoreFiles(Flipped(name, at, 0x04));
      ASSERT_TRUE(RecoverLog(1, OnDamage::kSalvage).has_value());
      ExpectBeginningOfTruth();
      const auto salvaged = replayed_;
      {
        auto writer = OpenWriter(300);
        EXPECT_EQ(replayed_, salvaged);
        ASSERT_TRUE(WriteGroup(*writer, {"new"}).ok());
      }
      ASSERT_TRUE(RecoverLog().has_value());
      EXPECT_EQ(replayed_.size(), salvaged.size() + 1);
    }
  }
}

TEST_F(WalDamage, SalvageThatRunsOutOfDiskHasCutNothingOfTheDamagedSegment) {
  const Files damaged = Flipped("segment-00002.log", 100, 0x40);
  RestoreFiles(damaged);
  env_.Fail(env::Operation::kWrite, env::Failure::kShortWrite);
  EXPECT_EQ(RecoverLog(1, OnDamage::kSalvage).error().reason(), "disk_full");
  env_.Heal();
  EXPECT_EQ(ReadFile(Path("segment-00002.log")), damaged.at("segment-00002.log"));
  EXPECT_TRUE(RecoverLog(1, OnDamage::kSalvage).has_value());
}

}  // namespace
}  // namespace stemedb::wal
