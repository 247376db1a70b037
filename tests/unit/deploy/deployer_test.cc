// SPDX-License-Identifier: Apache-2.0
// The scripts thread and its queue.
#include "deploy/deployer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "telemetry/log.h"

namespace stemedb::deploy {
namespace {

using Kind = Deployer::Kind;

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
    ASSERT_TRUE(
        deployer_->Post(Kind::kChange, [&order, i](Deployment&, const Status&) { order.push_back(i); }).ok());
  }
  ASSERT_TRUE(deployer_
                  ->Post(Kind::kChange,
                         [&last](Deployment&, const Status&) { last.set_value(std::this_thread::get_id()); })
                  .ok());
  deployer_->Start();
  EXPECT_NE(last.get_future().get(), std::this_thread::get_id());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST_F(DeployerTest, RefusesWhatIsTooMuchAndWhatComesTooLate) {
  std::vector<std::string> ended;
  const auto note = [&ended](Deployment&, const Status& ready) { ended.emplace_back(ready.reason()); };
  for (size_t i = 0; i < Deployer::kChangesMax; ++i) ASSERT_TRUE(deployer_->Post(Kind::kChange, note).ok());
  EXPECT_EQ(deployer_->Post(Kind::kChange, note).reason(), "overloaded");
  for (size_t i = 0; i < Deployer::kInquiriesMax; ++i)
    ASSERT_TRUE(deployer_->Post(Kind::kInquiry, note).ok()) << "each kind has its own bound";
  EXPECT_EQ(deployer_->Post(Kind::kInquiry, note).reason(), "overloaded");
  for (size_t i = 0; i < Deployer::kRollbacksMax; ++i)
    ASSERT_TRUE(deployer_->Post(Kind::kRollback, note).ok());
  EXPECT_EQ(deployer_->Post(Kind::kRollback, note).reason(), "overloaded");
  deployer_->Stop();
  const size_t all = Deployer::kRollbacksMax + Deployer::kChangesMax + Deployer::kInquiriesMax;
  EXPECT_EQ(ended, std::vector<std::string>(all, "shutting_down"));
  EXPECT_EQ(deployer_->Post(Kind::kChange, note).reason(), "shutting_down");
}

TEST_F(DeployerTest, AChangeGoesBeforeEveryInquiryThatWaitsAndARollbackBeforeBoth) {
  std::vector<std::string> order;
  std::promise<void> last;
  for (const char* name : {"first", "second"}) {
    ASSERT_TRUE(deployer_
                    ->Post(Kind::kInquiry,
                           [&order, &last, name](Deployment&, const Status&) {
                             order.emplace_back(name);
                             if (order.size() == 4) last.set_value();
                           })
                    .ok());
  }
  const auto change = [&order](Deployment&, const Status&) { order.emplace_back("change"); };
  ASSERT_TRUE(deployer_->Post(Kind::kChange, change).ok());
  const auto rollback = [&order](Deployment&, const Status&) { order.emplace_back("rollback"); };
  ASSERT_TRUE(deployer_->Post(Kind::kRollback, rollback).ok());
  deployer_->Start();
  last.get_future().wait();
  EXPECT_EQ(order, (std::vector<std::string>{"rollback", "change", "first", "second"}));
}

}  // namespace
}  // namespace stemedb::deploy
