// SPDX-License-Identifier: Apache-2.0
// Reading a database at rest: everything acknowledged is there, and not a byte changes.
#include "store/archive.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "store_fixture.h"

namespace stemedb::store {
namespace {

using ::testing::HasSubstr;

class ArchiveTest : public stemedb::testing::StoreTest {
 protected:
  Result<std::unique_ptr<Archive>> OpenArchive() {
    return Archive::Open({.env = &env_, .wal_dir = options_.wal_dir, .db_dir = options_.db_dir});
  }
  // Every file below both directories, with its bytes.
  std::map<std::string, std::string> Files() {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      files[entry.path().string()] = std::string(std::istreambuf_iterator<char>(file), {});
    }
    return files;
  }
  static size_t RowsOf(Archive& archive) {
    const auto reader = archive.NewReader();
    EXPECT_TRUE(reader->Refresh().ok());
    std::vector<Row> rows;
    EXPECT_TRUE(reader->Scan({.concept_path = "a", .subtree = true}, 1'000'000, rows));
    EXPECT_EQ(reader->assertion_count(), rows.size());
    return rows.size();
  }
};

TEST_F(ArchiveTest, ShowsEverythingAndChangesNotAByte) {
  Open();
  SayMany(50);
  store_.reset();
  const auto before = Files();
  {
    auto archive = OpenArchive();
    ASSERT_TRUE(archive) << archive.error().message();
    EXPECT_EQ((*archive)->records_from_log(), 0u);
    EXPECT_EQ(RowsOf(**archive), 50u);
  }
  EXPECT_EQ(Files(), before);
}

TEST_F(ArchiveTest, ReadsWhatTheIndexLacksFromTheLog) {
  options_.stop_ms_max = 0;
  Open();
  SayMany(30);
  store_.reset();
  const auto before = Files();
  {
    auto archive = OpenArchive();
    ASSERT_TRUE(archive) << archive.error().message();
    EXPECT_EQ((*archive)->records_from_log(), 30u);
    EXPECT_EQ(RowsOf(**archive), 30u);
    const auto reader = (*archive)->NewReader();
    ASSERT_TRUE(reader->Refresh().ok());
    EXPECT_TRUE(reader->Find(stemedb::testing::Prepare(Numbered(29)).id)->has_value());
  }
  EXPECT_EQ(Files(), before);
}

TEST_F(ArchiveTest, RefusesWhileAServerRunsAndKeepsOneFromStarting) {
  Open();
  SayMany(1);
  EXPECT_EQ(OpenArchive().error().reason(), "already_running");
  store_.reset();
  auto first = OpenArchive();
  ASSERT_TRUE(first);
  EXPECT_TRUE(OpenArchive()) << "readers don't mind each other";
  EXPECT_EQ(TryOpen().reason(), "already_running");
  first->reset();
  EXPECT_TRUE(TryOpen().ok());
}

TEST_F(ArchiveTest, SaysWhenThereIsNothingToRead) {
  std::filesystem::create_directories(options_.db_dir);
  std::filesystem::create_directories(options_.wal_dir);
  const auto before = Files();
  const auto archive = OpenArchive();
  ASSERT_FALSE(archive);
  EXPECT_EQ(archive.error().reason(), "no_database");
  EXPECT_EQ(Files(), before);
}

TEST_F(ArchiveTest, ALogOfAnotherDatabaseIsRefused) {
  options_.stop_ms_max = 0;
  Open();
  SayMany(3);
  store_.reset();
  CopyTree("wal", "other");
  options_.stop_ms_max = 2000;
  Open();
  store_.reset();
  RemoveTree("wal");
  RemoveTree("db");
  said_ = 100;
  Open();
  SayMany(2);
  store_.reset();
  CopyTree("other", "wal");
  const auto archive = OpenArchive();
  ASSERT_FALSE(archive);
  EXPECT_EQ(archive.error().reason(), "log_diverged") << archive.error().message();
}

}  // namespace
}  // namespace stemedb::store
