// SPDX-License-Identifier: Apache-2.0
// Policies: what a script may say and see, what happens when it is wrong, and the specs of those that we
// ship.
#include "script/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "claims.h"
#include "specs.h"

namespace stemedb::script::testing {
namespace {

using ::testing::HasSubstr;

// The rate limit with this body of limit(ctx, request).
std::string Policy(const std::string& body, const std::string& head = "") {
  return head +
         " return { kind = 'policy', hook = 'rate_limit', api = 1, name = 'rate_limit', version = '1', "
         "description = 'probe', params = { n = { type = 'number', default = 3, description = 'n' } }, "
         "limit = function(ctx, request) " +
         body + " end }";
}

std::shared_ptr<const ScriptSet> SetOf(const std::string& text) {
  auto set = ScriptSet::Build({{"rate_limit.lua", text}}, 1);
  EXPECT_TRUE(set) << set.error().message();
  return set ? *set : nullptr;
}

class PolicyTest : public ::testing::Test {
 protected:
  // What the policy says of request_; "unlimited", the verdict, or the error.
  std::string Ask(const std::string& body, const std::string& head = "") {
    PolicyRunner runner(SetOf(Policy(body, head)), {});
    return Ask(runner);
  }
  std::string Ask(PolicyRunner& runner) {
    const auto said = runner.Limit(runner.FindHook("rate_limit"), request_, kNow);
    if (!said) return std::string(said.error().reason()) + ": " + std::string(said.error().message());
    if (!*said) return "unlimited";
    const RateVerdict& v = **said;
    std::string text = v.bucket;
    for (const double number : {v.cost, v.limit, v.window_s, v.peer_limit})
      text += " " + std::to_string(static_cast<int64_t>(number));
    return text;
  }
  // Asks a policy whose bucket is this text of its own making.
  std::string Shown(const std::string& expression) {
    return Ask("return { bucket = 'x', cost = 1, limit = 1, window_s = 1, explain = error(tostring(" +
               expression + "), 0) }");
  }

  PolicyRequest request_{.route = "/v1/assert",
                         .method = "POST",
                         .body_bytes = 2048,
                         .items = 7,
                         .loopback = false,
                         .is_signed = true,
                         .agent = "abcd",
                         .peer = "192.0.2.7"};
};

TEST_F(PolicyTest, SaysWhatARequestCosts) {
  EXPECT_EQ(Ask("return { bucket = 'write_1', cost = 10, limit = 100, window_s = 60 }"),
            "write_1 10 100 60 1000");
  EXPECT_EQ(Ask("return { bucket = 'w', cost = ctx.params.n, limit = 9, window_s = 60, peer_limit = 12 }"),
            "w 3 9 60 12");
  EXPECT_EQ(Ask("return nil"), "unlimited");
  EXPECT_EQ(Ask(""), "unlimited");
}

TEST_F(PolicyTest, SeesTheRequest) {
  EXPECT_THAT(Shown("request.route"), HasSubstr("/v1/assert"));
  EXPECT_THAT(Shown("request.method"), HasSubstr("POST"));
  EXPECT_THAT(Shown("request.body_bytes"), HasSubstr("2048"));
  EXPECT_THAT(Shown("request.items"), HasSubstr("7"));
  EXPECT_THAT(Shown("request.loopback"), HasSubstr("false"));
  EXPECT_THAT(Shown("request.signed"), HasSubstr("true"));
  EXPECT_THAT(Shown("request.agent"), HasSubstr("abcd"));
  EXPECT_THAT(Shown("request.peer"), HasSubstr("192.0.2.7"));
  EXPECT_THAT(Shown("ctx.now"), HasSubstr("1767225600000"));
  EXPECT_THAT(Shown("request.rout"), HasSubstr("a request has no field 'rout'"));
  EXPECT_THAT(Shown("ctx.candidates_count"), HasSubstr("ctx has no field"));
  EXPECT_THAT(Shown("ctx.predicate"), HasSubstr("ctx has no field 'predicate'"));
  EXPECT_THAT(Shown("ctx.concept_path"), HasSubstr("ctx has no field 'concept_path'"));
  EXPECT_THAT(Shown("request[{}]"), HasSubstr("a request has no field 'table'"));
  request_.agent = {};
  EXPECT_THAT(Shown("request.agent"), HasSubstr("nil"));
}

TEST_F(PolicyTest, IsRefusedWhatIsNoVerdict) {
  const auto with = [&](const std::string& field) {
    return Ask("local said = { bucket = 'b', cost = 1, limit = 1, window_s = 1 } said." + field +
               " return said");
  };
  EXPECT_THAT(with("cost = -1"),
              HasSubstr("policy_failed: rate_limit.lua: limit returned a cost that is not"));
  EXPECT_EQ(with("cost = 0"), "b 0 1 1 10");
  for (const char* number : {"-1", "0/0", "1/0", "'1'", "nil", "1e13", "{}"}) {
    EXPECT_THAT(with(std::string("cost = ") + number), HasSubstr("a cost that")) << number;
    EXPECT_THAT(with(std::string("limit = ") + number), HasSubstr("a limit that")) << number;
    EXPECT_THAT(with(std::string("window_s = ") + number), HasSubstr("a window_s that")) << number;
  }
  EXPECT_THAT(with("window_s = 2678401"), HasSubstr("a window_s that"));
  EXPECT_THAT(with("peer_limit = 0"), HasSubstr("a peer_limit that"));
  for (const char* name : {"''", "'Up'", "'a b'", "nil", "5", "('x'):rep(33)", "'a\\0'"})
    EXPECT_THAT(with(std::string("bucket = ") + name), HasSubstr("a bucket that is not a name")) << name;
  EXPECT_EQ(with("bucket = ('x'):rep(32)"), std::string(32, 'x') + " 1 1 1 10");
  EXPECT_THAT(Ask("return 5"), HasSubstr("something that is not a table"));
  EXPECT_THAT(Ask("\n\nerror('no')"), HasSubstr("policy_failed: rate_limit.lua:3: no"));
}

TEST_F(PolicyTest, CannotChangeWhatItIsGiven) {
  EXPECT_THAT(Ask("request.route = 'x'"), HasSubstr("read-only"));
  EXPECT_THAT(Ask("ctx.now = 1"), HasSubstr("read-only"));
  EXPECT_THAT(Ask("ctx.params.n = 1"), HasSubstr("read-only"));
  EXPECT_THAT(Ask("mine = 1"), HasSubstr("read-only"));
  EXPECT_THAT(Shown("getmetatable"), HasSubstr("nil"));
  EXPECT_THAT(Shown("ffi or require or io or os or debug"), HasSubstr("nil"));
}

TEST_F(PolicyTest, ARequestThatIsKeptShowsTheCallsOwn) {
  PolicyRunner runner(
      SetOf(Policy("kept = kept or request return { bucket = 'b', cost = kept.items, limit = 1, "
                   "window_s = 1 }",
                   "local kept")),
      {});
  EXPECT_EQ(Ask(runner), "b 7 1 1 10");
  request_.items = 9;
  EXPECT_EQ(Ask(runner), "b 9 1 1 10");
}

TEST_F(PolicyTest, AStateThatFailedIsMadeAnew) {
  PolicyRunner runner(SetOf(Policy("calls = calls + 1 if calls == 2 then error('second') end "
                                   "return { bucket = 'b', cost = calls, limit = 1, window_s = 1 }",
                                   "local calls = 0")),
                      {});
  EXPECT_EQ(Ask(runner), "b 1 1 1 10");
  EXPECT_THAT(Ask(runner), HasSubstr("second"));
  EXPECT_EQ(Ask(runner), "b 1 1 1 10");
}

TEST_F(PolicyTest, HasAMemoryCap) {
  // Reached long before the time is over, whatever else the machine does.
  PolicyRunner runner(SetOf(Policy("local t = {} for i = 1, 1e8 do t[i] = { i } end")),
                      {.memory_bytes_max = 2 << 20, .time_ms_max = 5000});
  EXPECT_THAT(Ask(runner), HasSubstr("out of memory (cap 2 MiB)"));
}

TEST_F(PolicyTest, IsStoppedAfterFiveMilliseconds) {
  EXPECT_THAT(Ask("while true do end"), HasSubstr("policy_failed: rate_limit.lua:1: stopped after 5 ms"));
}

TEST_F(PolicyTest, TakesUpAnotherSet) {
  PolicyRunner runner(SetOf(Policy("return nil")), {});
  EXPECT_EQ(Ask(runner), "unlimited");
  runner.Use(SetOf(Policy("return { bucket = 'b', cost = 1, limit = 1, window_s = 1 }")));
  EXPECT_EQ(Ask(runner), "b 1 1 1 10");
  runner.Use(Shipped());
  EXPECT_EQ(runner.FindHook("rate_limit"), -1);
}

TEST(PolicySelfCheck, FindsAPolicyThatCantDoWithoutAnAgent) {
  const auto check = [](const std::string& body) {
    PolicyRunner runner(SetOf(Policy(body)), {});
    return std::string(SelfCheckPolicy(runner, 0).message());
  };
  EXPECT_EQ(check("return { bucket = 'b', cost = 1 + request.items, limit = 1, window_s = 1 }"), "");
  EXPECT_THAT(check("return nil, #request.agent"),
              HasSubstr("asked about a request of which nothing is known: rate_limit.lua:1: "));
  EXPECT_THAT(check("return { bucket = 'b', cost = 10 / request.items, limit = 1, window_s = 1 }"),
              HasSubstr("a batch without claims: rate_limit.lua: limit returned a cost"));
  EXPECT_THAT(check("return { bucket = 'b', cost = 1, limit = 1, window_s = 1, peer_limt = 5 }"),
              HasSubstr("rate_limit.lua: limit returned an unknown field 'peer_limt': did you mean "
                        "'peer_limit'?"));
}

TEST_F(PolicyTest, LooksAtEveryKeyOnlyWhenTheReadingIsThorough) {
  PolicyRunner runner(
      SetOf(Policy("return { bucket = 'b', cost = 1, limit = 1, window_s = 1, per_limit = 5 }")), {});
  EXPECT_EQ(Ask(runner), "b 1 1 1 10");
  const auto said = runner.Limit(0, request_, kNow, nullptr, Reading::kThorough);
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().message(),
            "rate_limit.lua: limit returned an unknown field 'per_limit': did you mean 'peer_limit'?");
}

TEST(PolicyDescription, SaysWhatIsWrong) {
  const auto refusal = [](const std::string& piece, const std::string& by) {
    std::string text = Policy("return nil");
    text.replace(text.find(piece), piece.size(), by);
    const auto set = ScriptSet::Build({{"rate_limit.lua", text}}, 1);
    return set ? std::string() : std::string(set.error().message());
  };
  EXPECT_EQ(refusal("'1'", "'2'"), "");
  EXPECT_THAT(refusal("hook = 'rate_limit',", ""), HasSubstr("rate_limit.lua: hook must be a text"));
  EXPECT_THAT(refusal("hook = 'rate_limit'", "hook = 'breaker'"), HasSubstr("this server knows: rate_limit"));
  EXPECT_THAT(refusal("limit = function", "limits = function"),
              HasSubstr("limit must be a function (ctx, request)"));
  EXPECT_THAT(refusal("kind = 'policy'", "kind = 'police'"), HasSubstr("this server knows: lens, policy"));
  EXPECT_EQ(refusal("api = 1,", "api = 1, parms = {},"),
            "rate_limit.lua: parms is no field of a policy: did you mean 'params'?");
}

// The shipped policies without a lens.
Result<std::shared_ptr<const ScriptSet>> ShippedPolicies() {
  const auto files = ReadScripts(STEMEDB_SOURCE_DIR "/policies");
  if (!files) return files.error();
  return ScriptSet::Build(*files, 1);
}

TEST(ShippedPolicies, KeepTheirSpecs) {
  const auto set = ShippedPolicies();
  ASSERT_TRUE(set) << set.error().message();
  LensRunner runner(*set, {});
  EXPECT_EQ(ExpectSpecsHold(runner, STEMEDB_SOURCE_DIR "/policies"), (*set)->scripts().size());
}

TEST(ShippedPolicies, PassTheSelfCheck) {
  const auto set = ShippedPolicies();
  ASSERT_TRUE(set) << set.error().message();
  PolicyRunner runner(*set, {});
  for (const auto& script : (*set)->scripts()) {
    const Status passed = SelfCheckPolicy(runner, (*set)->Find(script.name));
    EXPECT_TRUE(passed.ok()) << script.name << ": " << passed.message();
  }
}

// Loading and the call together have five milliseconds.
TEST(PolicyRunner, LoadsAStateInTheTimeOfTheCallThatNeedsIt) {
  auto info = CheckScript({"rate_limit.lua", Policy("return nil")});
  ASSERT_TRUE(info) << info.error().message();
  info->source = Policy("return nil", "while true do end");
  auto set = ScriptSet::Of({*info}, 1);
  ASSERT_TRUE(set) << set.error().message();
  PolicyRunner runner(*set, {});
  const auto said = runner.Limit(0, {}, kNow);
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().code(), Code::kDeadlineExceeded);
  EXPECT_THAT(std::string(said.error().message()), HasSubstr("stopped after 5 ms"));
}

TEST(PolicyRunner, PreparesAStateInATimeOfItsOwn) {
  auto info = CheckScript({"rate_limit.lua", Policy("return nil")});
  ASSERT_TRUE(info) << info.error().message();
  info->source = Policy("return nil", "local n = 0 for i = 1, 2e7 do n = n + i end");  // at 1 ns each 20 ms
  auto set = ScriptSet::Of({*info}, 1);
  ASSERT_TRUE(set) << set.error().message();
  PolicyRunner runner(*set, {.load_time_ms_max = 60'000});
  const Status prepared = runner.Prepare(0);
  ASSERT_TRUE(prepared.ok()) << prepared.message();
  const auto said = runner.Limit(0, {}, kNow);
  EXPECT_TRUE(said) << said.error().message();

  PolicyRunner hasty(*set, {.load_time_ms_max = 1});
  EXPECT_EQ(hasty.Prepare(0).code(), Code::kDeadlineExceeded);
  EXPECT_EQ(hasty.Prepare(0).reason(), "policy_failed");
}

TEST(PolicySpec, FailsWhatIsWrong) {
  const auto set = ShippedPolicies();
  ASSERT_TRUE(set) << set.error().message();
  LensRunner runner(*set, {});
  const auto failure = [&](const std::string& fields) {
    const std::string request = fields.find("request") == std::string::npos ? "request = {}, " : "";
    return FirstFailure(runner, "rate_limit_spec.lua", "return {{ claim = 'c', " + request + fields + "}}");
  };
  EXPECT_EQ(failure("expect = { cost = 6 }"), "");
  EXPECT_EQ(failure("expect = { cost = 7 }"), "cost: expected 7, got 6");
  EXPECT_EQ(failure("expect = { bucket = 'x', limit = 1 }"),
            "bucket: expected 'x', got 'points'; limit: expected 1, got 10000");
  EXPECT_EQ(failure("expect = false"), "expected no limit, got a cost of 6");
  EXPECT_EQ(failure("request = { loopback = true }, expect = { cost = 6 }"), "expected a limit, got none");
  EXPECT_EQ(failure("expect = { fails = 'x' }"), "expected a failure with 'x', got a verdict");
  const std::string wrong = "the case in rate_limit_spec.lua is wrong: ";
  const std::string known = "bucket, cost, fails, limit, peer_limit, window_s";
  EXPECT_EQ(failure("expect = { costs = 7 }"),
            wrong + "expect.costs is no known field: did you mean 'cost'?");
  EXPECT_EQ(failure("expect = {}"),
            wrong + "expect is empty, which holds of every answer: say one or more of " + known);
  EXPECT_EQ(failure("expect = true"), wrong + "expect must be a table, or false for not limited");
  EXPECT_EQ(failure("expect = { cost = 0/0 }"), wrong + "expect.cost must be a finite number, got nan");
  EXPECT_EQ(failure("expect = { cost = 6, fails = 'x' }"),
            wrong + "expect.fails must stand alone: where there is an error there is nothing else");
  EXPECT_EQ(failure("request = { rout = 'x' }, expect = false"),
            wrong + "request.rout is no known field: did you mean 'route'?");
  EXPECT_THAT(failure("request = { zeta = 'x' }, expect = false"),
              HasSubstr(wrong + "request.zeta is no known field: there are agent, body_bytes, items, "));
  EXPECT_EQ(failure("request = { body_bytes = -1 }, expect = false"),
            wrong + "request.body_bytes must be a whole number from 0 to 1000000000000, got -1");
  EXPECT_EQ(failure("request = { items = 1.5 }, expect = false"),
            wrong + "request.items must be a whole number from 0 to 1000000000000, got 1.5");
  EXPECT_EQ(failure("request = { now = 1e18 }, expect = false"),
            wrong +
                "request.now must be a whole number from -62167219200000 to 253402300799999, got "
                "1000000000000000000");
  EXPECT_EQ(failure("request = {}"),
            wrong + "expect is missing: false for not limited, or a table with one or more of " + known);
  EXPECT_THAT(failure("params = { limit = 0 }, expect = { cost = 6 }"),
              HasSubstr("parameter 'limit' of policy 'rate_limit'"));
}

}  // namespace
}  // namespace stemedb::script::testing
