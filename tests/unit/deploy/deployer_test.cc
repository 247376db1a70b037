// SPDX-License-Identifier: Apache-2.0
// The scripts thread and its queue.
#include "deploy/deployer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "telemetry/log.h"

namespace stemedb::deploy {
namespace {

class DeployerTest : public ::testing::Test {
 protected:
  DeployerTest() {
    telemetry::ConfigureLog({.level = telemetry::Level::kOff});
    DeploymentOptions options;
    options.directories = {STEMEDB_SOURCE_DIR "/lenses", ""};
    options.room = {nullptr, env::Clock::System(), &metrics_};
    auto deployment = Deployment::Open(std::move(options));
    EXPECT_TRUE(deployment) << deployment.error().message();
    deployer_ = std::make_unique<Deployer>(std::move(*deployment), 10);
  }
  ~DeployerTest() override {
    deployer_.reset();
    telemetry::ConfigureLog({});
  }

  telemetry::Metrics metrics_;
  std::unique_ptr<Deployer> deployer_;
};

TEST_F(DeployerTest, RunsTasksOnItsOwnThreadInTheirOrder) {
  std::vector<int> order;
  std::promise<std::thread::id> last;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(deployer_->Post([&order, i](Deployment&, const Status&) { order.push_back(i); }).ok());
  }
  ASSERT_TRUE(
      deployer_->Post([&last](Deployment&, const Status&) { last.set_value(std::this_thread::get_id()); })
          .ok());
  deployer_->Start();
  EXPECT_NE(last.get_future().get(), std::this_thread::get_id());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST_F(DeployerTest, RefusesWhatIsTooMuchAndWhatComesTooLate) {
  std::vector<std::string> ended;
  for (size_t i = 0; i < Deployer::kTasksMax; ++i) {
    ASSERT_TRUE(
        deployer_->Post([&ended](Deployment&, const Status& ready) { ended.emplace_back(ready.reason()); })
            .ok());
  }
  EXPECT_EQ(deployer_->Post([](Deployment&, const Status&) {}).reason(), "overloaded");
  deployer_->Stop();
  EXPECT_EQ(ended, std::vector<std::string>(Deployer::kTasksMax, "shutting_down"));
  EXPECT_EQ(deployer_->Post([](Deployment&, const Status&) {}).reason(), "shutting_down");
}

}  // namespace
}  // namespace stemedb::deploy
