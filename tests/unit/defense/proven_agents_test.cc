// SPDX-License-Identifier: Apache-2.0
// Who has proven itself from where, and for how long that is remembered.
#include "defense/proven_agents.h"

#include <gtest/gtest.h>

#include <string>

namespace stemedb::defense {
namespace {

TEST(ProvenAgents, AreKnownForAnHourAfterTheirLastProof) {
  ProvenAgents agents;
  EXPECT_FALSE(agents.Has("here anna", 0));
  agents.Note("here anna", 0);
  EXPECT_TRUE(agents.Has("here anna", ProvenAgents::kKeptNs - 1));
  EXPECT_FALSE(agents.Has("here anna", ProvenAgents::kKeptNs));
  agents.Note("here anna", 5);
  EXPECT_TRUE(agents.Has("here anna", ProvenAgents::kKeptNs));
}

TEST(ProvenAgents, AreKnownWhereTheyProvedThemselvesAlone) {
  ProvenAgents agents;
  agents.Note("here anna", 0);
  EXPECT_FALSE(agents.Has("there anna", 1));
  EXPECT_FALSE(agents.Has("here bert", 1));
}

TEST(ProvenAgents, ACrowdPushesOutTheOldestFirst) {
  ProvenAgents agents(ProvenAgents::Options{8});  // one set
  for (int i = 0; i < 9; ++i) agents.Note(std::to_string(i), i);
  EXPECT_FALSE(agents.Has("0", 9));
  for (int i = 1; i < 9; ++i) EXPECT_TRUE(agents.Has(std::to_string(i), 9)) << i;
  agents.Note("1", 10);  // the oldest no more
  agents.Note("new", 11);
  EXPECT_TRUE(agents.Has("1", 12));
  EXPECT_FALSE(agents.Has("2", 12));
}

}  // namespace
}  // namespace stemedb::defense
