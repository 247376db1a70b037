// SPDX-License-Identifier: Apache-2.0
// What may come as often as anybody likes has a line now and then, and none of it is forgotten.
#include "audit/tally.h"

#include <gtest/gtest.h>

namespace stemedb::audit {
namespace {

using Kind = Tally::Kind;

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kSecond = 1000 * kMs;

Entry Refused(const std::string& detail) {
  return {1767225600000, "127.0.0.1", "eve", "admin.refused", "POST /x", "forbidden", detail};
}

TEST(Tally, TheFirstHasALineAtOnceAndTheNextOnesOneAfterASecond) {
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

TEST(Tally, AFloodHasFewerAndFewerLinesDownToOneAMinuteAndNoneOfItIsForgotten) {
  Tally tally;
  std::vector<int64_t> seconds;
  uint64_t counted = 0;
  for (int64_t second = 0; second < 300; ++second) {
    for (int i = 0; i < 10; ++i) {
      const auto line = tally.Add(Kind::kRefused, Refused("a"), second * kSecond + i * kMs);
      if (!line) continue;
      seconds.push_back(second);
      counted += line->count;
    }
  }
  EXPECT_EQ(seconds, (std::vector<int64_t>{0, 1, 3, 7, 15, 31, 63, 123, 183, 243}));
  EXPECT_TRUE(tally.TakeDue(302 * kSecond).empty());
  const auto end = tally.TakeDue(303 * kSecond);
  ASSERT_EQ(end.size(), 1u);
  EXPECT_EQ(counted + end[0].count, 3000u);
}

TEST(Tally, AfterAQuietMinuteThereIsALineAtOnceAgainAndBeforeItNot) {
  Tally tally;
  for (int64_t second = 0; second <= 63; ++second)
    static_cast<void>(tally.Add(Kind::kRefused, Refused("a"), second * kSecond));
  EXPECT_FALSE(tally.Add(Kind::kRefused, Refused("b"), 122 * kSecond)) << "59 s are no minute";
  EXPECT_EQ(tally.TakeDue(123 * kSecond).size(), 1u);
  EXPECT_TRUE(tally.Add(Kind::kRefused, Refused("c"), 182 * kSecond));
  EXPECT_FALSE(tally.Add(Kind::kRefused, Refused("d"), 182 * kSecond + 999 * kMs));
  EXPECT_TRUE(tally.Add(Kind::kRefused, Refused("e"), 183 * kSecond));
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
  const auto idle = tally.Add(Kind::kNoChange, Refused("d"), 0);
  ASSERT_TRUE(idle);
  EXPECT_EQ(idle->ToEntry().detail, "1 that changed nothing since the last such line; this one: d");
  const auto inquiry = tally.Add(Kind::kInquiry, Refused("e"), 0);
  ASSERT_TRUE(inquiry);
  EXPECT_EQ(inquiry->ToEntry().detail, "1 that only asked since the last such line; this one: e");
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
  const auto next = tally.Add(Kind::kRefused, Refused("b"), 3000 * kMs);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->ToEntry().detail, "2 refused since the last such line; this one: b");
}

}  // namespace
}  // namespace stemedb::audit
