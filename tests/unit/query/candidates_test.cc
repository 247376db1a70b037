// SPDX-License-Identifier: Apache-2.0
// Order, weights, and what counts as the same value or the same voice, against a slow reference.
#include "query/candidates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <set>
#include <tuple>

#include "../index/claims.h"
#include "script/weights.h"

namespace stemedb::query {
namespace {

using stemedb::testing::Boolean;
using stemedb::testing::Claim;
using stemedb::testing::Encode;
using stemedb::testing::kTestNow;
using stemedb::testing::Number;
using stemedb::testing::PrintedRandom;
using stemedb::testing::Reference;
using stemedb::testing::Text;

constexpr int64_t kDayMs = 86'400'000;

// Rows as a reader gives them, from claims.
class Rows {
 public:
  void Add(const model::Assertion& claim) {
    kept_.push_back(Encode(claim).record);
    const auto view = model::ClaimView::Trusted(kept_.back());
    rows_.push_back({view.concept_path(), view.predicate(), kept_.size(), view});
  }
  CandidateSet Build(const Weighing& weighing, size_t candidates_max = SIZE_MAX) const {
    CandidateSet set;
    set.Build(rows_, {}, weighing, candidates_max);
    return set;
  }

 private:
  std::deque<std::string> kept_;
  std::vector<store::Row> rows_;
};

Weighing Plain() {
  Weighing weighing;
  weighing.now_ms = kTestNow;
  weighing.class_multipliers = script::kClassMultipliers;
  return weighing;
}

model::AgentId Agent(uint8_t number) {
  model::AgentId agent{};
  agent[31] = number;  // equal in the bytes that a hash looks at
  return agent;
}

uint32_t DistinctValues(const std::vector<model::Value>& values) {
  Rows rows;
  for (const model::Value& value : values) rows.Add(Claim("a", "p", value));
  return rows.Build(Plain()).values_count();
}

TEST(Value, NumbersAreComparedAsDoubles) {
  EXPECT_EQ(DistinctValues({Number(1), Number(1.0)}), 1u);
  EXPECT_EQ(DistinctValues({Number(0.1 + 0.2), Number(0.3)}), 2u);
}

TEST(Value, KindsAreKeptApart) {
  EXPECT_EQ(DistinctValues({Number(1), Boolean(true)}), 2u);
  EXPECT_EQ(DistinctValues({Number(0), Boolean(false), Text("")}), 3u);
  EXPECT_EQ(DistinctValues({Number(1), Text("1")}), 2u);
  EXPECT_EQ(DistinctValues({Text("a/b"), Reference("a/b")}), 2u);
  EXPECT_EQ(DistinctValues({Text("true"), Boolean(true)}), 2u);
}

TEST(Value, TextIsComparedByteByByte) {
  EXPECT_EQ(DistinctValues({Text("x"), Text("x")}), 1u)
      << "the same claim twice, for the sake of the argument";
  EXPECT_EQ(DistinctValues({Text("x"), Text("X"), Text("x ")}), 3u);
}

TEST(Voice, IsAnAgentOrTheSourceOfTheAnonymous) {
  Rows rows;
  const auto say = [&](std::optional<model::AgentId> agent, const std::string& source) {
    auto claim = Claim("a", "p", Number(1));
    claim.agent_id = agent;
    if (!source.empty()) claim.source = model::Source{source, {}, "", ""};
    rows.Add(claim);
  };
  say(Agent(1), "s");
  say(Agent(1), "t");  // an agent stays one voice whatever it cites
  say(Agent(2), "s");
  say({}, "s");
  say({}, "s");
  say({}, "t");
  say({}, "");
  EXPECT_EQ(rows.Build(Plain()).voices_count(), 5u);
}

TEST(Decay, AtTwoHundredDaysIsWhatTheTableSays) {
  Rows rows;
  for (int tier = 0; tier < 6; ++tier) {
    auto claim = Claim("a", "p", Number(tier), kTestNow - 200 * kDayMs);
    claim.confidence = 1;
    claim.source = model::Source{"s", static_cast<model::SourceClass>(tier), "", ""};
    rows.Add(claim);
  }
  Weighing weighing = Plain();
  weighing.decays = true;
  weighing.half_life_days = script::kHalfLifeDays;
  const auto set = rows.Build(weighing);
  const double expected[] = {1.0, 0.827, 0.684, 0.463, 0.214, 0.0098};
  ASSERT_EQ(set.candidates().size(), 6u);
  for (const auto& candidate : set.candidates()) {
    EXPECT_NEAR(candidate.effective_confidence, expected[candidate.tier], candidate.tier == 5 ? 5e-5 : 5e-4);
    EXPECT_DOUBLE_EQ(candidate.weight,
                     candidate.effective_confidence * script::kClassMultipliers[candidate.tier]);
  }
}

TEST(Decay, DoesNotRaiseAClaimFromTheFuture) {
  Rows rows;
  rows.Add(Claim("a", "p", Number(1), kTestNow + 100 * kDayMs));
  Weighing weighing = Plain();
  weighing.decays = true;
  weighing.half_life_days = script::kHalfLifeDays;
  EXPECT_EQ(rows.Build(weighing).candidates()[0].effective_confidence, 0.8);
}

TEST(CandidateSet, AgreesWithASlowReferenceInAnyOrderOfRows) {
  auto random = PrintedRandom();
  const auto below = [&](uint64_t n) { return random() % n; };
  for (int round = 0; round < 30; ++round) {
    std::vector<model::Assertion> claims;
    for (uint64_t i = below(60); i > 0; --i) {
      const model::Value values[] = {Number(static_cast<double>(below(3))), Boolean(below(2) == 0),
                                     Text(std::string(below(3), 'x')),
                                     Reference(std::string(1 + below(2), 'x'))};
      auto claim = Claim("a", "p", values[below(4)], kTestNow - static_cast<int64_t>(below(5)) * kDayMs);
      claim.confidence = static_cast<double>(below(1001)) / 1000;
      if (below(2) == 0) claim.agent_id = Agent(static_cast<uint8_t>(1 + below(4)));
      if (below(2) == 0)
        claim.source = model::Source{std::string(1, static_cast<char>('s' + below(3))),
                                     static_cast<model::SourceClass>(below(6)), "", ""};
      claims.push_back(claim);
    }
    Weighing weighing = Plain();
    weighing.decays = below(2) == 0;
    weighing.half_life_days = script::kHalfLifeDays;

    std::string before;
    for (int order = 0; order < 3; ++order) {
      std::shuffle(claims.begin(), claims.end(), random);
      Rows rows;
      for (const auto& claim : claims) rows.Add(claim);
      const auto set = rows.Build(weighing);
      const auto candidates = set.candidates();
      ASSERT_EQ(candidates.size(), claims.size());
      std::string seen;
      uint32_t values = 0, voices = 0;
      for (size_t i = 0; i < candidates.size(); ++i) {
        const script::Candidate& c = candidates[i];
        if (i > 0) {
          const script::Candidate& p = candidates[i - 1];
          ASSERT_TRUE(p.timestamp_ms > c.timestamp_ms ||
                      (p.timestamp_ms == c.timestamp_ms && std::memcmp(p.id, c.id, 32) <= 0));
        }
        const double age_days = static_cast<double>(kTestNow - c.timestamp_ms) / kDayMs;
        const double effective = weighing.decays
                                     ? c.confidence * std::pow(2.0, -age_days / script::kHalfLifeDays[c.tier])
                                     : c.confidence;
        ASSERT_NEAR(c.effective_confidence, effective, 1e-12);
        ASSERT_NEAR(c.weight, effective * script::kClassMultipliers[c.tier], 1e-12);
        // Numbered by first appearance: an earlier one of the same kind, or the next free number.
        uint32_t value = values, voice = voices;
        for (size_t j = i; j-- > 0;) {
          const script::Candidate& o = candidates[j];
          const bool same_value = o.value_kind == c.value_kind && o.number == c.number &&
                                  std::string_view(o.value_text, o.value_text_size) ==
                                      std::string_view(c.value_text, c.value_text_size);
          if (same_value) value = o.value_index;
          const bool same_voice = o.anonymous == c.anonymous &&
                                  (c.anonymous != 0 ? std::string_view(o.source_id, o.source_id_size) ==
                                                          std::string_view(c.source_id, c.source_id_size)
                                                    : std::memcmp(o.agent_id, c.agent_id, 32) == 0);
          if (same_voice) voice = o.voice_index;
        }
        ASSERT_EQ(c.value_index, value);
        ASSERT_EQ(c.voice_index, voice);
        values = std::max(values, value + 1);
        voices = std::max(voices, voice + 1);
        seen.append(reinterpret_cast<const char*>(c.id), 32);
      }
      ASSERT_EQ(set.values_count(), values);
      ASSERT_EQ(set.voices_count(), voices);
      ASSERT_TRUE(order == 0 || seen == before) << "the order of arrival shows";
      before = seen;
    }
  }
}

TEST(CandidateSet, ABoundKeepsTheBestInWhateverOrderTheyArrived) {
  auto random = PrintedRandom();
  const auto below = [&](uint64_t n) { return random() % n; };
  std::vector<model::Assertion> claims;
  for (int i = 0; i < 60; ++i) {
    auto claim = Claim("a", "p", Number(i), kTestNow - static_cast<int64_t>(below(4)) * kDayMs);
    claim.source = model::Source{"s", static_cast<model::SourceClass>(below(6)), "", ""};
    claims.push_back(claim);
  }
  // (tier, age, id): sorted, the best come first.
  std::vector<std::tuple<int, int64_t, std::string>> ranked;
  for (const auto& claim : claims) {
    ranked.emplace_back(static_cast<int>(*claim.source->source_class), kTestNow - *claim.timestamp_ms,
                        ToHex(Encode(claim).id));
  }
  std::sort(ranked.begin(), ranked.end());
  for (const size_t bound : {size_t{1}, size_t{7}, size_t{30}, size_t{59}, size_t{60}, size_t{61}}) {
    std::set<std::string> expected;
    for (size_t i = 0; i < std::min(bound, ranked.size()); ++i) expected.insert(std::get<2>(ranked[i]));
    for (int order = 0; order < 3; ++order) {
      std::shuffle(claims.begin(), claims.end(), random);
      Rows rows;
      for (const auto& claim : claims) rows.Add(claim);
      const auto set = rows.Build(Plain(), bound);
      std::set<std::string> kept;
      for (const auto& candidate : set.candidates()) kept.insert(ToHex({candidate.id, 32}));
      EXPECT_EQ(kept, expected) << "bound " << bound;
      EXPECT_EQ(set.left_out(), claims.size() - expected.size());
    }
  }
}

}  // namespace
}  // namespace stemedb::query
