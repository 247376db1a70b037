// SPDX-License-Identifier: Apache-2.0
// What an operator or a crash may do to the directories between two starts, and what the next start makes of
// it.
#include <fstream>

#include "index/claim_index.h"
#include "index/layout.h"
#include "store_fixture.h"
#include "wal/recover.h"
#include "wal/writer.h"

namespace stemedb::store {
namespace {

using stemedb::testing::EntriesByMdbStat;
using stemedb::testing::PrepareAll;
using stemedb::testing::Write;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

class Recovery : public stemedb::testing::StoreTest {};

TEST_F(Recovery, AllIsThereAfterClose) {
  Open();
  SayMany(30);
  store_->Close();
  Open();
  ExpectAllThere();
  EXPECT_THAT(TakeLog(),
              AllOf(HasSubstr("Starting WAL recovery..."), HasSubstr("Replayed 0 entries from WAL")));
  EXPECT_EQ(store_->stats().checkpoint, 30u) << "Close moved everything";
}

TEST_F(Recovery, CloseLeavesToTheNextStartWhatItHasNoTimeFor) {
  options_.stop_ms_max = 0;
  Open();
  SayMany(30);
  store_->Close();
  EXPECT_EQ(store_->stats().checkpoint, 0u);
  EXPECT_EQ(store_->Flush().reason(), "shutting_down");
  EXPECT_THAT(store_->stats().index_failure, HasSubstr("shutting down"));
  EXPECT_THAT(TakeLog(), HasSubstr("the next start catches up"));
  Open();
  ExpectAllThere();
  EXPECT_THAT(TakeLog(), HasSubstr("Replayed 30 entries from WAL"));
}

TEST_F(Recovery, ARowOfTheIndexThatIsDamagedIsToldApart) {
  Open();
  SayMany(1);
  store_.reset();
  {
    auto records = index::RecordTable::Open(options_.db_dir + "/assertions.kv");
    auto claims = index::ClaimIndex::Open(records->get(), options_.db_dir + "/indexes");
    std::string key;
    index::AppendClaimPrefix(key, "a/0", "p");
    index::AppendSequence(key, 1);
    auto txn = kv::WriteTxn::Begin(&(*claims)->environment());
    ASSERT_TRUE((*(*txn)->Get((*claims)->claims(), key)).has_value());
    ASSERT_TRUE((*txn)->Put((*claims)->claims(), key, "short").ok());
    ASSERT_TRUE((*txn)->Commit().ok());
  }
  Open();
  const auto reader = store_->NewReader();
  ASSERT_TRUE(reader->Refresh().ok());
  std::vector<Row> rows;
  const auto scanned = reader->Scan({.concept_path = "a", .subtree = true}, 10, rows);
  ASSERT_FALSE(scanned.has_value());
  EXPECT_EQ(scanned.error().reason(), "index_unreadable");
  EXPECT_THAT(std::string(scanned.error().message()), HasSubstr("made again"));
  EXPECT_EQ(reader->Scan({.concept_path = "a/0", .predicate = "p"}, 10, rows).error().reason(),
            "index_unreadable");
}

TEST_F(Recovery, RepeatsAreRecognisedAfterARestart) {
  Open();
  SayMany(5);
  clock_.AdvanceMs(1000);
  Open();
  const auto again = Say(Numbered(2));
  ASSERT_TRUE(again.status.ok());
  EXPECT_TRUE(again.items[0].duplicate);
  EXPECT_EQ(again.items[0].sequence, 3u);
  EXPECT_EQ(again.items[0].recorded_at_ms, stemedb::testing::kTestNow);
  EXPECT_EQ(store_->stats().sequence, 5u);
}

TEST_F(Recovery, IndexesThatAreGoneAreRebuilt) {
  Open();
  SayMany(30);
  store_.reset();
  RemoveTree("db/indexes");
  TakeLog();
  Open();
  EXPECT_THAT(TakeLog(), AllOf(HasSubstr("Rebuilding indexes..."), HasSubstr("Index rebuild started..."),
                               HasSubstr("Rebuilding predicate index from 30 assertions..."),
                               HasSubstr("Rebuilding concept index..."),
                               ContainsRegex("Index rebuild complete in [0-9]+\\.[0-9] s")));
  ExpectAllThere();
  SayMany(5);
  ExpectAllThere();
  store_.reset();
  EXPECT_EQ(EntriesByMdbStat(directory_.path() + "/db/indexes", "claims"), 35u);
}

TEST_F(Recovery, AnIndexThatIsUpToDateIsNotRebuilt) {
  Open();
  SayMany(3);
  Open();
  EXPECT_THAT(TakeLog(), Not(HasSubstr("Rebuilding")));
}

TEST_F(Recovery, TheWholeDatabaseIsMadeAnewFromTheLog) {
  Open();
  SayMany(30);
  store_.reset();
  RemoveTree("db");
  TakeLog();
  Open();
  EXPECT_THAT(TakeLog(),
              AllOf(HasSubstr("Replayed 30 entries from WAL"), HasSubstr("Index rebuild complete")));
  ExpectAllThere();
}

TEST_F(Recovery, ClaimsThatWereNotIndexedComeFromTheLog) {
  Open();
  SayMany(10);
  ASSERT_TRUE(store_->Flush().ok());
  CopyTree("db", "db_at_10");
  SayMany(10);
  store_.reset();
  RemoveTree("db");
  CopyTree("db_at_10", "db");
  Open();
  EXPECT_THAT(TakeLog(), HasSubstr("Replayed 10 entries from WAL"));
  ExpectAllThere();
}

TEST_F(Recovery, AnOlderLogGoesOnBehindTheCheckpoint) {
  Open();
  SayMany(10);
  store_.reset();
  CopyTree("wal", "wal_at_10");
  Open();
  SayMany(10);
  store_.reset();
  RemoveTree("wal");
  CopyTree("wal_at_10", "wal");
  TakeLog();
  Open();
  EXPECT_THAT(TakeLog(), AllOf(HasSubstr("Replayed 10 entries from WAL"),
                               HasSubstr("an older one was put back"), HasSubstr("Index rebuild complete")));
  ExpectAllThere();
  const auto more = Say(Numbered(said_));
  ++said_;
  ASSERT_TRUE(more.status.ok()) << more.status.message();
  EXPECT_EQ(more.items[0].sequence, 21u) << "no sequence is given out twice";
  Open();
  ExpectAllThere();
  Open();
  ExpectAllThere();
}

TEST_F(Recovery, ALogThatIsGoneGoesOnBehindTheCheckpoint) {
  Open();
  SayMany(10);
  store_.reset();
  RemoveTree("wal");
  Open();
  ExpectAllThere();
  SayMany(3);
  Open();
  ExpectAllThere();
  EXPECT_EQ(store_->stats().sequence, 13u);
}

TEST_F(Recovery, ALogOfAnotherDatabaseIsRefusedAndNothingIsChanged) {
  Open();
  SayMany(10);
  store_.reset();
  CopyTree("wal", "wal_ours");
  for (int foreign : {3, 10, 25}) {  // shorter, as long, longer
    RemoveTree("wal");
    const std::string db = options_.db_dir;
    options_.db_dir = directory_.path() + "/db_foreign";
    RemoveTree("db_foreign");
    Open();
    for (int i = 0; i < foreign; ++i)
      ASSERT_TRUE(Say(stemedb::testing::Claim("z", "p", stemedb::testing::Number(i))).status.ok());
    store_.reset();
    options_.db_dir = db;
    const Status opened = TryOpen();
    ASSERT_FALSE(opened.ok()) << foreign;
    EXPECT_EQ(opened.reason(), "log_diverged");
    EXPECT_THAT(std::string(opened.message()), HasSubstr("differ at sequence"));
  }
  RemoveTree("wal");
  CopyTree("wal_ours", "wal");
  Open();
  ExpectAllThere();
}

TEST_F(Recovery, ARecordOfAnUnknownTypeIsRefused) {
  Open();
  store_.reset();
  {
    auto recovered = wal::Recover({.env = &env_, .dir = options_.wal_dir}, {});
    auto writer = wal::Writer::Open({.env = &env_, .dir = options_.wal_dir}, *recovered);
    const wal::RecordToWrite record{
        .type = 77, .flags = 0, .recorded_at_ms = 1, .payload = "from the future"};
    ASSERT_TRUE((*writer)->Append({&record, 1}).ok());
    ASSERT_TRUE((*writer)->Sync().ok());
  }
  const Status opened = TryOpen();
  EXPECT_EQ(opened.reason(), "unknown_record_type");
  EXPECT_THAT(std::string(opened.message()), HasSubstr("type 77 at sequence 1"));
}

TEST_F(Recovery, AnAtomicGroupThatIsTornIsNotThereAtAll) {
  Open();
  SayMany(3);
  std::vector<model::Assertion> group;
  for (int i = 0; i < 20; ++i)
    group.push_back(stemedb::testing::Claim("g", "p", stemedb::testing::Number(i)));
  const auto result = Write(*store_, PrepareAll(group), Atomicity::kAllOrNothing);
  ASSERT_TRUE(result.status.ok());
  store_.reset();
  RemoveTree("db");
  const std::string segment = options_.wal_dir + "/segment-00001.log";
  std::ifstream in(segment, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  std::filesystem::resize_file(segment,
                               bytes.find_last_not_of('\0'));  // without the last byte that was written
  Open();
  ExpectAllThere();
  EXPECT_EQ(store_->stats().assertions, 3u) << "all twenty or none";
}

TEST_F(Recovery, AckedClaimsSurviveAPowerLossWhicheverSectorsAreLost) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    Open();
    SayMany(5);
    // The last write fails half-way: its bytes are in the file, unsynced, when the power goes.
    env_.Fail(env::Operation::kSync, env::Failure::kIoError);
    const auto lost =
        Say(stemedb::testing::Claim("lost", "p", stemedb::testing::Number(static_cast<double>(seed))));
    EXPECT_FALSE(lost.status.ok());
    store_.reset();
    env_.Heal();
    ASSERT_TRUE(
        env_.LoseUnsynced(seed % 2 == 0 ? env::Loss::kEverything : env::Loss::kSomeSectors, seed).ok());
    if (seed % 3 == 0) RemoveTree("db");
    Open();
    ASSERT_TRUE(store_->stats().accepting_writes);
    ExpectAllThere(stemedb::testing::Others::kMayBeThere);
    ASSERT_FALSE(HasFatalFailure()) << "seed " << seed;
  }
}

TEST_F(Recovery, ARebuildThatWasInterruptedGoesOn) {
  Open();
  SayMany(20);
  store_.reset();
  CopyTree("db/indexes", "indexes_at_20");
  Open();
  SayMany(20);
  store_.reset();
  RemoveTree("db/indexes");
  CopyTree("indexes_at_20", "db/indexes");
  TakeLog();
  Open();
  EXPECT_THAT(TakeLog(), HasSubstr("Rebuilding predicate index from 20 assertions..."));
  ExpectAllThere();
  store_.reset();
  EXPECT_EQ(EntriesByMdbStat(directory_.path() + "/db/indexes", "claims"), 40u);
}

TEST_F(Recovery, AnIndexAheadOfTheRecordsIsMadeAnew) {
  Open();
  SayMany(10);
  store_.reset();
  CopyTree("db/assertions.kv", "records_at_10");
  Open();
  SayMany(10);
  store_.reset();
  // Both lose their last ten claims, the index doesn't.
  RemoveTree("db/assertions.kv");
  CopyTree("records_at_10", "db/assertions.kv");
  Open();  // the log has them still
  ExpectAllThere();
}

TEST_F(Recovery, MdbStatCountsWhatTheStoreCounts) {
  Open();
  SayMany(25);
  store_->Close();
  EXPECT_EQ(store_->stats().assertions, 25u);
  store_.reset();
  EXPECT_EQ(EntriesByMdbStat("-n " + options_.db_dir + "/assertions.kv", "records"), 25u);
  EXPECT_EQ(EntriesByMdbStat("-n " + options_.db_dir + "/assertions.kv", "ids"), 25u);
  EXPECT_EQ(EntriesByMdbStat(options_.db_dir + "/indexes", "claims"), 25u);
  EXPECT_EQ(EntriesByMdbStat(options_.db_dir + "/indexes", "concepts"), 11u) << "a and a/0 to a/9";
}

TEST_F(Recovery, ASecondOpenOfTheSameDirectoriesIsRefused) {
  Open();
  Options second = options_;
  auto both = Store::Open(second);
  ASSERT_FALSE(both.has_value());
  EXPECT_EQ(both.error().reason(), "already_running");
  second.db_dir += "2";
  EXPECT_EQ(Store::Open(second).error().reason(), "already_running") << "the log alone";
  second.db_dir = options_.db_dir;
  second.wal_dir += "2";
  EXPECT_EQ(Store::Open(second).error().reason(), "already_running") << "the database alone";
  SayMany(1);
  ExpectAllThere();
}

}  // namespace
}  // namespace stemedb::store
