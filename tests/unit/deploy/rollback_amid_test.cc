// SPDX-License-Identifier: Apache-2.0
// An operator's rollback doesn't wait for all the files that are being judged, and isn't undone by them.
#include <gmock/gmock.h>

#include "deployment_fixture.h"

namespace stemedb::testing {
namespace {

using deploy::Accept;
using deploy::Outcome;
using ::testing::HasSubstr;

class RollbackAmid : public DeploymentTest {
 protected:
  // Version 2 of a is live, and there is something in the way of a's third one.
  void Begin() {
    Deploy();
    WriteLens("a", "2");
    TwoSteps();
    ASSERT_EQ(LiveVersion("a"), "2");
  }
  // Rolls back before the n-th script of the next transaction is judged.
  void RollBackBefore(int n, const std::string& name = "a") {
    deployment_->BetweenScripts([this, n, name, judged = 0]() mutable {
      if (++judged != n) return;
      const auto report = deployment_->RollBack(name, std::nullopt, {"127.0.0.1", "alice"});
      ASSERT_TRUE(report) << report.error().message();
      rolled_back_to_ = LiveVersion(name);
    });
  }

  std::string rolled_back_to_ = "nothing yet";
};

TEST_F(RollbackAmid, ItIsDoneBetweenTwoFilesAndWhatItsOwnFileSaysByThenIsPinned) {
  for (const int before : {1, 2, 3}) {  // a is judged first, so before and after its own turn
    Begin();
    RollBackBefore(before);
    WriteLens("a", "3");
    WriteLens("b", std::to_string(before + 1));
    WriteLens("c" + std::to_string(before), "1");
    TwoSteps();
    EXPECT_EQ(rolled_back_to_, "1") << before;
    EXPECT_EQ(LiveVersion("a"), "1") << before;
    EXPECT_EQ(LiveVersion("b"), std::to_string(before + 1)) << "nobody else is held back";
    EXPECT_EQ(LiveVersion("c" + std::to_string(before)), "1");
    EXPECT_THAT(Shown("a"), AllOf(HasSubstr(R"("pinned":true)"), HasSubstr(R"("result":"rolled_back")")));
    for (int i = 0; i < 4; ++i) deployment_->Step();
    EXPECT_EQ(LiveVersion("a"), "1") << "the file is the one that was there when it was rolled back";
    WriteLens("a", "4");
    TwoSteps();
    EXPECT_EQ(LiveVersion("a"), "4") << "and another text comes in";
    WriteLens("a", "1");
    TwoSteps();
  }
}

TEST_F(RollbackAmid, AFileThatIsGoneMeanwhileDoesNotTakeTheScriptWithIt) {
  Begin();
  RollBackBefore(2);
  std::filesystem::remove(lenses_ + "/a.lua");
  WriteLens("b", "2");
  TwoSteps();
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "1");
}

TEST_F(RollbackAmid, WhoAsksForTheFileByNameGetsIt) {
  deploy_options_.together = deploy::Together::kAllOrNone;
  for (const int before : {1, 2}) {
    Begin();
    Write("z.lua", "return {");  // refused: it is judged again with the next that is asked for
    TwoSteps();
    WriteLens("a", "3");
    RollBackBefore(before);
    Write("z.lua", Lens("z", "1"));
    const auto report = deployment_->Reload("a", Accept::kNo, {});
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(rolled_back_to_, "1");
    EXPECT_EQ(report->outcome, Outcome::kOk) << report->why.message();
    EXPECT_EQ(LiveVersion("a") + LiveVersion("z"), "31");
    std::filesystem::remove(lenses_ + "/z.lua");
    WriteLens("a", "1");
    TwoSteps();
  }
}

TEST_F(RollbackAmid, AScriptWhoseFileIsNotAmongThemIsRolledBackToo) {
  Begin();
  RollBackBefore(1);
  WriteLens("b", "2");
  TwoSteps();
  EXPECT_EQ(LiveVersion("a") + LiveVersion("b"), "12");
}

}  // namespace
}  // namespace stemedb::testing
