// SPDX-License-Identifier: Apache-2.0
// Each case is a name and its claims. Without claims no script is asked (lens.h), so that isn't among them.
#include "script/self_check.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "script/spec_case.h"

namespace stemedb::script {
namespace {

constexpr int kMany = 2000;
constexpr double kYear = 365.25 * 86400;

struct Case {
  std::string name;
  std::vector<GivenClaim> given;
  std::string predicate = "prefer:anything";  // one that a lens may read something into
};

GivenClaim Given(ParamValue value, double confidence = 0.8, int tier = 5, double age_s = 0) {
  GivenClaim claim;
  claim.value = std::move(value);
  claim.confidence = claim.effective_confidence = claim.weight = confidence;
  claim.tier = tier;
  claim.age_s = age_s;
  return claim;
}

// Ids in the order of the list, as a spec gives them out.
Case Numbered(std::string name, std::vector<GivenClaim> given) {
  for (size_t i = 0; i < given.size(); ++i) {
    given[i].id[0] = static_cast<uint8_t>((i + 1) >> 8);
    given[i].id[1] = static_cast<uint8_t>(i + 1);
  }
  return {std::move(name), std::move(given)};
}

// With another trust, or with votes.
GivenClaim Trusted(ParamValue value, double trust, double derived_trust) {
  GivenClaim claim = Given(std::move(value));
  claim.trust = trust;
  claim.derived_trust = derived_trust;
  return claim;
}
GivenClaim VotedOn(ParamValue value, uint32_t votes, double vote_weight) {
  GivenClaim claim = Given(std::move(value));
  claim.votes = votes;
  claim.vote_weight = vote_weight;
  return claim;
}

GivenClaim OfOldEpoch(ParamValue value, std::string epoch) {
  GivenClaim claim = Given(std::move(value));
  claim.epoch = std::move(epoch);
  claim.epoch_superseded = true;
  return claim;
}

std::vector<GivenClaim> AllLifecycles() {
  std::vector<GivenClaim> given;
  for (uint8_t lifecycle = 0; lifecycle <= 4; ++lifecycle) {
    given.push_back(Given("lifecycle " + std::to_string(lifecycle)));
    given.back().lifecycle = lifecycle;
  }
  return given;
}

Case Asked(std::string name, std::string predicate) {
  Case one = Numbered(std::move(name), {Given("a"), Given("b", 0.3)});
  one.predicate = std::move(predicate);
  return one;
}

std::vector<GivenClaim> AllTiers() {
  std::vector<GivenClaim> given;
  for (int tier = 0; tier <= 5; ++tier) {
    given.push_back(Given("tier " + std::to_string(tier), 0.5, tier, tier * 10.0));
  }
  return given;
}

std::vector<GivenClaim> Many() {
  std::vector<GivenClaim> given;
  for (int i = 0; i < kMany; ++i) {
    GivenClaim& claim =
        given.emplace_back(Given(static_cast<double>(i % 500), (i % 100) / 100.0, i % 6, i % 977));
    claim.source = "source " + std::to_string(i % 300);
    if (i % 3 == 0) {
      claim.agent = "agent " + std::to_string(i % 97);
      claim.agent_id[0] = static_cast<uint8_t>(i % 97 + 1);
      claim.trust = (i % 97) / 96.0;
      claim.derived_trust = claim.trust * (i % 5) / 4.0;
    }
    claim.votes = static_cast<uint32_t>(i % 4);
    claim.vote_weight = claim.votes * (i % 3) / 2.0;
    claim.lifecycle = static_cast<uint8_t>(i % 5);
    if (i % 7 != 0) claim.epoch = "epoch " + std::to_string(i % 7);
    claim.epoch_superseded = i % 7 == 1 || i % 7 == 4;
  }
  return given;
}

std::vector<GivenClaim> Weightless() {
  std::vector<GivenClaim> given{Given("a", 0), Given("b", 0, 0)};
  given.push_back(Given("c", 1, 3));
  given.back().weight = 0;
  return given;
}

std::vector<Case> Cases() {
  std::vector<GivenClaim> extremes;
  for (double number : {0.0, -0.0, 5e-324, -5e-324, 1e308, -1e308, 9007199254740992.0, -1.5}) {
    extremes.push_back(Given(number));
  }
  return {
      Numbered("one claim", {Given("a")}),
      Numbered("one claim of weight 0", {Given("a", 0)}),
      Numbered("two claims that agree", {Given("a"), Given("a", 0.3)}),
      Numbered("an even tie of one moment", {Given("a"), Given("b")}),
      Numbered("no claim has weight", Weightless()),
      Numbered("every tier", AllTiers()),
      Numbered("a single claim of tier 0", {Given(true, 1, 0)}),
      Numbered("values of every kind", {Given("1"), Given(1.0), Given(true), Given(false), Given("true")}),
      Numbered("extreme numbers", std::move(extremes)),
      Numbered("extreme ages",
               {Given("past", 0.8, 5, 2000 * kYear), Given("now"), Given("future", 0.8, 5, -100 * kYear)}),
      Numbered("odd texts",
               {Given(""), Given("\n\t\"\\%d%s"), Given("\xF0\x9F\x8C\xB1"), Given(std::string(65536, 'x'))}),
      Numbered("certain against certain", {Given("a", 1, 0), Given("b", 1, 0), Given("c", 1, 1)}),
      Numbered("trust at its ends",
               {Trusted("a", 0, 0), Trusted("b", 1, 1), Trusted("c", 1, 0), Trusted("d", 5e-324, 5e-324)}),
      Numbered("no trust in anybody", {Trusted("a", 0, 0), Trusted("b", 0, 0)}),
      Numbered("votes at their ends", {VotedOn("a", UINT32_MAX, UINT32_MAX), VotedOn("a", 1, 5e-324),
                                       VotedOn("b", UINT32_MAX, 0), Given("c")}),
      Numbered("votes without weight", {VotedOn("a", 2, 0), VotedOn("b", 1, 0)}),
      Numbered("as many votes for each", {VotedOn("a", 2, 1.5), VotedOn("b", 2, 1.5)}),
      Numbered("a superseded epoch", {OfOldEpoch("a", "spring"), Given("b")}),
      Numbered("nothing but superseded epochs",
               {OfOldEpoch("a", "spring"), OfOldEpoch("b", std::string(128, 'e'))}),
      Numbered("every lifecycle", AllLifecycles()),
      Asked("a predicate of one byte", ":"),
      Asked("an odd predicate", "must_use:%d\"\\:prefer:\xF0\x9F\x8C\xB1"),
      Asked("a long predicate", "forbidden:" + std::string(118, 'x')),
      Numbered("2,000 claims of 500 values", Many()),
  };
}

Result<Outcome> Ask(LensRunner& runner, int script, const Case& one, Notes notes) {
  const PreparedClaims claims = Prepare(one.given);
  auto outcome = runner.Resolve(script, {claims.rows, claims.values_count, claims.voices_count, kSpecNow,
                                         nullptr, notes, Reading::kThorough, "self-check", one.predicate});
  if (!outcome) return outcome.error().Annotate("self-check, " + one.name);
  return outcome;
}

// The last bits may differ: LuaJIT's `^` does, before and after it is compiled.
bool Same(double a, double b) {
  constexpr double kTolerance = 1e-9;
  return a == b || std::abs(a - b) <= kTolerance * std::max(std::abs(a), std::abs(b));
}

bool Same(const Judgement& a, const Judgement& b) {
  return a.winner == b.winner && a.agreement == b.agreement && a.candidates_count == b.candidates_count &&
         Same(a.confidence, b.confidence) && Same(a.conflict_score, b.conflict_score) &&
         std::equal(a.values.begin(), a.values.end(), b.values.begin(), b.values.end(),
                    [](const ValueWeight& x, const ValueWeight& y) {
                      return x.value_index == y.value_index && Same(x.weight, y.weight) &&
                             Same(x.share, y.share);
                    });
}

bool Same(const Outcome& a, const Outcome& b) {
  return Same(a.overall, b.overall) && a.declined == b.declined && a.explain == b.explain &&
         a.details_json == b.details_json &&
         std::equal(a.layers.begin(), a.layers.end(), b.layers.begin(), b.layers.end(),
                    [](const Layer& x, const Layer& y) {
                      return x.tier == y.tier && Same(x.judgement, y.judgement);
                    });
}

}  // namespace

Status SelfCheck(LensRunner& runner, int script, const std::function<bool()>& stop) {
  static const std::vector<Case> cases = Cases();
  const auto is_stopped = [&] { return stop != nullptr && stop(); };
  const auto cut_off = [] {
    return Status(Code::kUnavailable, "cut_off", "the self-check was stopped amid its cases");
  };
  std::vector<Outcome> first;
  for (const Case& one : cases) {
    if (is_stopped()) return cut_off();
    auto outcome = Ask(runner, script, one, Notes::kNone);
    if (!outcome) return outcome.error();
    first.push_back(std::move(*outcome));
  }
  // In another order, so that a case comes after others than the first time, and with notes.
  for (size_t i = cases.size(); i-- > 0;) {
    if (is_stopped()) return cut_off();
    const auto again = Ask(runner, script, cases[i], Notes::kWanted);
    if (!again) return again.error();
    if (Same(first[i], *again)) continue;
    return Status(Code::kInternal, "lens_failed",
                  "self-check, " + cases[i].name + ": " +
                      runner.scripts().scripts()[static_cast<size_t>(script)].file +
                      ": answers differently when asked again: don't keep anything between calls in "
                      "upvalues, use ctx.wants_notes for notes alone (and write x * x for x ^ 2)");
  }
  return Status::Ok();
}

}  // namespace stemedb::script
