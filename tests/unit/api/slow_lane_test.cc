// SPDX-License-Identifier: Apache-2.0
// Questions that take long, over real sockets and one loop: they get their answers, and nobody else notices.
#include "api/slow_lane.h"

#include <atomic>
#include <chrono>
#include <list>
#include <thread>

#include "api_fixture.h"

namespace stemedb::testing {
namespace {

script::ScriptFile Lens(const std::string& name, const std::string& body) {
  return {name + ".lua", "return { kind = 'lens', api = 1, name = '" + name +
                             "', version = '1', description = 'd', resolve = function(ctx, candidates)\n" +
                             body + "\nend }\n"};
}

// Some 60 ms for the claim "boom". A loop gives it 10, and the lane here 400: there is room for other
// machines on both sides.
const script::ScriptFile kLong = Lens("long", R"lua(
  local sum = 0
  if candidates[1].source ~= "boom" then return { winner = 1 } end
  for i = 1, 8000000 do sum = (sum + i) % 1000003 end
  return { winner = 1, explain = tostring(sum) })lua");
const script::ScriptFile kEndless = Lens("endless", R"lua(
  while candidates[1].source == "boom" do pcall(function() while true do end end) end
  return { winner = 1 })lua");
const script::ScriptFile kQuick = Lens("quick", "return { winner = 1 }");

class SlowLaneOf : public ApiTest {
 protected:
  void SetUp() override {
    Open();
    ASSERT_TRUE(Say(Claim("a", "p", Number(1))).status.ok());
    model::Assertion trap = Claim("trap", "p", Number(1));
    trap.source = model::Source{.id = "boom"};
    ASSERT_TRUE(Say(trap).status.ok());
    lane_options_.emplace();
    lane_engine_options_.call_ms_max = 400;
  }
  // Until so many questions have come to the lane.
  void WaitForLane(int questions) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (handed_over() < questions && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    ASSERT_GE(handed_over(), questions);
  }
  static std::string Question(const std::string& path, const std::string& lens, int count = 1,
                              const std::string& fields = "") {
    std::string all;
    for (int i = 0; i < count; ++i) all += Get("/v1/query?concept_path=" + path + "&lens=" + lens, fields);
    return all;
  }
  // As a proxy on this machine says for whom it asks.
  static std::string For(const std::string& address) { return "X-Forwarded-For: " + address + "\r\n"; }
  double handed_over() { return metrics_.domain().query_slow_lane_total.Value(); }
  double kills() { return metrics_.Script("endless").budget_kills.Value(); }
};

TEST_F(SlowLaneOf, AQuestionThatTakesLongIsAnsweredAllTheSame) {
  Serve({kLong, kQuick});
  Peer peer(port());
  const Answer answer = peer.Ask(Question("trap", "long"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, ::testing::HasSubstr("\"explain\":\"276\""));
  EXPECT_EQ(handed_over(), 1);
  EXPECT_EQ(peer.Ask(Question("a", "quick")).status, 200);
  EXPECT_EQ(handed_over(), 1);
  const Answer compared =
      peer.Ask(Post("/v1/lenses/compare", R"({"concept_path":"trap","lenses":["quick","long"]})"));
  EXPECT_EQ(compared.status, 200);
  EXPECT_THAT(compared.body, ::testing::HasSubstr("\"explain\":\"276\""));
  EXPECT_EQ(handed_over(), 2);
}

TEST_F(SlowLaneOf, AnEndlessOneIsStoppedThereAndAFallbackAnswersThere) {
  Serve({kEndless, kQuick});
  Peer peer(port());
  const Answer failed = peer.Ask(Question("trap", "endless"));
  EXPECT_EQ(failed.status, 500);
  EXPECT_THAT(failed.body, ::testing::HasSubstr("endless.lua:3"));
  const Answer answer = peer.Ask(Question("trap", "endless&fallback=quick"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, ::testing::HasSubstr("fallback_from"));
  EXPECT_EQ(kills(), 2);
}

TEST_F(SlowLaneOf, EndlessQuestionsDontKeepTheirLoopsOtherOnesWaiting) {
  constexpr int kEndlessOnes = 6;
  Serve({kEndless, kQuick});
  Peer flood(port()), other(port());
  flood.Send(Question("trap", "endless", kEndlessOnes));
  // Once the loop has tried them all it is free while the lane works on the rest.
  ASSERT_NO_FATAL_FAILURE(WaitForLane(kEndlessOnes));
  std::atomic<bool> done{false};
  std::map<int, int> statuses;
  std::thread reader([&] {
    statuses = flood.ReadStatuses(kEndlessOnes);
    done = true;
  });
  int answered = 0;
  while (!done && other.Ask(Question("a", "quick")).status == 200) ++answered;
  reader.join();
  EXPECT_EQ(statuses[500] + statuses[503], kEndlessOnes);
  EXPECT_GT(answered, 20 * kEndlessOnes) << "many in the time of one endless one";
}

TEST_F(SlowLaneOf, LensesTakeTurns) {
  constexpr int kEndlessOnes = 6;
  Serve({kEndless, kLong});
  Peer flood(port()), other(port());
  flood.Send(Question("trap", "endless", kEndlessOnes));
  ASSERT_NO_FATAL_FAILURE(WaitForLane(kEndlessOnes));
  const double before = kills();
  EXPECT_EQ(other.Ask(Question("trap", "long")).status, 200);
  EXPECT_LE(kills() - before, 3) << "the one that is running, the next one, and the one behind it";
}

TEST_F(SlowLaneOf, ClientsTakeTurnsInThoseOfALens) {
  constexpr int kEndlessOnes = 6;
  Serve({kEndless});
  Peer flood(port()), other(port());
  flood.Send(Question("trap", "endless", kEndlessOnes));
  ASSERT_NO_FATAL_FAILURE(WaitForLane(kEndlessOnes));
  const double before = kills();
  EXPECT_EQ(other.Ask(Question("trap", "endless")).status, 500);
  EXPECT_LE(kills() - before, 4) << "the one that is running, the next one, its own, and the one behind it";
}

TEST_F(SlowLaneOf, AllConnectionsOfAnAddressAreOneClient) {
  constexpr int kEndlessOnes = 8;
  Serve({kEndless});
  std::list<Peer> flood;
  for (int i = 0; i < kEndlessOnes; ++i) flood.emplace_back(port());
  Peer other(port());
  for (Peer& one : flood) one.Send(Question("trap", "endless", 1, For("192.0.2.1")));
  ASSERT_NO_FATAL_FAILURE(WaitForLane(kEndlessOnes));
  const double before = kills();
  EXPECT_EQ(other.Ask(Question("trap", "endless", 1, For("192.0.2.2"))).status, 500);
  EXPECT_LE(kills() - before, 4) << "the one that is running, the next one, its own, and the one behind it";
}

TEST_F(SlowLaneOf, WhoFillsALensesPlacesIsRefusedAndNotWhoComes) {
  constexpr int kEndlessOnes = 8;
  lane_options_->waiting_of_lens_max = 4;
  Serve({kEndless});
  Peer flood(port()), other(port());
  flood.Send(Question("trap", "endless", kEndlessOnes));
  ASSERT_NO_FATAL_FAILURE(WaitForLane(kEndlessOnes));
  EXPECT_EQ(other.Ask(Question("trap", "endless")).status, 500) << "asked, and stopped by its time";
  std::map<int, int> statuses = flood.ReadStatuses(kEndlessOnes);
  EXPECT_GE(statuses[503], 3);
  EXPECT_EQ(statuses[500] + statuses[503], kEndlessOnes);
}

TEST_F(SlowLaneOf, WhoFillsTheLaneIsRefusedAndNotWhoComes) {
  constexpr int kEndlessOnes = 8;
  lane_options_->waiting_max = 4;
  Serve({kEndless, kLong});
  Peer flood(port()), other(port());
  flood.Send(Question("trap", "endless", kEndlessOnes));
  ASSERT_NO_FATAL_FAILURE(WaitForLane(kEndlessOnes));
  EXPECT_EQ(other.Ask(Question("trap", "long")).status, 200);
  std::map<int, int> statuses = flood.ReadStatuses(kEndlessOnes);
  EXPECT_GE(statuses[503], 3);
  EXPECT_EQ(statuses[500] + statuses[503], kEndlessOnes);
}

TEST_F(SlowLaneOf, WhatFindsNoRoomOrWaitsTooLongIsRefusedWithRetryAfter) {
  lane_options_->waiting_of_lens_max = 2;
  Serve({kEndless});
  Peer peer(port());
  peer.Send(Question("trap", "endless", 8));
  std::map<int, int> statuses;
  for (int i = 0; i < 8; ++i) {
    const Answer answer = peer.Read();
    ++statuses[answer.status];
    if (answer.status != 503) continue;
    EXPECT_EQ(answer.fields.at("retry-after"), "1");
    EXPECT_THAT(answer.body, ::testing::HasSubstr("\"code\":\"overloaded\""));
  }
  EXPECT_GE(statuses[503], 1);
  EXPECT_GE(statuses[500], 3);
  EXPECT_EQ(statuses[500] + statuses[503], 8);
}

TEST_F(SlowLaneOf, WhoWaitedTooLongIsRefusedUnrun) {
  lane_options_->waited_ns_max = -1;
  Serve({kEndless});
  Peer peer(port());
  const Answer answer = peer.Ask(Question("trap", "endless"));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(kills(), 0);
}

TEST_F(SlowLaneOf, IsNotSpentOnPeersWhoHaveGone) {
  constexpr int kEndlessOnes = 6;
  Serve({kEndless, kLong});
  Peer gone(port()), other(port());
  gone.Send(Question("trap", "endless", kEndlessOnes));
  ASSERT_NO_FATAL_FAILURE(WaitForLane(kEndlessOnes));
  gone.Reset();
  ASSERT_EQ(other.Ask(Question("trap", "long")).status, 200);
  const double before = kills();
  for (int i = 0; i < 3; ++i) ASSERT_EQ(other.Ask(Question("trap", "long")).status, 200);
  EXPECT_EQ(kills(), before);
}

TEST_F(SlowLaneOf, AStopRefusesWhatWaits) {
  Serve({kEndless});
  Peer peer(port());
  peer.Send(Question("trap", "endless", 10));
  ASSERT_NO_FATAL_FAILURE(WaitForLane(10));
  slow_lane_->Stop();
  std::map<int, int> statuses = peer.ReadStatuses(10);
  EXPECT_EQ(statuses[500] + statuses[503], 10);
  EXPECT_GE(statuses[503], 1);
  EXPECT_EQ(peer.Ask(Question("trap", "endless")).status, 503) << "and so is what comes later";
}

}  // namespace
}  // namespace stemedb::testing
