// SPDX-License-Identifier: Apache-2.0
// Deployment: what becomes of changed files.
#include "deploy/deployment.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "deploy/report_json.h"
#include "deployment_fixture.h"

namespace stemedb::testing {
namespace {

using deploy::Accept;
using deploy::Outcome;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(DeploymentTest, TakesAChangedFileAfterTwoLooks) {
  Deploy();
  SayTwo();
  EXPECT_THAT(AskText("a"), HasSubstr("it says 1"));
  WriteLens("a", "2");
  deployment_->Step();
  EXPECT_EQ(generation(), 1u);  // it may still be being written
  EXPECT_THAT(AskText("a"), HasSubstr("it says 1"));
  deployment_->Step();
  EXPECT_EQ(generation(), 2u);
  EXPECT_THAT(AskText("a"),
              AllOf(HasSubstr("it says 2"), HasSubstr(R"("version":"2")"), HasSubstr(R"("generation":2)")));
  TwoSteps();
  EXPECT_EQ(generation(), 2u);
  EXPECT_EQ(Counted("ok"), 1);
  EXPECT_EQ(metrics_.domain().script_generation.Value(), 2);
}

TEST_F(DeploymentTest, AFileThatKeepsChangingIsNotTakenUntilItRests) {
  Deploy();
  for (int version = 2; version < 6; ++version) {
    WriteLens("a", std::to_string(version));
    deployment_->Step();
  }
  EXPECT_EQ(generation(), 1u);
  deployment_->Step();
  EXPECT_EQ(LiveVersion("a"), "5");
}

TEST_F(DeploymentTest, AnswersKeepTheGenerationThatTheyBeganWith) {
  Deploy();
  SayTwo();
  const auto held = deployment_->live().Current();
  script::LensRunner runner(held, {});
  WriteLens("a", "2");
  TwoSteps();
  EXPECT_EQ(held->Get("a")->version, "1");
  EXPECT_EQ(runner.scripts().generation(), 1u);
  EXPECT_EQ(LiveVersion("a"), "2");
}

TEST_F(DeploymentTest, TwoFilesOfOneLookAreOneGeneration) {
  Deploy();
  WriteLens("a", "2");
  WriteLens("b", "2");
  TwoSteps();
  EXPECT_EQ(generation(), 2u);
  EXPECT_EQ(LiveVersion("a") + LiveVersion("b"), "22");
}

TEST_F(DeploymentTest, EachStageRefusesWithFileAndLineAndHoldsNobodyBack) {
  Deploy();
  const auto refuse = [&](const std::string& text, const char* result, const std::string& what) {
    const std::string next = std::to_string(generation() + 1);
    Write("a.lua", text);
    WriteLens("b", next);
    const double before = Counted(result);
    TwoSteps();
    EXPECT_EQ(LiveVersion("a"), "1") << text;
    EXPECT_EQ(LiveVersion("b"), next) << "held back by " << text;
    EXPECT_EQ(Counted(result), before + 1) << result;
    EXPECT_THAT(ErrorOf("a"), AllOf(HasSubstr(result), HasSubstr(what)));
    EXPECT_THAT(TakeLog(), HasSubstr(std::string("result=") + result));
  };
  refuse("return {\n}}", "failed_compile", "a.lua:2: ");
  refuse(Lens("a", "2").substr(0, 40), "failed_compile", "a.lua:");
  refuse("error('at load')", "failed_compile", "a.lua:1: at load");
  refuse(Lens("other", "2"), "failed_describe", "named like its file");
  refuse("return { kind = 'lens', api = 9, name = 'a' }", "failed_describe", "a.lua: ");
  refuse(Lens("a", "2", "error('thrown')"), "failed_check", "a.lua:3: thrown");
  refuse(Lens("a", "2", "if #candidates > 1000 then error('too many') end"), "failed_check", "too many");
  refuse(Lens("a", "2", "", "return { confidence = 0/0 }"), "failed_check", "a.lua");
  WriteSpec("a", "winner = 1, confidence = 0.5");
  refuse(Lens("a", "2", "", "return { winner = 1, confidence = 0.25 }"), "failed_spec",
         "'it wins': confidence");
  Write("a.lua", Lens("a", "3"));
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "3");
  EXPECT_EQ(ErrorOf("a"), "");
}

TEST_F(DeploymentTest, AChangedSpecIsRunAgainstWhatIsLive) {
  Deploy();
  WriteSpec("a", "winner = false");
  TwoSteps();
  EXPECT_THAT(ErrorOf("a"), HasSubstr("failed_spec: a_spec.lua: 'it wins': winner"));
  EXPECT_EQ(LiveVersion("a"), "1");
  WriteSpec("a", "winner = 1");
  TwoSteps();
  EXPECT_EQ(ErrorOf("a"), "");
  EXPECT_EQ(generation(), 1u);
  EXPECT_EQ(Counted("unchanged"), 1);
}

TEST_F(DeploymentTest, WhatIsNoFileIsRefusedAndNeverWaitedFor) {
  Deploy();
  std::filesystem::remove(lenses_ + "/a.lua");
  ASSERT_EQ(mkfifo((lenses_ + "/a.lua").c_str(), 0600), 0);
  std::filesystem::create_directory(lenses_ + "/dir.lua");
  std::filesystem::create_symlink("/dev/zero", lenses_ + "/zero.lua");
  Write("huge.lua", std::string(300 << 10, ' '));
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_THAT(ErrorOf("a"), HasSubstr("a FIFO, not a file"));
  EXPECT_THAT(ErrorOf("dir"), HasSubstr("a directory, not a file"));
  EXPECT_THAT(ErrorOf("zero"), HasSubstr("a device, not a file"));
  EXPECT_THAT(ErrorOf("huge"), HasSubstr("larger than 256 KiB"));
  EXPECT_EQ(generation(), 1u);
}

TEST_F(DeploymentTest, AStartRefusesWhatAReloadWouldAndAFifoDoesNotHangIt) {
  ASSERT_EQ(mkfifo((lenses_ + "/pipe.lua").c_str(), 0600), 0);
  auto opened = deploy::Deployment::Open(deploy_options_);
  ASSERT_FALSE(opened);
  EXPECT_THAT(std::string(opened.error().message()), HasSubstr("pipe.lua: is a FIFO"));
  std::filesystem::remove(lenses_ + "/pipe.lua");
  WriteSpec("a", "winner = false");
  opened = deploy::Deployment::Open(deploy_options_);
  ASSERT_FALSE(opened);
  EXPECT_THAT(std::string(opened.error().message()), HasSubstr("a_spec.lua: 'it wins'"));
}

TEST_F(DeploymentTest, AScriptComesAndGoesWithItsFileButTheLastLensStays) {
  Deploy();
  WriteLens("c", "1");
  TwoSteps();
  EXPECT_EQ(LiveVersion("c"), "1");
  for (const char* name : {"a", "c"}) std::filesystem::remove(lenses_ + "/" + name + ".lua");
  TwoSteps();
  EXPECT_EQ(LiveVersion("a") + LiveVersion("c"), "nonenone");
  EXPECT_EQ(Counted("removed"), 2);
  std::filesystem::remove(lenses_ + "/b.lua");
  TwoSteps();
  EXPECT_EQ(LiveVersion("b"), "1");
  EXPECT_THAT(ErrorOf("b"), HasSubstr("failed_removal"));
  WriteLens("a", "2");  // now it isn't the last one any more
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "2");
  EXPECT_EQ(LiveVersion("b"), "none");
}

TEST_F(DeploymentTest, AFileThatComesBackBetweenTwoLooksNeverLeft) {
  Deploy();
  std::filesystem::rename(lenses_ + "/a.lua", lenses_ + "/kept");
  deployment_->Step();
  std::filesystem::rename(lenses_ + "/kept", lenses_ + "/a.lua");
  TwoSteps();
  EXPECT_EQ(generation(), 1u);
  EXPECT_EQ(LiveVersion("a"), "1");
}

TEST_F(DeploymentTest, ADirectoryThatCannotBeReadChangesNothing) {
  Deploy();
  std::filesystem::rename(lenses_, lenses_ + ".away");
  for (int i = 0; i < 4; ++i) deployment_->Step();
  EXPECT_EQ(LiveVersion("a") + LiveVersion("b"), "11");
  const std::string log = TakeLog();
  EXPECT_THAT(log, HasSubstr("scripts can't be looked at"));
  EXPECT_EQ(log.find("can't be looked at"), log.rfind("can't be looked at"));  // said once
  std::filesystem::rename(lenses_ + ".away", lenses_);
  TwoSteps();
  EXPECT_EQ(generation(), 1u);
}

TEST_F(DeploymentTest, ASwappedLinkIsAChange) {
  const std::string releases = directory_.path() + "/releases";
  for (const char* version : {"1", "2"}) {
    std::filesystem::create_directories(releases + "/" + version);
    std::ofstream(releases + "/" + version + "/a.lua") << Lens("a", version);
  }
  std::filesystem::remove_all(lenses_);
  std::filesystem::create_directory_symlink(releases + "/1", lenses_);
  Deploy();
  std::filesystem::create_directory_symlink(releases + "/2", lenses_ + ".new");
  std::filesystem::rename(lenses_ + ".new", lenses_);
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "2");
}

TEST_F(DeploymentTest, ALinkThatLeadsNowhereOrRoundIsAFaultAndTakesNothingWithIt) {
  Deploy();
  TakeLog();
  std::filesystem::remove(lenses_ + "/a.lua");
  std::filesystem::create_symlink("/nonexistent", lenses_ + "/a.lua");
  std::filesystem::create_symlink("round.lua", lenses_ + "/round.lua");
  std::filesystem::create_symlink("/nonexistent", lenses_ + "/b_spec.lua");
  std::filesystem::create_symlink("/nonexistent", lenses_ + "/orphan_spec.lua");
  for (int i = 0; i < 4; ++i) deployment_->Step();
  EXPECT_EQ(LiveVersion("a") + LiveVersion("b"), "11");
  EXPECT_THAT(ErrorOf("a"),
              AllOf(HasSubstr("failed_read"), HasSubstr(lenses_ + "/a.lua: is a link that leads"),
                    HasSubstr("No such file"), HasSubstr("mend the link, or remove it")));
  EXPECT_THAT(ErrorOf("round"), HasSubstr("symbolic links"));
  EXPECT_THAT(ErrorOf("b"), HasSubstr("/b_spec.lua: is a link"));
  EXPECT_EQ(ErrorOf("orphan"), "unknown");
  const std::string log = TakeLog();
  EXPECT_THAT(log, HasSubstr("/a.lua: is a link"));
  EXPECT_EQ(log.find("/a.lua: is a link"), log.rfind("/a.lua: is a link"));  // said once
  EXPECT_EQ(deployment_->Reload("a", Accept::kNo, {})->outcome, Outcome::kFailedRead);
  std::ofstream(directory_.path() + "/target") << Lens("a", "2");
  std::filesystem::create_symlink(directory_.path() + "/target", lenses_ + "/a.new");
  std::filesystem::rename(lenses_ + "/a.new", lenses_ + "/a.lua");
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "2");
  auto opened = deploy::Deployment::Open(deploy_options_);  // a start refuses what a reload would
  ASSERT_FALSE(opened);
  EXPECT_THAT(std::string(opened.error().message()), HasSubstr("is a link that leads to no file"));
}

TEST_F(DeploymentTest, AScriptThatIsGoneIsShownAsRemovedAndOneThatNeverWentInAsRefused) {
  Deploy();
  Write("bad.lua", "return {");
  std::filesystem::remove(lenses_ + "/a.lua");
  TwoSteps();
  EXPECT_THAT(Shown("a"),
              AllOf(HasSubstr(R"("status":"removed","live":false)"), HasSubstr(R"("version":"1")")));
  EXPECT_THAT(Shown("b"), HasSubstr(R"("status":"live","live":true)"));
  EXPECT_THAT(Shown("bad"), HasSubstr(R"("status":"refused","live":false)"));
  std::filesystem::remove(lenses_ + "/bad.lua");  // it has no version to go back to
  TwoSteps();
  EXPECT_EQ(Shown("bad"), "unknown");
}

TEST_F(DeploymentTest, OfScriptsThatAreGoneTheOldestAreForgottenFirst) {
  Deploy();
  const size_t many = deploy::kNotLiveMax + 2;
  for (size_t i = 0; i < many; ++i) {
    const std::string name = "s" + std::to_string(1000 - i);  // the last ones are the first by name
    WriteLens(name, "1");
    ASSERT_EQ(deployment_->Reload(name, Accept::kNo, {})->outcome, Outcome::kOk);
    std::filesystem::remove(lenses_ + "/" + name + ".lua");
    clock_.AdvanceMs(1);
    ASSERT_EQ(deployment_->Reload(name, Accept::kNo, {})->outcome, Outcome::kRemoved);
  }
  EXPECT_EQ(Shown("s1000"), "unknown");
  EXPECT_EQ(Shown("s999"), "unknown");
  EXPECT_THAT(Shown("s998"), HasSubstr("removed"));
  EXPECT_THAT(Shown("s" + std::to_string(1000 - (many - 1))), HasSubstr("removed"));
}

TEST_F(DeploymentTest, AtomicAllGoInOrNone) {
  deploy_options_.together = deploy::Together::kAllOrNone;
  Deploy();
  WriteLens("a", "2");
  Write("b.lua", "return {");
  TwoSteps();
  EXPECT_EQ(LiveVersion("a") + LiveVersion("b"), "11");
  EXPECT_THAT(ErrorOf("a"), HasSubstr("failed_atomic"));
  EXPECT_THAT(ErrorOf("a"), HasSubstr("waits for b"));
  WriteLens("b", "2");  // a isn't touched again
  TwoSteps();
  EXPECT_EQ(LiveVersion("a") + LiveVersion("b"), "22");
  EXPECT_EQ(generation(), 2u);
}

TEST_F(DeploymentTest, ShadowRefusesWhatFailsOnARealQuestion) {
  Deploy();
  SayTwo();
  AskText("a");
  WriteLens("a", "2", "if #candidates == 2 and candidates[1].value == 1 then error('on a real one') end");
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_THAT(ErrorOf("a"),
              AllOf(HasSubstr("failed_shadow"), HasSubstr("1 of 1"), HasSubstr("a.lua:3: on a real one")));
  EXPECT_EQ(Counted("failed_shadow"), 1);
}

TEST_F(DeploymentTest, ShadowReportsWhatWouldChange) {
  Deploy();
  SayTwo();
  for (int i = 0; i < 3; ++i) AskText("a");
  const auto same = deployment_->Shadow("a", std::nullopt, {});
  ASSERT_TRUE(same) << same.error().message();
  EXPECT_EQ(same->compared, 3u);
  EXPECT_EQ(same->changed + same->reworded + same->failed, 0u);
  const auto worded = deployment_->Shadow("a", Lens("a", "other words"), {});
  EXPECT_EQ(worded->reworded, 3u);
  EXPECT_EQ(worded->changed, 0u);
  SayAll({Claim("c", "p", Number(3))});  // what came later is no part of it
  const auto changed =
      deployment_->Shadow("a", Lens("a", "2", "", "return { winner = #candidates, confidence = 0.5 }"), {});
  EXPECT_EQ(changed->changed, 3u);
  ASSERT_EQ(changed->examples.size(), 3u);
  EXPECT_EQ(changed->examples[0].before.value_json, "1");
  EXPECT_EQ(changed->examples[0].after.value_json, "2");
  EXPECT_EQ(changed->examples[0].difference, "value");
  EXPECT_EQ(changed->examples[0].sequence, 2u);
  EXPECT_EQ(generation(), 1u);
  EXPECT_EQ(deployment_->Shadow("nobody", std::nullopt, {}).error().reason(), "unknown_script");
  EXPECT_EQ(deployment_->Shadow("a", "return {", {}).error().reason(), "script_invalid");
}

TEST_F(DeploymentTest, AShadowIsNoCallOfTheLiveScript) {
  Deploy();
  SayTwo();
  AskText("a");
  ASSERT_TRUE(deployment_->Shadow("a", Lens("a", "2"), {}));
  EXPECT_EQ(deployment_->live().Current()->Get("a")->counts->calls.load(), 1u);
}

TEST_F(DeploymentTest, ChangedAnswersWaitForAYesWhenSetSo) {
  deploy_options_.on_changes = deploy::OnChanges::kHold;
  Deploy();
  SayTwo();
  AskText("a");
  WriteLens("a", "words");
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "words");  // another explanation is no other answer
  WriteLens("a", "2", "", "return { winner = #candidates, confidence = 0.5 }");
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "words");
  EXPECT_EQ(Counted("held"), 1);
  std::string shown;
  ASSERT_TRUE(deployment_->AppendScript("a", {}, shown).ok());
  EXPECT_THAT(shown, AllOf(HasSubstr(R"("held":{"version":"2")"), HasSubstr(R"("changed":1)")));
  // Another text than the one that waits: the yes isn't for it.
  WriteLens("a", "3", "", "return { winner = #candidates, confidence = 0.75 }");
  const auto other = deployment_->Reload("a", Accept::kYes, {});
  EXPECT_EQ(other->outcome, Outcome::kHeld);
  const auto accepted = deployment_->Reload("a", Accept::kYes, {});
  EXPECT_EQ(accepted->outcome, Outcome::kOk) << accepted->why.message();
  EXPECT_EQ(LiveVersion("a"), "3");
}

TEST_F(DeploymentTest, RollBackPutsTheVersionBeforeBackAndPinsIt) {
  Deploy();
  SayTwo();
  const Hash256 first = ShaOf("a");
  for (const char* version : {"2", "3"}) {
    WriteLens("a", version);
    TwoSteps();
  }
  auto report = deployment_->RollBack("a", std::nullopt, {"127.0.0.1", "alice"});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(LiveVersion("a"), "2");
  EXPECT_EQ(report->generation, 4u);
  EXPECT_THAT(AskText("a"), HasSubstr("it says 2"));
  TwoSteps();  // the file says 3 still
  std::filesystem::last_write_time(lenses_ + "/a.lua", std::filesystem::file_time_type::clock::now());
  TwoSteps();  // and touching it doesn't change what it says
  EXPECT_EQ(LiveVersion("a"), "2");
  ASSERT_TRUE(deployment_->RollBack("a", std::nullopt, {}));
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_EQ(deployment_->RollBack("a", std::nullopt, {}).error().reason(), "no_previous_version");
  EXPECT_EQ(deployment_->RollBack("a", first, {}).error().reason(), "already_live");
  EXPECT_EQ(deployment_->RollBack("a", Hash256{}, {}).error().reason(), "unknown_version");
  EXPECT_EQ(deployment_->RollBack("nobody", std::nullopt, {}).error().reason(), "unknown_script");
  WriteLens("a", "4");
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "4");
  ASSERT_TRUE(deployment_->RollBack("a", std::nullopt, {}));
  EXPECT_EQ(LiveVersion("a"), "1") << "what was live before, and not what was rolled back from before that";
  std::string audit;
  ASSERT_TRUE(journal_->List(100, {}, audit).ok());
  EXPECT_THAT(audit, AllOf(HasSubstr(R"("peer":"127.0.0.1","actor":"alice","action":"scripts.rollback")"),
                           HasSubstr("no_previous_version"), HasSubstr(R"("peer":"file")")));
}

TEST_F(DeploymentTest, ReloadTakesAPinnedFileAgain) {
  Deploy();
  WriteLens("a", "2");
  TwoSteps();
  ASSERT_TRUE(deployment_->RollBack("a", std::nullopt, {}));
  const auto report = deployment_->Reload("a", Accept::kNo, {});
  EXPECT_EQ(report->outcome, Outcome::kOk);
  EXPECT_EQ(LiveVersion("a"), "2");
  EXPECT_EQ(deployment_->Reload("a", Accept::kNo, {})->outcome, Outcome::kUnchanged);
  EXPECT_EQ(deployment_->Reload("nobody", Accept::kNo, {}).error().reason(), "unknown_script");
  Write("a.lua", "return {");
  EXPECT_EQ(deployment_->Reload("a", Accept::kNo, {})->outcome, Outcome::kFailedCompile);
}

TEST_F(DeploymentTest, AScriptThatIsGoneCanBeRolledBackIn) {
  Deploy();
  std::filesystem::remove(lenses_ + "/a.lua");
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "none");
  ASSERT_TRUE(deployment_->RollBack("a", std::nullopt, {}));
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "1");
}

// Fails on what no shadow has seen: the questions come after the swap.
constexpr char kFailsOnTwo[] = "if #candidates == 2 and candidates[1].value == 1 then error('late') end";

TEST_F(DeploymentTest, AVersionThatFailsTooOftenIsTakenBackByItself) {
  Deploy();
  WriteLens("a", "2", kFailsOnTwo);
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "2");
  SayTwo();
  for (int i = 0; i < 4; ++i) EXPECT_THAT(AskText("a"), HasSubstr("a.lua:3: late"));
  deployment_->Step();
  EXPECT_EQ(LiveVersion("a"), "2");  // four failures may be chance
  AskText("a");
  deployment_->Step();
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_THAT(AskText("a"), HasSubstr("it says 1"));
  EXPECT_EQ(Counted("auto_rolled_back"), 1);
  EXPECT_EQ(metrics_.Script("a").errors.Value(), 5);
  EXPECT_THAT(ErrorOf("a"), HasSubstr("auto_rolled_back: a.lua: 5 of 5 calls failed"));
  EXPECT_THAT(TakeLog(), HasSubstr("failed too often"));
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "1");
}

TEST_F(DeploymentTest, AFewFailuresAmongManyCallsAreNoReason) {
  Deploy();
  WriteLens("a", "2", kFailsOnTwo);
  TwoSteps();
  query::Question other = Ask("d", "a");
  SayAll({Claim("d", "p", Number(9))});
  for (int i = 0; i < 60; ++i) Answer(other);
  SayTwo();
  for (int i = 0; i < 6; ++i) AskText("a");  // 6 of 66
  deployment_->Step();
  EXPECT_EQ(LiveVersion("a"), "2");
  for (int i = 0; i < 3; ++i) AskText("a");  // 9 of 69
  clock_.AdvanceMs(61'000);
  deployment_->Step();
  EXPECT_EQ(LiveVersion("a"), "1");  // the last look is at the end of the minute
}

TEST_F(DeploymentTest, AfterAMinuteAFailureIsAFailureAndNothingMore) {
  Deploy();
  WriteLens("a", "2", kFailsOnTwo);
  TwoSteps();
  clock_.AdvanceMs(61'000);
  deployment_->Step();
  SayTwo();
  for (int i = 0; i < 20; ++i) AskText("a");
  deployment_->Step();
  EXPECT_EQ(LiveVersion("a"), "2");
}

TEST_F(DeploymentTest, TriesADraftOnLiveDataAndLeavesNoTrace) {
  Deploy();
  SayTwo();
  std::string out;
  query::Question question = Ask("c");
  question.predicate = "p";
  const std::string draft = Lens("draft", "0", "", "return { winner = #candidates, explain = 'tried' }");
  ASSERT_TRUE(deployment_->Try(draft, "mine.lua", question, out, {}).ok());
  EXPECT_THAT(out, AllOf(HasSubstr(R"("name":"draft","version":"0")"),
                         HasSubstr(R"("generation":null,"deployed":false)"), HasSubstr("tried")));
  EXPECT_EQ(LiveVersion("draft"), "none");
  EXPECT_THAT(std::string(deployment_->Try("return {", "mine.lua", question, out, {}).message()),
              HasSubstr("mine.lua:1: "));
  EXPECT_EQ(deployment_->Try(Lens("a", "9", "error('in a draft')"), "mine.lua", question, out, {}).reason(),
            "lens_failed");
  question.lens = "other";
  EXPECT_EQ(deployment_->Try(draft, "mine.lua", question, out, {}).reason(), "invalid_request");
}

TEST_F(DeploymentTest, ListsWhatIsLiveWhatWasAndWhatWentWrong) {
  Deploy();
  const Hash256 first = ShaOf("a");
  WriteLens("a", "2");
  Write("broken.lua", "return {");
  TwoSteps();
  std::string out;
  deployment_->AppendList(out);
  EXPECT_THAT(out, AllOf(HasSubstr(R"("generation":2)"),
                         HasSubstr(R"("name":"broken","status":"refused","live":false)"),
                         HasSubstr(R"("stage":"failed_compile","file":"broken.lua","line":1)"),
                         HasSubstr(R"("cause":"file")"), HasSubstr(R"("cause":"start")")));
  std::string one;
  ASSERT_TRUE(deployment_->AppendScript("a", {.source = true, .diff_from = first}, one).ok());
  const auto root = Parsed(one);
  EXPECT_EQ(root["versions"].get_array().value().size(), 2u);
  EXPECT_EQ(std::string(root["source"].get_string().value()), Lens("a", "2"));
  EXPECT_THAT(std::string(root["diff"].get_string().value()),
              AllOf(HasSubstr("-local SAYS = '1'\n"), HasSubstr("+local SAYS = '2'\n")));
  EXPECT_EQ(deployment_->AppendScript("a", {.source = false, .diff_from = Hash256{}}, one).reason(),
            "unknown_version");
}

TEST_F(DeploymentTest, KeepsSixteenVersionsAndThirtyTwoGenerations) {
  Deploy();
  for (int version = 2; version < 50; ++version) {
    WriteLens("a", std::to_string(version));
    ASSERT_EQ(deployment_->Reload("a", Accept::kNo, {})->outcome, Outcome::kOk);
  }
  std::string out;
  ASSERT_TRUE(deployment_->AppendScript("a", {}, out).ok());
  EXPECT_EQ(Parsed(out)["versions"].get_array().value().size(), 16u);
  out.clear();
  deployment_->AppendList(out);
  EXPECT_EQ(Parsed(out)["generations"].get_array().value().size(), 32u);
}

TEST_F(DeploymentTest, APolicyBelongsToItsOwnDirectoryAndNamesAreUniqueOverBoth) {
  std::filesystem::create_directory(policies_);
  std::ofstream(policies_ + "/README.md") << "no script";
  Deploy();
  std::ofstream(policies_ + "/stray.lua") << Lens("stray", "1");
  std::ofstream(policies_ + "/a.lua") << Lens("a", "9");
  TwoSteps();
  EXPECT_EQ(LiveVersion("stray"), "none");
  EXPECT_THAT(ErrorOf("stray"), HasSubstr("its directory is for kind 'policy'"));
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_THAT(ErrorOf("a"), HasSubstr("unique over both"));
}

TEST_F(DeploymentTest, StatesOfUnchangedScriptsStayWarmOverASwap) {
  Write("b.lua",
        "local kept = 0\n" +
            // The self-check, which asks everything twice, has no such claims.
            Lens("b", "1",
                 "if #candidates == 2 and candidates[1].value_kind == 'number' then kept = kept + 1 end",
                 "return { winner = 1, explain = 'call ' .. kept }"));
  Deploy();
  SayTwo();
  EXPECT_THAT(AskText("b"), HasSubstr("call 1"));
  WriteLens("a", "2");
  TwoSteps();
  ASSERT_EQ(generation(), 2u);
  EXPECT_THAT(AskText("b"), AllOf(HasSubstr("call 2"), HasSubstr(R"("generation":1)")));
}

TEST_F(DeploymentTest, AReloadOfAnotherLensLeavesARepeatedAnswerAsItWasToTheByte) {
  Deploy();
  SayTwo();
  query::Question question = Ask("c", "b");
  question.predicate = "p";
  question.as_of = query::Moment{.sequence = 2, .time_ms = kTestNow};
  clock_.AdvanceMs(5000);  // the moment is over
  Answer(question);
  const std::string first = answer_;
  WriteLens("a", "2");
  TwoSteps();
  ASSERT_EQ(generation(), 2u);
  clock_.AdvanceMs(5000);
  Answer(question);
  EXPECT_EQ(answer_, first);
  WriteLens("b", "2");
  TwoSteps();
  Answer(question);
  EXPECT_THAT(answer_, HasSubstr(R"("generation":3)"));
}

TEST_F(DeploymentTest, TwoBadVersionsShortlyAfterEachOtherGoBackToTheOneBeforeBoth) {
  Deploy();
  for (const char* version : {"2", "3"}) {
    WriteLens("a", version, kFailsOnTwo);
    TwoSteps();
    ASSERT_EQ(LiveVersion("a"), version);
  }
  SayTwo();
  for (int i = 0; i < 5; ++i) AskText("a");
  deployment_->Step();
  EXPECT_EQ(LiveVersion("a"), "1");
}

TEST_F(DeploymentTest, AVersionThatCameThroughItsMinuteIsGoneBackTo) {
  Deploy();
  WriteLens("a", "2");
  TwoSteps();
  clock_.AdvanceMs(61'000);
  deployment_->Step();
  WriteLens("a", "3", kFailsOnTwo);
  TwoSteps();
  SayTwo();
  for (int i = 0; i < 5; ++i) AskText("a");
  deployment_->Step();
  EXPECT_EQ(LiveVersion("a"), "2");
}

TEST_F(DeploymentTest, WhatIsPutBackIsWatchedUnlessItHasComeThroughBefore) {
  Deploy();
  WriteLens("a", "2", kFailsOnTwo);
  TwoSteps();
  WriteLens("a", "3");
  TwoSteps();
  ASSERT_TRUE(deployment_->RollBack("a", std::nullopt, {}));
  ASSERT_EQ(LiveVersion("a"), "2");
  SayTwo();
  for (int i = 0; i < 5; ++i) AskText("a");
  deployment_->Step();
  EXPECT_EQ(LiveVersion("a"), "1");
}

TEST_F(DeploymentTest, AVersionThatLetsEveryWideQuestionRunOutOfTimeIsTakenBack) {
  engine_options_.script_seconds_max = 1e-9;  // whatever the lens: three pairs are too many
  Deploy();
  WriteLens("a", "2");
  TwoSteps();
  SayAll({Claim("w/1", "p", Number(1)), Claim("w/2", "p", Number(2)), Claim("w/3", "p", Number(3))});
  query::Question wide = Ask("w", "a");
  wide.subtree = true;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Refusal(wide).reason(), "query_timeout");
  deployment_->Step();
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_THAT(ErrorOf("a"), HasSubstr("5 of 5 calls failed"));
}

// Shadows of one question over `pairs` pairs, which the live version answers.
class WideShadow : public DeploymentTest {
 protected:
  void AskWide(int pairs) {
    std::vector<model::Assertion> claims;
    for (int i = 0; i < pairs; ++i) claims.push_back(Claim("w/" + std::to_string(i), "p", Number(i)));
    ASSERT_TRUE(testing::Write(*store_, PrepareAll(claims)).status.ok());
    query::Question wide = Ask("w", "a");
    wide.subtree = true;
    wide.limit = 0;
    Answer(wide);
  }
  static constexpr char kSlow[] = "local x = 0 for i = 1, 2e6 do x = x + i end";
};

TEST_F(WideShadow, AQuestionThatTheNewVersionCannotAnswerInTimeHasFailed) {
  // So that even on a slow machine the question's own time ends first.
  deploy_options_.shadow_seconds_max = 60;
  Deploy();
  AskWide(600);
  const auto report = deployment_->Shadow("a", Lens("a", "2", kSlow), {});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->failed, 1u);
  EXPECT_THAT(report->first_failure, HasSubstr("took longer than 500 ms"));
}

TEST_F(WideShadow, EndsAmidAQuestionWhenItsTimeIsUpAndCallsThatNoFailure) {
  deploy_options_.shadow_seconds_max = 0.05;
  Deploy();
  AskWide(600);
  const auto report = deployment_->Shadow("a", Lens("a", "2", kSlow), {});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->compared + report->failed, 0u);
  EXPECT_EQ(report->not_compared, 1u);
}

TEST_F(WideShadow, ManyChangedLensesShareOneTimeAndWhatWasCutSaysSo) {
  deploy_options_.shadow_seconds_max = 60;
  deploy_options_.transaction_shadow_seconds_max = 0.3;
  Deploy();
  AskWide(600);
  query::Question wide = Ask("w", "b");
  wide.subtree = true;
  wide.limit = 0;
  Answer(wide);
  for (const char* name : {"a", "b"}) WriteLens(name, "2", kSlow);
  const auto report = deployment_->Reload("a", Accept::kNo, {});
  ASSERT_TRUE(report) << report.error().message();
  std::string shown;
  deploy::AppendReport(shown, *report);
  EXPECT_THAT(shown, AllOf(HasSubstr(R"("not_compared":1)"), HasSubstr(R"("cut":true)")));
  EXPECT_GT(report->shadow.seconds, 0.25);
  for (const char* name : {"a", "b"}) WriteLens(name, "3", kSlow);
  TakeLog();
  TwoSteps();
  EXPECT_EQ(LiveVersion("a") + LiveVersion("b"), "33");
  const std::string log = TakeLog();
  EXPECT_NE(log.find("not_compared=1"), log.rfind("not_compared=1")) << log;
}

TEST_F(WideShadow, AnAnswerTooLargeForTheShadowIsNoFailureOfTheLens) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "9 MB of details take longer than a question may, so that its time is what ends first";
#endif
  Deploy();
  AskWide(600);
  const auto report = deployment_->Shadow(
      "a", Lens("a", "2", "", "return { winner = 1, details = { text = string.rep('x', 15000) } }"), {});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->compared + report->failed, 0u);
  EXPECT_EQ(report->not_compared, 1u);
}

TEST_F(DeploymentTest, WhatCouldNotBeComparedWaitsForAYesWhenChangesDo) {
  deploy_options_.on_changes = deploy::OnChanges::kHold;
  deploy_options_.shadow_seconds_max = 0;
  Deploy();
  SayTwo();
  AskText("a");
  WriteLens("a", "2");
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_EQ(Counted("held"), 1);
  EXPECT_THAT(TakeLog(), HasSubstr("1 recent questions couldn't be compared in time"));
  EXPECT_EQ(deployment_->Reload("a", Accept::kYes, {})->outcome, Outcome::kOk);
}

TEST_F(DeploymentTest, WhereThereIsNothingToCompareByAChangeWaitsForAYesAndANewScriptDoesNot) {
  deploy_options_.on_changes = deploy::OnChanges::kHold;
  Deploy();
  EXPECT_EQ(LiveVersion("a"), "1");  // nothing was live before it
  WriteLens("a", "2");
  WriteLens("new", "1");
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "1") << "nobody has asked it anything";
  EXPECT_EQ(LiveVersion("new"), "1");
  EXPECT_EQ(Counted("held"), 1);
  EXPECT_THAT(TakeLog(), AllOf(HasSubstr("nothing was compared"), HasSubstr("no recent question is known"),
                               HasSubstr("scripts/a/reload")));
  EXPECT_THAT(Shown("a"), AllOf(HasSubstr(R"("held":{"version":"2")"), HasSubstr(R"("compared":0)")));
  SayTwo();
  AskText("a");
  const auto again = deployment_->Reload("a", Accept::kNo, {});
  EXPECT_EQ(again->outcome, Outcome::kHeld) << "it waits still, and now there is something to go by";
  EXPECT_THAT(std::string(again->why.message()), HasSubstr("0 of 1 recent questions"));
  EXPECT_EQ(deployment_->Reload("a", Accept::kYes, {})->outcome, Outcome::kOk);
  EXPECT_EQ(LiveVersion("a"), "2");
  WriteLens("a", "3");
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "3");  // compared, and the answer is the same
  // Of a question that neither version answers nothing is learnt.
  WriteLens("b", "2", kFailsOnTwo);
  EXPECT_EQ(deployment_->Reload("b", Accept::kYes, {})->outcome, Outcome::kOk);
  EXPECT_THAT(AskText("b"), HasSubstr("late"));
  WriteLens("b", "3", kFailsOnTwo);
  const auto blind = deployment_->Reload("b", Accept::kNo, {});
  EXPECT_EQ(blind->outcome, Outcome::kHeld);
  EXPECT_THAT(std::string(blind->why.message()), HasSubstr("neither version has an answer"));
}

TEST_F(DeploymentTest, WhereChangesAreHeldAFileThatVanishesAndComesBackIsAChangeLikeAnyOther) {
  deploy_options_.on_changes = deploy::OnChanges::kHold;
  Deploy();
  SayTwo();
  AskText("a");
  TakeLog();
  std::filesystem::remove(lenses_ + "/a.lua");
  for (int i = 0; i < 4; ++i) deployment_->Step();
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_EQ(Counted("removed"), 0);
  EXPECT_EQ(Counted("held"), 1) << "once";
  EXPECT_THAT(TakeLog(), AllOf(HasSubstr("a.lua: is gone, and the script stays live"),
                               HasSubstr("scripts/a/reload"), HasSubstr("lets it go")));
  EXPECT_THAT(Shown("a"),
              AllOf(HasSubstr(R"("status":"live")"), HasSubstr(R"("last_result":{"result":"held")")));
  WriteLens("a", "2", "", "return { winner = #candidates, confidence = 0.5 }");
  TwoSteps();
  EXPECT_EQ(LiveVersion("a"), "1") << "it is compared with what is live still";
  EXPECT_THAT(Shown("a"), AllOf(HasSubstr(R"("held":{"version":"2")"), HasSubstr(R"("changed":1)")));
  std::filesystem::remove(lenses_ + "/a.lua");
  TwoSteps();
  EXPECT_THAT(Shown("a"), Not(HasSubstr(R"("held":)")));
  WriteLens("a", "1");
  TwoSteps();
  EXPECT_THAT(Shown("a"), HasSubstr(R"("last_result":{"result":"unchanged")"));
  EXPECT_EQ(generation(), 1u);
}

TEST_F(DeploymentTest, AYesLetsAScriptGoWithItsFileButAYesToATextThatWaitedDoesNot) {
  deploy_options_.on_changes = deploy::OnChanges::kHold;
  Deploy();
  const std::string path = lenses_ + "/a.lua";
  WriteLens("a", "2");
  TwoSteps();
  ASSERT_THAT(Shown("a"), HasSubstr(R"("held":{"version":"2")"));
  std::filesystem::remove(path);
  EXPECT_EQ(deployment_->Reload("a", Accept::kYes, {})->outcome, Outcome::kHeld) << "the yes is for the text";
  WriteLens("a", "3");
  EXPECT_EQ(deployment_->Reload("a", Accept::kYes, {})->outcome, Outcome::kHeld) << "for the removal";
  std::filesystem::remove(path);
  EXPECT_EQ(deployment_->Reload("a", Accept::kNo, {})->outcome, Outcome::kHeld);
  EXPECT_EQ(LiveVersion("a"), "1");
  EXPECT_EQ(deployment_->Reload("a", Accept::kYes, {})->outcome, Outcome::kRemoved);
  EXPECT_EQ(LiveVersion("a"), "none");
}

TEST_F(DeploymentTest, CallsForScriptsThatAreNotThereAreCountedInTheAuditAndHaveALineNowAndThen) {
  Deploy();
  const deploy::Actor eve{"127.0.0.1", "eve"};
  const auto audit = [&] {
    std::string list;
    EXPECT_TRUE(journal_->List(1000, {}, list).ok());
    return list;
  };
  const auto lines = [&] { return Parsed(audit())["entries"].get_array().value().size(); };
  const auto ask = [&](const std::string& name) {
    EXPECT_EQ(deployment_->Reload(name, Accept::kNo, eve).error().reason(), "unknown_script");
    EXPECT_EQ(deployment_->RollBack(name, std::nullopt, eve).error().reason(), "unknown_script");
    EXPECT_EQ(deployment_->Shadow(name, std::nullopt, eve).error().reason(), "unknown_script");
  };
  for (int i = 0; i < 50; ++i) ask("nobody" + std::to_string(i));
  EXPECT_EQ(lines(), 1u);
  EXPECT_EQ(deployment_->RollBack("a", std::nullopt, eve).error().reason(), "no_previous_version");
  EXPECT_EQ(lines(), 2u) << "those for a script that is there are counted apart";
  deployment_->Step();
  EXPECT_EQ(lines(), 2u);
  clock_.AdvanceMs(1000);
  deployment_->Step();
  EXPECT_EQ(lines(), 3u);
  EXPECT_THAT(audit(), AllOf(HasSubstr("149 of unknown names since the last such line; this one: there is no "
                                       "script 'nobody49'"),
                             HasSubstr(R"("actor":"eve","action":"scripts.shadow","subject":"nobody49",)"
                                       R"("result":"unknown_script")")));
  ask("last");
  ASSERT_TRUE(journal_->WriteRest().ok());
  EXPECT_EQ(lines(), 4u) << "what is counted when the server ends isn't lost";
}

TEST_F(DeploymentTest, ATrysComplaintDoesNotFillTheAudit) {
  Deploy();
  SayTwo();
  std::string out;
  query::Question question = Ask("c");
  question.predicate = "p";
  const std::string draft = Lens("draft", "0", "error(string.rep('\\1', 6000))");
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(deployment_->Try(draft, "mine.lua", question, out, {}).reason(), "lens_failed");
  EXPECT_LT(std::filesystem::file_size(directory_.path() + "/audit.jsonl"), 10u * 800);
}

TEST_F(DeploymentTest, AScriptThatWasRefusedFromTheStartHasNoVersionToGoBackToButIsThere) {
  Deploy();
  Write("bad.lua", "return {");
  TwoSteps();
  EXPECT_EQ(deployment_->RollBack("bad", std::nullopt, {}).error().reason(), "no_previous_version");
  EXPECT_EQ(deployment_->RollBack("bad", Hash256{}, {}).error().reason(), "unknown_version");
}

}  // namespace
}  // namespace stemedb::testing
