// SPDX-License-Identifier: Apache-2.0
#include "script/policy_spec.h"

#include <lua.hpp>

#include "base/time.h"
#include "script/details.h"
#include "script/spec_difference.h"

namespace stemedb::script {
namespace {

constexpr double kCountMax = 1e12;

std::string ReadRequest(lua_State* lua, GivenRequest& given) {
  const Fields fields = {
      {"route", Text([&](std::string v) { given.route = std::move(v); })},
      {"method", Text([&](std::string v) { given.method = std::move(v); })},
      {"agent", Text([&](std::string v) { given.agent = std::move(v); })},
      {"peer", Text([&](std::string v) { given.peer = std::move(v); })},
      {"body_bytes", Whole(0, kCountMax, [&](double v) { given.body_bytes = v; })},
      {"items", Whole(0, kCountMax, [&](double v) { given.items = v; })},
      {"now", Whole(kTimeMin, kTimeMax, [&](double v) { given.now_ms = v; })},
      {"loopback", Flag([&](bool v) { given.loopback = v; })},
      {"signed", Flag([&](bool v) { given.is_signed = v; })},
  };
  return ReadFields(lua, fields);
}

// `one` outlives them.
Fields ExpectedFields(PolicyCase& one) {
  return {{"bucket", Text([&](std::string v) { one.bucket = std::move(v); })},
          {"cost", Number([&](double v) { one.cost = v; })},
          {"limit", Number([&](double v) { one.limit = v; })},
          {"window_s", Number([&](double v) { one.window_s = v; })},
          {"peer_limit", Number([&](double v) { one.peer_limit = v; })},
          {"fails", Part([&](std::string v) { one.fails = std::move(v); })}};
}

std::string ReadExpected(lua_State* lua, const Fields& fields, PolicyCase& one) {
  if (lua_type(lua, -1) == LUA_TTABLE) return ReadExpectation(lua, fields);
  if (lua_type(lua, -1) != LUA_TBOOLEAN || lua_toboolean(lua, -1) != 0)
    return "must be a table, or false for not limited";
  one.is_unlimited = true;
  return "";
}

// The case on top of the stack.
void Read(lua_State* lua, size_t number, PolicyCase& one) {
  const Fields expected = ExpectedFields(one);
  ReadCase(lua, number,
           {{"request",
             [&](lua_State* state) {
               const std::string error = ReadRequest(state, one.given);
               return error.empty() ? error : "." + error;
             }},
            {"expect", [&](lua_State* state) { return ReadExpected(state, expected, one); }}},
           {{"request", "a table; {} is a question"},
            {"expect", "false for not limited, or a table with one or more of " + Names(expected)}},
           one);
}

std::string Compare(const PolicyCase& one, const std::optional<RateVerdict>& got) {
  if (one.fails) return "expected a failure with '" + *one.fails + "', got a verdict";
  if (one.is_unlimited) return got ? "expected no limit, got a cost of " + NumberText(got->cost) : "";
  if (!got) return "expected a limit, got none";
  Differences differences;
  if (one.bucket && *one.bucket != got->bucket)
    differences.Add("bucket", "'" + *one.bucket + "'", "'" + got->bucket + "'");
  differences.Compare("cost", one.cost, got->cost);
  differences.Compare("limit", one.limit, got->limit);
  differences.Compare("window_s", one.window_s, got->window_s);
  differences.Compare("peer_limit", one.peer_limit, got->peer_limit);
  return differences.Take();
}

}  // namespace

std::string RunPolicyCase(PolicyRunner& runner, int script, const Params& params, const PolicyCase& one) {
  PolicyRequest request;
  request.route = one.given.route;
  request.method = one.given.method;
  request.agent = one.given.agent;
  request.peer = one.given.peer;
  request.body_bytes = static_cast<uint64_t>(one.given.body_bytes);
  request.items = static_cast<uint64_t>(one.given.items);
  request.loopback = one.given.loopback;
  request.is_signed = one.given.is_signed;
  const auto verdict =
      runner.Limit(script, request, static_cast<int64_t>(one.given.now_ms), &params, Reading::kThorough);
  return verdict ? Compare(one, *verdict) : Unexpected(one, verdict.error());
}

bool HasPolicyCases(lua_State* lua, int index) {
  bool has_request = false;
  lua_rawgeti(lua, index, 1);
  if (lua_type(lua, -1) == LUA_TTABLE) {
    lua_pushliteral(lua, "request");
    lua_rawget(lua, -2);
    has_request = lua_type(lua, -1) != LUA_TNIL;
    lua_pop(lua, 1);
  }
  lua_pop(lua, 1);
  return has_request;
}

std::vector<PolicyCase> ReadPolicyCases(lua_State* lua, int index) {
  std::vector<PolicyCase> cases;
  ForEachCase(lua, index, [&](size_t number) { Read(lua, number, cases.emplace_back()); });
  return cases;
}

}  // namespace stemedb::script
