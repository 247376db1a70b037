// SPDX-License-Identifier: Apache-2.0
// The same claims give the same bytes: in whatever order they arrived, in whatever batches, from the delta or
// from LMDB, before and after a restart, with an index that was rebuilt, and from a database that was made
// anew from the log.
#include <algorithm>
#include <map>
#include <regex>

#include "query_fixture.h"
#include "script/weights.h"

namespace stemedb::query {
namespace {

using stemedb::testing::Boolean;
using stemedb::testing::Claim;
using stemedb::testing::kTestNow;
using stemedb::testing::Number;
using stemedb::testing::PrepareAll;
using stemedb::testing::PrintedRandom;
using stemedb::testing::Text;
using stemedb::testing::Write;

class Determinism : public stemedb::testing::EngineTest {
 protected:
  Determinism() : random_(PrintedRandom()) {
    for (int i = 0; i < 120; ++i) claims_.push_back(RandomClaim(i));
  }

  // Few values, sources and moments, so that ties abound; odd confidences, so that sums depend on their
  // order.
  model::Assertion RandomClaim(int number) {
    const auto below = [this](uint64_t n) { return random_() % n; };
    const model::Value values[] = {Number(1), Number(2.5), Boolean(true), Text("x"), Text("y")};
    auto claim = Claim("a/" + std::to_string(below(3)), below(2) == 0 ? "p" : "q", values[below(5)],
                       kTestNow - static_cast<int64_t>(below(4)) * 40'000'000'000);
    claim.confidence = static_cast<double>(1 + below(1000)) / 1001;
    if (below(4) == 0) claim.confidence = 0.8;
    claim.source =
        model::Source{"s" + std::to_string(below(5)), static_cast<model::SourceClass>(below(6)), "", ""};
    if (below(3) == 0) claim.agent_id = model::AgentId{static_cast<uint8_t>(1 + below(4))};
    claim.metadata_json = "{\"n\":" + std::to_string(number) + "}";
    return claim;
  }

  void WriteShuffled() {
    std::shuffle(claims_.begin(), claims_.end(), random_);
    for (size_t from = 0; from < claims_.size();) {
      const size_t to = std::min(claims_.size(), from + 1 + random_() % 20);
      const std::vector<model::Assertion> part(claims_.begin() + static_cast<ptrdiff_t>(from),
                                               claims_.begin() + static_cast<ptrdiff_t>(to));
      ASSERT_TRUE(Write(*store_, PrepareAll(part)).status.ok());
      from = to;
      if (random_() % 5 == 0) {
        ASSERT_TRUE(store_->Flush().ok());
      }
    }
  }

  // What each lens says, with everything that it can be asked to show. Sequences are of the arrival; nothing
  // else is.
  std::map<std::string, std::string> Resolutions() {
    static const std::regex kSequence("\"sequence\":[0-9]+,?");
    std::map<std::string, std::string> said;
    for (const auto& lens : stemedb::testing::ShippedLenses()->scripts()) {
      for (const bool decays : {false, true}) {
        auto question = Ask("a", lens.name);
        question.subtree = true;
        question.limit = 0;
        question.include_explain = true;
        if (decays) question.decay = script::kHalfLifeDays;
        answer_.clear();
        const Status status = engine_->Answer(question, answer_);
        EXPECT_TRUE(status.ok()) << lens.name << ": " << status.message();
        EXPECT_NE(answer_.find("\"resolutions\":[{"), std::string::npos);
        said[lens.name + (decays ? " with decay" : "")] = std::regex_replace(answer_, kSequence, "");
      }
    }
    return said;
  }

  void ExpectSame(const std::map<std::string, std::string>& first, const std::string& when) {
    for (const auto& [lens, text] : Resolutions()) EXPECT_EQ(text, first.at(lens)) << lens << " " << when;
  }

  std::mt19937_64 random_;
  std::vector<model::Assertion> claims_;
};

TEST_F(Determinism, TheSameClaimsGiveTheSameBytes) {
  Open();
  WriteShuffled();
  const auto first = Resolutions();
  ASSERT_TRUE(store_->Flush().ok());
  ExpectSame(first, "after all has moved to LMDB");
  for (int round = 0; round < 4; ++round) {
    engine_.reset();
    store_.reset();
    RemoveTree("db");
    RemoveTree("wal");
    Open();
    WriteShuffled();
    ExpectSame(first, "in another order");
    Open();
    ExpectSame(first, "after a restart");
    engine_.reset();
    store_.reset();
    RemoveTree("db/indexes");
    Open();
    ExpectSame(first, "after the index was rebuilt");
    engine_.reset();
    store_.reset();
    RemoveTree("db");
    Open();
    ExpectSame(first, "after the database was made anew");
  }
}

}  // namespace
}  // namespace stemedb::query
