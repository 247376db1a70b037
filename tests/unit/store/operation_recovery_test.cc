// SPDX-License-Identifier: Apache-2.0
// Operations through crashes and rebuilds: whatever was lost and made again, LMDB then holds the same bytes.
#include <filesystem>
#include <map>
#include <random>

#include "../index/contents.h"
#include "index/claim_index.h"
#include "store/archive.h"
#include "store_fixture.h"
#include "wal/recover.h"
#include "wal/writer.h"

namespace stemedb::store {
namespace {

using stemedb::testing::Alias;
using stemedb::testing::Cascade;
using stemedb::testing::ChangeOfStatus;
using stemedb::testing::Claim;
using stemedb::testing::Contents;
using stemedb::testing::Encode;
using stemedb::testing::EntriesByMdbStat;
using stemedb::testing::Epoch;
using stemedb::testing::kTestNow;
using stemedb::testing::Number;
using stemedb::testing::Prepare;
using stemedb::testing::Registration;
using stemedb::testing::RetractionAt;
using stemedb::testing::RetractionBelow;
using stemedb::testing::RetractionFrom;
using stemedb::testing::RetractionOf;
using stemedb::testing::Supersession;
using stemedb::testing::TablesOf;
using stemedb::testing::Trust;
using stemedb::testing::Vote;
using stemedb::testing::Write;
using ::testing::HasSubstr;
using ::testing::Not;

class OperationRecovery : public stemedb::testing::RandomStoreTest {
 protected:
  // Claims that rest on each other, and operations of every kind about them.
  void SayAll(int count) {
    std::vector<PreparedRecord> records;
    for (int i = 0; i < count; ++i, ++serial_) {
      const auto time = kTestNow + serial_;
      const auto any = [&] { return ids_[Below(ids_.size())]; };
      if (ids_.size() < 4 || serial_ % 3 == 0) {
        auto claim = Claim("a/" + std::to_string(Below(4)), "p", Number(serial_));
        claim.source = model::Source{"s" + std::to_string(Below(3)), {}, "", ""};
        if (!ids_.empty()) claim.derived_from = {any()};
        if (!ids_.empty() && Below(3) == 0) claim.parent = any();
        records.push_back(Prepare(claim));
        ids_.push_back(records.back().id);
        continue;
      }
      const model::Operation operations[] = {
          Supersession(any(), any(), time),
          RetractionOf(any(), Cascade::kYes, time),
          RetractionAt("a/1", Cascade::kNo, time),
          RetractionBelow("a", Cascade::kNo, time),
          RetractionFrom("s1", Cascade::kYes, time),
          Epoch("e" + std::to_string(serial_), "e", time),
          Registration("s2", time),
          ChangeOfStatus("s2", model::SourceStatus::kRetracted, time),
          Alias("b/" + std::to_string(Below(3)), "a/2", time),
          Trust(1, 0.25, time),
          Vote(any(), static_cast<double>(Below(101)) / 100, static_cast<uint8_t>(Below(3)), time),
          Vote(any(), static_cast<double>(Below(101)) / 100, static_cast<uint8_t>(Below(3)), kTestNow),
      };
      records.push_back(Prepare(operations[Below(std::size(operations))]));
    }
    const auto written = Write(*store_, std::move(records));
    ASSERT_TRUE(written.status.ok()) << written.status.message();
  }

  using Tables = std::map<std::string, std::map<std::string, std::string>>;
  // Of the store, which is closed for it.
  Tables CloseAndRead() {
    store_.reset();
    Tables tables;
    {
      auto index = kv::Environment::Open({.path = options_.db_dir + "/indexes",
                                          .layout = kv::Layout::kDirectory,
                                          .access = kv::Access::kAtRest});
      EXPECT_TRUE(index.has_value());
      tables = TablesOf(**index);
    }
    auto records =
        kv::Environment::Open({.path = options_.db_dir + "/assertions.kv", .access = kv::Access::kAtRest});
    EXPECT_TRUE(records.has_value());
    for (const char* name : {"records", "ids"})
      tables[std::string("record store: ") + name] = Contents(**records, std::string(name));
    return tables;
  }
  static void ExpectSame(const Tables& found, const Tables& wanted, const char* when) {
    for (const auto& [name, table] : wanted) EXPECT_EQ(found.at(name), table) << name << ", " << when;
  }

  // A record of a type of our choice at the end of the log.
  void Log(uint8_t type, std::string_view payload) {
    store_.reset();
    const auto pass_over = [](const wal::Record&) { return Status::Ok(); };
    auto recovered = wal::Recover({.env = &env_, .dir = options_.wal_dir}, pass_over);
    ASSERT_TRUE(recovered.has_value());
    auto writer = wal::Writer::Open({.env = &env_, .dir = options_.wal_dir}, *recovered);
    const wal::RecordToWrite record{
        .type = type, .flags = 0, .recorded_at_ms = clock_.NowMs(), .payload = payload};
    ASSERT_TRUE((*writer)->Append({&record, 1}).ok());
    ASSERT_TRUE((*writer)->Sync().ok());
  }

  std::vector<Hash256> ids_;
  int serial_ = 0;
};

TEST_F(OperationRecovery, TheSameBytesWhateverWasMadeAgain) {
  Open();
  for (int i = 0; i < 6; ++i) {
    SayAll(40);
    ASSERT_TRUE(i % 2 == 0 || store_->Flush().ok());
  }
  const Tables live = CloseAndRead();
  EXPECT_GT(live.at("operations").size(), 100u);
  EXPECT_GT(live.at("votes").size(), 5u);
  EXPECT_GT(live.at("links").size(), 100u);

  RemoveTree("db/indexes");
  Open();
  ExpectSame(CloseAndRead(), live, "after the index was removed");
  RemoveTree("db");
  Open();
  ExpectSame(CloseAndRead(), live, "after all but the log was removed");
  RemoveTree("wal");
  RemoveTree("db/indexes");
  Open();
  ExpectSame(CloseAndRead(), live, "after the log was removed and the index made again from the records");
}

TEST_F(OperationRecovery, TheSameBytesWhenTheIndexCatchesUp) {
  Open();
  SayAll(100);
  const uint64_t half = store_->stats().sequence;
  CloseAndRead();
  CopyTree("db/indexes", "half_of_the_index");
  CopyTree("db", "half_of_the_db");
  Open();
  SayAll(100);
  const uint64_t missing = store_->stats().sequence - half;
  const Tables live = CloseAndRead();
  RemoveTree("db/indexes");
  CopyTree("half_of_the_index", "db/indexes");
  TakeLog();
  Open();
  EXPECT_THAT(TakeLog(), HasSubstr("Rebuilding predicate index from " + std::to_string(missing)));
  ExpectSame(CloseAndRead(), live, "from the records");
  RemoveTree("db");
  CopyTree("half_of_the_db", "db");
  Open();
  EXPECT_THAT(TakeLog(), HasSubstr("Replayed " + std::to_string(missing) + " entries from WAL"));
  ExpectSame(CloseAndRead(), live, "from the log");
}

TEST_F(OperationRecovery, WhatACloseHadNoTimeForIsMadeByTheNextStart) {
  options_.stop_ms_max = 0;
  Open();
  SayAll(60);
  const uint64_t said = store_->stats().sequence;
  store_.reset();  // nothing was indexed
  TakeLog();
  Open();
  EXPECT_THAT(TakeLog(), HasSubstr("Replayed " + std::to_string(said) + " entries from WAL"));
  SayAll(60);
  options_.stop_ms_max = 2'000;
  Open();
  const Tables caught_up = CloseAndRead();
  RemoveTree("db");
  Open();
  ExpectSame(CloseAndRead(), caught_up, "from the log alone");
}

TEST_F(OperationRecovery, AnIndexOfAnEarlierLayoutIsMadeAnew) {
  Open();
  SayAll(90);
  const Tables live = CloseAndRead();
  {
    auto records = index::RecordTable::Open(options_.db_dir + "/assertions.kv");
    auto claims = index::ClaimIndex::Open(records->get(), options_.db_dir + "/indexes");
    const kv::Database meta = *(*claims)->environment().OpenDatabase("meta");
    const kv::Database operations = *(*claims)->environment().OpenDatabase("operations");
    auto txn = kv::WriteTxn::Begin(&(*claims)->environment());
    ASSERT_TRUE(*(*txn)->Delete(meta, "layout"));
    ASSERT_TRUE((*txn)->Clear(operations).ok());
    ASSERT_TRUE((*txn)->Commit().ok());
  }
  TakeLog();
  Open();
  EXPECT_THAT(TakeLog(), HasSubstr("Index rebuild started..."));
  ExpectSame(CloseAndRead(), live, "with the tables of today");
  TakeLog();
  Open();
  EXPECT_THAT(TakeLog(), Not(HasSubstr("Rebuilding"))) << "once";
}

TEST_F(OperationRecovery, AnEarlierLayoutsRowsDoNotOutliveTheirRecords) {
  Open();
  SayAll(30);
  store_.reset();
  {
    auto records = index::RecordTable::Open(options_.db_dir + "/assertions.kv");
    auto claims = index::ClaimIndex::Open(records->get(), options_.db_dir + "/indexes");
    const kv::Database meta = *(*claims)->environment().OpenDatabase("meta");
    auto txn = kv::WriteTxn::Begin(&(*claims)->environment());
    ASSERT_TRUE(*(*txn)->Delete(meta, "layout"));
    ASSERT_TRUE((*txn)->Commit().ok());
  }
  std::filesystem::remove_all(options_.wal_dir);
  std::filesystem::remove(options_.db_dir + "/assertions.kv");
  Open();
  EXPECT_EQ(store_->stats().sequence, 0u);
  const Tables left = CloseAndRead();
  for (const char* name : {"claims", "concepts", "operations", "links"})
    EXPECT_TRUE(left.at(name).empty()) << name << ": of records that are gone";
}

TEST_F(OperationRecovery, AnOlderLogWithOperationsGoesOnBehindTheCheckpoint) {
  Open();
  SayAll(30);
  store_.reset();
  CopyTree("wal", "wal_at_30");
  Open();
  SayAll(30);
  const Tables live = CloseAndRead();
  RemoveTree("wal");
  CopyTree("wal_at_30", "wal");
  Open();
  const auto next = Say(Vote(ids_[0], 1, 3, kTestNow + 1'000'000));
  ASSERT_TRUE(next.status.ok()) << next.status.message();
  const uint64_t records = live.at("record store: records").size();
  EXPECT_EQ(next.items.at(0).sequence, records + 1);
  EXPECT_EQ(store_->stats().sequence, records + 1);
}

TEST_F(OperationRecovery, TornGroupsOfClaimsAndOperationsAreNotThereAtAll) {
  Open();
  SayAll(10);
  const uint64_t before = store_->stats().sequence, claims_before = store_->stats().assertions;
  std::vector<PreparedRecord> group;
  for (int i = 0; i < 10; ++i) {
    group.push_back(Prepare(Claim("g", "p", Number(i))));
    group.push_back(Prepare(Vote(group[0].id, 0.5, 1, i)));
  }
  ASSERT_TRUE(Write(*store_, group, Atomicity::kAllOrNothing).status.ok());
  store_.reset();
  RemoveTree("db");
  const std::string segment = options_.wal_dir + "/segment-00001.log";
  std::FILE* file = std::fopen(segment.c_str(), "rb");
  ASSERT_NE(file, nullptr);
  std::string bytes(std::filesystem::file_size(segment), '\0');
  ASSERT_EQ(std::fread(bytes.data(), 1, bytes.size(), file), bytes.size());
  std::fclose(file);
  std::filesystem::resize_file(segment,
                               bytes.find_last_not_of('\0'));  // without the last byte that was written
  Open();
  EXPECT_EQ(store_->stats().sequence, before);
  EXPECT_EQ(store_->stats().assertions, claims_before);
  const auto reader = store_->NewReader();
  ASSERT_TRUE(reader->Refresh().ok());
  EXPECT_EQ(reader->VotesOn(AsView(group[0].id), UINT64_MAX)->count, 0u);
  EXPECT_FALSE(Say(Claim("g", "p", Number(0))).items.at(0).duplicate);
}

TEST_F(OperationRecovery, ARecordWhoseTypeAndBytesDifferIsRefused) {
  for (const bool says_claim : {true, false}) {
    store_.reset();
    RemoveTree("db");
    RemoveTree("wal");
    Open();
    SayMany(1);
    said_ = 0;
    const auto claim = Prepare(Claim("z", "p", Number(1)));
    const auto vote = Prepare(Vote(claim.id, 1));
    Log(says_claim ? 1 : 2, says_claim ? vote.record : claim.record);
    const Status opened = TryOpen();
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.reason(), "unknown_record_type");
    EXPECT_EQ(opened.code(), Code::kCorruption);
    EXPECT_THAT(std::string(opened.message()), HasSubstr("sequence 2"));
  }
}

TEST_F(OperationRecovery, AnOperationOfALaterFormatIsRefused) {
  Open();
  SayMany(1);
  auto vote = Prepare(Vote(Hash256{}, 1));
  vote.record[0] = static_cast<char>(130);
  Log(2, vote.record);
  const Status opened = TryOpen();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.code(), Code::kCorruption);
  EXPECT_THAT(std::string(opened.message()), HasSubstr("sequence 2"));
  EXPECT_THAT(std::string(opened.message()), HasSubstr("130"));
}

TEST_F(OperationRecovery, OperationsThatWereAcknowledgedSurviveAPowerLoss) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    Open();
    SayAll(15);
    const uint64_t acknowledged = store_->stats().sequence;
    const Hash256 claim = ids_[0];
    const auto kept = Vote(claim, 0.5, 1, 1'000'000 + static_cast<int64_t>(seed));
    ASSERT_TRUE(Say(kept).status.ok());
    // The last write fails half-way: its bytes are in the file, unsynced, when the power goes.
    env_.Fail(env::Operation::kSync, env::Failure::kIoError);
    EXPECT_FALSE(Say(Vote(claim, 1, 2, static_cast<int64_t>(seed))).status.ok());
    store_.reset();
    env_.Heal();
    ASSERT_TRUE(
        env_.LoseUnsynced(seed % 2 == 0 ? env::Loss::kEverything : env::Loss::kSomeSectors, seed).ok());
    if (seed % 3 == 0) RemoveTree("db");
    Open();
    EXPECT_GE(store_->stats().sequence, acknowledged + 1);
    EXPECT_TRUE(Say(kept).items.at(0).duplicate);
    EXPECT_EQ(Say(kept).items.at(0).sequence, acknowledged + 1);
  }
}

TEST_F(OperationRecovery, LmdbsOwnToolCountsAssertionsAndOperationsTogether) {
  Open();
  SayMany(6);
  const Hash256 first = Prepare(Numbered(0)).id;
  for (uint8_t agent = 1; agent <= 3; ++agent) {
    ASSERT_TRUE(Say(Vote(first, 0.5, agent)).status.ok());
    ASSERT_TRUE(Say(Vote(first, 0.5, agent, kTestNow + 1)).status.ok());
  }
  ASSERT_TRUE(Say(Alias("x", "a/1")).status.ok());
  store_.reset();
  EXPECT_EQ(EntriesByMdbStat("-n " + options_.db_dir + "/assertions.kv", "records"), 13u);
  EXPECT_EQ(EntriesByMdbStat("-n " + options_.db_dir + "/assertions.kv", "ids"), 13u);
  EXPECT_EQ(EntriesByMdbStat(options_.db_dir + "/indexes", "claims"), 6u);
  EXPECT_EQ(EntriesByMdbStat(options_.db_dir + "/indexes", "operations"), 8u)
      << "an alias stands under both its names";
  EXPECT_EQ(EntriesByMdbStat(options_.db_dir + "/indexes", "votes"), 3u);
}

class OperationArchive : public OperationRecovery {
 protected:
  Result<std::unique_ptr<Archive>> OpenArchive() {
    return Archive::Open({.env = &env_, .wal_dir = options_.wal_dir, .db_dir = options_.db_dir});
  }
};

TEST_F(OperationArchive, ShowsOperationsOfTheIndexAndOfTheLog) {
  Open();
  SayMany(3);
  const Hash256 claim = Prepare(Numbered(0)).id;
  ASSERT_TRUE(Say(Vote(claim, 0.5, 1, 10)).status.ok());
  ASSERT_TRUE(store_->Flush().ok());
  store_->Close();
  options_.stop_ms_max = 0;
  Open();
  ASSERT_TRUE(Say(Vote(claim, 1, 1, 11)).status.ok());
  ASSERT_TRUE(Say(Vote(claim, 0.25, 2, 11)).status.ok());
  ASSERT_TRUE(Say(RetractionOf(claim)).status.ok());
  store_.reset();
  auto archive = OpenArchive();
  ASSERT_TRUE(archive) << archive.error().message();
  EXPECT_EQ((*archive)->records_from_log(), 3u);
  const auto reader = (*archive)->NewReader();
  ASSERT_TRUE(reader->Refresh().ok());
  EXPECT_EQ(reader->sequence(), 7u);
  EXPECT_EQ(reader->assertion_count(), 3u);
  const auto tally = reader->VotesOn(AsView(claim), UINT64_MAX);
  ASSERT_TRUE(tally.has_value());
  EXPECT_EQ(tally->count, 2u);
  EXPECT_EQ(tally->weight_sum(), 1.25);
  EXPECT_EQ(reader->VotesOn(AsView(claim), 4)->weight_sum(), 0.5);
  std::vector<Row> rows;
  ASSERT_TRUE(reader->Scan({.concept_path = "a", .subtree = true}, 10, rows).has_value());
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_TRUE(reader->MayHaveOperations(rows[0]));
  EXPECT_FALSE(reader->MayHaveOperations(rows[1]));
}

// Else what stands in it would be shown twice: once from the index, once from the log.
TEST_F(OperationArchive, AnIndexThatOnlyAStartCanMakeIsRefused) {
  Open();
  SayMany(5);
  store_.reset();
  {
    auto records = index::RecordTable::Open(options_.db_dir + "/assertions.kv");
    auto claims = index::ClaimIndex::Open(records->get(), options_.db_dir + "/indexes");
    const kv::Database meta = *(*claims)->environment().OpenDatabase("meta");
    auto txn = kv::WriteTxn::Begin(&(*claims)->environment());
    ASSERT_TRUE(*(*txn)->Delete(meta, "layout"))
        << "as an index of before, which a start was about to make anew";
    ASSERT_TRUE((*txn)->Commit().ok());
  }
  const auto archive = OpenArchive();
  ASSERT_FALSE(archive) << "it has rows and no checkpoint";
  EXPECT_EQ(archive.error().reason(), "no_database");
  EXPECT_EQ(archive.error().code(), Code::kNotFound);
}

TEST_F(OperationArchive, AnIndexWithoutTheTablesOfTodayIsRefused) {
  Open();
  SayMany(5);
  store_.reset();
  const std::string directory = options_.db_dir + "/indexes";
  std::filesystem::remove_all(directory);
  std::filesystem::create_directory(directory);
  {
    auto index = kv::Environment::Open({.path = directory, .layout = kv::Layout::kDirectory});
    ASSERT_TRUE(index.has_value());
    for (const char* name : {"claims", "concepts", "meta"}) ASSERT_TRUE((*index)->OpenDatabase(name));
  }
  const auto archive = OpenArchive();
  ASSERT_FALSE(archive);
  EXPECT_EQ(archive.error().reason(), "no_database");
  EXPECT_THAT(std::string(archive.error().message()), HasSubstr("start the server on it once"));
}

}  // namespace
}  // namespace stemedb::store
