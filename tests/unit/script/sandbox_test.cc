// SPDX-License-Identifier: Apache-2.0
// Hostile scripts against the sandbox. Each line is one attempt; it either ends in a clean failure that names
// the script, or in an answer that shows that there was nothing to get hold of. None may crash or leak.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "claims.h"

namespace stemedb::script::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

const Claims& TwoClaims() {
  static const Claims claims({{"a", 0.8, 5, 0, "x"}, {"b", 0.5, 1, kDay, "y"}});
  return claims;
}

Result<Outcome> RunBody(const std::string& body, const std::string& head = "", size_t memory = 32u << 20,
                        int64_t time_ms = 50) {
  auto set = ScriptSet::Build({Lens(body, head)}, 1);
  if (!set) return set.error();
  LensRunner::Options options;
  options.memory_bytes_max = memory;
  options.time_ms_max = time_ms;
  return LensRunner(*set, options).Resolve(0, TwoClaims().Call());
}

std::string Failure(const std::string& body, const std::string& head = "") {
  const auto outcome = RunBody(body, head);
  return outcome ? "answered: " + outcome->explain : std::string(outcome.error().message());
}

std::string Explain(const std::string& expression) {
  const auto outcome = RunBody("return { explain = tostring(" + expression + ") }");
  return outcome ? outcome->explain : std::string(outcome.error().message());
}

TEST(Sandbox, HasNoWayToTheOutside) {
  for (const char* name : {"ffi",
                           "os",
                           "io",
                           "debug",
                           "jit",
                           "package",
                           "require",
                           "load",
                           "loadstring",
                           "loadfile",
                           "dofile",
                           "module",
                           "getfenv",
                           "setfenv",
                           "rawset",
                           "rawget",
                           "rawequal",
                           "rawlen",
                           "newproxy",
                           "collectgarbage",
                           "coroutine",
                           "print",
                           "getmetatable",
                           "setmetatable",
                           "gcinfo",
                           "_G",
                           "_VERSION",
                           "arg",
                           "string.dump",
                           "string.gsub",
                           "string.match",
                           "string.gmatch",
                           "math.random",
                           "math.randomseed",
                           "table.foreach",
                           "table.getn",
                           "table.move",
                           "table.new"}) {
    EXPECT_EQ(Explain(name), "nil") << name;
  }
  for (const char* method : {"gsub", "match", "gmatch", "dump"}) {
    EXPECT_THAT(Failure("return ('x'):" + std::string(method) + "('a', 'b')"), HasSubstr("probe.lua:1: "))
        << method;
  }
}

TEST(Sandbox, KeepsArgumentsAndGlobalsReadOnly) {
  for (const char* change :
       {"ctx.now = 1", "ctx.params = {}", "ctx.params.x = 1", "candidates[1] = nil", "candidates[3] = {}",
        "candidates.n = 1", "candidates[1].confidence = 1", "candidates[1]._row = 1",
        "candidates[1]._call = 1", "candidates._candidates = 1", "steme.leader = nil", "steme.x = 1",
        "math.floor = nil", "table.insert = nil", "string.rep = nil", "bit.band = nil", "math = nil",
        "leak = 1", "tostring = nil"}) {
    // Writing to a const field of a struct fails in the FFI itself, with words of its own.
    EXPECT_THAT(Failure(change), ContainsRegex("probe.lua:1: .*(read-only|constant)")) << change;
  }
  EXPECT_THAT(Failure("table.insert(string, 1)"), HasSubstr("wants a table"));
  EXPECT_THAT(Failure("table.sort(candidates)"), HasSubstr("probe.lua:1: "));
  EXPECT_THAT(Failure("local s = 'x' s.y = 1"), HasSubstr("probe.lua:1: "));
}

TEST(Sandbox, RefusesCandidatesOfAnEarlierCall) {
  auto set = ScriptSet::Build({Lens("local old = kept.c kept.c = candidates[2] "
                                    "return { explain = old and old.value or 'first' }",
                                    "local kept = {}")},
                              1);
  ASSERT_TRUE(set) << set.error().message();
  LensRunner runner(*set, {});
  ASSERT_EQ(runner.Resolve(0, TwoClaims().Call())->explain, "first");
  const auto second = runner.Resolve(0, TwoClaims().Call());
  ASSERT_FALSE(second);
  EXPECT_THAT(std::string(second.error().message()),
              HasSubstr("probe.lua:1: this candidate belongs to an earlier call"));
  EXPECT_EQ(runner.Resolve(0, TwoClaims().Call())->explain, "first") << "the state is made anew";
}

TEST(Sandbox, RefusesForgedCandidates) {
  EXPECT_THAT(Failure("return steme.smaller_id({_row = -1, _call = 1}, candidates[1])"),
              HasSubstr("wants two candidates"));
  EXPECT_THAT(Failure("return steme.smaller_id(1LL, 2LL)"), HasSubstr("wants two candidates"));
  EXPECT_THAT(Failure("local x = candidates[1]()"), HasSubstr("probe.lua:1: "));
  EXPECT_THAT(Failure("return candidates[1] + 1"), HasSubstr("probe.lua:1: "));
  EXPECT_THAT(Failure("return candidates + 1"), HasSubstr("probe.lua:1: "));
  EXPECT_THAT(Failure("return candidates[1] < candidates[2]"), HasSubstr("probe.lua:1: "));
  EXPECT_THAT(Failure("return candidates[1] .. ''"), HasSubstr("probe.lua:1: "));
  EXPECT_THAT(Failure("return candidates[1][1]"), HasSubstr("has no field"));
  EXPECT_THAT(Failure("return candidates[1].nothing"),
              HasSubstr("probe.lua:1: a candidate has no field 'nothing'"));
  EXPECT_THAT(Failure("return #candidates[1]"), HasSubstr("probe.lua:1: "));
  EXPECT_THAT(Failure("local x = bit.band(candidates[1], 1)"), HasSubstr("probe.lua:1: "));
  EXPECT_THAT(Failure("local x = math.floor(candidates[1])"), HasSubstr("probe.lua:1: "));
  EXPECT_THAT(Failure("local x = steme.decay(candidates[1], 1, 1)"), HasSubstr("probe.lua:1: "));
  EXPECT_EQ(Explain("candidates[1] == candidates[1]"), "true");
  EXPECT_EQ(Explain("candidates[1] == candidates[2]"), "false");
  EXPECT_EQ(Explain("candidates[1] == 1"), "false");
  EXPECT_EQ(Explain("tonumber(candidates[1])"), "nil");
  EXPECT_EQ(Explain("candidates[1LL]"), "nil");
  EXPECT_EQ(Explain("candidates[0/0]"), "nil");
  EXPECT_EQ(Explain("candidates[-1]"), "nil");
  EXPECT_EQ(Explain("candidates[4294967297]"), "nil");
  EXPECT_EQ(Explain("candidates.rows"), "nil");
}

TEST(Sandbox, LeaksNoAddresses) {
  EXPECT_EQ(Failure("return ctx[{}]"), "probe.lua:1: ctx has no field 'table'");
  EXPECT_EQ(Failure("return ctx.params[tostring]"),
            "probe.lua:1: the script describes no parameter 'function'");
  EXPECT_EQ(Failure("return candidates[1][{}]"), "probe.lua:1: a candidate has no field 'table'");
  for (const char* thing : {"{}", "function() end", "tostring", "candidates", "candidates[1]", "ctx", "math",
                            "steme", "steme.voices", "ipairs(candidates)", "pairs({})", "1LL", "1i"}) {
    EXPECT_THAT(Explain(thing), Not(HasSubstr("0x"))) << thing;
    EXPECT_THAT(Failure("error(" + std::string(thing) + ")"), Not(HasSubstr("0x"))) << thing;
    for (const char* form : {"%s", "%p", "%q", "%d", "%5p", "%-3.2p", "%%%p"}) {
      const std::string body =
          std::string("return { explain = string.format('") + form + "', " + thing + ") }";
      EXPECT_THAT(Failure(body), Not(HasSubstr("0x"))) << form << thing;
    }
  }
  EXPECT_THAT(Failure("return { explain = string.format('%p', 'text') }"),
              HasSubstr("no such conversion '%p'"));
  EXPECT_THAT(Failure("return { explain = table.concat({{}}) }"), Not(HasSubstr("0x")));
  EXPECT_EQ(Failure("return { explain = string.format('%5.2f|%-3d|%%|%s', 1.234, 7, 'x') }"),
            "answered:  1.23|7  |%|x");
}

// With so much time that memory is what ends first.
TEST(Sandbox, BoundsMemory) {
  const auto failure = [](const std::string& body) {
    const auto outcome = RunBody(body, "", 32u << 20, 60'000);
    return outcome ? "answered: " + outcome->explain : std::string(outcome.error().message());
  };
  const char* eaters[] = {
      "local t = {} for i = 1, 1e9 do t[i] = i end",
      "local t = {} for i = 1, 1e9 do t[i] = {} end",
      "local t = {} for i = 1, 1e9 do t['k' .. i] = 'v' .. i end",
      "local t = {} for i = 1, 1e9 do t[i] = candidates[1] end",
      "local t = {} for i = 1, 1e9 do t[i] = function() return i end end",
      "local t, b = {}, string.rep('x', 65535) for i = 1, 1000 do t[i] = b:sub(2) .. i end",
      "return { explain = string.char(unpack({}, 1, 1e7)) }",
      "local t = {} for i = 1, 1e9 do t[i] = tostring(i) .. candidates[1].id end"};
  for (const char* body : eaters) {
    EXPECT_THAT(failure(body), ContainsRegex("probe.lua: out of memory \\(cap 32 MiB\\)|too many results"))
        << body;
  }
  EXPECT_THAT(Failure("return 1", "local t = {} for i = 1, 1e9 do t[i] = {} end"),
              ContainsRegex("out of memory|stopped after 25 ms"));
  EXPECT_THAT(failure("local ok, e = pcall(function() local t = {} for i = 1, 1e9 do t[i] = {} end end) "
                      "return { explain = tostring(ok) .. e }"),
              HasSubstr("memory"));
}

TEST(Sandbox, SweepsWhatEarlierCallsLeft) {
  auto set = ScriptSet::Build({Lens("local t = {} for i = 1, 1000000 do t[i] = i end return {}")}, 1);
  ASSERT_TRUE(set) << set.error().message();
  LensRunner::Options options;
  options.time_ms_max = 60'000;
  LensRunner runner(*set, options);
  for (int i = 0; i < 10; ++i) {
    const auto outcome = runner.Resolve(0, TwoClaims().Call());
    ASSERT_TRUE(outcome) << "call " << i << ": " << outcome.error().message();
  }
}

// Every byte count at which memory can run out, while traces are recorded, compiled and left.
TEST(Sandbox, SurvivesAnyMemoryCap) {
  const std::string body =
      "local t = {} for i = 1, 3000 do t[#t + 1] = { candidates[i % 2 + 1].value .. i, candidates[1].id } "
      "if i % 7 == 0 then t[i] = steme.voices(candidates) end end return { winner = 1, explain = t[1][1] }";
  int answered = 0, failed = 0;
  for (size_t cap = 64 << 10; cap < (2 << 20); cap += 4999) {
    auto outcome = RunBody(body, "", cap);
    (outcome ? answered : failed) += 1;
  }
  EXPECT_GT(answered, 0);
  EXPECT_GT(failed, 0);
}

TEST(Sandbox, BoundsWhatMakesText) {
  EXPECT_THAT(Failure("return { explain = string.rep('x', 1e9) }"),
              HasSubstr("probe.lua:1: string.rep: the text"));
  EXPECT_THAT(Failure("return { explain = ('x'):rep(2^53) }"), HasSubstr("longer than 64 KiB"));
  EXPECT_THAT(Failure("return { explain = string.rep('', 1e15) }"), HasSubstr("longer than 64 KiB"));
  EXPECT_THAT(Failure("return { explain = string.rep('x', 0/0) }"), HasSubstr("not a number of times"));
  EXPECT_THAT(Failure("return { explain = string.rep('', 1e6, 'xx') }"), HasSubstr("longer than 64 KiB"));
  EXPECT_THAT(Failure("return { explain = string.format('%999999d', 1) }"), HasSubstr("probe.lua:1: "));
  EXPECT_THAT(Failure("return { explain = string.format(string.rep('%99d', 2000), 1) }"),
              HasSubstr("4096 bytes"));
  EXPECT_THAT(Failure("local s = 'x' for i = 1, 100 do s = s .. s end"),
              HasSubstr("a text of more than 16 KiB"));
  EXPECT_THAT(Failure("local s = ('x'):rep(65536) s = s .. s"), HasSubstr("longer than 64 KiB"));
  EXPECT_THAT(Failure("return { explain = table.concat({ ('x'):rep(65536), 'y' }) }"),
              HasSubstr("probe.lua:1: table.concat: the text would be longer than 64 KiB"));
  EXPECT_THAT(Failure("return { explain = string.format('%s%s', ('x'):rep(65536), 'y') }"),
              HasSubstr("probe.lua:1: string.format: the text would be longer than 64 KiB"));
  EXPECT_EQ(Explain("#table.concat({ ('x'):rep(65535), 1 })"), "65536");
  EXPECT_THAT(Failure("table.insert({}, -2^31, 1)"), HasSubstr("position must be within"));
  EXPECT_THAT(Failure("table.insert({}, 2^31, 1)"), HasSubstr("position must be within"));
  EXPECT_THAT(Failure("return { explain = table.concat({}, '', 1, 1e9) }"), HasSubstr("probe.lua:1: "));
  EXPECT_EQ(Explain("string.find('a(b', '(')"), "2") << "plain, not a pattern";
  EXPECT_EQ(Explain("string.find(string.rep('a', 1000), '.-.-.-.-b')"), "nil");
}

TEST(Sandbox, EndsRecursion) {
  EXPECT_THAT(Failure("local function f() return 1 + f() end return f()"), HasSubstr("stack overflow"));
  EXPECT_THAT(Failure("local function f() local ok, e = pcall(f) error(e) end f()"), HasSubstr("probe.lua"));
  EXPECT_THAT(Failure("local function f(x) return xpcall(f, f, x) end f() error('out')"),
              HasSubstr("probe.lua"));
  EXPECT_THAT(Failure("local function f() table.sort({1, 2, 3}, function() f() return false end) end f()"),
              HasSubstr("probe.lua"));
  EXPECT_THAT(Failure("error(setmetatable)"), HasSubstr("the script threw a nil; throw text"));
  EXPECT_THAT(Failure("error({})"), HasSubstr("probe.lua:1: the script threw a table"));
  EXPECT_THAT(Failure("error(1LL)"), HasSubstr("the script threw a cdata"));
  EXPECT_THAT(Failure("error('plain', 0)"), HasSubstr("probe.lua:1: plain"));
  EXPECT_THAT(Failure("error('\\255\\0\\254')"), HasSubstr("\xEF\xBF\xBD"));
  EXPECT_EQ(Failure("table.sort({3, 1, 2, 5, 4}, function() return true end) return {}"), "answered: ");
}

// How deep the stack is, and how much fits into memory, depends on what was compiled and collected.
TEST(Sandbox, LetsNobodyCatchAFullStackOrMemory) {
  const std::string deep = "local d = 0 local function f() d = d + 1 return 1 + f() end ";
  EXPECT_THAT(Failure(deep + "pcall(f) return { explain = tostring(d) }"), HasSubstr("stack overflow"));
  EXPECT_THAT(Failure(deep + "xpcall(f, function() end) return { explain = tostring(d) }"),
              HasSubstr("probe.lua"));
  EXPECT_THAT(Failure("local t = {} pcall(function() for i = 1, 1e9 do t[i] = ('x'):rep(60000) .. i end end) "
                      "return { explain = tostring(#t) }"),
              ::testing::AnyOf(HasSubstr("out of memory"), HasSubstr("stopped after")));
  EXPECT_EQ(Explain("pcall(error, 'x', 0)"), "false");
  EXPECT_EQ(Explain("select('#', pcall(function() return 1, nil, nil end))"), "4");
}

// The helpers' own loops have no steps, so what they are given must be what they can be quick with.
TEST(Sandbox, HelpersTakeNumbersAlone) {
  const std::string text = "local s = '1' ";
  for (const auto& [call, name] : std::initializer_list<std::pair<const char*, const char*>>{
           {"steme.total({ s }, 1)", "steme.total"},
           {"steme.conflict({ s }, 1)", "steme.conflict"},
           {"steme.leader({ candidates[1] }, { s })", "steme.leader"},
           {"steme.leader(candidates, { s })", "steme.leader"},
           {"steme.weights({ { value_index = 1, weight = s } })", "steme.weights"},
           {"steme.best(candidates, function() return s end)", "steme.best"}}) {
    EXPECT_THAT(Failure(text + "local _ = " + call),
                ::testing::AllOf(HasSubstr("probe.lua:1: " + std::string(name)), HasSubstr("numbers")))
        << call;
  }
  EXPECT_EQ(Failure("steme.best(candidates, function() return 0/0 end)"),
            "probe.lua:1: steme.best: the score of claim 1 is no number (nan)");
  EXPECT_EQ(Failure("steme.rule('skeptic', ctx, candidates)"),
            "probe.lua:1: steme.rule knows confidence, consensus, recency and tier_authority, got 'skeptic'");
  EXPECT_THAT(Failure("steme.rule({}, ctx, candidates)"), HasSubstr("probe.lua:1: steme.rule knows "));
  for (const char* misuse : {"steme.keep(candidates)", "steme.keep(nil, type)", "steme.best(candidates, 5)",
                             "steme.rule('consensus', ctx)", "steme.rule('consensus', nil, candidates)",
                             "steme.rule('consensus', ctx, { 1 })", "steme.rule('recency', ctx, { {} })",
                             "steme.rule('tier_authority', ctx, { {} })", "steme.keep(1LL, type)"}) {
    EXPECT_THAT(Failure(misuse), HasSubstr("probe.lua:1: ")) << misuse;
    EXPECT_THAT(Failure(misuse), Not(HasSubstr("0x"))) << misuse;
  }
}

TEST(Sandbox, HelpersSayWhatTheyWantInstead) {
  const std::pair<const char*, const char*> cases[] = {
      {"steme.rule('confidence', ctx, { 1, 2 })",
       "steme.rule wants claims (the candidates, or a list of some), got a list that begins with a number"},
      {"steme.rule('consensus', ctx)",
       "steme.rule wants claims (the candidates, or a list of some), got nil"},
      {"steme.rule('consensus', candidates)",
       "steme.rule wants ctx as its second argument, got cdata: steme.rule(name, ctx, claims)"},
      {"steme.rule('consensus', nil, candidates)", "steme.rule wants ctx as its second argument, got nil"},
      {"steme.rule('consensus', ctx, candidates, 1)",
       "steme.rule: a count is for recency alone, and consensus looks at all claims: give it fewer of them"},
      {"steme.rule('recency', ctx, candidates, 'x')", "steme.rule wants a count of 1 or more, got string"},
      {"steme.rule('recency', ctx, candidates, 0)", "steme.rule wants a count of 1 or more, got 0"},
      {"steme.rule(nil, ctx, candidates)", "and tier_authority, got nil"},
      {"steme.keep(candidates[1], type)",
       "steme.keep wants claims (the candidates, or a list of some), got a candidate"},
      {"steme.best('x', type)", "steme.best wants claims"},
      {"steme.weights({ 'x' })", "got a list that begins with a string"},
      {"steme.voices(nil)", "steme.voices wants claims"},
      {"steme.by_value(5)", "steme.by_value wants claims"},
      {"steme.leader({ 1 }, {})", "steme.leader wants claims"},
      {"steme.leader(candidates)", "steme.leader wants a list by value, got nil"},
      {"steme.leader({ candidates[1] }, 5)", "steme.leader wants a list by value, got number"},
      {"steme.total(nil, 1)", "steme.total wants a list by value, got nil"},
      {"steme.conflict('x', 1)", "steme.conflict wants a list by value, got string"},
  };
  for (const auto& [call, message] : cases) {
    EXPECT_THAT(Failure(call), ::testing::AllOf(HasSubstr("probe.lua:1: steme."), HasSubstr(message)))
        << call;
  }
  EXPECT_EQ(Explain("steme.rule('recency', ctx, candidates, 1).winner"), "1") << "what it is for";
}

TEST(Sandbox, AHelperThatThereIsNotIsNamedWithTheNearestOne) {
  EXPECT_EQ(Failure("local _ = steme.kep(candidates, type)"),
            "probe.lua:1: there is no steme.kep: did you mean 'keep'?");
  EXPECT_EQ(Failure("\nreturn steme.leadr(candidates, {})"),
            "probe.lua:2: there is no steme.leadr: did you mean 'leader'?");
  EXPECT_THAT(
      Failure("local _ = steme.frobnicate"),
      HasSubstr("probe.lua:1: there is no steme.frobnicate: there are best, by_value, conflict, decay, "));
  EXPECT_THAT(Failure("local _ = steme[('x'):rep(60000)]"), HasSubstr("probe.lua:1: there is no steme.xxx"));
  EXPECT_THAT(Failure("local _ = steme[{}]"), HasSubstr("probe.lua:1: there is no steme.table"));
}

TEST(Sandbox, AnErrorInAHelperNamesItsLineAlsoBehindAReturn) {
  EXPECT_EQ(
      Failure("return steme.rule('consensu', ctx, candidates)"),
      "probe.lua:1: steme.rule knows confidence, consensus, recency and tier_authority, got 'consensu'");
  EXPECT_THAT(Failure("\n\nreturn steme.rule('confidence', ctx, { 1, 2 })"),
              HasSubstr("probe.lua:3: steme.rule"));
  EXPECT_THAT(Failure("if ctx then\nreturn steme.match(5, 'x') end"), HasSubstr("probe.lua:2: "));
  EXPECT_THAT(Failure("local function f(c)\nreturn steme.smaller_id(c, 1)\nend\nsteme.keep(candidates, f)"),
              HasSubstr("probe.lua:2: steme.smaller_id"));
  // And what it gives is what it gave.
  EXPECT_EQ(Explain("select('#', (function() return steme.match('ab', '(a)(b)') end)())"), "2");
  EXPECT_EQ(Explain("(function() return steme.tier_name(0) end)()"), "regulatory");
  EXPECT_EQ(Failure("return steme.rule('consensus', ctx, {})"), "answered: no claim is left");
}

TEST(Sandbox, HidesWhatACandidateIsMadeOf) {
  for (const char* field : {"_row", "_call", "row_SECRET", "call_SECRET", "_candidates"}) {
    EXPECT_THAT(Failure("return { explain = tostring(candidates[1]['" + std::string(field) + "']) }"),
                HasSubstr("a candidate has no field"));
  }
  EXPECT_EQ(Explain("candidates['_candidates']"), "nil");
}

TEST(Sandbox, ChecksWhatAScriptReturns) {
  const std::pair<const char*, const char*> cases[] = {
      {"return 5", "something that is not a table"},
      {"return ctx", "something that is not a table"},
      {"return candidates[1]", "something that is not a table"},
      {"return nil, {}", "nil and a reason that is not a string"},
      {"return { winner = 0 }", "a winner that is neither a candidate nor the number of one (1 to 2), got 0"},
      {"return { winner = 3 }", "got 3"},
      {"return { winner = 1.5 }", "got 1.5"},
      {"return { winner = 0/0 }", "a winner"},
      {"return { winner = '1' }", "got 1"},
      {"return { winner = candidates }", "got cdata"},
      {"return { winner = { candidates[1] } }", "got table"},
      {"return { winner = 1LL }", "got cdata"},
      {"return { confidence = 1.01 }", "a confidence that is not a number within 0 and 1, got 1.01"},
      {"return { confidence = -0.1 }", "a confidence"},
      {"return { confidence = 0/0 }", "a confidence"},
      {"return { confidence = 1/0 }", "a confidence"},
      {"return { conflict_score = 2 }", "a conflict_score"},
      {"return { status = 'sure' }", "a status that is not none, unanimous, agreed or contested, got sure"},
      {"return { weights = 1 }", "weights that are not a table"},
      {"return { weights = { 0/0 } }", "a weight for value 1"},
      {"return { weights = { 1, -1 } }", "a weight for value 2"},
      {"return { weights = { 1, 1/0 } }", "a weight for value 2"},
      {"return { weights = { 1, 1, 1 } }", "more weights than the 2 values"},
      {"return { weights = { 1, 'x' } }", "a weight for value 2"},
      {"return { weights = { 1e308, 1e308 } }",
       "resolve returned weights that have no finite sum, and so no shares, got inf"},
      {"return { layers = { { tier = 5, weights = { 1e308, 1e308 } } } }",
       "layer 1 with weights that have no finite sum"},
      {"return { weights = candidates }", "weights that are not a table"},
      {"return { layers = 1 }", "layers that are not a table"},
      {"return { layers = { 1 } }", "a layer that is not a table"},
      {"return { layers = { {} } }", "layer 1 with a tier that is not within 0 and 5"},
      {"return { layers = { { tier = 5 }, { tier = 5 } } }", "layer 2 with a tier"},
      {"return { layers = { { tier = 0/0 } } }", "layer 1 with a tier"},
      {"return { layers = { { tier = 5, winner = 2 } } }", "a winner of another tier"},
      {"return { layers = { {}, {}, {}, {}, {}, {}, {} } }", "more than 6 layers"},
      {"return { explain = 5 }", "an explain that is not a string"},
      {"return { details = 5 }", "details that are not a table"},
      {"return { winer = 1 }",
       "probe.lua: resolve returned an unknown field 'winer': did you mean 'winner'?"},
      {"return { weights = { 1, 1 }, explane = 'x' }", "an unknown field 'explane': did you mean 'explain'?"},
      {"return { zeta = 1, alpha = 2 }",
       "an unknown field 'alpha': there are confidence, conflict_score, details, explain, layers, notes, "
       "status, weights, winner"},
      {"return { 1 }", "the key [1]: there are confidence, "},
      {"return { [true] = 1 }", "the key [a boolean]: there are confidence, "},
      {"return { [true] = 1, [{}] = 1, [10] = 1, [9] = 1 }", "the key [9]: there are confidence, "},
      {"return { [9] = 1, winer = 1, ['~'] = 1 }", "an unknown field 'winer': did you mean 'winner'?"},
      {"local t = { winer = 1 } for i = 1, 1e5 do t[i] = i end return t", "an unknown field 'winer'"},
      {"return { ['x\\255'] = 1 }", "an unknown field 'x\xEF\xBF\xBD'"},
      {"return { layers = { { tier = 5, winer = 1 } } }",
       "layer 1 with an unknown field 'winer': did you mean 'winner'?"},
      {"return { winner = 1, layers = { { tier = 1, notes = {} }, { tier = 5, winner = 1 } } }",
       "layer 1 with an unknown field 'notes': there are confidence, conflict_score, status, tier, weights, "
       "winner"},
      {"return { layers = { x = {} } }", "layers with the key 'x': they are a list, 1, 2, … without a gap"},
      {"return { details = { 0/0 } }",
       "details with the key [1]: keys are strings here, so a list needs a name: { list = { … } }"},
      {"return { details = { [true] = 1 } }", "details with the key [a boolean]: keys are strings here"},
      {"return { details = { a = { b = { 1, x = 2 } } } }",
       "details.a.b with the key [1]: keys are strings, or those of a list: 1, 2, … without a gap"},
      {"return { details = { a = { [1.5] = 1 } } }", "details.a with the key [1.5]: "},
      {"return { details = { a = { [1/0] = 1 } } }", "details.a with the key [inf]: "},
      {"return { details = { x = 0/0 } }",
       "details.x that is nan: a number must be finite (leave it out, or write it as a string)"},
      {"return { details = { a = { 1, { b = -1/0 } } } }", "details.a[2].b that is -inf: "},
      {"return { details = { a = 1, b = { 1, 2 }, c = 1/0 } }", "details.c that is inf: "},
      {"return { details = { [('k'):rep(500)] = 0/0 } }", "kkk… that is nan"},
      {"return { details = { x = print or pcall } }",
       "details.x that is a function: strings, numbers, booleans and tables can be shown"},
      {"return { details = { x = candidates } }", "details.x that is a cdata: "},
      {"local t = {} t.t = t return { details = t }", "details deeper than 8 tables"},
      {"return { details = { x = string.rep('y', 20000) } }", "details of more than 16 KiB"},
      {"local t = {} for i = 1, 20000 do t['k' .. i] = i end return { details = t }",
       "details of more than 16 KiB"},
  };
  for (const auto& [body, message] : cases) {
    EXPECT_THAT(Failure(body), HasSubstr(message)) << body;
    EXPECT_THAT(Failure(body), HasSubstr("probe.lua")) << body;
  }
}

// Looking at every key costs as much as a short lens, so where a winner is named it is done only when asked.
TEST(Sandbox, AThoroughReadingFindsEveryKeyThatNobodyReads) {
  const auto said = [](const std::string& body, Reading reading) {
    const auto set = ScriptSet::Build({Lens(body)}, 1);
    EXPECT_TRUE(set) << set.error().message();
    LensCall call = TwoClaims().Call();
    call.reading = reading;
    const auto outcome = LensRunner(*set, {}).Resolve(0, call);
    return outcome ? "answered" : std::string(outcome.error().message());
  };
  const std::pair<const char*, const char*> cases[] = {
      {"return { winner = 1, confidense = 0.5 }",
       "an unknown field 'confidense': did you mean 'confidence'?"},
      {"return { winner = 1, weights = { a = 1, b = 2 } }",
       "weights with the key 'a': they go by value_index, 1 to 2"},
      {"return { winner = 1, weights = { [0] = 1 } }", "weights with the key [0]: "},
      {"return { winner = 1, weights = { [1.5] = 1 } }", "weights with the key [1.5]: "},
      {"return { winner = 1, notes = { [3] = 'x' } }",
       "notes with the key [3]: they go by the number of a candidate, 1 to 2"},
      {"return { winner = 1, layers = { { tier = 5, winner = 1, weights = { x = 1 } } } }",
       "layer 1 with weights with the key 'x': "},
      {"return { winner = 1, layers = { { tier = 5, winner = 1, explain = 'x' } } }",
       "layer 1 with an unknown field 'explain': "},
  };
  for (const auto& [body, message] : cases) {
    EXPECT_EQ(said(body, Reading::kDefault), "answered") << body;
    EXPECT_THAT(said(body, Reading::kThorough),
                HasSubstr("probe.lua: resolve returned " + std::string(message)))
        << body;
  }
  EXPECT_EQ(said("return { winner = 1, confidence = 1, conflict_score = 0, status = 'agreed', explain = 'x', "
                 "weights = { [2] = 1 }, notes = { [2] = 'n' }, details = { any = { thing = 1 } }, "
                 "layers = { { tier = 5, winner = 1, confidence = 1, conflict_score = 0, status = 'agreed', "
                 "weights = {} } } }",
                 Reading::kThorough),
            "answered");
  EXPECT_EQ(said("return nil, 'no reason'", Reading::kThorough), "answered");
}

// A large list that is made at once has a size that the allocator takes for a text's, unless it is told.
// LuaJIT itself refuses more than some 7,990 results.
TEST(Sandbox, TakesAListMadeOfResultsForAList) {
  for (const char* count : {"2000", "2047", "2048", "2049", "2177", "3000", "4096", "5000", "7900"}) {
    const std::string list = "local t, s = {}, ('x'):rep(" + std::string(count) + ") for i = 1, " + count +
                             " do t[i] = i end local function pack(...) return { ... } end ";
    for (const char* made : {"{ unpack(t) }", "{ 'first', unpack(t, 2) }", "pack(unpack(t))",
                             "{ s:byte(1, -1) }", "{ s:byte(-#s, #s + 9) }", "pack(pcall(unpack, t, 2))"}) {
      EXPECT_EQ(Failure(list + "return { explain = tostring(#" + made + ") }"),
                "answered: " + std::string(count))
          << made;
    }
    EXPECT_EQ(Failure(list + "return { explain = tostring(math.max(unpack(t))) }"),
              "answered: " + std::string(count));
  }
  EXPECT_THAT(Failure("return { explain = tostring(#{ unpack({}, 1, 8000) }) }"),
              HasSubstr("probe.lua:1: too many results"));
  EXPECT_EQ(Explain("string.byte('abc') .. ' ' .. string.byte('abc', -1) .. ' ' .. #{ ('abc'):byte(2, 9) }"),
            "97 99 2");
  EXPECT_THAT(Failure("unpack(5)"), HasSubstr("probe.lua:1: unpack wants a table, got number"));
  EXPECT_THAT(Failure("unpack({}, '1')"), HasSubstr("unpack wants a table and two numbers"));
  for (const char* separator : {",", ";"}) {
    std::string constants = "local t = { 1";
    for (int i = 0; i < 4999; ++i) constants += std::string(separator) + "1";
    EXPECT_EQ(Failure("return { explain = tostring(#t) }", constants + " }"), "answered: 5000") << separator;
  }
}

TEST(Sandbox, MendsText) {
  const auto huge = RunBody("return { explain = string.rep('\\195\\164', 5000) }");
  ASSERT_TRUE(huge) << huge.error().message();
  EXPECT_LE(huge->explain.size(), 1024u);
  EXPECT_TRUE(huge->explain.ends_with("ä…"));
  EXPECT_EQ(Failure("return { explain = 'a\\255b\\237\\160\\128' }"),
            "answered: a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  const auto details = RunBody("return { details = { b = { 1, 'x\\255', true }, a = { c = {} } } }");
  ASSERT_TRUE(details) << details.error().message();
  EXPECT_EQ(details->details_json, "{\"a\":{\"c\":{}},\"b\":[1,\"x\xEF\xBF\xBD\",true]}");
}

TEST(Sandbox, TakesOnlyText) {
  const auto load = [](const std::string& text) {
    const auto set = ScriptSet::Build({{"probe.lua", text}}, 1);
    return set ? std::string() : std::string(set.error().message());
  };
  EXPECT_THAT(load("\x1bLJ\x02\x02"), HasSubstr("probe.lua: this is not Lua text"));
  EXPECT_THAT(load(std::string("return {}\0", 10)), HasSubstr("probe.lua: this is not Lua text"));
  EXPECT_THAT(load(""), HasSubstr("probe.lua: a script must return a table, got nil"));
  EXPECT_THAT(load("return {\n  x = = 1 }"), HasSubstr("probe.lua:2: "));
  EXPECT_THAT(load("error('at load')"), HasSubstr("probe.lua:1: at load"));
}

TEST(Sandbox, GivesTablesOneOrder) {
  EXPECT_EQ(
      Failure("local s = '' for k, v in pairs({ b = 1, a = 2, [3] = 3, [true] = 4, [1.5] = 5, 'x' }) do "
              "s = s .. tostring(k) .. '=' .. v .. ' ' end return { explain = s }"),
      "answered: 1=x 1.5=5 3=3 a=2 b=1 true=4 ");
  EXPECT_EQ(Explain("next({ b = 1, a = 2 })"), "a");
  EXPECT_EQ(Explain("next({ b = 1, a = 2 }, 'a')"), "b");
  EXPECT_EQ(Explain("next({})"), "nil");
  EXPECT_THAT(Failure("for _ in pairs({ [{}] = 1 }) do end"),
              HasSubstr("probe.lua:1: pairs: a table as a key"));
  EXPECT_THAT(Failure("for _ in pairs(candidates) do end"), HasSubstr("pairs wants a table"));
  EXPECT_EQ(
      Failure(
          "local s = '' for i, c in ipairs(candidates) do s = s .. i .. c.value end return { explain = s }"),
      "answered: 1a2b");
}

TEST(Sandbox, KeepsScriptsApart) {
  auto other = Lens("return { explain = tostring(shared) }");
  other.name = "other.lua";
  other.text.replace(other.text.find("name = 'probe'"), 14, "name = 'other'");
  auto set = ScriptSet::Build({Lens("pcall(function() shared = 1 end) return {}"), other}, 1);
  ASSERT_TRUE(set) << set.error().message();
  LensRunner runner(*set, {});
  ASSERT_TRUE(runner.Resolve((*set)->Find("probe"), TwoClaims().Call()));
  EXPECT_EQ(runner.Resolve((*set)->Find("other"), TwoClaims().Call())->explain, "nil");
}

TEST(Sandbox, ASquareIsTheSameInterpretedAndCompiled) {
  // What the trace compiler makes of it; the interpreter's pow gives one bit more for this number.
  EXPECT_EQ(Explain("math.pow(86994.282353884846, 2) == 86994.282353884846 * 86994.282353884846"), "true");
  EXPECT_EQ(Explain("math.pow(2, 10) .. ' ' .. math.pow(2, 0.5)"), "1024 1.4142135623731");
}

}  // namespace
}  // namespace stemedb::script::testing
