// SPDX-License-Identifier: Apache-2.0
// The audit journal: what was done stays, in order, whatever happens to the file's end.
#include "audit/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "env/fault_env.h"
#include "telemetry/log.h"

namespace stemedb::audit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class JournalTest : public ::testing::Test {
 protected:
  JournalTest() {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directory(directory_);
  }
  ~JournalTest() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<Journal> Open(uint64_t bytes_max = 1 << 20) {
    auto journal = Journal::Open(env_, path_, bytes_max);
    EXPECT_TRUE(journal) << journal.error().message();
    return std::move(*journal);
  }
  static Entry Did(const std::string& subject) {
    return {1767225600000, "127.0.0.1", "", "scripts.reload", subject, "ok", ""};
  }
  static std::string List(Journal& journal, size_t limit = 100, std::optional<uint64_t> before = {}) {
    std::string out;
    EXPECT_TRUE(journal.List(limit, before, out).ok());
    return out;
  }

  const std::string directory_ = ::testing::TempDir() + "audit_journal_test";
  const std::string path_ = directory_ + "/audit.jsonl";
  env::FaultInjectingEnv env_;
};

TEST_F(JournalTest, ListsTheNewestFirstAndGoesOnByCursor) {
  const auto journal = Open();
  EXPECT_EQ(List(*journal), R"({"entries":[]})");
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(journal->Append(Did(name)).ok());
  EXPECT_EQ(
      List(*journal, 2),
      R"({"entries":[{"id":3,"time":"2026-01-01T00:00:00.000Z","peer":"127.0.0.1","action":"scripts.reload",)"
      R"("subject":"c","result":"ok"},{"id":2,"time":"2026-01-01T00:00:00.000Z","peer":"127.0.0.1",)"
      R"("action":"scripts.reload","subject":"b","result":"ok"}],"next_cursor":"2"})");
  const std::string rest = List(*journal, 2, 2);
  EXPECT_THAT(rest, HasSubstr(R"("subject":"a")"));
  EXPECT_THAT(rest, Not(HasSubstr("next_cursor")));
}

TEST_F(JournalTest, GoesOnWithTheNextIdWhenOpenedAgain) {
  ASSERT_TRUE(Open()->Append(Did("a")).ok());
  const auto journal = Open();
  ASSERT_TRUE(journal->Append(Did("b")).ok());
  EXPECT_THAT(List(*journal), HasSubstr(R"("id":2)"));
}

TEST_F(JournalTest, ATornLastLineIsCutOffAndTheNextOneStandsByItself) {
  ASSERT_TRUE(Open()->Append(Did("a")).ok());
  std::ofstream(path_, std::ios::app) << R"({"id":2,"time":"2026-01)";
  const auto journal = Open();
  ASSERT_TRUE(journal->Append(Did("b")).ok());
  const std::string list = List(*journal);
  EXPECT_THAT(list, HasSubstr(R"("id":2)"));
  EXPECT_THAT(list, HasSubstr(R"("subject":"a")"));
  EXPECT_THAT(list, HasSubstr(R"("subject":"b")"));
}

TEST_F(JournalTest, LinesThatMakeNoSenseAreLeftOut) {
  ASSERT_TRUE(Open()->Append(Did("a")).ok());
  std::ofstream(path_, std::ios::app) << "no JSON at all\n{\"id\":7}\n\n";
  const auto journal = Open();
  ASSERT_TRUE(journal->Append(Did("b")).ok());
  const std::string list = List(*journal);
  EXPECT_THAT(list, Not(HasSubstr("no JSON")));
  EXPECT_THAT(list, HasSubstr(R"("subject":"a")"));
}

TEST_F(JournalTest, KeepsOneOldFileAndListsThroughBoth) {
  const auto journal = Open(2000);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(journal->Append(Did("s" + std::to_string(i))).ok());
  EXPECT_LE(std::filesystem::file_size(path_), 2000u);
  EXPECT_LE(std::filesystem::file_size(path_ + ".1"), 2000u);
  const std::string list = List(*journal);
  EXPECT_THAT(list, HasSubstr(R"("id":50)"));
  EXPECT_THAT(list, HasSubstr(R"("subject":"s40")"));  // of the old file
  EXPECT_THAT(list, Not(HasSubstr(R"("subject":"s0")")));
  const auto again = Open(2000);
  ASSERT_TRUE(again->Append(Did("last")).ok());
  EXPECT_THAT(List(*again, 1), HasSubstr(R"("id":51)"));
}

TEST_F(JournalTest, ReadsFarBackThroughManyWindows) {
  const auto journal = Open(8 << 20);
  Entry entry = Did("x");
  entry.detail = std::string(500, 'd');
  for (int i = 0; i < 800; ++i) ASSERT_TRUE(journal->Append(entry).ok());
  const std::string list = List(*journal, 1000);
  EXPECT_THAT(list, HasSubstr(R"({"id":1,)"));
  EXPECT_THAT(list, HasSubstr(R"({"id":800,)"));
}

TEST_F(JournalTest, ADetailThatIsTooLongIsCutBetweenCharactersAndSaysSo) {
  const auto journal = Open();
  Entry entry = Did("x");
  entry.detail = "!";
  for (int i = 0; i < 1500; ++i) entry.detail += "\xC3\xA9";
  ASSERT_TRUE(journal->Append(entry).ok());
  // The line is JSON still.
  EXPECT_THAT(List(*journal), AllOf(HasSubstr(R"("id":1)"), HasSubstr("\xC3\xA9… (cut; 3001 bytes)\"")));
  EXPECT_LT(std::filesystem::file_size(path_), 700u);
}

TEST_F(JournalTest, WhatMustBeEscapedTakesNoMoreRoomThanWhatMustNot) {
  const auto journal = Open();
  Entry entry = Did("x");
  entry.detail = std::string(6000, '\x01');
  ASSERT_TRUE(journal->Append(entry).ok());
  EXPECT_LT(std::filesystem::file_size(path_), 700u);
  EXPECT_THAT(List(*journal), HasSubstr("\\u0001… (cut; 6000 bytes)"));
  entry.detail = std::string(512, '+');
  ASSERT_TRUE(journal->Append(entry).ok());
  EXPECT_THAT(List(*journal, 1), HasSubstr(entry.detail + "\""));
}

TEST_F(JournalTest, WhatIsNoFileIsRefusedAndNeverWaitedFor) {
  const auto journal = Open();
  for (const bool has_lines : {false, true}) {
    if (has_lines) {
      ASSERT_TRUE(journal->Append(Did("a")).ok());
    }
    ASSERT_EQ(mkfifo((path_ + ".1").c_str(), 0600), 0);
    const auto opened = Journal::Open(env_, path_);
    ASSERT_FALSE(opened) << has_lines;
    EXPECT_THAT(std::string(opened.error().message()), HasSubstr("audit.jsonl.1: is a FIFO, not a file"));
    std::filesystem::remove(path_ + ".1");
  }
  ASSERT_EQ(mkfifo((path_ + ".1").c_str(), 0600), 0);
  std::string out;
  EXPECT_FALSE(journal->List(100, {}, out).ok());
  std::filesystem::remove(path_);
  std::filesystem::rename(path_ + ".1", path_);
  EXPECT_THAT(std::string(Journal::Open(env_, path_).error().message()),
              HasSubstr("audit.jsonl: is a FIFO, not a file"));
}

TEST_F(JournalTest, AFailedSyncIsToldAndTheNextEntryIsWholeAgain) {
  const auto journal = Open();
  ASSERT_TRUE(journal->Append(Did("a")).ok());
  env_.Fail(env::Operation::kWrite, env::Failure::kShortWrite, 0, 1);
  EXPECT_EQ(journal->Append(Did("lost")).reason(), "disk_full");
  env_.Fail(env::Operation::kSync, env::Failure::kIoError, 0, 1);
  EXPECT_FALSE(journal->Append(Did("unsure")).ok());
  env_.Heal();
  ASSERT_TRUE(journal->Append(Did("b")).ok());
  const std::string list = List(*journal);
  EXPECT_THAT(list, HasSubstr(R"("subject":"b")"));
  EXPECT_THAT(list, HasSubstr(R"("subject":"a")"));
  EXPECT_THAT(list, Not(HasSubstr("lost")));
  // The one that may be there after all: a page that ends with it must not leave the next one out.
  const size_t unsure = list.find(R"("subject":"unsure")");
  ASSERT_NE(unsure, std::string::npos);
  EXPECT_THAT(list, AllOf(HasSubstr(R"("id":3,)"), HasSubstr(R"("id":4,)")));
}

TEST_F(JournalTest, ALineThatCannotBeWrittenCountsForTheNextOne) {
  const auto journal = Open();
  const auto line = journal->tally().Add(Tally::Kind::kRefused, Did("a"), 0);
  ASSERT_TRUE(line);
  env_.Fail(env::Operation::kSync, env::Failure::kIoError);
  EXPECT_FALSE(journal->WriteLine(*line).ok());
  env_.Heal();
  const auto due = journal->tally().TakeDue(1'000'000'000);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_TRUE(journal->WriteLine(due[0]).ok());
  EXPECT_THAT(List(*journal), HasSubstr("1 refused since the last such line"));
}

TEST_F(JournalTest, AtTheEndTheRestOfTheTallyIsWrittenAndAFailureIsTold) {
  const auto journal = Open();
  for (const auto kind : {Tally::Kind::kRefused, Tally::Kind::kBadRequest}) {
    ASSERT_TRUE(journal->tally().Add(kind, Did("a"), 0));
    for (int i = 0; i < 3; ++i) ASSERT_FALSE(journal->tally().Add(kind, Did("b"), 1));
  }
  env_.Fail(env::Operation::kWrite, env::Failure::kDiskFull, 0, 1);
  EXPECT_EQ(journal->WriteRest().reason(), "disk_full");
  EXPECT_THAT(List(*journal), HasSubstr("3 bad requests since")) << "one failure keeps no other line out";
  EXPECT_TRUE(journal->WriteRest().ok());
  EXPECT_THAT(List(*journal), HasSubstr("3 refused since"));
}

TEST_F(JournalTest, AFloodOfRefusalsLeavesWhatElseIsThere) {
  const auto journal = Open(64 << 10);
  ASSERT_TRUE(journal->Append(Did("kept")).ok());
  Entry refused = Did("x");
  refused.detail = std::string(500, 'd');
  constexpr int64_t kSeconds = 3600;
  for (int64_t second = 0; second < kSeconds; ++second) {
    const auto line = journal->tally().Add(Tally::Kind::kRefused, refused, second * 1'000'000'000);
    if (line) {
      ASSERT_TRUE(journal->WriteLine(*line).ok());
    }
  }
  EXPECT_THAT(List(*journal, 1000), HasSubstr(R"("subject":"kept")"));
}

// What becomes of a file that somebody lays hands on while the server runs.
class LostFile : public JournalTest {
 protected:
  LostFile() {
    telemetry::ConfigureLog({.out = log_});
    journal_ = Open();
    EXPECT_TRUE(journal_->Append(Did("first")).ok());
    EXPECT_TRUE(journal_->CheckFile().ok());
  }
  ~LostFile() override {
    telemetry::ConfigureLog({});
    std::fclose(log_);
  }

  std::string Log() {
    std::string text(1 << 16, '\0');
    std::fflush(log_);
    std::rewind(log_);
    text.resize(std::fread(text.data(), 1, text.size(), log_));
    return text;
  }
  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  // The new file begins with the note, and then has what is written.
  void ExpectANewOne(size_t lines_before) {
    ASSERT_TRUE(journal_->Append(Did("second")).ok());
    ASSERT_TRUE(journal_->Append(Did("third")).ok());
    const auto lines = Lines();
    ASSERT_EQ(lines.size(), lines_before + 3);
    EXPECT_THAT(lines[lines_before],
                AllOf(HasSubstr(R"("id":2,)"), HasSubstr(R"("peer":"server","action":"audit.file")"),
                      HasSubstr(R"("subject":"audit.jsonl","result":"file_lost")"), HasSubstr("the id 1")));
    EXPECT_THAT(lines[lines_before + 1], AllOf(HasSubstr(R"("id":3,)"), HasSubstr("second")));
    EXPECT_THAT(lines[lines_before + 2], HasSubstr("third"));
    const std::string log = Log(), said = "under the running server";
    EXPECT_THAT(log, AllOf(HasSubstr(said), HasSubstr(path_)));
    EXPECT_EQ(log.find(said), log.rfind(said)) << "once";
  }

  std::FILE* const log_ = std::tmpfile();
  std::unique_ptr<Journal> journal_;
};

TEST_F(LostFile, OneThatIsInPlaceIsNoReasonForANote) {
  ASSERT_TRUE(journal_->Append(Did("second")).ok());
  EXPECT_EQ(Lines().size(), 2u);
  EXPECT_EQ(Log(), "");
}

TEST_F(LostFile, OneThatWasRemovedIsNoticedByTheNextLine) {
  std::filesystem::remove(path_);
  ExpectANewOne(0);
}

TEST_F(LostFile, OneThatWasRenamedIsLeftAsItIs) {
  std::filesystem::rename(path_, path_ + ".1");
  ExpectANewOne(0);
  EXPECT_THAT(List(*journal_), HasSubstr(R"("subject":"first")")) << "the old one is FILE.1 here";
}

TEST_F(LostFile, OneThatWasCutShortIsNoticedToo) {
  std::filesystem::resize_file(path_, 0);
  ExpectANewOne(0);
}

TEST_F(LostFile, AnotherFileInItsPlaceIsGoneOnWith) {
  std::filesystem::copy_file(path_, path_ + ".copy");
  std::filesystem::rename(path_ + ".copy", path_);
  ExpectANewOne(1);
}

TEST_F(LostFile, IsNoticedThoughNothingIsWritten) {
  std::filesystem::remove(path_);
  EXPECT_TRUE(journal_->CheckFile().ok());
  ASSERT_EQ(Lines().size(), 1u);
  EXPECT_THAT(Lines()[0], HasSubstr("file_lost"));
  EXPECT_TRUE(journal_->CheckFile().ok());
  EXPECT_EQ(Lines().size(), 1u);
}

TEST_F(LostFile, WhereNoNewOneCanBeginThatIsToldAndTriedAgain) {
  std::filesystem::remove(path_);
  env_.Fail(env::Operation::kOpen, env::Failure::kIoError);
  EXPECT_FALSE(journal_->CheckFile().ok());
  EXPECT_FALSE(journal_->Append(Did("second")).ok());
  env_.Heal();
  ExpectANewOne(0);
}

TEST_F(LostFile, TheJournalsOwnTurnOverIsNone) {
  const auto journal = Open(2000);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(journal->Append(Did("s" + std::to_string(i))).ok());
  EXPECT_EQ(Log(), "");
}

}  // namespace
}  // namespace stemedb::audit
