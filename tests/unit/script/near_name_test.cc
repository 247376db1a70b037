// SPDX-License-Identifier: Apache-2.0
#include "script/near_name.h"

#include <gtest/gtest.h>

#include <array>

namespace stemedb::script {
namespace {

constexpr std::array<std::string_view, 4> kKnown = {"confidence", "conflict_score", "tier", "winner"};

TEST(NearName, FindsWhatWasMeant) {
  EXPECT_EQ(NearName("winer", kKnown), "winner");
  EXPECT_EQ(NearName("winnre", kKnown), "winner") << "swapped";
  EXPECT_EQ(NearName("Winner", kKnown), "winner");
  EXPECT_EQ(NearName("winners", kKnown), "winner");
  EXPECT_EQ(NearName("conflict", kKnown), "conflict_score") << "its beginning";
  EXPECT_EQ(NearName("confidenze", kKnown), "confidence");
  EXPECT_EQ(NearName("teir", kKnown), "tier");
}

TEST(NearName, GuessesNothingWild) {
  for (const char* name : {"", "x", "co", "score", "votes", "loser", "time"})
    EXPECT_EQ(NearName(name, kKnown), "") << name;
  EXPECT_EQ(NearName(std::string(100000, 'w'), kKnown), "");
  EXPECT_EQ(NearName("winer", {}), "");
}

TEST(NearName, ListsAllWhenNoneIsNear) {
  EXPECT_EQ(HintAt("winer", kKnown), "did you mean 'winner'?");
  EXPECT_EQ(HintAt("votes", kKnown), "there are confidence, conflict_score, tier, winner");
}

}  // namespace
}  // namespace stemedb::script
