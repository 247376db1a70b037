// SPDX-License-Identifier: Apache-2.0
// What an engine says its answers rest on, held against the answers themselves.
#include "query/account.h"

#include "query_fixture.h"

namespace stemedb::testing {
namespace {

using query::Account;
using query::ClaimRole;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class AccountTest : public EngineTest {
 protected:
  void SetUp() override { Open(); }
  const Account& AccountOf(const query::Question& question) {
    Answer(question);
    return engine_->account();
  }
  static std::vector<std::pair<uint64_t, ClaimRole>> Roles(const Account& account) {
    std::vector<std::pair<uint64_t, ClaimRole>> roles;
    for (const auto& claim : account.claims) roles.emplace_back(claim.sequence, claim.role);
    return roles;
  }
};

TEST_F(AccountTest, OfAResolutionItHasTheWinnerFirstAndWhatSpeaksForAndAgainstIt) {
  for (const auto& [source, value] : {std::pair("one", 1), std::pair("two", 2), std::pair("three", 2)}) {
    model::Assertion claim = Claim("a", "p", Number(value));
    claim.source = model::Source{.id = source};
    SayAll({claim});
  }
  const Account& account = AccountOf(Ask("a", "consensus"));
  const uint64_t newest = store_->stats().sequence;
  EXPECT_TRUE(account.has_moment);
  EXPECT_EQ(account.sequence, newest);
  EXPECT_EQ(account.now_ms, clock_.NowMs());
  ASSERT_THAT(account.lenses, SizeIs(1));
  EXPECT_EQ(account.lenses[0].name, "consensus");
  const script::ScriptInfo* info = ShippedLenses()->Get("consensus");
  EXPECT_EQ(account.lenses[0].sha256, info->sha256);
  EXPECT_EQ(account.lenses[0].version, info->version);
  EXPECT_EQ(account.lenses[0].generation, info->generation);
  EXPECT_EQ(account.resolutions, 1u);
  const auto resolution = List(Parse()["resolutions"]).at(0);
  EXPECT_EQ(account.candidates, 3u);
  EXPECT_EQ(resolution["candidates_count"].get_uint64().value(), 3u);
  ASSERT_FALSE(account.claims.empty());
  EXPECT_EQ(account.claims[0].role, ClaimRole::kWinner);
  std::string_view winner;
  ASSERT_EQ(resolution["winner"].get(winner), simdjson::SUCCESS);
  size_t for_it = 0, against_it = 0;
  for (const auto& claim : account.claims) {
    for_it += claim.role == ClaimRole::kSupports ? 1 : 0;
    against_it += claim.role == ClaimRole::kOpposes ? 1 : 0;
    EXPECT_GT(claim.weight, 0);
    EXPECT_GT(claim.share, 0);
  }
  EXPECT_EQ(for_it, 1u);
  EXPECT_EQ(against_it, 1u);
  EXPECT_EQ(account.claims_not_told, 0u);
}

TEST_F(AccountTest, AClaimWhoseValueHasNoWeightDidNotContribute) {
  model::Assertion old = Claim("a", "p", Number(1)), young = Claim("a", "p", Number(2));
  old.timestamp_ms = clock_.NowMs() - 3'600'000;
  young.timestamp_ms = clock_.NowMs() - 1000;
  SayAll({old, young});
  query::Question question = Ask("a", "recency");
  question.params["max_age_s"] = 60.0;
  EXPECT_THAT(Roles(AccountOf(question)), ElementsAre(std::pair(2u, ClaimRole::kWinner)));
  question.params.clear();
  EXPECT_THAT(Roles(AccountOf(question)),
              ElementsAre(std::pair(2u, ClaimRole::kWinner), std::pair(1u, ClaimRole::kOpposes)));
}

TEST_F(AccountTest, WithoutALensTheListedClaimsAreWhatItRestsOn) {
  SayAll({Claim("a", "p", Number(1)), Claim("a", "q", Number(2))});
  const Account& account = AccountOf(Ask("a"));
  EXPECT_THAT(account.lenses, IsEmpty());
  EXPECT_THAT(Roles(account),
              ElementsAre(std::pair(2u, ClaimRole::kListed), std::pair(1u, ClaimRole::kListed)));
  EXPECT_EQ(account.assertions, 2u);
  EXPECT_EQ(account.resolutions, 0u);
}

TEST_F(AccountTest, WhatIsTooMuchIsCountedAndNotTold) {
  std::vector<model::Assertion> claims;
  for (int pair = 0; pair < 20; ++pair) {
    for (int i = 0; i < 3; ++i) {
      claims.push_back(Claim("a/" + std::to_string(pair), "p", Number(pair * 10 + i)));
      claims.back().source = model::Source{.id = "s" + std::to_string(i)};
    }
  }
  SayAll(claims);
  query::Question question = Ask("a", "consensus");
  question.subtree = true;
  const Account& account = AccountOf(question);
  EXPECT_EQ(account.resolutions, 20u);
  EXPECT_EQ(account.candidates, 60u);
  EXPECT_EQ(account.claims.size(), Account::kClaimsToldMax);
  EXPECT_EQ(account.claims_not_told, 60 - Account::kClaimsToldMax);
  for (const auto& claim : account.claims) EXPECT_LT(claim.resolution, Account::kResolutionsToldMax);
  EXPECT_EQ(account.assertions, 60u);
  question.limit = 2;
  EXPECT_EQ(AccountOf(question).assertions, 2u);
}

TEST_F(AccountTest, OfAComparisonItHasEveryLensAndWhoseClaimIsWhose) {
  for (const auto& [source, value] : {std::pair("one", 1), std::pair("two", 2)}) {
    model::Assertion claim = Claim("a", "p", Number(value));
    claim.source = model::Source{.id = source};
    SayAll({claim});
  }
  std::string out;
  const std::vector<std::string> lenses = {"recency", "consensus"};
  ASSERT_TRUE(engine_->Compare(Ask("a"), lenses, out).ok());
  const Account& account = engine_->account();
  ASSERT_THAT(account.lenses, SizeIs(2));
  EXPECT_EQ(account.lenses[1].name, "consensus");
  EXPECT_EQ(account.resolutions, 2u);
  std::vector<int> of_lens(2);
  for (const auto& claim : account.claims) {
    EXPECT_EQ(claim.resolution, 0u) << "counted for each lens";
    ++of_lens.at(claim.lens);
  }
  EXPECT_THAT(of_lens, ElementsAre(2, 2)) << "both of these lenses give every value weight";
}

TEST_F(AccountTest, AFailureHasWhatWasKnownAndTheNextAnswerHasNothingOfTheOneBefore) {
  SayAll({Claim("a", "p", Number(1))});
  EXPECT_EQ(AccountOf(Ask("a", "consensus")).claims.size(), 1u);
  EXPECT_EQ(Refusal(Ask("a", "no_such_lens")).reason(), "unknown_lens");
  EXPECT_FALSE(engine_->account().has_moment);
  EXPECT_THAT(engine_->account().lenses, IsEmpty());
  EXPECT_THAT(engine_->account().claims, IsEmpty());
  EXPECT_EQ(engine_->account().candidates, 0u);
}

}  // namespace
}  // namespace stemedb::testing
