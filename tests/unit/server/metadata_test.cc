// SPDX-License-Identifier: Apache-2.0
#include "server/metadata.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "env/fault_env.h"

namespace stemedb::server {
namespace {

class MetadataTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(env::Env::Posix()->MakeDirs(dir_).ok()); }
  const std::string dir_ = testing::TempDir() + "metadata_test_" + std::to_string(getpid());
  const std::string path_ = dir_ + "/metadata.json";
};

TEST_F(MetadataTest, StandsBesideTheLogsDirectory) {
  EXPECT_EQ(MetadataPath("data/wal"), "data/metadata.json");
  EXPECT_EQ(MetadataPath("/srv/stemedb/wal"), "/srv/stemedb/metadata.json");
  EXPECT_EQ(MetadataPath("wal"), "./metadata.json");
  EXPECT_EQ(MetadataPath("/wal"), "/metadata.json");
}

TEST_F(MetadataTest, TellsTheNextStartHowManyThereWere) {
  env::Env& env = *env::Env::Posix();
  EXPECT_EQ(ReadStarts(env, dir_ + "/absent.json").value(), 0U);
  ASSERT_TRUE(
      WriteMetadata(env, path_, {.assertion_count = 5, .sequence = 6, .wal_segment_count = 1, .starts = 41})
          .ok());
  EXPECT_EQ(ReadStarts(env, path_).value(), 41U);
  ASSERT_TRUE(
      WriteMetadata(env, path_, {.assertion_count = 5, .sequence = 6, .wal_segment_count = 1, .starts = 42})
          .ok());
  EXPECT_EQ(ReadStarts(env, path_).value(), 42U);
}

TEST_F(MetadataTest, AFullDiskLeavesTheOldFileWhole) {
  env::FaultInjectingEnv env;
  ASSERT_TRUE(
      WriteMetadata(env, path_, {.assertion_count = 1, .sequence = 1, .wal_segment_count = 1, .starts = 7})
          .ok());
  env.Fail(env::Operation::kWrite, env::Failure::kShortWrite);
  const Status failed =
      WriteMetadata(env, path_, {.assertion_count = 2, .sequence = 2, .wal_segment_count = 1, .starts = 8});
  EXPECT_EQ(failed.reason(), "disk_full");
  EXPECT_EQ(ReadStarts(env, path_).value(), 7U);
}

TEST_F(MetadataTest, AFileThatCantBeReadIsNoFirstStart) {
  env::FaultInjectingEnv env;
  ASSERT_TRUE(
      WriteMetadata(env, path_, {.assertion_count = 1, .sequence = 1, .wal_segment_count = 1, .starts = 7})
          .ok());
  env.Fail(env::Operation::kOpen, env::Failure::kIoError);
  EXPECT_FALSE(ReadStarts(env, path_).has_value());
}

}  // namespace
}  // namespace stemedb::server
