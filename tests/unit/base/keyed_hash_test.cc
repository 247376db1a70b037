// SPDX-License-Identifier: Apache-2.0
#include "base/keyed_hash.h"

#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <set>
#include <string>

namespace stemedb {
namespace {

TEST(KeyedHash, IsTheProcessesOwn) {
  EXPECT_EQ(KeyedHash::OfProcess().Of("value"), KeyedHash::OfProcess().Of("value"));
  const KeyedHash a(1, 0x9e3779b97f4a7c15), b(2, 0x9e3779b97f4a7c15), c(1, 0xc2b2ae3d27d4eb4f);
  EXPECT_NE(a.Of("value"), b.Of("value"));
  EXPECT_NE(a.Of("value"), c.Of("value"));
  EXPECT_NE(a.Of(7), b.Of(7));
  EXPECT_NE(a.Of("value"), KeyedHash::OfProcess().Of("value")) << "the process's keys are random";
}

TEST(KeyedHash, TellsApartWhatDiffersInSizeOrPlace) {
  std::set<uint64_t> seen;
  for (size_t size = 0; size < 40; ++size) {
    EXPECT_TRUE(seen.insert(KeyedHash::OfProcess().Of(std::string(size, '\0'))).second) << size;
    for (size_t at = 0; at < size; ++at) {
      std::string text(size, '\0');
      text[at] = '\1';
      EXPECT_TRUE(seen.insert(KeyedHash::OfProcess().Of(text)).second) << size << " " << at;
    }
  }
}

// The low bits choose the slot: a run of values, or of doubles whose low bits are all zero, must spread.
TEST(KeyedHash, SpreadsItsLowBits) {
  const auto seed = std::random_device()();
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20; ++round) {
    const KeyedHash hash(random(), random());
    constexpr size_t kCount = 10'000, kSlots = 32'768;
    std::set<uint64_t> numbers, texts;
    for (size_t i = 0; i < kCount; ++i) {
      numbers.insert(hash.Of(std::bit_cast<uint64_t>(static_cast<double>(i))) % kSlots);
      texts.insert(hash.Of("value " + std::to_string(i)) % kSlots);
    }
    // Balls thrown at random fill 32768 × (1 − e^(−10000/32768)) ≈ 8618 slots, give or take 33.
    EXPECT_GT(numbers.size(), 8000u) << "seed " << seed << " round " << round;
    EXPECT_GT(texts.size(), 8000u) << "seed " << seed << " round " << round;
  }
}

}  // namespace
}  // namespace stemedb
