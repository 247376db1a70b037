// SPDX-License-Identifier: Apache-2.0
// What changes something has a line of its own in the audit; what anybody may ask for as often as they like,
// since it changes nothing, is counted.
#include <gmock/gmock.h>

#include <charconv>

#include "deployment_fixture.h"

namespace stemedb::testing {
namespace {

using deploy::Accept;
using deploy::Outcome;
using ::testing::HasSubstr;

class AuditedCalls : public DeploymentTest {
 protected:
  struct Line {
    std::string action, result, detail;
  };
  // Oldest first.
  std::vector<Line> Lines() {
    std::string list;
    EXPECT_TRUE(journal_->List(1000, {}, list).ok());
    std::vector<Line> lines;
    const simdjson::dom::array entries = Parsed(list)["entries"].get_array().value();
    for (const auto entry : entries) {
      std::string_view detail;
      if (entry["detail"].get(detail) != simdjson::SUCCESS) detail = "";
      lines.insert(lines.begin(), {std::string(std::string_view(entry["action"])),
                                   std::string(std::string_view(entry["result"])), std::string(detail)});
    }
    return lines;
  }
  // Calls that the lines of this detail count.
  size_t CountedBy(const std::string& what) {
    size_t sum = 0;
    for (const Line& line : Lines()) {
      if (line.detail.find(what) == std::string::npos) continue;
      size_t count = 0;
      std::from_chars(line.detail.data(), line.detail.data() + line.detail.size(), count);
      sum += count;
    }
    return sum;
  }
  Outcome Reload(const std::string& name) { return deployment_->Reload(name, Accept::kNo, kEve)->outcome; }
  std::string RollBack(const std::optional<Hash256>& to = std::nullopt) {
    const auto report = deployment_->RollBack("a", to, kEve);
    return report ? "ok" : std::string(report.error().reason());
  }
  Status Try(const std::string& draft) {
    query::Question question = Ask("c");
    question.predicate = "p";
    std::string out;
    return deployment_->Try(draft, "mine.lua", question, out, kEve);
  }
  const deploy::Actor kEve{"127.0.0.1", "eve"};
};

TEST_F(AuditedCalls, AFloodOfRefusedOnesOnAScriptThatIsThereHasALineNowAndThen) {
  Deploy();
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(RollBack(), "no_previous_version");
    EXPECT_EQ(RollBack(ShaOf("a")), "already_live");
    EXPECT_EQ(RollBack(Hash256{}), "unknown_version");
    EXPECT_EQ(Reload("a"), Outcome::kUnchanged);
  }
  EXPECT_EQ(Lines().size(), 1u) << "the first is said at once";
  clock_.AdvanceMs(1000);
  deployment_->Step();
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[1].detail, HasSubstr("199 that changed nothing since the last such line; this one: "));
  EXPECT_EQ(lines[1].action, "scripts.reload");
  EXPECT_EQ(lines[1].result, "unchanged");
  EXPECT_EQ(CountedBy("that changed nothing"), 200u);
}

TEST_F(AuditedCalls, SoHasAFloodOfTriesAndShadowsGoodOrBad) {
  Deploy();
  SayTwo();
  const std::string good = Lens("draft", "0"), bad = Lens("draft", "0", "error('oh')");
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(Try(good).ok());
    EXPECT_EQ(Try(bad).reason(), "lens_failed");
    EXPECT_TRUE(deployment_->Shadow("a", std::nullopt, kEve));
  }
  EXPECT_EQ(Lines().size(), 1u);
  EXPECT_EQ(Lines()[0].action, "scripts.try");
  ASSERT_TRUE(journal_->WriteRest().ok());
  EXPECT_EQ(Lines().size(), 2u);
  EXPECT_EQ(CountedBy("that only asked"), 60u) << "none of them is forgotten";
}

TEST_F(AuditedCalls, WhatChangesSomethingHasALineEachAmidAFlood) {
  Deploy();
  const auto flood = [&] {
    for (int i = 0; i < 10; ++i) EXPECT_EQ(RollBack(Hash256{}), "unknown_version");
  };
  const auto last = [&] { return Lines().back().result; };
  flood();
  WriteLens("a", "2");
  EXPECT_EQ(Reload("a"), Outcome::kOk);
  EXPECT_EQ(last(), "ok");
  flood();
  EXPECT_EQ(RollBack(), "ok");
  EXPECT_EQ(last(), "rolled_back");
  flood();
  EXPECT_EQ(Lines().size(), 3u);
}

TEST_F(AuditedCalls, AFileThatIsRefusedHasOneLineUntilItSaysSomethingElse) {
  Deploy();
  Write("a.lua", "return {");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Reload("a"), Outcome::kFailedCompile);
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 2u) << "the first has its own, the second is the first of those that are counted";
  EXPECT_EQ(lines[0].result, "failed_compile");
  EXPECT_THAT(lines[1].detail, HasSubstr("1 that changed nothing"));
  Write("a.lua", "return {{");
  EXPECT_EQ(Reload("a"), Outcome::kFailedCompile);
  EXPECT_EQ(Lines().size(), 3u);
}

}  // namespace
}  // namespace stemedb::testing
