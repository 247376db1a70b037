// SPDX-License-Identifier: Apache-2.0
// What may come as often as anybody likes has a line a second, and none of it is forgotten.
#include "audit/tally.h"

#include <gtest/gtest.h>

namespace stemedb::audit {
namespace {

using Kind = Tally::Kind;

constexpr int64_t kMs = 1'000'000;

Entry Refused(const std::string& detail) {
  return {1767225600000, "127.0.0.1", "eve", "admin.refused", "POST /x", "forbidden", detail};
}

TEST(Tally, TheFirstHasALineAtOnceAndTheNextOnesOneASecond) {
  Tally tally;
  const auto first = tally.Add(Kind::kRefused, Refused("why"), 0);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->ToEntry().detail, "1 refused since the last such line; this one: why");
  EXPECT_EQ(first->ToEntry().actor, "eve");
  for (int i = 1; i < 10; ++i) EXPECT_FALSE(tally.Add(Kind::kRefused, Refused("again"), i * 100 * kMs));
  const auto next = tally.Add(Kind::kRefused, Refused("at last"), 1000 * kMs);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->ToEntry().detail, "10 refused since the last such line; this one: at last");
}

TEST(Tally, KindsAreCountedApart) {
  Tally tally;
  EXPECT_TRUE(tally.Add(Kind::kRefused, Refused("a"), 0));
  const auto bad = tally.Add(Kind::kBadRequest, Refused("b"), 0);
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->ToEntry().detail, "1 bad requests since the last such line; this one: b");
  const auto unknown = tally.Add(Kind::kUnknownName, Refused("c"), 0);
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->ToEntry().detail, "1 of unknown names since the last such line; this one: c");
}

TEST(Tally, AtTheEndAllOfItIsTaken) {
  Tally tally;
  for (const Kind kind : {Kind::kRefused, Kind::kUnknownName}) {
    ASSERT_TRUE(tally.Add(kind, Refused("a"), 0));
    ASSERT_FALSE(tally.Add(kind, Refused("b"), kMs));
  }
  const auto rest = tally.TakeAll();
  ASSERT_EQ(rest.size(), 2u);
  for (const Tally::Line& line : rest) {
    EXPECT_EQ(line.count, 1u);
    EXPECT_EQ(line.last.detail, "b");
  }
  EXPECT_TRUE(tally.TakeAll().empty());
}

TEST(Tally, ABurstsEndIsDueAfterASecondThoughNothingFollows) {
  Tally tally;
  ASSERT_TRUE(tally.Add(Kind::kRefused, Refused("a"), 0));
  for (int i = 0; i < 5; ++i) ASSERT_FALSE(tally.Add(Kind::kRefused, Refused("b"), kMs));
  EXPECT_TRUE(tally.TakeDue(999 * kMs).empty());
  const auto due = tally.TakeDue(1000 * kMs);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].ToEntry().detail, "5 refused since the last such line; this one: b");
  EXPECT_TRUE(tally.TakeDue(9000 * kMs).empty());
}

TEST(Tally, WhatCouldNotBeWrittenCountsForTheNextLine) {
  Tally tally;
  tally.Return(*tally.Add(Kind::kRefused, Refused("a"), 0));
  EXPECT_TRUE(tally.TakeDue(500 * kMs).empty());
  const auto due = tally.TakeDue(1000 * kMs);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].count, 1u);
  EXPECT_EQ(due[0].last.detail, "a");
  tally.Return(due[0]);
  EXPECT_EQ(tally.Add(Kind::kRefused, Refused("b"), 2000 * kMs)->ToEntry().detail,
            "2 refused since the last such line; this one: b");
}

}  // namespace
}  // namespace stemedb::audit
