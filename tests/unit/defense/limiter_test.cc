// SPDX-License-Identifier: Apache-2.0
// Token buckets against a naive reference, and what a crowd can do to them.
#include "defense/limiter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <iostream>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace stemedb::defense {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr Bucket kWrite{"write", 10'000, 3600};

TEST(Limiter, ABucketIsFullThenEmptyThenFillsEvenly) {
  Limiter limiter({});
  int64_t now = 5 * kSecond;
  for (int i = 1; i <= 1000; ++i) {
    const Level level = limiter.Charge("anna", kWrite, 10, now);
    ASSERT_TRUE(level.has_room) << i;
    ASSERT_NEAR(level.remaining, 10'000 - 10 * i, 1e-3);
  }
  Level level = limiter.Charge("anna", kWrite, 10, now);
  EXPECT_FALSE(level.has_room);
  EXPECT_NEAR(level.room_in_s, 3.6, 1e-6);  // 10 points at 10,000 an hour
  EXPECT_NEAR(level.full_in_s, 3600, 1e-6);
  now += 3 * kSecond;
  EXPECT_FALSE(limiter.Charge("anna", kWrite, 10, now).has_room);
  now += kSecond;
  EXPECT_TRUE(limiter.Charge("anna", kWrite, 10, now).has_room);
  now += 3600 * kSecond;
  level = limiter.Look("anna", kWrite, 0, now);
  EXPECT_NEAR(level.remaining, 10'000, 1e-3) << "never more than full";
}

TEST(Limiter, SubjectsAndNamesHaveBucketsOfTheirOwn) {
  Limiter limiter({});
  EXPECT_TRUE(limiter.Charge("anna", kWrite, 10'000, 0).has_room);
  EXPECT_FALSE(limiter.Charge("anna", kWrite, 1, 0).has_room);
  EXPECT_TRUE(limiter.Charge("bert", kWrite, 1, 0).has_room);
  EXPECT_TRUE(limiter.Charge("anna", {"read", 10'000, 3600}, 1, 0).has_room);
}

TEST(Limiter, LookingTakesNothingAndARefusalTakesNothing) {
  Limiter limiter({});
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limiter.Look("anna", kWrite, 10'000, 0).has_room);
  EXPECT_TRUE(limiter.Charge("anna", kWrite, 9'000, 0).has_room);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(limiter.Charge("anna", kWrite, 1'001, 0).has_room);
  EXPECT_TRUE(limiter.Charge("anna", kWrite, 1'000, 0).has_room);
}

TEST(Limiter, DrainTakesWhatIsLeft) {
  Limiter limiter({});
  EXPECT_TRUE(limiter.Charge("anna", kWrite, 9'995, 0).has_room);
  EXPECT_FALSE(limiter.Drain("anna", kWrite, 10, 0).has_room);
  EXPECT_FALSE(limiter.Look("anna", kWrite, 1, 0).has_room);
  EXPECT_NEAR(limiter.Look("anna", kWrite, 0, 0).full_in_s, 3600, 1e-6) << "empty, and no further";
}

TEST(Limiter, ACostAboveTheLimitWantsAFullBucketAndLeavesADebt) {
  Limiter limiter({});
  EXPECT_TRUE(limiter.Charge("anna", kWrite, 20'000, 0).has_room);
  EXPECT_NEAR(limiter.Look("anna", kWrite, 1, 0).room_in_s, 3600.36, 0.01);
  EXPECT_FALSE(limiter.Charge("anna", kWrite, 1, 3600 * kSecond).has_room);
  EXPECT_TRUE(limiter.Charge("anna", kWrite, 1, 3601 * kSecond).has_room);
  EXPECT_FALSE(limiter.Charge("anna", kWrite, 20'000, 3602 * kSecond).has_room) << "not full";
  EXPECT_TRUE(limiter.Charge("anna", kWrite, 1e300, 8000 * kSecond).has_room) << "a number all the same";
}

TEST(Limiter, AChangedLimitKeepsTheShareThatIsLeft) {
  Limiter limiter({});
  EXPECT_TRUE(limiter.Charge("anna", kWrite, 5'000, 0).has_room);
  EXPECT_NEAR(limiter.Look("anna", {"write", 100, 3600}, 0, 0).remaining, 50, 1e-3);
}

// The reference keeps points and a time for each subject, as textbooks do.
TEST(Limiter, AChangedWindowKeepsTheShareThatIsLeft) {
  Limiter limiter({});
  const Bucket minute{"write", 10'000, 60}, day{"write", 10'000, 86'400};
  EXPECT_TRUE(limiter.Charge("anna", kWrite, 7'500, 0).has_room);
  Level level = limiter.Look("anna", minute, 2'501, 0);
  EXPECT_NEAR(level.remaining, 2'500, 1e-3);
  EXPECT_NEAR(level.full_in_s, 45, 1e-6);
  EXPECT_LT(level.room_in_s, 1) << "not three quarters of an hour";
  EXPECT_TRUE(limiter.Charge("anna", minute, 2'500, 0).has_room);
  EXPECT_NEAR(limiter.Look("anna", minute, 0, 0).full_in_s, 60, 1e-6);
  EXPECT_NEAR(limiter.Look("anna", minute, 0, 30 * kSecond).remaining, 5'000, 1e-3);
  EXPECT_NEAR(limiter.Look("anna", day, 0, 30 * kSecond).remaining, 5'000, 1e-3)
      << "nor is a longer one a refill";
  EXPECT_TRUE(limiter.Charge("bert", kWrite, 30'000, 0).has_room);
  EXPECT_NEAR(limiter.Look("bert", minute, 0, 0).full_in_s, 180, 1e-6)
      << "what was paid beyond empty is owed still";
}

TEST(Limiter, AgreesWithATextbookBucket) {
  const auto seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  struct Textbook {
    double points;
    int64_t at;
  };
  std::map<std::string, Textbook> books;
  Limiter limiter({});
  int64_t now = 0;
  for (int i = 0; i < 200'000; ++i) {
    now += static_cast<int64_t>(random() % (2 * kSecond));
    const std::string subject = "agent " + std::to_string(random() % 300);
    const double cost = static_cast<double>(random() % 2000);
    auto [found, is_new] = books.try_emplace(subject, Textbook{10'000, now});
    Textbook& book = found->second;
    book.points =
        std::min(10'000.0, book.points + static_cast<double>(now - book.at) / kSecond * 10'000 / 3600);
    book.at = now;
    const Level level = limiter.Charge(subject, kWrite, cost, now);
    if (std::abs(book.points - cost) > 1e-3) {
      ASSERT_EQ(level.has_room, book.points >= cost) << i;
    }
    if (level.has_room) book.points -= cost;
    ASSERT_NEAR(level.remaining, book.points, 0.01) << i;
  }
}

// 64 places for 10,000 subjects: whoever is pushed out and comes back must not find a full bucket.
TEST(Limiter, NobodyRefillsHisBucketByPushingItOut) {
  Limiter limiter({.buckets_max = 64});
  EXPECT_TRUE(limiter.Charge("victim", kWrite, 10'000, 0).has_room);
  for (int round = 0; round < 10'000; ++round) {
    limiter.Charge("crowd " + std::to_string(round), kWrite, 10, 0);
    ASSERT_FALSE(limiter.Look("victim", kWrite, 10, 0).has_room) << round;
  }
}

// Two who push each other out in turn, in a table of debtors, pay all the same.
TEST(Limiter, PointsAreNeverForgottenHoweverManySubjectsThereAre) {
  Limiter limiter({.buckets_max = 8});
  uint64_t taken = 0;
  for (int round = 0; round < 100'000; ++round) {
    const std::string subject = "crowd " + std::to_string(round % 1000);
    if (limiter.Charge(subject, kWrite, 10, 0).has_room) taken += 10;
  }
  EXPECT_EQ(taken, 8u * 10'000) << "what eight places hold, and not one point more";
}

TEST(Limiter, AFullTableOfFullBucketsIsAnEmptyOne) {
  Limiter limiter({.buckets_max = 8});
  for (int i = 0; i < 100; ++i) limiter.Charge("crowd " + std::to_string(i), kWrite, 10'000, 0);
  const int64_t later = 3601 * kSecond;
  for (int i = 0; i < 100; ++i) {
    // Each spends and is full again before the next comes.
    EXPECT_TRUE(
        limiter.Charge("new " + std::to_string(i), kWrite, 10'000, later + i * 3601 * kSecond).has_room);
  }
}

TEST(Limiter, ThreadsTogetherTakeNoMoreThanThereIs) {
  Limiter limiter({});
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i)
        if (limiter.Charge("anna", kWrite, 1, 0).has_room) ++taken;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(taken, 10'000);
}

}  // namespace
}  // namespace stemedb::defense
