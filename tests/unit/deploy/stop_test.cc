// SPDX-License-Identifier: Apache-2.0
// A stop that comes while changed scripts are looked at: it comes soon, and nothing has happened.
#include <pthread.h>

#include <atomic>
#include <ctime>
#include <future>
#include <thread>

#include "deploy/deployer.h"
#include "deployment_fixture.h"

namespace stemedb::testing {
namespace {

using deploy::Accept;
using deploy::Deployer;
using deploy::Deployment;

int64_t CpuMs(clockid_t clock) {
  timespec time{};
  EXPECT_EQ(clock_gettime(clock, &time), 0);
  return static_cast<int64_t>(time.tv_sec) * 1000 + time.tv_nsec / 1'000'000;
}

class StopTest : public DeploymentTest {
 protected:
  // All cases of one spec. A case takes all the processor time that a call may, however fast the machine is.
  static constexpr int64_t kSpecMs = 16 * 50;

  StopTest() {
    deploy_options_.env = &env_;
    deploy_options_.state_directory = directory_.path() + "/scripts";
    auto opened = Deployment::Open(deploy_options_);
    EXPECT_TRUE(opened) << opened.error().message();
    deployer_ = std::make_unique<Deployer>(std::move(*opened), 60'000);
    EXPECT_TRUE(deployer_->deployment().Keep().ok());
  }
  ~StopTest() override { deployer_.reset(); }

  // A good version with a spec that holds.
  void WriteSlow(const std::string& name, const std::string& version) {
    WriteLens(name, version, "if candidates[1].value == 'slow' then while true do end end");
    Write(name + "_spec.lua",
          "local cases = {} for i = 1, 16 do cases[i] = { claim = 'it never ends', "
          "given = { { value = 'slow' } }, expect = { fails = 'stopped after' } } end return cases");
  }
  std::string State() const {
    std::string text;
    std::getline(std::ifstream(directory_.path() + "/scripts/state.json"), text, '\0');
    return text;
  }
  // Stops the scripts thread in the midst of `work`, by its processor time. How much of it `work` took in
  // all.
  int64_t StopAmid(const std::function<void(Deployment&)>& work) {
    std::promise<clockid_t> began;
    std::atomic<bool> is_done = false;
    int64_t took_ms = 0;
    EXPECT_TRUE(deployer_
                    ->Post(Deployer::Kind::kChange,
                           [&](Deployment& deployment, const Status&) {
                             clockid_t clock{};
                             EXPECT_EQ(pthread_getcpuclockid(pthread_self(), &clock), 0);
                             const int64_t from_ms = CpuMs(clock);
                             began.set_value(clock);
                             work(deployment);
                             took_ms = CpuMs(clock) - from_ms;
                             is_done = true;
                           })
                    .ok());
    std::string waiting;
    EXPECT_TRUE(deployer_
                    ->Post(Deployer::Kind::kChange,
                           [&](Deployment&, const Status& ready) { waiting = ready.reason(); })
                    .ok());
    deployer_->Start();
    const clockid_t clock = began.get_future().get();
    const int64_t until_ms = CpuMs(clock) + 100;
    while (!is_done && CpuMs(clock) < until_ms) std::this_thread::yield();
    deployer_->Stop();
    EXPECT_EQ(waiting, "shutting_down");
    return took_ms;
  }
  void ExpectNothingHasHappened(const std::string& state_before) {
    EXPECT_EQ(State(), state_before);
    EXPECT_EQ(deployer_->deployment().live().generation(), 1u);
    for (const std::string_view outcome : deploy::kOutcomeNames)
      EXPECT_EQ(Counted(std::string(outcome).c_str()), 0) << outcome;
  }

  std::unique_ptr<Deployer> deployer_;
};

TEST_F(StopTest, AReloadWhoseSpecIsRunningHasNotHappened) {
  const std::string before = State();
  ASSERT_FALSE(before.empty());
  WriteSlow("a", "2");
  std::string answer;
  StopAmid([&](Deployment& deployment) {
    const auto report = deployment.Reload("a", Accept::kNo, {});
    answer = report ? std::string(NameOf(report->outcome)) : std::string(report.error().reason());
  });
  EXPECT_EQ(answer, "shutting_down");
  ExpectNothingHasHappened(before);
}

TEST_F(StopTest, ASpecThatIsRunningIsCutOffBetweenTwoCases) {
  WriteSlow("a", "2");
  const int64_t took_ms =
      StopAmid([](Deployment& deployment) { static_cast<void>(deployment.Reload("a", Accept::kNo, {})); });
  EXPECT_LT(took_ms, kSpecMs) << "it was stopped after 100 ms of these";
}

TEST_F(StopTest, ARollbackWaitsForTheScriptThatIsUnderWayAndForNoOther) {
  constexpr int kScripts = 8;
  WriteLens("a", "2");
  ASSERT_EQ(deployer_->deployment().Reload("a", Accept::kNo, {})->outcome, deploy::Outcome::kOk);
  for (int i = 0; i < kScripts; ++i) WriteSlow("s" + std::to_string(i), "1");
  std::promise<clockid_t> began;
  std::atomic<bool> is_done = false;
  const auto work = [&](Deployment& deployment, const Status&) {
    clockid_t clock{};
    EXPECT_EQ(pthread_getcpuclockid(pthread_self(), &clock), 0);
    began.set_value(clock);
    deployment.Step();
    deployment.Step();
    is_done = true;
  };
  ASSERT_TRUE(deployer_->Post(Deployer::Kind::kChange, work).ok());
  deployer_->Start();
  const clockid_t clock = began.get_future().get();
  const int64_t until_ms = CpuMs(clock) + 100;
  while (!is_done && CpuMs(clock) < until_ms) std::this_thread::yield();
  ASSERT_FALSE(is_done) << "eight specs take longer than that";
  const int64_t posted_ms = CpuMs(clock);
  std::promise<int64_t> rolled_back;
  const auto roll_back = [&](Deployment& deployment, const Status&) {
    EXPECT_FALSE(is_done);
    EXPECT_TRUE(deployment.RollBack("a", std::nullopt, {}));
    rolled_back.set_value(CpuMs(clock));
  };
  ASSERT_TRUE(deployer_->Post(Deployer::Kind::kRollback, roll_back).ok());
  EXPECT_LT(rolled_back.get_future().get() - posted_ms, 3 * kSpecMs) << "of eight times that";
  const auto live = deployer_->deployment().live().Current();
  EXPECT_EQ(live->Get("a")->version, "1");
  deployer_->Stop();
}

TEST_F(StopTest, OfManyChangedScriptsOnlyTheOneUnderWayIsWaitedFor) {
  constexpr int kScripts = 20;
  const std::string before = State();
  for (int i = 0; i < kScripts; ++i) WriteSlow("s" + std::to_string(i), "1");
  const int64_t took_ms = StopAmid([](Deployment& deployment) {
    deployment.Step();
    deployment.Step();
  });
  EXPECT_GE(took_ms, 100) << "the second look is the one that takes them";
  EXPECT_LT(took_ms, kScripts * kSpecMs / 2);
  ExpectNothingHasHappened(before);
}

}  // namespace
}  // namespace stemedb::testing
