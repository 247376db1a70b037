// SPDX-License-Identifier: Apache-2.0
// The filter before the search for an id: never a false "never", and few false "perhaps".
#include "store/id_filter.h"

#include <gtest/gtest.h>

#include <random>

namespace stemedb::store {
namespace {

class IdFilterTest : public ::testing::Test {
 protected:
  Hash256 NewId() {
    Hash256 id;
    for (uint8_t& byte : id) byte = static_cast<uint8_t>(random_());
    return id;
  }
  double FalseRate(const IdFilter& filter, int tries = 100'000) {
    int passed = 0;
    for (int i = 0; i < tries; ++i) passed += filter.MayContain(NewId()) ? 1 : 0;
    return static_cast<double>(passed) / tries;
  }

  std::mt19937_64 random_{2007};
};

TEST_F(IdFilterTest, AnEmptyOneHoldsNothing) {
  const IdFilter filter;
  EXPECT_FALSE(filter.MayContain(NewId()));
  EXPECT_FALSE(filter.MayContain(Hash256{}));
}

TEST_F(IdFilterTest, NothingThatWasAddedIsForgottenAndLittleElsePasses) {
  for (const size_t expected : {size_t{0}, size_t{1'000'000}}) {
    IdFilter filter(expected);
    std::vector<Hash256> ids;
    for (int i = 0; i < 1'000'000; ++i) filter.Add(ids.emplace_back(NewId()));
    for (const Hash256& id : ids) ASSERT_TRUE(filter.MayContain(id));
    // Each layer passes 3 of 1,000 when it is full; without a forecast there are five of them.
    EXPECT_LT(FalseRate(filter), expected == 0 ? 0.02 : 0.005) << expected;
    EXPECT_LE(filter.memory_bytes(), 3'100'000u) << expected;
  }
}

TEST_F(IdFilterTest, TheExtremesOfIdsHaveTheirPlaces) {
  IdFilter filter;
  Hash256 last;
  last.fill(0xff);
  filter.Add(Hash256{});
  filter.Add(last);
  EXPECT_TRUE(filter.MayContain(Hash256{}));
  EXPECT_TRUE(filter.MayContain(last));
}

}  // namespace
}  // namespace stemedb::store
