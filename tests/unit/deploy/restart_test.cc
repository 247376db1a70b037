// SPDX-License-Identifier: Apache-2.0
// What a restart finds: what was rolled back stays out, and what there was to go back to is there.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "deployment_fixture.h"

namespace stemedb::testing {
namespace {

using deploy::Accept;
using deploy::Outcome;
using ::testing::HasSubstr;
using ::testing::Not;

class RestartTest : public DeploymentTest {
 protected:
  RestartTest() {
    deploy_options_.env = &env_;
    deploy_options_.state_directory = state_;
  }
  // As the deployer does.
  void Start() {
    Deploy();
    ASSERT_TRUE(deployment_->Keep().ok());
    TakeLog();
  }
  // A start whose log is wanted.
  std::string StartAndTell() {
    TakeLog();
    Deploy();
    EXPECT_TRUE(deployment_->Keep().ok());
    return TakeLog();
  }
  void GoIn(const std::string& version, const std::string& body = "") {
    WriteLens("a", version, body);
    TwoSteps();
    ASSERT_EQ(LiveVersion("a"), version);
  }
  void RollBack() {
    auto report = deployment_->RollBack("a", std::nullopt, {"127.0.0.1", "alice"});
    ASSERT_TRUE(report) << report.error().message();
    ASSERT_TRUE(report->why.ok()) << report->why.message();
  }
  std::string TextFile(const Hash256& sha256) const { return state_ + "/versions/" + ToHex(sha256) + ".lua"; }
  size_t LinesOfHeld(const std::string& detail) {
    std::string audit;
    EXPECT_TRUE(journal_->List(1000, {}, audit).ok());
    const std::string line =
        R"("peer":"server","action":"scripts.reload","subject":"a","result":"held","detail":")" + detail;
    size_t lines = 0;
    for (size_t at = 0; (at = audit.find(line, at)) != std::string::npos; ++at) ++lines;
    return lines;
  }
  size_t TextFiles() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(state_ + "/versions"), {}));
  }

  const std::string state_ = directory_.path() + "/scripts";
};

TEST_F(RestartTest, WhatWasRolledBackStaysOutUntilItsFileChanges) {
  Start();
  GoIn("2");
  RollBack();
  ASSERT_EQ(generation(), 3u);
  for (int starts = 0; starts < 2; ++starts) {
    EXPECT_THAT(StartAndTell(), AllOf(HasSubstr("a script's file is passed over"), HasSubstr("script=a"),
                                      HasSubstr("reload to take it as it is")));
    EXPECT_EQ(LiveVersion("a"), "1");
    EXPECT_EQ(generation(), 3u);
    EXPECT_THAT(Shown("a"), AllOf(HasSubstr(R"("pinned":true,"restored":true)"),
                                  HasSubstr(R"("last_result":{"result":"rolled_back")")));
    TwoSteps();
    EXPECT_EQ(LiveVersion("a"), "1");
  }
  SayTwo();
  EXPECT_THAT(AskText("a"), HasSubstr("it says 1"));
  GoIn("3");
  EXPECT_THAT(Shown("a"), HasSubstr(R"("pinned":false,"restored":false)"));
  EXPECT_THAT(StartAndTell(), Not(HasSubstr("passed over")));
  EXPECT_EQ(LiveVersion("a"), "3");
}

TEST_F(RestartTest, AReloadTakesThePinnedFileAfterARestartAsBefore) {
  Start();
  GoIn("2");
  RollBack();
  Start();
  EXPECT_EQ(deployment_->Reload("a", Accept::kNo, {})->outcome, Outcome::kOk);
  EXPECT_EQ(LiveVersion("a"), "2");
  Start();
  EXPECT_EQ(LiveVersion("a"), "2");
}

TEST_F(RestartTest, WhatWasRolledBackWhileItsFileWasUnreadableStaysOutToo) {
  Start();
  GoIn("2");
  const std::string path = lenses_ + "/a.lua", aside = lenses_ + "/a.aside";
  std::filesystem::rename(path, aside);
  std::filesystem::create_symlink("nowhere", path);
  TwoSteps();
  RollBack();
  ASSERT_EQ(LiveVersion("a"), "1");
  std::filesystem::rename(aside, path);
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "1") << "the text is the one that was rolled back from";
  Start();
  EXPECT_EQ(LiveVersion("a"), "1");
}

TEST_F(RestartTest, WhatTookItselfBackStaysOutToo) {
  Start();
  GoIn("2", "if #candidates == 2 and candidates[1].value == 1 then error('late') end");
  SayTwo();
  for (int i = 0; i < 5; ++i) AskText("a");
  deployment_->Step();
  ASSERT_EQ(LiveVersion("a"), "1");
  Start();
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_THAT(AskText("a"), HasSubstr("it says 1"));
}

TEST_F(RestartTest, YesterdaysVersionsCanBeGoneBackTo) {
  Start();
  const Hash256 first = ShaOf("a");
  for (const char* version : {"2", "3"}) GoIn(version);
  Start();
  std::string shown;
  ASSERT_TRUE(deployment_->AppendScript("a", {.source = false, .diff_from = first}, shown).ok());
  EXPECT_THAT(shown, HasSubstr("-local SAYS = '1'"));
  EXPECT_EQ(Parsed(shown)["versions"].get_array().value().size(), 3u);
  RollBack();
  EXPECT_EQ(LiveVersion("a"), "2");
  Start();
  RollBack();
  EXPECT_EQ(LiveVersion("a"), "1");
  SayTwo();
  EXPECT_THAT(AskText("a"), AllOf(HasSubstr("it says 1"), HasSubstr(R"("version":"1")")));
  EXPECT_EQ(deployment_->RollBack("a", std::nullopt, {}).error().reason(), "no_previous_version");
}

TEST_F(RestartTest, GenerationsGoOnAndTheirListIsThere) {
  Start();
  GoIn("2");
  RollBack();
  Start();
  EXPECT_EQ(metrics_.domain().script_generation.Value(), 3);
  const std::string before = ShownList();
  EXPECT_THAT(before, AllOf(HasSubstr(R"("cause":"rollback","peer":"127.0.0.1","actor":"alice")"),
                            HasSubstr(R"("cause":"file")"), HasSubstr(R"("cause":"start")")));
  EXPECT_EQ(Parsed(before)["generations"].get_array().value().size(), 3u);
  GoIn("3");
  EXPECT_EQ(generation(), 4u);
}

TEST_F(RestartTest, WhenNothingHasChangedAnswersAreTheSameToTheByte) {
  Start();
  GoIn("2");
  SayTwo();
  const std::string answer = AskText("a");
  Start();
  EXPECT_EQ(generation(), 2u);
  EXPECT_EQ(AskText("a"), answer);
}

TEST_F(RestartTest, WhatChangedMeanwhileIsTheNextGenerationAndIsWatched) {
  Start();
  WriteLens("a", "2", "if #candidates == 2 and candidates[1].value == 1 then error('late') end");
  WriteLens("c", "1");
  std::filesystem::remove(lenses_ + "/b.lua");
  Start();
  EXPECT_EQ(generation(), 2u);
  EXPECT_EQ(LiveVersion("a") + LiveVersion("b") + LiveVersion("c"), "2none1");
  const auto newest = Parsed(ShownList())["generations"].at(0);
  EXPECT_EQ(newest["changes"].get_array().value().size(), 3u);
  EXPECT_THAT(Shown("b"), AllOf(HasSubstr(R"("status":"removed")"), HasSubstr(R"("result":"removed")")));
  SayTwo();
  for (int i = 0; i < 5; ++i) AskText("a");
  deployment_->Step();
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_THAT(AskText("a"), HasSubstr("it says 1"));
}

TEST_F(RestartTest, WhatWaitsForAYesStillWaits) {
  deploy_options_.on_changes = deploy::OnChanges::kHold;
  Start();
  SayTwo();
  AskText("a");
  WriteLens("a", "2", "", "return { winner = #candidates, confidence = 0.5 }");
  TwoSteps();
  ASSERT_EQ(LiveVersion("a"), "1");
  Start();
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_THAT(Shown("a"), HasSubstr(R"("held":{"version":"2")"));
  // No question is known any more that would be answered otherwise.
  WriteLens("a", "2", "", "return { winner = #candidates, confidence = 0.5 }");
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "1") << "saved again, and nobody has said yes";
  EXPECT_EQ(deployment_->Reload("a", Accept::kNo, {})->outcome, Outcome::kHeld);
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_EQ(deployment_->Reload("a", Accept::kYes, {})->outcome, Outcome::kOk);
  EXPECT_EQ(LiveVersion("a"), "2");
}

TEST_F(RestartTest, WhatChangedMeanwhileWaitsForAYesWhereChangesDo) {
  deploy_options_.on_changes = deploy::OnChanges::kHold;
  Start();
  EXPECT_EQ(LiveVersion("a") + LiveVersion("b"), "11") << "nothing was live before";
  WriteLens("a", "2");
  WriteLens("c", "1");
  EXPECT_THAT(StartAndTell(), AllOf(HasSubstr("a script's file is passed over"), HasSubstr("script=a"),
                                    HasSubstr("it has changed while no server ran, and nothing was compared"),
                                    HasSubstr("a/reload {"), Not(HasSubstr("script=b")),
                                    Not(HasSubstr("script=c")), Not(HasSubstr("as before the start"))));
  EXPECT_EQ(Counted("held"), 1);
  EXPECT_EQ(LinesOfHeld("it has changed while no server ran"), 1u);
  EXPECT_EQ(LiveVersion("a") + LiveVersion("b") + LiveVersion("c"), "111");
  EXPECT_THAT(Shown("a"), AllOf(HasSubstr(R"("restored":true,"last_result":{"result":"held")"),
                                HasSubstr(R"("held":{"version":"2")"), HasSubstr(R"("compared":0)")));
  EXPECT_EQ(generation(), 2u) << "of c alone";
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "1");
  const std::string since = Shown("a").substr(Shown("a").find("since"), 40);
  clock_.AdvanceMs(60'000);
  EXPECT_THAT(StartAndTell(), HasSubstr("it waits for a yes, as before the start"));
  EXPECT_THAT(Shown("a"), HasSubstr(since));
  EXPECT_EQ(Counted("held"), 1) << "not anew";
  EXPECT_EQ(LinesOfHeld(""), 1u);
  EXPECT_EQ(generation(), 2u);
  const auto asked = deployment_->Reload("a", Accept::kNo, {});
  EXPECT_EQ(asked->outcome, Outcome::kHeld);
  EXPECT_THAT(std::string(asked->why.message()), HasSubstr("nothing was compared"));
  EXPECT_EQ(deployment_->Reload("a", Accept::kYes, {})->outcome, Outcome::kOk);
  EXPECT_THAT(StartAndTell(), Not(HasSubstr("passed over")));
  EXPECT_EQ(LiveVersion("a"), "2");
}

TEST_F(RestartTest, WhereChangesAreHeldWhatVanishesStaysAndWhatComesBackIsHeldOverStarts) {
  deploy_options_.on_changes = deploy::OnChanges::kHold;
  Start();
  const std::string path = lenses_ + "/a.lua";
  std::filesystem::remove(path);
  EXPECT_THAT(StartAndTell(),
              AllOf(HasSubstr("a script stays live without a file"), HasSubstr("script=a"),
                    HasSubstr("its file has gone while no server ran: its removal waits for a yes"),
                    HasSubstr("to let it go")));
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_THAT(Shown("a"), HasSubstr(R"("restored":true,"last_result":{"result":"held")"));
  EXPECT_EQ(generation(), 1u);
  for (int starts = 0; starts < 2; ++starts) {
    EXPECT_EQ(Counted("held"), 1);
    EXPECT_EQ(LinesOfHeld("its file has gone while no server ran"), 1u);
    EXPECT_THAT(StartAndTell(), HasSubstr("its removal waits for a yes, as before the start"));
    EXPECT_EQ(LiveVersion("a"), "1");
  }
  WriteLens("a", "2");
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "1") << "came back under a running server";
  EXPECT_THAT(Shown("a"), HasSubstr(R"("held":{"version":"2")"));
  std::filesystem::remove(path);
  TwoSteps();
  ASSERT_EQ(LiveVersion("a"), "1");
  ASSERT_TRUE(deployment_->Keep().ok());
  WriteLens("a", "3");
  EXPECT_THAT(StartAndTell(), HasSubstr("it has changed while no server ran"));
  EXPECT_EQ(LiveVersion("a"), "1") << "came back while none ran";
  WriteLens("a", "1");
  Start();
  EXPECT_THAT(Shown("a"), Not(HasSubstr("held")));
  EXPECT_EQ(generation(), 1u);
}

TEST_F(RestartTest, AYesToARemovalHoldsAndWithoutHoldingItNeedsNone) {
  deploy_options_.on_changes = deploy::OnChanges::kHold;
  Start();
  for (const char* name : {"a", "b"}) WriteLens(name, "1");
  WriteLens("c", "1");
  TwoSteps();
  for (const char* name : {"a", "b"}) std::filesystem::remove(lenses_ + "/" + name + ".lua");
  Start();
  EXPECT_EQ(LiveVersion("a") + LiveVersion("b"), "11");
  EXPECT_EQ(deployment_->Reload("a", Accept::kYes, {})->outcome, Outcome::kRemoved);
  Start();
  EXPECT_EQ(LiveVersion("a") + LiveVersion("b"), "none1");
  deploy_options_.on_changes = deploy::OnChanges::kGoIn;
  Start();
  EXPECT_EQ(LiveVersion("b") + LiveVersion("c"), "none1");
}

TEST_F(RestartTest, WhatWaitsInARolledBackTextsPlaceLeavesThatTextOut) {
  deploy_options_.on_changes = deploy::OnChanges::kHold;
  Start();
  WriteLens("a", "2");
  ASSERT_EQ(deployment_->Reload("a", Accept::kYes, {})->outcome, Outcome::kOk);
  RollBack();
  ASSERT_EQ(LiveVersion("a"), "1");
  const Hash256 first = ShaOf("a");
  WriteLens("a", "3");
  Start();
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_THAT(Shown("a"), HasSubstr(R"("held":{"version":"3")"));
  WriteLens("a", "2");
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_THAT(Shown("a"), AllOf(HasSubstr(R"("pinned":true)"), Not(HasSubstr("held\":{"))));
  WriteLens("a", "3");
  std::filesystem::remove(TextFile(first));
  EXPECT_THAT(StartAndTell(), HasSubstr("no kept version can stand in"));
  EXPECT_EQ(LiveVersion("a"), "3") << "and not the one that was rolled back from";
}

TEST_F(RestartTest, WhatLivesWithoutAFileGoesOnLiving) {
  Start();
  std::filesystem::remove(lenses_ + "/a.lua");
  TwoSteps();
  ASSERT_EQ(LiveVersion("a"), "none");
  Start();
  EXPECT_EQ(LiveVersion("a"), "none");
  RollBack();
  Start();
  EXPECT_EQ(LiveVersion("a"), "1");
  std::filesystem::remove(lenses_ + "/b.lua");
  Start();
  EXPECT_EQ(LiveVersion("b"), "none");
}

TEST_F(RestartTest, ADamagedStateIsSaidAndSetAsideAndKeepsNobodyFromStarting) {
  Start();
  GoIn("2");
  RollBack();
  const std::string path = state_ + "/state.json";
  std::string text;
  std::getline(std::ifstream(path), text, '\0');
  text[text.size() / 2] ^= 1;
  std::ofstream(path, std::ios::binary) << text;
  EXPECT_THAT(StartAndTell(), AllOf(HasSubstr("can't be used"), HasSubstr(path), HasSubstr("its SHA-256"),
                                    HasSubstr("set aside as"), HasSubstr("the damaged file was set aside")));
  EXPECT_EQ(LiveVersion("a"), "2") << "the file, as nothing else is known";
  EXPECT_EQ(generation(), 1u);
  EXPECT_TRUE(std::filesystem::exists(path + ".damaged"));
  EXPECT_THAT(StartAndTell(), Not(HasSubstr("can't be used")));
}

TEST_F(RestartTest, TextsWithoutTheirStateAreSaidAndWhatIsLostWithIt) {
  EXPECT_THAT(StartAndTell(), Not(HasSubstr("what was kept"))) << "a first start";
  GoIn("2");
  RollBack();
  const std::string path = state_ + "/state.json";
  std::filesystem::remove(path);
  EXPECT_THAT(StartAndTell(),
              AllOf(HasSubstr("what was kept of earlier versions is gone, but for their texts"),
                    HasSubstr("none is pinned"), HasSubstr("nothing to go back to"),
                    HasSubstr("generations begin at 1"), HasSubstr(path), HasSubstr("texts=3"),
                    HasSubstr("put the file back from a copy")));
  EXPECT_EQ(LiveVersion("a"), "2");
  EXPECT_EQ(generation(), 1u);
  EXPECT_THAT(StartAndTell(), Not(HasSubstr("what was kept")));
}

TEST_F(RestartTest, AFileInTheDirectorysPlaceIsSaidAsItIsAndNothingIsSetAside) {
  std::ofstream(state_) << "a file";
  TakeLog();
  Deploy();
  EXPECT_FALSE(deployment_->Keep().ok());
  EXPECT_THAT(TakeLog(),
              AllOf(HasSubstr("what is kept of scripts has no directory"), HasSubstr("is no directory"),
                    HasSubstr("move it away"), HasSubstr("can't be noted"), Not(HasSubstr("set aside"))));
  EXPECT_EQ(LiveVersion("a"), "1");
  std::filesystem::remove(state_);
  clock_.AdvanceMs(5'000);
  deployment_->Step();
  EXPECT_THAT(TakeLog(), AllOf(HasSubstr("is noted again"), Not(HasSubstr("set aside"))));
  GoIn("2");
  RollBack();
  Start();
  EXPECT_EQ(LiveVersion("a"), "1");
}

TEST_F(RestartTest, AFifoAmongWhatIsKeptHangsNoStartAndIsSaid) {
  Start();
  const Hash256 first = ShaOf("a");
  GoIn("2");
  std::filesystem::remove(TextFile(first));
  ASSERT_EQ(mkfifo(TextFile(first).c_str(), 0600), 0);
  EXPECT_THAT(StartAndTell(), AllOf(HasSubstr("a kept version is lost"), HasSubstr("is a FIFO, not a file")));
  EXPECT_EQ(deployment_->RollBack("a", std::nullopt, {}).error().reason(), "no_previous_version");
  const std::string path = state_ + "/state.json";
  std::filesystem::remove(path);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(StartAndTell(),
              AllOf(HasSubstr("can't be used"), HasSubstr("state.json: is a FIFO, not a file"),
                    HasSubstr("the damaged file was set aside"), HasSubstr("state.json.damaged")));
  EXPECT_TRUE(std::filesystem::is_fifo(path + ".damaged"));
  EXPECT_THAT(StartAndTell(), Not(HasSubstr("can't be used")));
}

TEST_F(RestartTest, ARollbackOutlivesTextsThatWereRemovedUnderTheServer) {
  Start();
  GoIn("2");
  std::filesystem::remove_all(state_ + "/versions");
  TakeLog();
  RollBack();
  EXPECT_THAT(TakeLog(),
              AllOf(HasSubstr("were gone from the disk and were written again"), HasSubstr("texts=3")));
  EXPECT_THAT(StartAndTell(), Not(HasSubstr("is lost")));
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_EQ(Parsed(Shown("a"))["versions"].get_array().value().size(), 2u);
}

TEST_F(RestartTest, WhenTheTextThatWasLiveIsLostTheNewestOtherOneStandsIn) {
  Start();
  const Hash256 first = ShaOf("a");
  for (const char* version : {"2", "3"}) GoIn(version);
  const Hash256 third = ShaOf("a");
  RollBack();
  const Hash256 second = ShaOf("a");
  std::ofstream(TextFile(second)) << "not what it was";
  EXPECT_THAT(StartAndTell(), AllOf(HasSubstr("a kept version is lost"), HasSubstr(TextFile(second)),
                                    HasSubstr("another one than its name")));
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_EQ(generation(), 5u);
  for (const Hash256& sha256 : {first, third}) std::filesystem::remove(TextFile(sha256));
  EXPECT_THAT(StartAndTell(), HasSubstr("no kept version can stand in"));
  EXPECT_EQ(LiveVersion("a"), "3");
}

TEST_F(RestartTest, ARollbackThatIsNotOnDiskSaysSoAndIsWrittenLater) {
  Start();
  GoIn("2");
  env_.Fail(env::Operation::kRename, env::Failure::kDiskFull);
  auto report = deployment_->RollBack("a", std::nullopt, {});
  ASSERT_TRUE(report);
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_THAT(std::string(report->why.message()), HasSubstr("the next start won't know of it"));
  TwoSteps();
  const std::string log = TakeLog();
  EXPECT_THAT(log, AllOf(HasSubstr("what is live can't be noted"), HasSubstr(state_)));
  EXPECT_EQ(log.find("can't be noted"), log.rfind("can't be noted"));  // said once
  env_.Heal();
  clock_.AdvanceMs(5'000);
  deployment_->Step();
  EXPECT_THAT(TakeLog(), HasSubstr("is noted again"));
  Start();
  EXPECT_EQ(LiveVersion("a"), "1");
}

TEST_F(RestartTest, TextsAreKeptAsLongAsTheirVersionsAreAndNoLonger) {
  Start();
  for (int version = 2; version < 30; ++version) {
    WriteLens("a", std::to_string(version));
    ASSERT_EQ(deployment_->Reload("a", Accept::kNo, {})->outcome, Outcome::kOk);
  }
  EXPECT_EQ(TextFiles(), deploy::kVersionsMax + 1);  // and the one of b
  Start();
  EXPECT_EQ(Parsed(Shown("a"))["versions"].get_array().value().size(), deploy::kVersionsMax);
  std::ofstream(TextFile(Hash256{})) << "left by a crash";
  std::ofstream(TextFile(Hash256{}) + ".new") << "likewise";
  Start();
  GoIn("30");
  EXPECT_EQ(TextFiles(), deploy::kVersionsMax + 1);
}

}  // namespace
}  // namespace stemedb::testing
