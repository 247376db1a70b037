// SPDX-License-Identifier: Apache-2.0
#include "script/policy_spec.h"

#include <algorithm>
#include <cmath>
#include <lua.hpp>

#include "base/json_writer.h"
#include "script/spec_case.h"
#include "script/spec_fields.h"
#include "script/spec_size.h"

namespace stemedb::script {
namespace {

constexpr double kTolerance = 1e-9;

std::string Show(double number) {
  std::string text;
  AppendJsonNumber(text, number);
  return text;
}

std::string ReadRequest(lua_State* lua, GivenRequest& given) {
  const Fields fields = {
      {"route", Text([&](std::string v) { given.route = std::move(v); })},
      {"method", Text([&](std::string v) { given.method = std::move(v); })},
      {"agent", Text([&](std::string v) { given.agent = std::move(v); })},
      {"peer", Text([&](std::string v) { given.peer = std::move(v); })},
      {"body_bytes", Number([&](double v) { given.body_bytes = v; })},
      {"items", Number([&](double v) { given.items = v; })},
      {"now", Number([&](double v) { given.now_ms = v; })},
      {"loopback", Flag([&](bool v) { given.loopback = v; })},
      {"signed", Flag([&](bool v) { given.is_signed = v; })},
  };
  if (std::string error = ReadFields(lua, fields); !error.empty()) return error;
  const auto is_count = [](double v) { return v >= 0 && v <= 1e12 && v == std::floor(v); };
  if (!is_count(given.body_bytes) || !is_count(given.items))
    return "body_bytes and items must be whole and not negative";
  return std::abs(given.now_ms) <= 1e15 ? "" : "now must be milliseconds since 1970";
}

std::string ReadExpected(lua_State* lua, PolicyCase& one) {
  if (lua_type(lua, -1) == LUA_TBOOLEAN && lua_toboolean(lua, -1) == 0) {
    one.is_unlimited = true;
    return "";
  }
  if (lua_type(lua, -1) != LUA_TTABLE) return " must be a table, or false for not limited";
  const std::string error =
      ReadFields(lua, {{"bucket", Text([&](std::string v) { one.bucket = std::move(v); })},
                       {"cost", Number([&](double v) { one.cost = v; })},
                       {"limit", Number([&](double v) { one.limit = v; })},
                       {"window_s", Number([&](double v) { one.window_s = v; })},
                       {"peer_limit", Number([&](double v) { one.peer_limit = v; })},
                       {"fails", Text([&](std::string v) { one.fails = std::move(v); })}});
  return error.empty() ? error : "." + error;
}

// The table on top of the stack.
PolicyCase ReadCase(lua_State* lua, size_t number) {
  PolicyCase one;
  bool has_request = false, has_expectation = false;
  one.error = ReadFields(lua, {{"claim", Text([&](std::string v) { one.claim = std::move(v); })},
                               {"request",
                                [&](lua_State* state) {
                                  has_request = true;
                                  const std::string error = ReadRequest(state, one.given);
                                  return error.empty() ? error : "." + error;
                                }},
                               {"params", [&](lua_State* state) { return ReadParams(state, one.params); }},
                               {"expect", [&](lua_State* state) {
                                  has_expectation = true;
                                  return ReadExpected(state, one);
                                }}});
  if (one.error.empty() && one.claim.empty()) one.error = "claim is missing: say in words what holds";
  if (one.error.empty() && !has_request) one.error = "request is missing";
  if (one.error.empty() && !has_expectation) one.error = "expect is missing";
  if (one.claim.empty()) one.claim = "case " + std::to_string(number);
  return one;
}

std::string Compare(const PolicyCase& one, const std::optional<RateVerdict>& got) {
  if (one.fails) return "expected a failure with '" + *one.fails + "', got a verdict";
  if (one.is_unlimited) return got ? "expected no limit, got a cost of " + Show(got->cost) : "";
  if (!got) return "expected a limit, got none";
  std::string failure;
  const auto differs = [&](const char* what, const std::string& expected, const std::string& found) {
    failure += std::string(failure.empty() ? "" : "; ") + what + ": expected " + expected + ", got " + found;
  };
  const auto number = [&](const char* what, std::optional<double> expected, double found) {
    if (expected && !(std::abs(*expected - found) <= kTolerance)) differs(what, Show(*expected), Show(found));
  };
  if (one.bucket && *one.bucket != got->bucket)
    differs("bucket", "'" + *one.bucket + "'", "'" + got->bucket + "'");
  number("cost", one.cost, got->cost);
  number("limit", one.limit, got->limit);
  number("window_s", one.window_s, got->window_s);
  number("peer_limit", one.peer_limit, got->peer_limit);
  return failure;
}

}  // namespace

std::string RunPolicyCase(PolicyRunner& runner, int script, const PolicyCase& one) {
  if (!one.error.empty()) return "the case is wrong: " + one.error;
  const auto params = CheckParams(runner.scripts().scripts()[static_cast<size_t>(script)], one.params);
  if (!params) return std::string(params.error().message());
  PolicyRequest request;
  request.route = one.given.route;
  request.method = one.given.method;
  request.agent = one.given.agent;
  request.peer = one.given.peer;
  request.body_bytes = static_cast<uint64_t>(one.given.body_bytes);
  request.items = static_cast<uint64_t>(one.given.items);
  request.loopback = one.given.loopback;
  request.is_signed = one.given.is_signed;
  const auto verdict = runner.Limit(script, request, static_cast<int64_t>(one.given.now_ms), &*params);
  if (verdict) return Compare(one, *verdict);
  const std::string message(verdict.error().message());
  return one.fails && message.find(*one.fails) != std::string::npos ? "" : message;
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
  const size_t count = std::min<size_t>(lua_objlen(lua, index), kSpecCasesMax);
  for (size_t i = 1; i <= count; ++i) {
    lua_rawgeti(lua, index, static_cast<int>(i));
    cases.push_back(ReadCase(lua, i));
    lua_pop(lua, 1);
  }
  return cases;
}

}  // namespace stemedb::script
