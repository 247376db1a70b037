// SPDX-License-Identifier: Apache-2.0
// Every lens that we ship keeps its own spec, in the sandbox that production uses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "claims.h"
#include "script/self_check.h"
#include "specs.h"

namespace stemedb::script::testing {
namespace {

using ::testing::HasSubstr;

TEST(ShippedLenses, KeepTheirSpecs) {
  LensRunner runner(Shipped(), {});
  EXPECT_GT(ExpectSpecsHold(runner, STEMEDB_SOURCE_DIR "/lenses"), 0u);
}

TEST(ShippedLenses, PassTheSelfCheck) {
  LensRunner runner(Shipped(), {});
  for (const auto& script : runner.scripts().scripts()) {
    const Status passed = SelfCheck(runner, runner.scripts().Find(script.name));
    EXPECT_TRUE(passed.ok()) << script.name << ": " << passed.message();
  }
}

TEST(ShippedLenses, AllHaveASpec) {
  const auto specs = ReadSpecs(STEMEDB_SOURCE_DIR "/lenses");
  ASSERT_TRUE(specs) << specs.error().message();
  std::set<std::string> names;
  for (const auto& spec : *specs) names.insert(spec.name);
  const auto shipped = Shipped();
  for (const auto& script : shipped->scripts())
    EXPECT_TRUE(names.count(script.name + "_spec.lua")) << script.name;
}

TEST(Spec, EndsWhenItsCasesTakeTooLongTogether) {
  const auto set =
      ScriptSet::Build({{"slow.lua",
                         "return { kind = 'lens', api = 1, name = 'slow', version = '1', description = 'x',"
                         "resolve = function() while true do end end }"}},
                       1);
  ASSERT_TRUE(set) << set.error().message();
  LensRunner runner(*set, {});
  const auto results = RunSpec(
      runner, {"slow_spec.lua",
               "local cases = {} for i = 1, 1000 do cases[i] = { claim = 'c' .. i, given = {{ value = 1 }}, "
               "expect = { fails = 'slow.lua' } } end return cases"});
  ASSERT_TRUE(results) << results.error().message();
  EXPECT_EQ(results->front().failure, "");
  EXPECT_LT(results->size(), 100u);
  EXPECT_NE(results->back().failure.find("not run"), std::string::npos);
}

// A spec whose tables are shared takes little of the Lua state's memory, and would take the server's.
TEST(Spec, IsRefusedWhenItIsTooLarge) {
  const auto refusal = [](const std::string& text) {
    const auto cases = CheckSpec({"probe_spec.lua", text});
    if (cases) return std::to_string(*cases) + " cases";
    EXPECT_EQ(cases.error().reason(), "spec_invalid");
    return std::string(cases.error().message());
  };
  // `claims` in each of `cases`, a text of `bytes` in each claim; lists and texts are the same ones.
  const auto spec = [](int cases, int claims, int bytes) {
    return "local claim, given, cases = { value = ('x'):rep(" + std::to_string(bytes) +
           ") }, {}, {} for i = 1, " + std::to_string(claims) +
           " do given[i] = claim end local case = { claim = 'c', given = given, expect = { winner = 1 } } "
           "for i = 1, " +
           std::to_string(cases) + " do cases[i] = case end return cases";
  };
  EXPECT_EQ(refusal(spec(2000, 10, 1)), "2000 cases");
  EXPECT_EQ(refusal(spec(2001, 1, 1)), "probe_spec.lua: is too large: more than 2,000 cases");
  EXPECT_NE(refusal(spec(2000, 11, 1)).find("is too large: more than 20,000 claims"), std::string::npos);
  EXPECT_EQ(refusal(spec(25, 10, 65536)), "25 cases");
  EXPECT_NE(refusal(spec(26, 10, 65536)).find("is too large: more than 16 MiB of text"), std::string::npos);
  EXPECT_NE(
      refusal("local request = { route = ('x'):rep(60000) } local cases = {} for i = 1, 300 do cases[i] = "
              "{ claim = 'c', request = request, expect = false } end return cases")
          .find("more than 16 MiB of text"),
      std::string::npos);
  EXPECT_NE(refusal("local t = {} for i = 1, 500 do t['k' .. i] = i end local cases = {} for i = 1, 1000 do "
                    "cases[i] = { claim = 'c', params = t } end return cases")
                .find("more than 400,000 entries"),
            std::string::npos);
  EXPECT_NE(refusal("local t = {} for i = 1, 8 do t[i] = t end return t").find("is too large"),
            std::string::npos);
}

// Of a case with two claims, of which recency takes the first.
std::string CaseOfRecency(const std::string& expect) {
  return "return {{ claim = 'c', given = {{ value = 'a' }, { value = 'b', age_s = 5 }}, " + expect + "}}";
}

TEST(Spec, FailsWhatDiffers) {
  LensRunner runner(Shipped(), {});
  const auto failure = [&](const std::string& expect) {
    return FirstFailure(runner, "recency_spec.lua", CaseOfRecency("expect = " + expect));
  };
  EXPECT_EQ(failure("{ winner = 1, value = 'a', confidence = 0.5, status = 'contested' }"), "");
  EXPECT_EQ(failure("{ winner = 2 }"), "winner: expected claim 2, got claim 1");
  EXPECT_EQ(failure("{ winner = false }"), "winner: expected claim 0, got claim 1");
  EXPECT_EQ(failure("{ confidence = 0.6 }"), "confidence: expected 0.6, got 0.5");
  EXPECT_EQ(failure("{ status = 'agreed' }"), "status: expected agreed, got contested");
  EXPECT_EQ(failure("{ candidates_count = 3, winner = 2 }"),
            "winner: expected claim 2, got claim 1; candidates_count: expected 3, got 2");
  EXPECT_EQ(failure("{ fails = 'x' }"), "expected a failure with 'x', got an answer");
  EXPECT_NE(failure("{ shares = {{ 'a', 1 }} }"), "");
  EXPECT_NE(failure("{ layers = {{ tier = 1 }} }"), "");
  EXPECT_NE(failure("{ explain = 'unsaid' }"), "");
  EXPECT_NE(failure("{ details = '{}' }"), "");
}

// Whatever would make a case hold of every answer, or be looked at as something else than was meant.
TEST(Spec, SaysWhatIsWrongWithACase) {
  LensRunner runner(Shipped(), {});
  const auto fault = [&](const std::string& fields) {
    const std::string text = CaseOfRecency(fields), place = "the case in recency_spec.lua is wrong: ";
    const std::string run = FirstFailure(runner, "recency_spec.lua", text);
    const auto checked = CheckSpec({"recency_spec.lua", text});
    if (checked) return "good" + run;
    EXPECT_EQ(run.substr(0, place.size()), place);
    EXPECT_EQ("recency_spec.lua: the case 'c': " + run.substr(std::min(run.size(), place.size())),
              checked.error().message());
    return run.substr(std::min(run.size(), place.size()));
  };
  const std::string fields =
      "candidates_count, confidence, conflict_score, details, explain, fails, layers, notes, shares, status, "
      "value, winner";
  EXPECT_EQ(fault("expect = { winner = 1 }"), "good");
  EXPECT_EQ(fault(""), "expect is missing: a table with one or more of " + fields);
  EXPECT_EQ(fault("expect = {}"),
            "expect is empty, which holds of every answer: say one or more of " + fields);
  EXPECT_EQ(fault("expect = false"), "expect must be a table");
  EXPECT_EQ(fault("expect = { wimmer = 1 }"), "expect.wimmer is no known field: did you mean 'winner'?");
  EXPECT_EQ(fault("expect = { 1 }"), "expect[1] is no known field: there are " + fields);
  EXPECT_EQ(fault("expects = { winner = 1 }"), "expects is no known field: did you mean 'expect'?");
  EXPECT_EQ(fault("expect = { winner = 1 }, [true] = 1"),
            "[a boolean] is no known field: there are claim, concept_path, expect, given, params, predicate");
  EXPECT_EQ(fault("expect = { winner = 1 }, predicate = ''"),
            "predicate must be a text of 1 to 128 bytes, got 0");
  EXPECT_EQ(fault("expect = { winner = 1 }, concept_path = ('c'):rep(513)"),
            "concept_path must be a text of 1 to 512 bytes, got 513");
  EXPECT_EQ(fault("expect = { confidence = 0/0 }"), "expect.confidence must be a finite number, got nan");
  EXPECT_EQ(fault("expect = { value = -1/0 }"), "expect.value must be a finite number, got -inf");
  EXPECT_EQ(fault("expect = { shares = { { 'a', 1 }, { 'b', 0/0 } } }"),
            "expect.shares[2] must be a finite number, got nan");
  EXPECT_EQ(fault("expect = { winner = 1 }, params = { max_age_s = 0/0 }"),
            "params.max_age_s must be a finite number, got nan");
  for (const char* winner : {"0/0", "1.5", "0", "-1", "true", "'1'"}) {
    EXPECT_EQ(fault("expect = { winner = " + std::string(winner) + " }"),
              "expect.winner must be the number of a given claim, or false for none")
        << winner;
  }
  EXPECT_EQ(fault("expect = { candidates_count = 1.5 }"),
            "expect.candidates_count must be a whole number from 0 to 20000, got 1.5");
  EXPECT_EQ(fault("expect = { candidates_count = 0/0 }"),
            "expect.candidates_count must be a whole number from 0 to 20000, got nan");
  EXPECT_EQ(fault("expect = { layers = { { winner = 1 } } }"), "expect.layers[1].tier is missing");
  EXPECT_EQ(fault("expect = { layers = { { tier = 5.5 } } }"),
            "expect.layers[1].tier must be a whole number from 0 to 5, got 5.5");
  EXPECT_EQ(fault("expect = { layers = { tier = 5 } }"),
            "expect.layers must be a list, 1, 2, … without a gap; it has tier");
  EXPECT_EQ(fault("expect = { explain = '' }"),
            "expect.explain must be a part of the text, of one byte or more");
  EXPECT_EQ(fault("expect = { notes = {} }"), "expect.notes is empty, which holds of every answer");
  EXPECT_EQ(fault("expect = { notes = { [3] = false } }"),
            "expect.notes[3] is about no given claim: there are 2");
  EXPECT_EQ(fault("expect = { notes = { [1.5] = false } }"),
            "expect.notes must give, by the number of a given claim, a part of its note, or false for none");
  EXPECT_EQ(fault("expect = { fails = 'x', winner = 1 }"),
            "expect.fails must stand alone: where there is an error there is nothing else");
}

TEST(Spec, SaysWhatIsWrongWithAList) {
  const auto fault = [](const std::string& text) {
    const auto checked = CheckSpec({"a_spec.lua", text});
    return checked ? "good" : std::string(checked.error().message());
  };
  const std::string good = "{ claim = 'c', given = {{ value = 1 }}, expect = { winner = 1 } }";
  EXPECT_EQ(fault("return { " + good + " }"), "good");
  EXPECT_EQ(fault("return { " + good + ", other = " + good + " }"),
            "a_spec.lua: other is no case: return a list of them, 1, 2, … without a gap");
  EXPECT_THAT(fault("return { " + good + ", nil, " + good + " }"), HasSubstr("a_spec.lua: "));
  EXPECT_EQ(fault("return { { claim = 'c', given = { value = 1 }, expect = { winner = false } } }"),
            "a_spec.lua: the case 'c': given must be a list, 1, 2, … without a gap; it has value");
  EXPECT_EQ(fault("return { { claim = 'c', expect = { winner = false } } }"),
            "a_spec.lua: the case 'c': given is missing: a list of claims");
  EXPECT_EQ(fault("return { { claim = 'c', given = { 5 }, expect = { winner = false } } }"),
            "a_spec.lua: the case 'c': given[1] must be a table");
  EXPECT_EQ(fault("return { { claim = 'c', given = {{ value = 1, tier = 2.5 }}, expect = { winner = 1 } } }"),
            "a_spec.lua: the case 'c': given[1].tier must be a whole number from 0 to 5, got 2.5");
  EXPECT_EQ(
      fault("return { { claim = 'c', given = {{ value = 1, age_s = 1/0 }}, expect = { winner = 1 } } }"),
      "a_spec.lua: the case 'c': given[1].age_s must be a finite number, got inf");
}

// A case that gives what no claim can be would hold of nothing that is ever asked.
TEST(Spec, RefusesClaimsThatCannotBe) {
  const auto fault = [](const std::string& claims) {
    const std::string text =
        "return { { claim = 'c', given = { " + claims + " }, expect = { winner = 1 } } }";
    const std::string place = "a_spec.lua: the case 'c': ";
    const auto checked = CheckSpec({"a_spec.lua", text});
    if (checked) return std::string("good");
    const std::string message(checked.error().message());
    EXPECT_EQ(message.substr(0, place.size()), place);
    return message.substr(std::min(message.size(), place.size()));
  };
  const auto field = [&](const std::string& one) { return fault("{ value = 1, " + one + " }"); };
  EXPECT_EQ(field("confidence = 5"), "given[1].confidence must be a number from 0 to 1, got 5");
  EXPECT_EQ(field("confidence = -0.1"), "given[1].confidence must be a number from 0 to 1, got -0.1");
  EXPECT_EQ(field("confidence = '1'"), "given[1].confidence must be a number from 0 to 1");
  EXPECT_EQ(field("confidence = 0/0"), "given[1].confidence must be a finite number, got nan");
  EXPECT_EQ(field("confidence = 0.5, effective_confidence = 0.6"),
            "given[1].effective_confidence must be a number from 0 to the confidence, 0.5, got 0.6");
  EXPECT_EQ(field("effective_confidence = -1"),
            "given[1].effective_confidence must be a number from 0 to 1, got -1");
  EXPECT_EQ(field("weight = -1"), "given[1].weight must be a number from 0 to 1000, got -1");
  EXPECT_EQ(field("tier = 9"), "given[1].tier must be a whole number from 0 to 5, got 9");
  EXPECT_EQ(field("tier = -1"), "given[1].tier must be a whole number from 0 to 5, got -1");
  EXPECT_THAT(field("age_s = 1e12"), HasSubstr("given[1].age_s must be a number from -"));
  EXPECT_THAT(field("age_s = -1e300"), HasSubstr("given[1].age_s must be a number from -"));
  EXPECT_EQ(field("agent = ''"), "given[1].agent must be a text of 1 to 32 bytes, got 0");
  EXPECT_EQ(field("agent = ('a'):rep(33)"), "given[1].agent must be a text of 1 to 32 bytes, got 33");
  EXPECT_EQ(field("id = ('a'):rep(33)"), "given[1].id must be a text of 1 to 32 bytes, got 33");
  EXPECT_EQ(field("id = 7"), "given[1].id must be a text of 1 to 32 bytes");
  EXPECT_EQ(field("source = ''"), "given[1].source must be a text of 1 to 512 bytes, got 0");
  EXPECT_EQ(field("source = '\\255'"), "given[1].source must be UTF-8, as a claim's texts are");
  EXPECT_EQ(field("vote = 1"), "given[1].vote is no known field: did you mean 'vote_weight'?");
  EXPECT_EQ(field("trust = 1.1"), "given[1].trust must be a number from 0 to 1, got 1.1");
  EXPECT_EQ(field("trust = 0/0"), "given[1].trust must be a finite number, got nan");
  EXPECT_EQ(field("trust = 0.3, derived_trust = 0.4"),
            "given[1].derived_trust must be a number from 0 to the trust, 0.3, got 0.4");
  EXPECT_EQ(field("derived_trust = 0.6"),
            "given[1].derived_trust must be a number from 0 to the trust, 0.5, got 0.6");
  EXPECT_EQ(field("votes = -1"), "given[1].votes must be a whole number from 0 to 4294967295, got -1");
  EXPECT_EQ(field("votes = 1.5"), "given[1].votes must be a whole number from 0 to 4294967295, got 1.5");
  EXPECT_EQ(field("vote_weight = 0.1"),
            "given[1].vote_weight must be a number from 0 to the votes, 0, got 0.1");
  EXPECT_EQ(field("votes = 2, vote_weight = 2.5"),
            "given[1].vote_weight must be a number from 0 to the votes, 2, got 2.5");
  EXPECT_EQ(field("epoch = ''"), "given[1].epoch must be a text of 1 to 128 bytes, got 0");
  EXPECT_EQ(field("epoch_superseded = 1"), "given[1].epoch_superseded must be true or false");
  EXPECT_EQ(field("epoch_superseded = true"), "given[1].epoch_superseded must not be true without an epoch");
  EXPECT_EQ(field("lifecycle = 'draft'"),
            "given[1].lifecycle must be one of proposed, under_review, approved, deprecated, rejected");
  EXPECT_EQ(fault("{ value = '\\255' }"), "given[1].value must be UTF-8, as a claim's texts are");
  EXPECT_EQ(fault("{ value = table.concat({ ('x'):rep(65536) }) }"), "good");
  EXPECT_EQ(fault("{ value = 1 }, { value = 2, id = 'x' }, { value = 3, id = 'x' }"),
            "given[3].id must be another than that of given[2]: no two claims have one id");
  EXPECT_EQ(
      fault("{ value = 1, confidence = 0, tier = 0, weight = 1000, age_s = 6e10, agent = ('a'):rep(32), "
            "source = ('s'):rep(512), id = ('i'):rep(32) }, { value = 1, confidence = 1, "
            "effective_confidence = 1, tier = 5, weight = 0, age_s = -2e11 }"),
      "good");
  EXPECT_EQ(
      fault("{ value = 1, trust = 0, votes = 2^32 - 1, vote_weight = 0, epoch = ('e'):rep(128), "
            "epoch_superseded = true, lifecycle = 'rejected' }, { value = 1, trust = 1, derived_trust = "
            "0, votes = 3, epoch_superseded = false }"),
      "good");
}

// What a lens sees of a claim that gives everything, and of one that gives nothing.
TEST(Spec, GivesALensWhatItSays) {
  const auto set = ScriptSet::Build(
      {Lens("local c = candidates[1] return { explain = table.concat({ ctx.concept_path, ctx.predicate, "
            "c.trust, c.derived_trust, c.votes, c.vote_weight, tostring(c.epoch), "
            "tostring(c.epoch_superseded), c.lifecycle }, ' ') }")},
      1);
  ASSERT_TRUE(set) << set.error().message();
  LensRunner runner(*set, {});
  const auto failure = [&](const std::string& given, const std::string& explain, const std::string& more) {
    return FirstFailure(runner, "probe_spec.lua",
                        "return { { claim = 'c', given = { { value = 1, " + given +
                            " } }, expect = { explain = '" + explain + "' }, " + more + " } }");
  };
  EXPECT_EQ(failure("", "concept predicate 0.5 0.5 0 0 nil false proposed", ""), "");
  EXPECT_EQ(failure("trust = 0.75, votes = 3", "concept predicate 0.75 0.75 3 3 nil false proposed", ""), "");
  EXPECT_EQ(failure("trust = 0.75, derived_trust = 0.25, votes = 3, vote_weight = 1.5, epoch = 'spring', "
                    "epoch_superseded = true, lifecycle = 'approved'",
                    "a/b must_use:x 0.75 0.25 3 1.5 spring true approved",
                    "concept_path = 'a/b', predicate = 'must_use:x'"),
            "");
}

TEST(Spec, LooksAtEveryKeyOfTheVerdict) {
  const auto set = ScriptSet::Build({Lens("return { winner = 1, confidense = 1 }")}, 1);
  ASSERT_TRUE(set) << set.error().message();
  LensRunner runner(*set, {});
  EXPECT_EQ(FirstFailure(runner, "probe_spec.lua",
                         "return { { claim = 'c', given = { { value = 1 } }, expect = { winner = 1 } } }"),
            "probe.lua: resolve returned an unknown field 'confidense': did you mean 'confidence'?");
}

}  // namespace
}  // namespace stemedb::script::testing
