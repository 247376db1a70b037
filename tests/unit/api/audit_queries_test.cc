// SPDX-License-Identifier: Apache-2.0
// What comes into the trail of queries, however the question was answered, and what doesn't.
#include <chrono>
#include <thread>

#include "api_fixture.h"
#include "base/bytes.h"
#include "crypto/sha256.h"

namespace stemedb::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

script::ScriptFile Lens(const std::string& name, const std::string& body) {
  return {name + ".lua", "return { kind = 'lens', api = 1, name = '" + name +
                             "', version = '1', description = 'd', resolve = function(ctx, candidates)\n" +
                             body + "\nend }\n"};
}

const script::ScriptFile kQuick = Lens("quick", "return { winner = 1 }");
// For the claim "boom" longer than a loop gives it.
const script::ScriptFile kLong = Lens("long", R"lua(
  local sum = 0
  if candidates[1].source ~= "boom" then return { winner = 1 } end
  for i = 1, 8000000 do sum = (sum + i) % 1000003 end
  return { winner = 1, explain = tostring(sum) })lua");
const script::ScriptFile kFailing = Lens("failing", R"lua(
  if candidates[1].source == "boom" then error("no") end
  return { winner = 1 })lua");

class AuditQueries : public ApiTest {
 protected:
  void SetUp() override {
    Open();
    ASSERT_TRUE(Say(Claim("a", "p", Number(1))).status.ok());
    model::Assertion trap = Claim("trap", "p", Number(1));
    trap.source = model::Source{.id = "boom"};
    ASSERT_TRUE(Say(trap).status.ok());
    lane_options_.emplace();
    lane_engine_options_.call_ms_max = 400;
    with_trail_ = true;
  }
  // From this machine, and addressed to it.
  static std::string Local(const std::string& target, const std::string& fields = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n";
  }
  std::string Trail() {
    const Answer answer = Peer(port()).Ask(Local("/v1/audit/queries"));
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.body;
  }
  std::string Entry(int id) {
    const Answer answer = Peer(port()).Ask(Local("/v1/audit/query/" + std::to_string(id)));
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.body;
  }
};

TEST_F(AuditQueries, AQuestionOfALoopIsThere) {
  Serve({kQuick});
  EXPECT_EQ(Trail(), R"({"entries":[]})");
  const std::string asked =
      Get("/v1/query?concept_path=a&lens=quick", "X-Agent-Id: me\r\nX-Request-Id: r1\r\n");
  ASSERT_EQ(Peer(port()).Ask(asked).status, 200);
  EXPECT_THAT(Entry(1),
              AllOf(HasSubstr(R"("agent_id":"me","client":{"kind":"loopback","address":"127.0.0.1"})"),
                    HasSubstr(R"("request_id":"r1","endpoint":"query")"),
                    HasSubstr(R"("question":{"concept_path":"a","lens":"quick"})"),
                    HasSubstr(R"("lenses":[{"name":"quick","version":"1",)"),
                    HasSubstr(R"("status":"answered")"), HasSubstr(R"({"sequence":1,"role":"winner")")));
}

TEST_F(AuditQueries, AQuestionOfTheSlowLaneIsThereAsWell) {
  Serve({kLong, kQuick});
  Peer peer(port());
  const Answer answer = peer.Ask(Get("/v1/query?concept_path=trap&lens=long"));
  ASSERT_EQ(answer.status, 200);
  ASSERT_EQ(metrics_.domain().query_slow_lane_total.Value(), 1);
  const std::string digest = R"("answer":{"bytes":)" + std::to_string(answer.body.size()) + R"(,"sha256":")" +
                             ToHex(crypto::Sha256::Of(answer.body)) + "\"}";
  EXPECT_THAT(Entry(1),
              AllOf(HasSubstr(digest), HasSubstr(R"("question":{"concept_path":"trap","lens":"long"})"),
                    HasSubstr(R"({"sequence":2,"role":"winner","lens":"long")")));
  const Answer compared =
      peer.Ask(Post("/v1/lenses/compare", R"({"concept_path":"trap","lenses":["quick","long"]})"));
  ASSERT_EQ(compared.status, 200);
  EXPECT_THAT(Entry(2), AllOf(HasSubstr(R"("endpoint":"compare")"), HasSubstr(R"("lenses":["quick","long"])"),
                              HasSubstr(R"("resolutions_count":2)")));
}

TEST_F(AuditQueries, AFailureIsThereWithItsCode) {
  Serve({kFailing, kQuick});
  Peer peer(port());
  EXPECT_EQ(peer.Ask(Get("/v1/query?concept_path=trap&lens=failing")).status, 500);
  EXPECT_EQ(peer.Ask(Get("/v1/query?concept_path=trap&lens=none")).status, 404);
  EXPECT_EQ(peer.Ask(Get("/v1/query?concept_path=a&as_of=99")).status, 422);
  EXPECT_EQ(peer.Ask(Get("/v1/query?concept_path=trap&lens=failing&fallback=quick")).status, 200);
  EXPECT_THAT(Entry(1),
              AllOf(HasSubstr(R"("status":"failed","code":"lens_failed")"),
                    HasSubstr(R"("lenses":[{"name":"failing")"), HasSubstr(R"("contributions":[])")));
  EXPECT_THAT(Entry(2), AllOf(HasSubstr(R"("code":"unknown_lens")"), HasSubstr(R"("lens":"none")"),
                              HasSubstr(R"("lenses":[])")));
  EXPECT_THAT(Entry(3),
              AllOf(HasSubstr(R"("code":"as_of_in_future")"), Not(HasSubstr(R"("as_of":{"sequence")"))));
  EXPECT_THAT(Entry(4),
              AllOf(HasSubstr(R"("fell_back":true)"), HasSubstr(R"({"name":"failing")"),
                    HasSubstr(R"({"name":"quick")"), HasSubstr(R"("role":"winner","lens":"quick")")));
}

TEST_F(AuditQueries, AQuestionThatTheSlowLaneRefusesIsThere) {
  lane_options_->waited_ns_max = -1;
  Serve({kLong});
  ASSERT_EQ(Peer(port()).Ask(Get("/v1/query?concept_path=trap&lens=long")).status, 503);
  std::string out;
  trail_->AppendPage(out, {});  // the lane would refuse that as well
  EXPECT_THAT(out, HasSubstr(R"("status":"failed","code":"overloaded")"));
}

TEST_F(AuditQueries, WhatIsNoQuestionIsNotThere) {
  Serve({kQuick});
  Peer peer(port());
  EXPECT_EQ(peer.Ask(Get("/v1/query?lens=quick")).status, 400);
  EXPECT_EQ(peer.Ask(Post("/v1/query", "{")).status, 400);
  EXPECT_EQ(peer.Ask(Get("/v1/feed")).status, 200);
  EXPECT_EQ(peer.Ask(Get("/v1/lenses")).status, 200);
  EXPECT_EQ(Trail(), R"({"entries":[]})");
}

TEST_F(AuditQueries, WhatAWatcherIsToldIsThere) {
  Serve({kQuick});
  Peer watcher(port());
  watcher.Send(Get("/v1/watch?concept_path=a&lens=quick"));
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::string trail;
  do {
    trail = Trail();
  } while (trail.find("\"watch\"") == std::string::npos && std::chrono::steady_clock::now() < until);
  EXPECT_THAT(trail,
              AllOf(HasSubstr(R"("endpoint":"watch")"), HasSubstr(R"("concept_path":"a","lens":"quick")"),
                    HasSubstr(R"("sequence":1,"role":"winner")")));
}

TEST_F(AuditQueries, IsReadByOperatorsAlone) {
  Serve({kQuick});
  Peer peer(port());
  for (const char* target : {"/v1/audit/queries", "/v1/audit/query/1"}) {
    for (const char* fields : {"X-Forwarded-For: 192.0.2.1\r\n", "Forwarded: for=192.0.2.1\r\n",
                               "Origin: https://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n"}) {
      const Answer answer = peer.Ask(Local(target, fields));
      EXPECT_EQ(answer.status, 403) << target << " " << fields;
      EXPECT_THAT(answer.body, HasSubstr(R"("code":"forbidden")"));
    }
    EXPECT_EQ(peer.Ask(Get(target)).status, 403) << "Host: test";
  }
}

TEST_F(AuditQueries, IsOffWhenItIsOff) {
  with_trail_ = false;
  Serve({kQuick});
  Peer peer(port());
  ASSERT_EQ(peer.Ask(Get("/v1/query?concept_path=a&lens=quick")).status, 200);
  for (const char* target : {"/v1/audit/queries", "/v1/audit/query/1", "/v1/audit/query/1?replay=true"}) {
    const Answer answer = peer.Ask(Local(target));
    EXPECT_EQ(answer.status, 409) << target;
    EXPECT_THAT(answer.body, HasSubstr(R"("code":"audit_off")"));
  }
  const std::string id = peer.Ask(Get("/v1/query?concept_path=a")).body;
  const size_t at = id.find(R"("id":")") + 6;
  const Answer trace = peer.Ask(Get("/v1/trace/" + id.substr(at, 64)));
  EXPECT_EQ(trace.status, 200);
  EXPECT_THAT(trace.body, Not(HasSubstr("queried_by")));
}

TEST_F(AuditQueries, ADiskThatFailsHurtsNoQuestion) {
  Serve({kQuick});
  Peer peer(port());
  env_.Fail(env::Operation::kWrite, env::Failure::kDiskFull);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(peer.Ask(Get("/v1/query?concept_path=a&lens=quick")).status, 200);
  EXPECT_EQ(Trail(), R"({"entries":[]})");
  EXPECT_EQ(metrics_.AuditDropped("write_failed").Value(), 20);
  env_.Heal();
}

}  // namespace
}  // namespace stemedb::testing
