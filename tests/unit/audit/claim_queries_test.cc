// SPDX-License-Identifier: Apache-2.0
// Who asked about a claim: the newest few, of the claims that were asked about last.
#include "audit/claim_queries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stemedb::audit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

QueryRecord About(std::vector<uint64_t> claims, int64_t time_ms = 0) {
  QueryRecord record;
  record.time_ms = time_ms;
  for (const uint64_t sequence : claims) record.claims.push_back({sequence, 0, 0, Role::kListed, 0, 0});
  return record;
}

std::vector<uint64_t> Ids(const ClaimQueries& queries, uint64_t sequence) {
  std::vector<uint64_t> ids;
  for (const ClaimQuery& query : queries.Of(sequence)) ids.push_back(query.id);
  return ids;
}

TEST(ClaimQueries, TellsTheNewestFirstWithTheirAgents) {
  ClaimQueries queries;
  QueryRecord record = About({3, 4}, 1000);
  record.agent = "ab";
  queries.Add(1, record);
  queries.Add(2, About({4}, 2000));
  EXPECT_THAT(Ids(queries, 3), ElementsAre(1));
  EXPECT_THAT(Ids(queries, 4), ElementsAre(2, 1));
  EXPECT_THAT(Ids(queries, 5), IsEmpty());
  const auto of_4 = queries.Of(4);
  EXPECT_EQ(of_4[0].agent, std::nullopt);
  EXPECT_EQ(of_4[1].agent, "ab");
  EXPECT_EQ(of_4[1].time_ms, 1000);
}

TEST(ClaimQueries, OneQueryIsToldOnceThoughSeveralLensesUsedTheClaim) {
  ClaimQueries queries;
  queries.Add(1, About({3, 4, 3}));
  EXPECT_THAT(Ids(queries, 3), ElementsAre(1));
}

TEST(ClaimQueries, KeepsTheNewestFewOfEachClaim) {
  ClaimQueries queries;
  for (uint64_t id = 1; id <= ClaimQueries::kQueriesMax + 5; ++id) queries.Add(id, About({3}));
  const auto ids = Ids(queries, 3);
  ASSERT_EQ(ids.size(), ClaimQueries::kQueriesMax);
  EXPECT_EQ(ids.front(), ClaimQueries::kQueriesMax + 5);
  EXPECT_EQ(ids.back(), 6u);
}

TEST(ClaimQueries, ForgetsTheClaimThatWasAskedAboutLongestAgo) {
  ClaimQueries queries;
  uint64_t id = 0;
  for (uint64_t claim = 1; claim <= ClaimQueries::kClaimsMax; ++claim) queries.Add(++id, About({claim}));
  queries.Add(++id, About({1}));
  queries.Add(++id, About({1'000'000}));
  EXPECT_THAT(Ids(queries, 2), IsEmpty());
  EXPECT_THAT(Ids(queries, 1), ElementsAre(id - 1, 1));
  EXPECT_THAT(Ids(queries, 3), ElementsAre(3));
  EXPECT_THAT(Ids(queries, 1'000'000), ElementsAre(id));
  for (uint64_t claim = 2'000'000; claim < 2'000'000 + ClaimQueries::kClaimsMax; ++claim)
    queries.Add(++id, About({claim}));
  EXPECT_THAT(Ids(queries, 1), IsEmpty());
}

}  // namespace
}  // namespace stemedb::audit
