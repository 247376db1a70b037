// SPDX-License-Identifier: Apache-2.0
// LensRunner: what reaches a script, what comes back, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "claims.h"
#include "script/budget.h"

namespace stemedb::script::testing {
namespace {

using ::testing::HasSubstr;

Result<Outcome> RunBody(const std::string& body, const Claims& claims, const std::string& head = "") {
  auto set = ScriptSet::Build({Lens(body, head)}, 1);
  if (!set) return set.error();
  return LensRunner(*set, {}).Resolve(0, claims.Call());
}

std::string Explain(const std::string& expression, const Claims& claims) {
  auto outcome = RunBody("return { explain = tostring(" + expression + ") }", claims);
  return outcome ? outcome->explain : std::string(outcome.error().message());
}

TEST(LensRunner, ShowsTheFieldsOfACandidate) {
  const Claims claims({{"red", 0.75, 1, 2 * kDay, "agent", "src", 7}});
  EXPECT_EQ(Explain("candidates[1].value", claims), "red");
  EXPECT_EQ(Explain("candidates[1].value_kind", claims), "text");
  EXPECT_EQ(Explain("candidates[1].confidence", claims), "0.75");
  EXPECT_EQ(Explain("candidates[1].weight", claims), "0.675");
  EXPECT_EQ(Explain("ctx.now - candidates[1].timestamp", claims), "172800000");
  EXPECT_EQ(Explain("candidates[1].valid_from", claims), "nil");
  EXPECT_EQ(Explain("candidates[1].valid_to", claims), "nil");
  EXPECT_EQ(Explain("candidates[1].id", claims), "07" + std::string(62, '0'));
  EXPECT_EQ(Explain("candidates[1].agent", claims), "6167656e74" + std::string(54, '0'));
  EXPECT_EQ(Explain("candidates[1].source", claims), "src");
  EXPECT_EQ(Explain("candidates[1].tier", claims), "1");
  EXPECT_EQ(Explain("candidates[1].source_class", claims), "clinical");
  EXPECT_EQ(Explain("candidates[1].lifecycle", claims), "proposed");
  EXPECT_EQ(Explain("candidates[1].epoch", claims), "nil");
  EXPECT_EQ(Explain("candidates[1].sequence", claims), "1");
  EXPECT_EQ(Explain("candidates[1].number", claims), "1");
  EXPECT_EQ(Explain("candidates[1].trust", claims), "0.5");
  EXPECT_EQ(Explain("candidates[1].derived_trust", claims), "0.5");
  EXPECT_EQ(Explain("candidates[1].votes", claims), "0");
  EXPECT_EQ(Explain("candidates[1].vote_weight", claims), "0");
  EXPECT_EQ(Explain("candidates[1].epoch_superseded", claims), "false");
  EXPECT_EQ(Explain("candidates[1].value_index", claims), "1");
  EXPECT_EQ(Explain("candidates[1].voice_index", claims), "1");
  EXPECT_EQ(Explain("#candidates", claims), "1");
  EXPECT_EQ(Explain("candidates[0]", claims), "nil");
  EXPECT_EQ(Explain("candidates[2]", claims), "nil");
  EXPECT_EQ(Explain("candidates[1.5]", claims), "nil");
}

// Who keeps answers must know which are of their moment alone. Compiled or not.
TEST(LensRunner, TellsWhetherAScriptLookedAtTheClockInThisCall) {
  auto set = ScriptSet::Build(
      {Lens("local age = 0\n"
            "if candidates[1].confidence > 0.5 then age = ctx.now - candidates[1].timestamp end\n"
            "return { winner = 1, explain = 'age ' .. age }")},
      1);
  ASSERT_TRUE(set.has_value()) << set.error().message();
  LensRunner runner(*set, {});
  const Claims sure({{"a", 0.75, 1, kDay}}), unsure({{"a", 0.25, 1, kDay}});
  for (int i = 0; i < 500; ++i) {
    const bool looks = i % 3 == 0;
    const auto outcome = runner.Resolve(0, (looks ? sure : unsure).Call());
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message();
    ASSERT_EQ(outcome->read_now, looks) << i;
    ASSERT_EQ(outcome->explain, looks ? "age 86400000" : "age 0");
  }
  EXPECT_FALSE(runner.Resolve(0, Claims(std::vector<Claim>{}).Call())->read_now) << "no script ran";
}

TEST(LensRunner, ShowsWhatOthersMakeOfAClaim) {
  Claim claim{"a"};
  claim.trust = 0.75, claim.derived_trust = 0.25, claim.votes = 4'000'000'000, claim.vote_weight = 2.5;
  claim.epoch = "spring", claim.epoch_superseded = true;
  Claim newer{"b"};
  claim.age_ms = kDay;
  const Claims claims({claim, newer});
  EXPECT_EQ(Explain("candidates[2].number", claims), "2");
  EXPECT_EQ(Explain("candidates[2].trust", claims), "0.75");
  EXPECT_EQ(Explain("candidates[2].derived_trust", claims), "0.25");
  EXPECT_EQ(Explain("candidates[2].votes", claims), "4000000000");
  EXPECT_EQ(Explain("candidates[2].vote_weight", claims), "2.5");
  EXPECT_EQ(Explain("candidates[2].epoch", claims), "spring");
  EXPECT_EQ(Explain("candidates[2].epoch_superseded", claims), "true");
}

TEST(LensRunner, ShowsWhatTheClaimsAreAbout) {
  const Claims claims({{"a"}});
  const auto set =
      ScriptSet::Build({Lens("return { explain = ctx.concept_path .. ' ' .. ctx.predicate .. '.' }")}, 1);
  ASSERT_TRUE(set) << set.error().message();
  LensRunner runner(*set, {});
  const auto explain = [&](std::string_view concept_path, std::string_view predicate) {
    LensCall call = claims.Call();
    call.concept_path = concept_path;
    call.predicate = predicate;
    return runner.Resolve(0, call)->explain;
  };
  EXPECT_EQ(explain("drugs/aspirin", "dose"), "drugs/aspirin dose.");
  EXPECT_EQ(explain("a", "b"), "a b.");
  EXPECT_EQ(explain({}, {}), " .");
  const std::string path(512, 'p'), predicate(128, 'q');
  EXPECT_EQ(explain(path, predicate), path + " " + predicate + ".");
}

TEST(LensRunner, AnswersRecencyAndConsensus) {
  LensRunner runner(Shipped(), {});
  const Claims claims({{"a", 0.8, 5, kDay * 3, "x"}, {"b", 0.8, 5, 0, "y"}, {"a", 0.8, 5, kDay * 2, "z"}});
  auto recency = runner.Resolve(runner.scripts().Find("recency"), claims.Call());
  ASSERT_TRUE(recency) << recency.error().message();
  EXPECT_EQ(claims.ValueOf(*recency->overall.winner), "b");
  EXPECT_EQ(recency->overall.confidence, 0.95);
  auto consensus = runner.Resolve(runner.scripts().Find("consensus"), claims.Call());
  ASSERT_TRUE(consensus) << consensus.error().message();
  EXPECT_EQ(claims.ValueOf(*consensus->overall.winner), "a");
  EXPECT_DOUBLE_EQ(consensus->overall.confidence, 2.0 / 3);
}

TEST(LensRunner, ShowsValuesByTheirKind) {
  const Claims base({{"a"}});
  LensCall call = base.Call();
  std::vector<Candidate> rows = base.rows();
  call.candidates = rows;
  auto set = ScriptSet::Build(
      {Lens("local c = candidates[1] return { explain = c.value_kind .. ' ' .. type(c.value) .. ' ' .. "
            "tostring(c.value) .. ' ' .. c.epoch .. ' ' .. c.valid_from }")},
      1);
  ASSERT_TRUE(set) << set.error().message();
  LensRunner runner(*set, {});
  rows[0].epoch = "spring", rows[0].epoch_size = 6, rows[0].valid_from_ms = -5;
  rows[0].value_kind = 1, rows[0].number = 2.5;
  EXPECT_EQ(runner.Resolve(0, call)->explain, "number number 2.5 spring -5");
  rows[0].value_kind = 2, rows[0].number = 0;
  EXPECT_EQ(runner.Resolve(0, call)->explain, "boolean boolean false spring -5");
  rows[0].value_kind = 3;
  EXPECT_EQ(runner.Resolve(0, call)->explain, "reference string a spring -5");
}

TEST(LensRunner, AnswersNothingToNothing) {
  LensRunner runner(Shipped(), {});
  for (size_t script = 0; script < runner.scripts().scripts().size(); ++script) {
    const auto outcome = runner.Resolve(static_cast<int>(script), Claims({}).Call());
    ASSERT_TRUE(outcome) << outcome.error().message();
    EXPECT_FALSE(outcome->overall.winner);
    EXPECT_EQ(outcome->overall.agreement, Agreement::kNone);
    EXPECT_EQ(outcome->explain, "no claims");
  }
}

TEST(LensRunner, AnswersTheSameWhateverCameBefore) {
  const auto shipped = Shipped();
  LensRunner used(shipped, {});
  for (int round = 0; round < 80; ++round) {  // long enough for every lens to be compiled
    std::vector<Claim> list;
    for (int i = 0; i <= round % 23; ++i) {
      list.push_back({"v" + std::to_string(i * round % 4), 0.3 + i % 5 / 10.0, i % 6, i % 3 * kDay,
                      "agent" + std::to_string(i % 7)});
      list.back().trust = list.back().derived_trust = i % 7 / 6.0;
      list.back().votes = static_cast<uint32_t>(i % 3), list.back().vote_weight = i % 3 * 0.7;
      list.back().epoch = "e", list.back().epoch_superseded = round % 5 == 0 && i % 4 == 0;
    }
    const Claims claims(list);
    LensRunner fresh(shipped, {});
    LensCall call = claims.Call();
    call.predicate = round % 2 == 0 ? "must_use:it" : "price";
    for (size_t i = 0; i < shipped->scripts().size(); ++i) {
      const int script = static_cast<int>(i);
      const auto a = used.Resolve(script, call), b = fresh.Resolve(script, call);
      ASSERT_TRUE(a && b);
      EXPECT_EQ(a->overall.winner, b->overall.winner);
      EXPECT_EQ(a->overall.confidence, b->overall.confidence);
      EXPECT_EQ(a->overall.conflict_score, b->overall.conflict_score);
      EXPECT_EQ(a->explain, b->explain);
      EXPECT_EQ(a->details_json, b->details_json);
    }
  }
}

TEST(LensRunner, GivesParametersToTheScript) {
  ScriptFile file =
      Lens("return { explain = ctx.params.word .. ctx.params.count .. tostring(ctx.params.flag) }");
  file.text.insert(
      file.text.find("resolve ="),
      "params = { word = { type = 'string', default = 'x', choices = { 'x', 'y' }, description = 'd' }, "
      "count = { type = 'integer', default = 2, min = 1, max = 5, description = 'd' }, "
      "flag = { type = 'boolean', default = false, description = 'd' } }, ");
  auto set = ScriptSet::Build({file}, 1);
  ASSERT_TRUE(set) << set.error().message();
  const ScriptInfo& info = (*set)->scripts()[0];
  LensRunner runner(*set, {});
  const Claims claims({{"a"}});
  const auto explain = [&](const std::map<std::string, ParamValue>& given) {
    const auto params = CheckParams(info, given);
    if (!params) return std::string(params.error().message());
    return runner.Resolve(0, claims.Call(&*params))->explain;
  };
  EXPECT_EQ(explain({}), "x2false");
  EXPECT_EQ(explain({{"word", "y"}, {"count", 5.0}, {"flag", true}}), "y5true");
  EXPECT_EQ(explain({}), "x2false");
  EXPECT_EQ(explain({{"count", 6.0}}), "parameter 'count' of lens 'probe' must be within 1 and 5");
  EXPECT_EQ(explain({{"count", 1.5}}), "parameter 'count' of lens 'probe' must be a whole number");
  EXPECT_EQ(explain({{"word", "z"}}), "parameter 'word' of lens 'probe' must be one of x, y");
  EXPECT_EQ(explain({{"flag", 1.0}}), "parameter 'flag' of lens 'probe' must be true or false");
  EXPECT_EQ(explain({{"wort", "y"}}), "lens 'probe' has no parameter 'wort'; it has count, flag, word");
}

TEST(LensRunner, AValueThatTheLensLeavesOutIsNoPartOfTheConflict) {
  const Claims claims({{"a"}, {"b"}, {"c"}, {"d"}});
  const auto judge = [&](const std::string& weights) {
    auto outcome = RunBody("return { weights = " + weights + " }", claims);
    if (!outcome) throw std::runtime_error(std::string(outcome.error().message()));
    return outcome->overall;
  };
  EXPECT_DOUBLE_EQ(judge("{ 1, 1, 1, 1 }").conflict_score, 1);
  EXPECT_DOUBLE_EQ(judge("{ 2, 2, 0, 0 }").conflict_score, 1);
  EXPECT_DOUBLE_EQ(judge("{ [2] = 2, [4] = 2 }").conflict_score, 1);
  EXPECT_DOUBLE_EQ(judge("{ 1, 1 / 3, 0 }").conflict_score, 0.8112781244591328);  // of 3/4 and 1/4, in bits
  EXPECT_EQ(judge("{ 0, 0, 0, 0 }").conflict_score, 1) << "nothing speaks for any of them";
  const Judgement one = judge("{ 0, 0, 5, 0 }");
  EXPECT_EQ(one.conflict_score, 0);
  EXPECT_EQ(one.agreement, Agreement::kAgreed) << "unanimous is only what all claims say";
}

TEST(LensRunner, StemeConflictIsTheRuleOfTheConflictScore) {
  const Claims claims({{"a"}, {"b"}, {"c"}, {"d"}, {"e"}});
  for (const char* weights :
       {"{ 1, 2, 3, 4, 5 }", "{ 0, 2, 0, 2, 0 }", "{ 0, 0, 0, 0, 0 }", "{ 0, 7, 0, 0, 0 }",
        "{ 0.1, 0.2, 0, 1e-9, 3 }", "{ 1e-300, 1e300, 0, 0, 0 }"}) {
    const auto outcome =
        RunBody("local w = " + std::string(weights) +
                    " return { weights = w, details = { conflict = steme.conflict(w, ctx.values_count) } }",
                claims);
    ASSERT_TRUE(outcome) << outcome.error().message();
    EXPECT_NEAR(std::stod(outcome->details_json.substr(sizeof("{\"conflict\":") - 1)),
                outcome->overall.conflict_score, 1e-12)
        << weights;
  }
}

// A rule over a part of the candidates says what its lens says of that part alone.
TEST(LensRunner, ARuleOverWhatIsKeptIsItsLensOverThose) {
  LensRunner shipped(Shipped(), {});
  for (const std::string rule : {"consensus", "recency", "confidence", "tier_authority"}) {
    const auto set =
        ScriptSet::Build({Lens("return steme.rule('" + rule +
                               "', ctx, steme.keep(candidates, function(c) return c.votes == 0 end))")},
                         1);
    ASSERT_TRUE(set) << set.error().message();
    LensRunner composed(*set, {});
    for (int round = 0; round < 200; ++round) {
      std::vector<Claim> all, part;
      for (int i = 0; i <= round % 37; ++i) {
        Claim claim{"v" + std::to_string(i * round % 4), (i * 7 % 5 + 1) / 5.0, (i + round) % 6, i % 3 * kDay,
                    "agent" + std::to_string(i % 5)};
        claim.id = static_cast<uint8_t>(i * 37 % 251 + 1);
        claim.votes = (i * 13 + round) % 3 == 0 ? 1 : 0;
        all.push_back(claim);
        if (claim.votes == 0) part.push_back(claim);
      }
      const Claims whole(all), kept(part);
      const auto got = composed.Resolve(0, whole.Call());
      const auto wanted = shipped.Resolve(shipped.scripts().Find(rule), kept.Call());
      ASSERT_TRUE(got && wanted);
      if (part.empty()) {
        EXPECT_TRUE(got->declined);
        EXPECT_EQ(got->explain, "no claim is left");
        continue;
      }
      ASSERT_TRUE(got->overall.winner && wanted->overall.winner);
      EXPECT_EQ(whole.rows()[*got->overall.winner].id[0], kept.rows()[*wanted->overall.winner].id[0])
          << rule << " " << round;
      EXPECT_DOUBLE_EQ(got->overall.confidence, wanted->overall.confidence) << rule << " " << round;
      EXPECT_NEAR(got->overall.conflict_score, wanted->overall.conflict_score, 1e-12) << rule << " " << round;
      EXPECT_EQ(got->explain, wanted->explain);
      EXPECT_EQ(got->overall.candidates_count, all.size());
    }
  }
}

TEST(LensRunner, KeepsAndRanksCandidates) {
  const Claims claims({{"a", 0.5, 1}, {"b", 0.9, 2}, {"a", 0.9, 3}, {"c", 0.1, 4}});
  const std::string list =
      "(function(list) local t = {} for i = 1, #list do t[i] = list[i].number end return "
      "table.concat(t, ' ') end)";
  EXPECT_EQ(Explain(list + "(steme.keep(candidates, function(c) return c.tier > 1 end))", claims), "2 3 4");
  EXPECT_EQ(Explain(list + "(steme.keep(candidates, function(c) return c.tier ~= 3 end))", claims), "1 2 4");
  EXPECT_EQ(Explain(list + "(steme.keep(candidates, function() return false end))", claims), "");
  EXPECT_EQ(
      Explain(list + "(steme.keep({ candidates[4], candidates[2] }, function(c) return c.tier == 2 end))",
              claims),
      "2");
  EXPECT_EQ(Explain("type(steme.keep(candidates, function() return true end)) .. ' ' .. "
                    "type(steme.keep(candidates, function() end))",
                    claims),
            "cdata table");
  EXPECT_EQ(Explain("steme.best(candidates, function(c) return c.confidence end).number", claims), "2");
  EXPECT_EQ(Explain("steme.best(candidates, function(c) return -c.confidence end).number", claims), "4");
  EXPECT_EQ(Explain("steme.best(candidates, function() return -math.huge end).number", claims), "1");
  EXPECT_EQ(
      Explain("steme.best({ candidates[3], candidates[2] }, function(c) return c.confidence end).number",
              claims),
      "2")
      << "the claim, wherever it stands in the list";
  EXPECT_EQ(Explain("steme.best({}, function() return 1 end)", claims), "nil");
  EXPECT_EQ(Explain("steme.leader(candidates, { [2] = 1 }).number", claims), "2");
  EXPECT_EQ(Explain("steme.leader({ candidates[4], candidates[3] }, { 1, 1, 2 }).number", claims), "4");
  EXPECT_EQ(Explain("steme.leader(candidates, {})", claims), "nil");
  EXPECT_EQ(Explain(list + "(steme.by_value({ candidates[3], candidates[2], candidates[1] })[1])", claims),
            "3 1");
  EXPECT_EQ(Explain(list + "(steme.by_value(candidates)[1])", claims), "1 3");
  EXPECT_EQ(Explain("candidates[steme.leader(candidates, { [2] = 1 })].value", claims), "b")
      << "a claim stands in its own place";
  EXPECT_EQ(Explain("candidates[{}] == nil and candidates['x'] == nil", claims), "true");
  EXPECT_EQ(Explain("steme.rule('recency', ctx, candidates, 1).explain", claims),
            "newest claim, and no other value");
  EXPECT_EQ(Explain("steme.rule('consensus', ctx, {})", claims), "nil");
}

// What a helper finds among some of the candidates may be returned as it is.
TEST(LensRunner, TakesAClaimForTheWinner) {
  const Claims claims({{"a", 0.5, 1}, {"b", 0.9, 2}, {"a", 0.9, 3}, {"c", 0.95, 4}});
  const auto winner = [&](const std::string& body) {
    const auto outcome = RunBody(body, claims);
    EXPECT_TRUE(outcome.has_value()) << outcome.error().message();
    return outcome && outcome->overall.winner ? static_cast<int>(*outcome->overall.winner) + 1 : 0;
  };
  const std::string kept =
      "local kept = steme.keep(candidates, function(c) return c.tier ~= 1 and c.tier ~= 4 end) ";
  const std::string best = "steme.best(kept, function(c) return c.tier end)";
  EXPECT_EQ(winner(kept + "return { winner = " + best + " }"), 3);
  EXPECT_EQ(winner(kept + "return { winner = " + best + ".number }"), 3);
  EXPECT_EQ(winner(kept + "return { winner = candidates[" + best + "] }"), 3);
  EXPECT_EQ(winner(kept + "return { winner = steme.leader(kept, { [2] = 1 }) }"), 2);
  EXPECT_EQ(winner(kept + "return { winner = steme.by_value(kept)[1][1] }"), 3);
  EXPECT_EQ(winner("return { winner = candidates[1] }"), 1);
  EXPECT_EQ(winner("return { winner = candidates[4], layers = { { tier = 4, winner = candidates[4] } } }"),
            4);
  const auto other = RunBody("return { layers = { { tier = 4, winner = candidates[1] } } }", claims);
  ASSERT_FALSE(other);
  EXPECT_THAT(std::string(other.error().message()), HasSubstr("a winner of another tier, got 1"));
  // Of another call it is none.
  LensRunner runner(
      *ScriptSet::Build(
          {Lens("local now = candidates[2] old = old or now return { winner = old }", "local old")}, 1),
      {});
  EXPECT_TRUE(runner.Resolve(0, claims.Call()));
  const auto stale = runner.Resolve(0, claims.Call());
  ASSERT_FALSE(stale);
  EXPECT_THAT(std::string(stale.error().message()), HasSubstr("neither a candidate nor the number of one"));
}

TEST(LensRunner, KeepsTheStatesOfUnchangedScriptsWhenItGoesOverToAnotherSet) {
  const ScriptFile counting =
      Lens("kept.n = kept.n + 1 return { explain = 'call ' .. kept.n }", "local kept = { n = 0 }");
  ScriptFile other = Lens("return { explain = 'first' }");
  const auto rename = [](ScriptFile file, const std::string& name) {
    file.name = name + ".lua";
    file.text.replace(file.text.find("'probe'"), 7, "'" + name + "'");
    return file;
  };
  LensRunner runner(*ScriptSet::Build({counting, rename(other, "other")}, 1), {});
  const Claims claims({{"a"}});
  const auto explain = [&](const char* name) {
    return runner.Resolve(runner.scripts().Find(name), claims.Call())->explain;
  };
  EXPECT_EQ(explain("probe") + explain("other"), "call 1first");
  other.text.replace(other.text.find("first"), 5, "other");
  runner.Use(*ScriptSet::Build({counting, rename(other, "another"), rename(other, "other")}, 2));
  EXPECT_EQ(explain("probe") + explain("other") + explain("another"), "call 2otherother");
  runner.Use(*ScriptSet::Build({counting}, 3));
  EXPECT_EQ(explain("probe"), "call 3");
}

double ThreadMs() { return static_cast<double>(ThreadCpuNs()) / 1e6; }

// Checked with another text, since CheckScript refuses what is slow to load.
std::shared_ptr<const ScriptSet> Unchecked(const ScriptFile& file) {
  auto info = CheckScript(Lens("return {}"));
  EXPECT_TRUE(info) << info.error().message();
  info->source = file.text;
  auto set = ScriptSet::Of({*info}, 1);
  EXPECT_TRUE(set) << set.error().message();
  return *set;
}

TEST(LensRunner, LoadsAStateInTheTimeOfTheCallThatNeedsIt) {
  const Claims one({{"a"}});
  LensRunner endless(Unchecked(Lens("return {}", "while true do end")), {});
  for (int i = 0; i < 2; ++i) {
    const double start = ThreadMs();
    const auto outcome = endless.Resolve(0, one.Call());
    ASSERT_FALSE(outcome);
    EXPECT_THAT(std::string(outcome.error().message()), HasSubstr("stopped after 50 ms"));
    EXPECT_EQ(endless.last_failure(), Failure::kTime);
    EXPECT_LE(ThreadMs() - start, 100);
  }
  // The work takes its time once at load and once in the call: either is within the time, both aren't.
  const std::string work = "local function work() local n = 0 for i = 1, 1e8 do n = n + i % 7 end end ";
  LensRunner::Options options;
  options.time_ms_max = 60'000;
  LensRunner measured(Unchecked(Lens("work() return {}", work)), options);
  const double start = ThreadMs();
  ASSERT_TRUE(measured.Resolve(0, one.Call()));
  const double took_ms = ThreadMs() - start;
  options.time_ms_max = static_cast<int64_t>(took_ms * 1.5);
  LensRunner both(Unchecked(Lens("work() return {}", work + "work()")), options);
  EXPECT_FALSE(both.Resolve(0, one.Call())) << took_ms << " ms";
  EXPECT_EQ(both.last_failure(), Failure::kTime);
}

TEST(LensRunner, KeepsItsAnswersAfterAFailure) {
  auto set = ScriptSet::Build({Lens("if #candidates == 1 then error('one') end return { winner = 1 }")}, 1);
  ASSERT_TRUE(set) << set.error().message();
  LensRunner runner(*set, {});
  const Claims one({{"a"}}), two({{"a"}, {"b"}});
  EXPECT_TRUE(runner.Resolve(0, two.Call()));
  const auto failed = runner.Resolve(0, one.Call());
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().reason(), "lens_failed");
  EXPECT_EQ(failed.error().message(), "probe.lua:1: one");
  EXPECT_TRUE(runner.Resolve(0, two.Call()));
}

TEST(LensRunner, ShippedLensesTakeAnyNumberOfValues) {
  LensRunner runner(Shipped(), {});
  for (const int count : {1000, 1025, 2047, 2048, 2049, 2180, 3000, 4000, 4094, 4096, 4097, 5000, 9000}) {
    std::vector<Claim> claims;
    for (int i = 0; i < count; ++i) {
      Claim claim;
      claim.value = "value " + std::to_string(i);
      claims.push_back(claim);
    }
    const Claims all(claims);
    for (size_t script = 0; script < runner.scripts().scripts().size(); ++script) {
      if (runner.scripts().scripts()[script].kind != "lens") continue;
      LensCall call = all.Call();
      call.predicate = "must_use:it";
      const auto outcome = runner.Resolve(static_cast<int>(script), call);
      EXPECT_TRUE(outcome) << count << ": " << outcome.error().message();
    }
  }
}

// As many as a question may have at most, and half of them left out.
TEST(LensRunner, ShippedLensesTakeTheMostCandidates) {
  std::vector<Claim> claims(100'000);
  for (size_t i = 0; i < claims.size(); ++i) {
    Claim& claim = claims[i];
    claim.value = "value " + std::to_string(i * 7919 % 50'021);
    claim.confidence = static_cast<double>(i % 1000) / 1000;
    claim.source = "source " + std::to_string(i % 3001);
    claim.votes = static_cast<uint32_t>(i % 3), claim.vote_weight = static_cast<double>(i % 3) / 2;
    claim.epoch = "e", claim.epoch_superseded = i % 2 == 0;
    claim.age_ms = static_cast<int64_t>(i);
  }
  const Claims all(claims);
  LensCall call = all.Call();
  call.predicate = "forbidden:it";
  LensRunner runner(Shipped(), {.time_ms_max = 1000});  // for slow machines and sanitizers
  for (size_t script = 0; script < runner.scripts().scripts().size(); ++script) {
    const auto outcome = runner.Resolve(static_cast<int>(script), call);
    EXPECT_TRUE(outcome) << outcome.error().message();
  }
}

TEST(LensRunner, ListsOfAnyLengthAreSorted) {
  auto set =
      ScriptSet::Build({Lens("for _, n in ipairs({ 1500, 2180, 3000, 4094, 5000 }) do local t = {} "
                             "for i = 1, n do t[i] = i * 7919 % n end table.sort(t) "
                             "for i = 2, n do assert(t[i - 1] <= t[i]) end end return { winner = 1 }")},
                       1);
  ASSERT_TRUE(set) << set.error().message();
  LensRunner runner(*set, {});
  const auto outcome = runner.Resolve(0, Claims({{"a"}}).Call());
  EXPECT_TRUE(outcome) << outcome.error().message();
}

// The compiler's code doesn't keep the stack's top up to date, and LuaJIT before 2023 wrote its message
// there: into a frame in the middle of a recursion, which ended the process as soon as that was returned to.
TEST(LensRunner, MemoryMayRunOutAnywhereInCompiledCode) {
  const char* bodies[] = {
      "local function f(n) local t = { n } if n > 0 then return f(n - 1)[1] + t[1], t end return t end "
      "for i = 1, 1e6 do pcall(f, 100) end",
      "local function f() table.sort({ 1, 2, 3 }, function() f() return false end) end for i = 1, 1e6 do "
      "pcall(f) end",
      "local keep = {} local function f(n) if n == 0 then return { {} } end local t = f(n - 1) keep[#keep + "
      "1] = t "
      "return { t } end for i = 1, 1e6 do f(i % 60) end",
  };
  const Claims one({{"a"}});
  for (const char* body : bodies) {
    auto set = ScriptSet::Build({Lens(std::string(body) + " return { winner = 1 }")}, 1);
    ASSERT_TRUE(set) << set.error().message();
    for (size_t cap = 1 << 20; cap < 3 << 20; cap += 40'000) {
      LensRunner runner(*set, {.memory_bytes_max = cap, .time_ms_max = 20});
      EXPECT_FALSE(runner.Resolve(0, one.Call())) << cap;
    }
  }
}

}  // namespace
}  // namespace stemedb::script::testing
