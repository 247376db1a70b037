// SPDX-License-Identifier: Apache-2.0
// RateWindow: what the last minute saw.
#include "base/rate_window.h"

#include <gtest/gtest.h>

namespace stemedb {
namespace {

TEST(RateWindow, ForgetsAfterAMinute) {
  RateWindow window;
  window.Add(10, 1000);
  window.Add(5, 1030);
  EXPECT_EQ(window.PerMinute(1030), 15u);
  EXPECT_EQ(window.PerMinute(1059), 15u);
  EXPECT_EQ(window.PerMinute(1060), 5u);
  window.Add(1, 1060);  // takes the slot of 1000
  EXPECT_EQ(window.PerMinute(1060), 6u);
  EXPECT_EQ(window.PerMinute(5000), 0u);
}

}  // namespace
}  // namespace stemedb
