// SPDX-License-Identifier: Apache-2.0
// What is written for the next start comes back, or what was written before it, whatever fails in between.
#include "deploy/state_files.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "crypto/sha256.h"
#include "deploy/state_json.h"
#include "env/fault_env.h"
#include "telemetry/log.h"

namespace stemedb::deploy {
namespace {

using ::testing::HasSubstr;

script::ScriptInfo Info(const std::string& text) {
  script::ScriptInfo info;
  info.name = "a";
  info.kind = "lens";
  info.file = "a.lua";
  info.version = "v " + text;
  info.source = text;
  info.sha256 = crypto::Sha256::Of(text);
  info.generation = 3;
  return info;
}

class StateFilesTest : public ::testing::Test {
 protected:
  StateFilesTest() {
    telemetry::ConfigureLog({.level = telemetry::Level::kOff});
    Clear();
  }
  ~StateFilesTest() override {
    std::filesystem::remove_all(directory_);
    telemetry::ConfigureLog({});
  }
  void Clear() { std::filesystem::remove_all(directory_); }

  // One script, live with the last of these texts, which were its versions; rolled back from the first.
  static Book BookOf(const std::vector<std::string>& texts) {
    Book book;
    ScriptRecord& record = book.scripts["a"];
    for (const std::string& text : texts) record.Add(Info(text), 1767225600000, Cause::kFile);
    record.pinned_against = record.disk_sha256 = Info(texts.front()).sha256;
    record.last_outcome = Outcome::kRolledBack;
    record.last_outcome_ms = 77;
    record.versions.front().is_proven = true;
    book.Add({3, 42, Cause::kRollback, {"127.0.0.1", "al\"ice"}, {{"a", "1", "2", {}, Info("x").sha256}}});
    return book;
  }
  static std::shared_ptr<const script::ScriptSet> LiveOf(const std::string& text) {
    return *script::ScriptSet::Of({Info(text)}, 3);
  }
  Status Write(const std::vector<std::string>& texts) {
    StateFiles files(env_, directory_);
    files.Read();
    return files.Write(BookOf(texts), *LiveOf(texts.back()));
  }
  // The texts of the versions, the live one last.
  std::vector<std::string> Texts() {
    const SavedState saved = StateFiles(env_, directory_).Read();
    std::vector<std::string> texts;
    const auto found = saved.scripts.find("a");
    if (found == saved.scripts.end()) return texts;
    for (const Version& version : found->second.record.versions) texts.push_back(version.info->source);
    EXPECT_EQ(found->second.live, Info(texts.back()).sha256);
    return texts;
  }

  const std::string directory_ = ::testing::TempDir() + "stemedb_state_files_" + std::to_string(::getpid());
  env::FaultInjectingEnv env_;
};

TEST_F(StateFilesTest, AllOfItComesBack) {
  EXPECT_EQ(StateFiles(env_, directory_).Read().generation, 0u);
  ASSERT_TRUE(Write({"one", "two"}).ok());
  const SavedState saved = StateFiles(env_, directory_).Read();
  EXPECT_EQ(saved.generation, 3u);
  const SavedScript& script = saved.scripts.at("a");
  EXPECT_EQ(script.live, Info("two").sha256);
  EXPECT_EQ(script.record.disk_sha256, Info("one").sha256);
  EXPECT_EQ(script.record.pinned_against, Info("one").sha256);
  EXPECT_EQ(script.record.last_outcome, Outcome::kRolledBack);
  EXPECT_EQ(script.record.last_outcome_ms, 77);
  EXPECT_FALSE(script.held);
  ASSERT_EQ(script.record.versions.size(), 2u);
  const Version& first = script.record.versions.front();
  EXPECT_EQ(first.info->version, "v one");
  EXPECT_EQ(first.info->source, "one");
  EXPECT_EQ(first.info->file, "a.lua");
  EXPECT_EQ(first.info->generation, 3u);
  EXPECT_EQ(first.info->counts, nullptr);
  EXPECT_EQ(first.time_ms, 1767225600000);
  EXPECT_EQ(first.cause, Cause::kFile);
  EXPECT_TRUE(first.is_proven);
  EXPECT_FALSE(script.record.versions.back().is_proven);
  ASSERT_EQ(saved.generations.size(), 1u);
  const GenerationRecord& generation = saved.generations.front();
  EXPECT_EQ(generation.cause, Cause::kRollback);
  EXPECT_EQ(generation.actor.name, "al\"ice");
  ASSERT_EQ(generation.changes.size(), 1u);
  EXPECT_EQ(generation.changes[0].before_version + generation.changes[0].after_version, "12");
  EXPECT_FALSE(generation.changes[0].before_sha256);
  EXPECT_EQ(generation.changes[0].after_sha256, Info("x").sha256);
}

TEST_F(StateFilesTest, WhateverFailsTheOldStateIsThereOrTheNewOne) {
  const std::vector<std::string> old_texts = {"one", "two"}, new_texts = {"two", "three", "four"};
  for (const auto operation :
       {env::Operation::kOpen, env::Operation::kWrite, env::Operation::kSync, env::Operation::kTruncate,
        env::Operation::kRename, env::Operation::kRemove, env::Operation::kSyncDir}) {
    for (uint64_t after = 0;; ++after) {
      Clear();
      ASSERT_TRUE(Write(old_texts).ok());
      StateFiles files(env_, directory_);
      files.Read();
      const uint64_t before = env_.count(operation);
      env_.Fail(operation, env::Failure::kIoError, after, 1);
      const Status written = files.Write(BookOf(new_texts), *LiveOf("four"));
      const bool struck = env_.count(operation) > before + after;
      env_.Heal();
      const auto texts = Texts();
      if (written.ok()) {
        EXPECT_EQ(texts, new_texts);
      } else {
        EXPECT_TRUE(texts == old_texts || texts == new_texts) << static_cast<int>(operation) << " " << after;
        EXPECT_TRUE(files.Write(BookOf(new_texts), *LiveOf("four")).ok()) << "the next call tries again";
        EXPECT_EQ(Texts(), new_texts);
      }
      if (!struck) break;
    }
  }
}

TEST_F(StateFilesTest, WhatIsWrittenSurvivesAPowerLoss) {
  ASSERT_TRUE(Write({"one", "two"}).ok());
  ASSERT_TRUE(Write({"two", "three"}).ok());
  ASSERT_TRUE(env_.LoseUnsynced(env::Loss::kEverything).ok());
  EXPECT_EQ(Texts(), (std::vector<std::string>{"two", "three"}));
}

TEST_F(StateFilesTest, NothingIsWrittenWhenNothingHasChanged) {
  ASSERT_TRUE(Write({"one"}).ok());
  const uint64_t writes = env_.count(env::Operation::kWrite);
  ASSERT_TRUE(Write({"one"}).ok());
  EXPECT_EQ(env_.count(env::Operation::kWrite), writes);
}

TEST_F(StateFilesTest, ALostTextTakesItsVersionWithItAndComesBackWhenItIsLiveAgain) {
  ASSERT_TRUE(Write({"one", "two"}).ok());
  const std::string path = directory_ + "/versions/" + ToHex(Info("one").sha256) + ".lua";
  std::ofstream(path) << "two";
  EXPECT_EQ(Texts(), (std::vector<std::string>{"two"}));
  ASSERT_TRUE(Write({"one", "two", "three"}).ok());
  EXPECT_EQ(Texts(), (std::vector<std::string>{"one", "two", "three"}));
}

// Puts what is no file in a file's place: one of each kind. The directory isn't empty, so that no rename
// replaces it.
using Place = void (*)(const std::string& path);
constexpr Place kNoFiles[] = {
    [](const std::string& path) { ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0); },
    [](const std::string& path) { std::filesystem::create_symlink("/dev/zero", path); },
    [](const std::string& path) { std::filesystem::create_directories(path + "/in/it"); },
};

TEST_F(StateFilesTest, AStateThatIsNoFileIsNeverWaitedForAndIsSetAside) {
  for (const Place place : kNoFiles) {
    Clear();
    ASSERT_TRUE(Write({"one"}).ok());
    const std::string path = directory_ + "/state.json";
    std::filesystem::remove(path);
    place(path);
    StateFiles files(env_, directory_);
    EXPECT_EQ(files.Read().generation, 0u);
    ASSERT_TRUE(files.Write(BookOf({"two"}), *LiveOf("two")).ok());
    EXPECT_EQ(Texts(), (std::vector<std::string>{"two"}));
    EXPECT_TRUE(std::filesystem::exists(path + ".damaged"));
  }
}

TEST_F(StateFilesTest, ATextThatIsNoFileIsNeverWaitedForAndIsLost) {
  for (const Place place : kNoFiles) {
    Clear();
    ASSERT_TRUE(Write({"one", "two"}).ok());
    const std::string path = directory_ + "/versions/" + ToHex(Info("one").sha256) + ".lua";
    std::filesystem::remove(path);
    place(path);
    EXPECT_EQ(Texts(), (std::vector<std::string>{"two"}));
    const bool is_directory = std::filesystem::is_directory(path);
    ASSERT_TRUE(Write({"one", "two", "three"}).ok());
    EXPECT_EQ(Texts(), (std::vector<std::string>{"one", "two", "three"}));
    EXPECT_EQ(std::filesystem::exists(path + ".damaged/in/it"), is_directory) << "nobody's directory is lost";
  }
}

TEST_F(StateFilesTest, WhatIsNoFileWhereOneIsToBeWrittenGivesWay) {
  for (const Place place : kNoFiles) {
    Clear();
    ASSERT_TRUE(Write({"one"}).ok());
    const std::string path = directory_ + "/state.json.new";
    place(path);
    const bool is_directory = std::filesystem::is_directory(path);
    ASSERT_TRUE(Write({"two"}).ok());
    EXPECT_EQ(Texts(), (std::vector<std::string>{"two"}));
    EXPECT_EQ(std::filesystem::exists(path + ".damaged/in/it"), is_directory);
  }
}

TEST_F(StateFilesTest, WhatIsNoFileWhereADamagedStateIsToBeSetAsideIsInNobodysWay) {
  for (const Place place : kNoFiles) {
    Clear();
    ASSERT_TRUE(Write({"one"}).ok());
    const std::string path = directory_ + "/state.json", aside = path + ".damaged";
    std::ofstream(path) << "no state";
    place(aside);
    const bool is_directory = std::filesystem::is_directory(aside);
    ASSERT_TRUE(Write({"two"}).ok());
    EXPECT_EQ(Texts(), (std::vector<std::string>{"two"}));
    EXPECT_TRUE(std::filesystem::is_regular_file(is_directory ? aside + ".2" : aside));
  }
}

TEST_F(StateFilesTest, ADirectoryThatTakesTheStatesPlaceMeanwhileIsSetAside) {
  StateFiles files(env_, directory_);
  files.Read();
  ASSERT_TRUE(files.Write(BookOf({"one"}), *LiveOf("one")).ok());
  const std::string path = directory_ + "/state.json";
  std::filesystem::remove(path);
  std::filesystem::create_directories(path + "/in/it");
  ASSERT_TRUE(files.Write(BookOf({"two"}), *LiveOf("two")).ok());
  EXPECT_EQ(Texts(), (std::vector<std::string>{"two"}));
  EXPECT_TRUE(std::filesystem::exists(path + ".damaged/in/it"));
}

TEST_F(StateFilesTest, WhatCannotBeReadCostsWhatItHits) {
  ASSERT_TRUE(Write({"one", "two"}).ok());
  env_.Fail(env::Operation::kRead, env::Failure::kIoError, 1, 1);
  EXPECT_EQ(Texts(), (std::vector<std::string>{"two"}));
  env_.Fail(env::Operation::kRead, env::Failure::kIoError, 0, 1);
  EXPECT_EQ(StateFiles(env_, directory_).Read().generation, 0u);
  env_.Fail(env::Operation::kOpen, env::Failure::kIoError, 0, 1);
  EXPECT_EQ(StateFiles(env_, directory_).Read().generation, 0u);
  env_.Heal();
  EXPECT_EQ(Texts(), (std::vector<std::string>{"one", "two"}));
}

TEST_F(StateFilesTest, TextsThatWereRemovedMeanwhileAreWrittenAgain) {
  const std::string versions = directory_ + "/versions";
  for (const std::string& removed :
       {versions + "/" + ToHex(Info("one").sha256) + ".lua", versions, directory_}) {
    Clear();
    StateFiles files(env_, directory_);
    files.Read();
    ASSERT_TRUE(files.Write(BookOf({"one", "two"}), *LiveOf("two")).ok());
    ASSERT_GT(std::filesystem::remove_all(removed), 0u);
    ASSERT_TRUE(files.Write(BookOf({"one", "two", "three"}), *LiveOf("three")).ok());
    EXPECT_EQ(Texts(), (std::vector<std::string>{"one", "two", "three"})) << removed;
  }
}

TEST_F(StateFilesTest, WhatWasRemovedIsWrittenAgainThoughNothingElseHasChanged) {
  const std::string state = directory_ + "/state.json", versions = directory_ + "/versions";
  for (const std::string& removed : {state, versions, directory_}) {
    Clear();
    StateFiles files(env_, directory_);
    files.Read();
    ASSERT_TRUE(files.Write(BookOf({"one", "two"}), *LiveOf("two")).ok());
    ASSERT_GT(std::filesystem::remove_all(removed), 0u);
    ASSERT_TRUE(files.Write(BookOf({"one", "two"}), *LiveOf("two")).ok());
    EXPECT_EQ(Texts(), (std::vector<std::string>{"one", "two"})) << removed;
  }
}

TEST_F(StateFilesTest, AFileInThePlaceOfTheDirectoryIsNoDamageToAState) {
  std::ofstream(directory_) << "a file";
  StateFiles files(env_, directory_);
  EXPECT_EQ(files.Read().generation, 0u);
  EXPECT_FALSE(files.Write(BookOf({"one"}), *LiveOf("one")).ok());
  std::filesystem::remove(directory_);
  ASSERT_TRUE(files.Write(BookOf({"one"}), *LiveOf("one")).ok());
  EXPECT_EQ(Texts(), (std::vector<std::string>{"one"}));
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/state.json.damaged"));
}

TEST_F(StateFilesTest, ADamagedStateThatSomebodyHasTakenAwayIsInNobodysWay) {
  ASSERT_TRUE(Write({"one"}).ok());
  const std::string path = directory_ + "/state.json";
  std::ofstream(path) << "no state";
  StateFiles files(env_, directory_);
  EXPECT_EQ(files.Read().generation, 0u);
  std::filesystem::remove(path);
  ASSERT_TRUE(files.Write(BookOf({"two"}), *LiveOf("two")).ok());
  EXPECT_EQ(Texts(), (std::vector<std::string>{"two"}));
}

TEST_F(StateFilesTest, AStateThatIsNotAsItWasWrittenIsRefusedWithItsFault) {
  const std::string text = StateText(BookOf({"one", "two"}), *LiveOf("two"));
  ASSERT_TRUE(ParseState(text));
  for (size_t i = 0; i < text.size(); ++i) {
    std::string damaged = text;
    damaged[i] ^= 4;
    EXPECT_EQ(ParseState(damaged).error().reason(), "state_damaged") << i;
    EXPECT_FALSE(ParseState(text.substr(0, i))) << i;
  }
  const auto sealed = [](const std::string& state) {
    return "{\"sha256\":\"" + ToHex(crypto::Sha256::Of(state)) + "\",\"state\":" + state + "}\n";
  };
  const auto fault = [&](const std::string& state) {
    return std::string(ParseState(sealed(state)).error().message());
  };
  EXPECT_THAT(fault("{\"format\":2}"), HasSubstr("its format"));
  EXPECT_THAT(fault("{\"format\":1,\"generation\":1}"), HasSubstr("something is missing"));
  EXPECT_THAT(fault("{\"format\":1,\"generation\":1,\"scripts\":[5],\"generations\":[]}"),
              HasSubstr("missing"));
  EXPECT_FALSE(ParseState(sealed("[1")));
}

}  // namespace
}  // namespace stemedb::deploy
