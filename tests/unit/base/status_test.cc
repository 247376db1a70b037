// SPDX-License-Identifier: Apache-2.0
// Status and Result: cheap when all is well, and readable from the general to the particular when not.
#include "base/status.h"

#include <gtest/gtest.h>

namespace stemedb {
namespace {

Status Full() { return Status(Code::kResourceExhausted, "disk_full", "no space left for 4096 bytes"); }

Status Forward(Status status) {
  STEMEDB_RETURN_IF_ERROR(std::move(status));
  return Status(Code::kInternal, "reached", "went past the macro");
}

TEST(Status, OkHasNoReasonAndNoMessage) {
  const Status ok = Status::Ok();
  EXPECT_TRUE(ok.ok());
  EXPECT_EQ(ok.code(), Code::kOk);
  EXPECT_EQ(ok.reason(), "");
  EXPECT_EQ(ok.message(), "");
}

TEST(Status, AnnotationsReadFromTheOutermostInwards) {
  const Status status = Full().Annotate("segment 00017").Annotate("wal");
  EXPECT_EQ(status.message(), "wal: segment 00017: no space left for 4096 bytes");
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_EQ(status.reason(), "disk_full");
}

TEST(Status, AnnotatingACopyLeavesTheOriginalAlone) {
  const Status original = Full();
  const Status outer = original.Annotate("wal");
  EXPECT_EQ(original.message(), "no space left for 4096 bytes");
  EXPECT_EQ(outer.message(), "wal: no space left for 4096 bytes");
}

TEST(Status, AnnotatedOkStaysOk) { EXPECT_TRUE(Status::Ok().Annotate("wal").ok()); }

TEST(Status, CopiesAreIndependent) {
  Status copy;
  {
    const Status original = Full();
    copy = original;
  }
  EXPECT_EQ(copy.message(), "no space left for 4096 bytes");
  copy = Status::Ok();
  EXPECT_TRUE(copy.ok());
}

TEST(Status, TheMacroReturnsFailuresOnly) {
  EXPECT_EQ(Forward(Full()).reason(), "disk_full");
  EXPECT_EQ(Forward(Status::Ok()).reason(), "reached");
}

TEST(Result, HoldsAValueOrTheReasonForItsAbsence) {
  Result<std::string> good = std::string("text");
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(*good, "text");
  EXPECT_EQ(good->size(), 4U);
  const Result<std::string> bad = Full();
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.error().reason(), "disk_full");
}

TEST(Result, MovesItsValueOut) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 7);
}

}  // namespace
}  // namespace stemedb
