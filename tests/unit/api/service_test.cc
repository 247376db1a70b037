// SPDX-License-Identifier: Apache-2.0
// What a loop does that nobody asks anything.
#include "api/service.h"

#include <chrono>
#include <memory>
#include <thread>

#include "api_fixture.h"

namespace stemedb::testing {
namespace {

script::ScriptFile Lens(const std::string& version) {
  return {"first.lua", "return { kind = 'lens', api = 1, name = 'first', version = '" + version +
                           "', description = 'd', resolve = function() return { winner = 1 } end }\n"};
}

const script::ScriptFile kPolicy{"rate_limit.lua", R"lua(
return { kind = "policy", api = 1, hook = "rate_limit", name = "rate_limit", version = "1", description = "d",
  limit = function() return nil end })lua"};

TEST_F(ApiTest, ALoopThatNobodyAsksLetsGoOfScriptsThatAreNoMoreLive) {
  Open();
  ASSERT_TRUE(Say(Claim("a", "p", Number(1))).status.ok());
  lane_options_.emplace();
  Serve({Lens("1")}, {kPolicy});
  ASSERT_EQ(Peer(port()).Ask(Get("/v1/query?concept_path=a&lens=first")).status, 200);
  deploy::Deployment& deployment = deployer_->deployment();
  const std::weak_ptr<const script::ScriptSet> old = deployment.live().Current();
  WriteAll("lenses", {Lens("2")});
  const auto report = deployment.Reload("first", deploy::Accept::kYes, {});
  ASSERT_TRUE(report) << report.error().message();
  ASSERT_EQ(report->outcome, deploy::Outcome::kOk) << report->why.message();
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!old.expired() && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(old.expired()) << "the lane looks once a second, the loop twice";
}

}  // namespace
}  // namespace stemedb::testing
