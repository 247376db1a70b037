// SPDX-License-Identifier: Apache-2.0
#include "server/startup_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace stemedb::server {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(StartupLog, SalvageIsOfferedWhereItHelpsAlone) {
  for (const char* reason : {"wal_magic", "wal_checksum", "wal_chain", "wal_header"}) {
    const Status failure(Code::kCorruption, reason, "x");
    EXPECT_THAT(RemedyLine(failure), HasSubstr("--wal-salvage")) << reason;
    EXPECT_EQ(StepOfStoreFailure(failure), Step::kWal) << reason;
  }
  for (const char* reason : {"log_diverged", "kv_corrupt", "record_missing", "unknown_record_type",
                             "wal_version", "wal_gap", "another"}) {
    EXPECT_THAT(RemedyLine(Status(Code::kCorruption, reason, "WAL segment")), Not(HasSubstr("--wal-salvage")))
        << reason;
  }
  EXPECT_EQ(StepOfStoreFailure(Status(Code::kCorruption, "kv_corrupt", "the WAL")), Step::kStore);
}

TEST(StartupLog, TheRunbooksThatItNamesAreThere) {
  for (const char* reason :
       {"address_in_use", "disk_full", "wal_checksum", "log_diverged", "kv_corrupt", "other"}) {
    const std::string line = RemedyLine(Status(Code::kIoError, reason, "x"));
    const size_t at = line.find("docs/");
    ASSERT_NE(at, std::string::npos) << line;
    EXPECT_TRUE(std::filesystem::exists(std::string(STEMEDB_SOURCE_DIR) + "/" + line.substr(at))) << line;
  }
}

TEST(StartupLog, DamageInAnIndexIsNotSentToTheBackups) {
  EXPECT_THAT(RemedyLine(Status(Code::kCorruption, "kv_corrupt", "data/db/indexes")),
              HasSubstr("server-wont-start"));
}

}  // namespace
}  // namespace stemedb::server
