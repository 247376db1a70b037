// SPDX-License-Identifier: Apache-2.0
// Slow lenses and everybody else on the same loop. Turns are told apart by what is answered in between, not
// by time: the lens computes for some milliseconds, which is longer than the budget of a turn here.
#include "api/turn_queue.h"

#include <atomic>
#include <list>
#include <thread>

#include "api_fixture.h"

namespace stemedb::testing {
namespace {

const script::ScriptFile kSlow{"slow.lua", R"lua(
return {
  kind = "lens", api = 1, name = "slow", version = "1", description = "Computes for some milliseconds.",
  resolve = function(ctx, candidates)
    local sum = 0
    for i = 1, 3000000 do sum = sum + i % 7 end
    return { winner = 1, explain = tostring(sum) }
  end,
}
)lua"};

class Turns : public ApiTest {
 protected:
  void SetUp() override {
    Open();
    ASSERT_TRUE(Say(Claim("a", "p", Number(1))).status.ok());
    backend_.turns.turn_ns_max = 1'000'000;
  }
  static std::string Slow(int count = 1, const std::string& fields = "") {
    std::string all;
    for (int i = 0; i < count; ++i) all += Get("/v1/query?concept_path=a&lens=slow", fields);
    return all;
  }
  // As a proxy on this machine says for whom it asks.
  static std::string For(const std::string& address) { return "X-Forwarded-For: " + address + "\r\n"; }
  uint64_t lens_runs() {
    for (const auto& family : metrics_.Collect()) {
      if (family.name != "stemedb_lens_duration_seconds") continue;
      for (const auto& metric : family.metric)
        if (metric.label.front().value == "slow") return metric.histogram.sample_count;
    }
    return 0;
  }
};

TEST_F(Turns, CheapRequestsAreAnsweredBetweenTheQuestionsThatWait) {
  Serve({kSlow});
  constexpr int kQuestions = 50;
  Peer flood(port()), other(port());
  flood.Send(Slow(kQuestions));
  ASSERT_EQ(flood.Read().status, 200);
  std::atomic<bool> done{false};
  std::map<int, int> statuses;
  std::thread reader([&] {
    statuses = flood.ReadStatuses(kQuestions - 1);
    done = true;
  });
  int alive = 0;
  while (!done && other.Ask(Get("/livez")).status == 200) ++alive;
  reader.join();
  EXPECT_EQ(statuses[200], kQuestions - 1);
  EXPECT_GE(alive, kQuestions / 2);  // one in each turn, and a turn has room for one question
}

TEST_F(Turns, QuestionsWithoutALensDontWait) {
  Serve({kSlow});
  Peer flood(port()), other(port());
  flood.Send(Slow(30));
  ASSERT_EQ(flood.Read().status, 200);
  EXPECT_EQ(other.Ask(Get("/v1/query?concept_path=a")).status, 200);
  EXPECT_LT(lens_runs(), 25u);
}

TEST_F(Turns, ComparisonsWaitAsWell) {
  Serve({kSlow});
  Peer flood(port()), other(port());
  std::string all;
  for (int i = 0; i < 30; ++i) all += Post("/v1/lenses/compare", R"({"concept_path":"a","lenses":["slow"]})");
  flood.Send(all);
  ASSERT_EQ(flood.Read().status, 200);
  EXPECT_EQ(other.Ask(Get("/livez")).status, 200);
  EXPECT_LT(lens_runs(), 25u);
}

TEST_F(Turns, AFullQueueRefusesWithRetryAfter) {
  backend_.turns.waiting_max = 4;
  Serve({kSlow});
  Peer peer(port());
  peer.Send(Slow(20));
  std::map<int, int> statuses;
  for (int i = 0; i < 20; ++i) {
    const Answer answer = peer.Read();
    ++statuses[answer.status];
    if (answer.status == 503) {
      EXPECT_EQ(answer.fields.at("retry-after"), "1");
      EXPECT_THAT(answer.body, ::testing::HasSubstr("\"code\":\"overloaded\""));
    }
  }
  EXPECT_EQ(statuses[200], 5);  // one at once, four that waited
  EXPECT_EQ(statuses[503], 15);
}

TEST_F(Turns, AFloodKeepsAnotherClientWaitingForATurnAndNotForTheFlood) {
  Serve({kSlow});
  Peer flood(port()), other(port());
  flood.Send(Slow(60));
  ASSERT_EQ(flood.Read().status, 200);
  EXPECT_EQ(other.Ask(Slow()).status, 200);
  EXPECT_LT(lens_runs(), 30u);
}

TEST_F(Turns, AClientsTurnIsMeasuredInTimeAndNotInQuestions) {
  backend_.turns.client_ns_max = 3'600'000'000'000;
  Serve({kSlow});
  Peer first(port()), second(port());
  first.Send(Slow(12));
  ASSERT_EQ(first.Read().status, 200);
  EXPECT_EQ(second.Ask(Slow()).status, 200);
  EXPECT_EQ(lens_runs(), 13u) << "all of the first client's come before: together they took no hour";
}

TEST_F(Turns, AllConnectionsOfAnAddressAreOneClient) {
  Serve({kSlow});
  std::list<Peer> flood;
  for (int i = 0; i < 30; ++i) flood.emplace_back(port());
  Peer other(port());
  for (Peer& one : flood) one.Send(Slow(2, For("192.0.2.1")));
  ASSERT_EQ(flood.front().Read().status, 200);
  EXPECT_EQ(other.Ask(Slow(1, For("192.0.2.2"))).status, 200);
  EXPECT_LT(lens_runs(), 30u);
}

TEST_F(Turns, WhoSharesTheFloodsAddressDoesntWaitForItEither) {
  Serve({kSlow});
  Peer flood(port()), neighbour(port());
  flood.Send(Slow(60, For("192.0.2.1")));
  ASSERT_EQ(flood.Read().status, 200);
  EXPECT_EQ(neighbour.Ask(Slow(1, For("192.0.2.1"))).status, 200);
  EXPECT_LT(lens_runs(), 30u);
}

TEST_F(Turns, AFullQueueRefusesWhoFillsItAndNotWhoComes) {
  backend_.turns.waiting_max = 16;
  Serve({kSlow});
  Peer flood(port()), other(port());
  flood.Send(Slow(60));
  ASSERT_EQ(flood.Read().status, 200);
  other.Send(Slow(6));
  EXPECT_EQ(other.ReadStatuses(6)[200], 6);
  std::map<int, int> statuses = flood.ReadStatuses(59);
  EXPECT_GE(statuses[503], 59 - 16);
  EXPECT_EQ(statuses[200] + statuses[503], 59);
}

TEST_F(Turns, WhoWaitedTooLongIsRefusedUnrun) {
  backend_.turns.waited_ns_max = 1;
  Serve({kSlow});
  Peer peer(port());
  peer.Send(Slow(10));
  const auto statuses = peer.ReadStatuses(10);
  EXPECT_EQ(statuses.at(200), 1);
  EXPECT_EQ(statuses.at(503), 9);
  EXPECT_EQ(lens_runs(), 1u);
}

TEST_F(Turns, AreNotSpentOnPeersWhoHaveGone) {
  Serve({kSlow});
  Peer gone(port()), other(port());
  gone.Send(Slow(60));
  ASSERT_EQ(gone.Read().status, 200);
  gone.Reset();
  const uint64_t before = lens_runs();
  constexpr int kQuestions = 30;
  for (int i = 0; i < kQuestions; ++i) ASSERT_EQ(other.Ask(Slow()).status, 200);
  EXPECT_LE(lens_runs() - before, kQuestions + 5u) << "some of those who have gone, before the loop knows it";
}

TEST_F(Turns, AServerThatStopsAnswersThoseWhoWait) {
  Serve({kSlow});
  Peer peer(port());
  peer.Send(Slow(10));
  ASSERT_EQ(peer.Read().status, 200);
  server_->Drain();
  EXPECT_EQ(peer.ReadStatuses(9).at(200), 9);
}

}  // namespace
}  // namespace stemedb::testing
