// SPDX-License-Identifier: Apache-2.0
#include "api/errors.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace stemedb::api {
namespace {

bool HasHeader(const http::Response& response, std::string_view name) {
  return std::any_of(response.headers.begin(), response.headers.end(),
                     [&](const auto& header) { return header.first == name; });
}

TEST(Errors, EveryReasonHasItsStatus) {
  struct Case {
    Code code;
    std::string_view reason;
    int status;
  };
  const Case cases[] = {
      {Code::kInvalidArgument, "invalid_json", 400},
      {Code::kInvalidArgument, "invalid_params", 400},
      {Code::kUnauthenticated, "invalid_signature", 401},
      {Code::kPermissionDenied, "unsigned_not_allowed", 403},
      {Code::kNotFound, "unknown_lens", 404},
      {Code::kTooLarge, "value_too_large", 413},
      {Code::kOutOfRange, "as_of_in_future", 422},
      {Code::kInternal, "lens_failed", 500},
      {Code::kResourceExhausted, "overloaded", 503},
      {Code::kResourceExhausted, "disk_full", 503},
      {Code::kUnavailable, "wal_failed", 503},
      {Code::kUnavailable, "shutting_down", 503},
      {Code::kConflict, "some_conflict", 409},
      {Code::kDeadlineExceeded, "slow", 504},
      {Code::kCorruption, "index_unreadable", 500},
      {Code::kInternal, "whatever", 500},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(ProblemOf(Status(c.code, c.reason, "m")).status, c.status) << c.reason;
  }
}

TEST(Errors, WaitingIsAdvisedWhereItHelpsAndProofIsAskedForWhereItLacks) {
  EXPECT_TRUE(HasHeader(ProblemOf(Status(Code::kResourceExhausted, "overloaded", "m")), "Retry-After"));
  EXPECT_FALSE(HasHeader(ProblemOf(Status(Code::kInternal, "lens_failed", "m")), "Retry-After"));
  EXPECT_TRUE(
      HasHeader(ProblemOf(Status(Code::kUnauthenticated, "missing_signature", "m")), "WWW-Authenticate"));
}

TEST(Errors, WhatBrokeInsideIsNotTold) {
  const http::Response hidden =
      ProblemOf(Status(Code::kCorruption, "index_unreadable", "/var/lib/secret at byte 9"));
  EXPECT_EQ(hidden.body.find("secret"), std::string::npos);
  const http::Response told = ProblemOf(Status(Code::kInternal, "lens_failed", "recency.lua:4: boom"));
  EXPECT_NE(told.body.find("recency.lua:4"), std::string::npos);
}

}  // namespace
}  // namespace stemedb::api
