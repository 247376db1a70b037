// SPDX-License-Identifier: Apache-2.0
#include "script/large_blocks.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <vector>

#include "script/budget.h"

namespace stemedb::script::testing {
namespace {

constexpr size_t kMiB = 1u << 20;

// How many of the pages are in memory.
size_t PagesIn(const void* block, size_t bytes) {
  std::vector<unsigned char> in((bytes + 4095) / 4096);
  EXPECT_EQ(mincore(const_cast<void*>(block), bytes, in.data()), 0);
  size_t count = 0;
  for (const unsigned char page : in) count += page & 1;
  return count;
}

TEST(LargeBlocks, GrowsAndShrinksWhereItIsAndKeepsWhatIsInIt) {
  LargeBlocks blocks;
  Budget unlimited;
  auto* block = static_cast<char*>(blocks.Make(4 * kMiB, 32 * kMiB, unlimited));
  ASSERT_NE(block, nullptr);
  std::memset(block, 'x', 4 * kMiB);
  ASSERT_TRUE(blocks.Grow(block, 4 * kMiB, 9 * kMiB + 5, unlimited));
  EXPECT_EQ(PagesIn(block, 9 * kMiB + 5), 9 * 256 + 1);
  EXPECT_EQ(block[4 * kMiB - 1], 'x');
  EXPECT_EQ(block[4 * kMiB], 0);
  blocks.Shrink(block, 9 * kMiB + 5, 100);
  EXPECT_EQ(PagesIn(block, 9 * kMiB + 5), 1u) << "what is no more used goes back to the system";
  EXPECT_EQ(block[99], 'x');
  EXPECT_TRUE(blocks.Has(block));
  blocks.Free(block);
  EXPECT_FALSE(blocks.Has(block));
}

TEST(LargeBlocks, RefusesToGrowPastWhatItHasReserved) {
  LargeBlocks blocks;
  Budget unlimited;
  void* block = blocks.Make(4 * kMiB, 8 * kMiB, unlimited);
  ASSERT_NE(block, nullptr);
  EXPECT_TRUE(blocks.Grow(block, 4 * kMiB, 8 * kMiB, unlimited));
  EXPECT_FALSE(blocks.Grow(block, 8 * kMiB, 8 * kMiB + 1, unlimited));
}

TEST(LargeBlocks, IsStoppedInTheMiddleOfABlockWhenTheTimeIsOver) {
  LargeBlocks blocks;
  Budget budget;
  budget.Start(5);
  const int64_t start = ThreadCpuNs();
  EXPECT_EQ(blocks.Make(size_t{4} << 30, 0, budget), nullptr);  // would take a second
  EXPECT_LT(ThreadCpuNs() - start, 500'000'000);
  EXPECT_TRUE(budget.stopped());
  EXPECT_TRUE(blocks.HasRoom());
}

TEST(LargeBlocks, ARefusedGrowthLeavesTheBlockAsItWas) {
  LargeBlocks blocks;
  Budget budget;
  auto* block = static_cast<char*>(blocks.Make(4 * kMiB, size_t{4} << 30, budget));
  ASSERT_NE(block, nullptr);
  block[4 * kMiB - 1] = 'x';
  budget.Start(5);
  EXPECT_FALSE(blocks.Grow(block, 4 * kMiB, size_t{4} << 30, budget));
  EXPECT_EQ(block[4 * kMiB - 1], 'x');
  EXPECT_EQ(PagesIn(block + 4 * kMiB, 8 * kMiB), 0u);
}

TEST(LargeBlocks, ThereAreFourAtMostAndAFreedOneMakesRoom) {
  LargeBlocks blocks;
  Budget unlimited;
  std::vector<void*> made;
  while (blocks.HasRoom()) made.push_back(blocks.Make(LargeBlocks::kBytesMin, 0, unlimited));
  EXPECT_EQ(made.size(), 4u);
  EXPECT_EQ(blocks.Make(LargeBlocks::kBytesMin, 0, unlimited), nullptr);
  blocks.Free(made[2]);
  EXPECT_FALSE(blocks.Has(made[2]));
  EXPECT_TRUE(blocks.Has(made[3]));
  EXPECT_NE(blocks.Make(LargeBlocks::kBytesMin, 0, unlimited), nullptr);
}

}  // namespace
}  // namespace stemedb::script::testing
