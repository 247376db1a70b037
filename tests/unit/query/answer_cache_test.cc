// SPDX-License-Identifier: Apache-2.0
// The table of kept answers: what gets in, what goes out, and what it takes of memory.
#include "query/answer_cache.h"

#include <gtest/gtest.h>

#include <string>

namespace stemedb::query {
namespace {

class AnswerCacheTest : public ::testing::Test {
 protected:
  static AnswerCache::AnswerPtr Answer(std::string body) {
    AnswerParts parts;
    parts.body = std::move(body);
    return std::make_shared<const KeptAnswer>(std::move(parts), RightAt{1, 2, 3});
  }
  std::string BodyOf(AnswerCache& cache, std::string_view key) {
    const auto found = cache.Find(key);
    return found == nullptr ? "none" : found->parts().body;
  }
  double misses() { return metrics_.answer_cache().misses_total.Value(); }
  double evictions() { return metrics_.answer_cache().evictions_total.Value(); }
  double bytes_told() { return metrics_.answer_cache().bytes.Value(); }

  telemetry::Metrics metrics_;
};

TEST_F(AnswerCacheTest, WantsAnAnswerThatTookLongTheSecondTime) {
  AnswerCache cache({.bytes_max = 1 << 20, .worth_seconds = 0.001}, metrics_);
  EXPECT_FALSE(cache.Wants("a", 0.0009));
  EXPECT_FALSE(cache.Wants("a", 0.0009));
  EXPECT_EQ(misses(), 0);
  EXPECT_FALSE(cache.Wants("a", 0.001));
  EXPECT_TRUE(cache.Wants("a", 0.002));
  EXPECT_FALSE(cache.Wants("a", 0.0009)) << "this time it was quick";
  EXPECT_TRUE(cache.Wants("a", 0.002)) << "and once it is known it stays known";
  EXPECT_EQ(misses(), 3);
}

TEST_F(AnswerCacheTest, FindsWhatWasPutAndTheNewestOfOneKey) {
  AnswerCache cache({.bytes_max = 1 << 20}, metrics_);
  EXPECT_EQ(BodyOf(cache, "a"), "none");
  cache.Put("a", Answer("one"));
  cache.Put("b", Answer("two"));
  EXPECT_EQ(BodyOf(cache, "a"), "one");
  const size_t before = cache.bytes();
  cache.Put("a", Answer("six"));
  EXPECT_EQ(BodyOf(cache, "a"), "six");
  EXPECT_EQ(BodyOf(cache, "b"), "two");
  EXPECT_EQ(BodyOf(cache, "c"), "none");
  EXPECT_EQ(cache.bytes(), before) << "in the other's place";
  EXPECT_EQ(evictions(), 0);
}

TEST_F(AnswerCacheTest, GivesUpWhatWasUsedLeastRecently) {
  AnswerCache cache({.bytes_max = 1 << 20}, metrics_);
  cache.Put("used", Answer(std::string(1000, 'u')));
  for (int i = 0; i < 10'000; ++i) {
    cache.Put("other" + std::to_string(i), Answer(std::string(1000, 'o')));
    ASSERT_NE(BodyOf(cache, "used"), "none") << i;
    ASSERT_LE(cache.bytes(), size_t{1} << 20);
  }
  EXPECT_EQ(BodyOf(cache, "other0"), "none");
  EXPECT_NE(BodyOf(cache, "other9999"), "none");
  EXPECT_GT(evictions(), 5'000);
  EXPECT_GT(cache.bytes(), (size_t{1} << 20) * 3 / 4);
}

TEST_F(AnswerCacheTest, KeepsNothingThatTakesMoreThanA64th) {
  AnswerCache cache({.bytes_max = 1 << 20}, metrics_);
  EXPECT_EQ(cache.answer_bytes_max(), size_t{1} << 14);
  cache.Put("small", Answer(std::string((1 << 14) - 2048, 's')));
  cache.Put("large", Answer(std::string(1 << 14, 'l')));
  EXPECT_NE(BodyOf(cache, "small"), "none");
  EXPECT_EQ(BodyOf(cache, "large"), "none");
}

TEST_F(AnswerCacheTest, TellsItsBytesAndTakesThemBackAtTheEnd) {
  {
    AnswerCache one({.bytes_max = 1 << 20}, metrics_), other({.bytes_max = 1 << 20}, metrics_);
    for (int i = 0; i < 100; ++i) one.Put(std::to_string(i), Answer(std::string(5000, 'a')));
    other.Put("a", Answer("b"));
    EXPECT_GT(one.bytes(), 100'000u);
    EXPECT_EQ(bytes_told(), static_cast<double>(one.bytes() + other.bytes()));
  }
  EXPECT_EQ(bytes_told(), 0);
}

// Whoever has found an answer has it, whatever becomes of the cache.
TEST_F(AnswerCacheTest, AnAnswerOutlivesItsPlace) {
  auto cache = std::make_unique<AnswerCache>(AnswerCache::Options{.bytes_max = 1 << 20}, metrics_);
  cache->Put("a", Answer("one"));
  const auto found = cache->Find("a");
  cache->Put("a", Answer("two"));
  cache.reset();
  EXPECT_EQ(found->parts().body, "one");
}

TEST(AgeOfAnAnswer, CountsBegunMilliseconds) {
  const RightAt right{1, 2, 5'000'000};
  EXPECT_EQ(AgeMs(right, 5'000'000), 0);
  EXPECT_EQ(AgeMs(right, 5'000'001), 1);
  EXPECT_EQ(AgeMs(right, 6'000'000), 1);
  EXPECT_EQ(AgeMs(right, 6'000'001), 2);
  EXPECT_EQ(AgeMs(right, 4'000'000), 0) << "another thread has looked since";
}

}  // namespace
}  // namespace stemedb::query
