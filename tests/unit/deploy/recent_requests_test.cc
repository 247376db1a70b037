// SPDX-License-Identifier: Apache-2.0
// What is kept of the requests that a loop judged.
#include "deploy/recent_requests.h"

#include <gtest/gtest.h>

namespace stemedb::deploy {
namespace {

std::vector<RecordedRequest> Kept(const RecentRequests& recent) {
  std::vector<RecordedRequest> kept;
  recent.CopyTo(kept);
  return kept;
}

TEST(RecentRequests, KeepsARequestWithTextsOfItsOwn) {
  RecentRequests recent;
  {
    const std::string route = "/v1/assert", method = "POST", agent(64, 'a'), peer = "192.0.2.1";
    recent.Offer({.route = route,
                  .method = method,
                  .body_bytes = 300,
                  .items = 2,
                  .loopback = true,
                  .is_signed = true,
                  .agent = agent,
                  .peer = peer},
                 42);
  }
  const auto kept = Kept(recent);
  ASSERT_EQ(kept.size(), 1u);
  const script::PolicyRequest view = kept[0].View();
  EXPECT_EQ(view.route, "/v1/assert");
  EXPECT_EQ(view.method, "POST");
  EXPECT_EQ(view.body_bytes, 300u);
  EXPECT_EQ(view.items, 2u);
  EXPECT_TRUE(view.loopback && view.is_signed);
  EXPECT_EQ(view.agent, std::string(64, 'a'));
  EXPECT_EQ(view.peer, "192.0.2.1");
  EXPECT_EQ(kept[0].asked_at_ms, 42);
}

TEST(RecentRequests, KeepsAllWhileThereIsRoomThenOneInSixteenOfEitherLook) {
  RecentRequests recent;
  size_t offered = 0;
  for (; offered < RecentRequests::kKeptMax; ++offered) recent.Offer({.body_bytes = offered}, 0);
  EXPECT_EQ(Kept(recent).size(), RecentRequests::kKeptMax);
  for (; offered < RecentRequests::kKeptMax * 17; ++offered) recent.Offer({.body_bytes = offered}, 0);
  const auto kept = Kept(recent);
  ASSERT_EQ(kept.size(), RecentRequests::kKeptMax);
  size_t even = 0, old = 0;
  for (const RecordedRequest& request : kept) {
    even += request.body_bytes % 2 == 0 ? 1 : 0;
    old += request.body_bytes < RecentRequests::kKeptMax ? 1 : 0;
  }
  EXPECT_EQ(old, 0u) << "sixteen times as many have come since";
  EXPECT_EQ(even, kept.size() / 2) << "first and second looks take turns";
  EXPECT_GE(kept.back().body_bytes, offered - 17);
}

}  // namespace
}  // namespace stemedb::deploy
