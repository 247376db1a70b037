// SPDX-License-Identifier: Apache-2.0
// Decay, by the known answers of its formula.
#include "script/weights.h"

#include <gtest/gtest.h>

namespace stemedb::script {
namespace {

constexpr int64_t kDay = 86400000;

TEST(EffectiveConfidence, HasTheKnownValuesAt200Days) {
  constexpr double kKnown[] = {1.0, 0.827, 0.684, 0.463, 0.214, 0.0098};
  for (size_t tier = 0; tier < 6; ++tier) {
    EXPECT_NEAR(EffectiveConfidence(1.0, 200 * kDay, kHalfLifeDays[tier]), kKnown[tier],
                tier == 5 ? 5e-5 : 5e-4);
  }
}

TEST(EffectiveConfidence, HalvesAtTheHalfLife) {
  EXPECT_DOUBLE_EQ(EffectiveConfidence(0.8, 30 * kDay, 30), 0.4);
  EXPECT_DOUBLE_EQ(EffectiveConfidence(0.8, 60 * kDay, 30), 0.2);
}

TEST(EffectiveConfidence, NeverRaises) {
  EXPECT_EQ(EffectiveConfidence(0.8, 0, 30), 0.8);
  EXPECT_EQ(EffectiveConfidence(0.8, -100 * kDay, 30), 0.8);
  EXPECT_EQ(EffectiveConfidence(0.8, INT64_MIN, 30), 0.8);
  EXPECT_EQ(EffectiveConfidence(0.8, INT64_MAX, kHalfLifeDays[0]), 0.8);
  EXPECT_EQ(EffectiveConfidence(0.8, 100 * kDay, 0), 0.8);
  EXPECT_EQ(EffectiveConfidence(0.8, INT64_MAX, 30), 0);
}

}  // namespace
}  // namespace stemedb::script
