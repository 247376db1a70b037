// SPDX-License-Identifier: Apache-2.0
// Specs of policies: requests and the verdicts on them. Read and run by RunSpec (spec.h), as those of lenses
// are.
//
//   return {
//     { claim = "a claim costs ten points, and one for its KiB",
//       request = { route = "/v1/assert", method = "POST", body_bytes = 300 },
//       expect = { bucket = "points", cost = 11 } },
//     { claim = "programs on this machine are not limited", request = { loopback = true }, expect = false },
//   }
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "script/policy.h"
#include "script/spec_case.h"
#include "script/spec_fields.h"

struct lua_State;

namespace stemedb::script {

// A request that owns its texts.
struct GivenRequest {
  std::string route = "/v1/query";
  std::string method = "GET";
  std::string agent;
  std::string peer = "192.0.2.1";
  double body_bytes = 0;
  double items = 1;
  double now_ms = kSpecNow;
  bool loopback = false;
  bool is_signed = false;
};

struct PolicyCase : CaseBase {
  GivenRequest given;
  bool is_unlimited = false;
  std::optional<std::string> bucket;
  std::optional<double> cost, limit, window_s, peer_limit;
};

// Whether the table at this absolute stack index has cases of a policy: they give a request. It, and the
// reader, raise no Lua error as long as memory lasts.
bool HasPolicyCases(lua_State* lua, int index);
std::vector<PolicyCase> ReadPolicyCases(lua_State* lua, int index);

// Puts the case, in which nothing is wrong, to scripts()[script] of the runner's set. What differs; empty
// when it holds.
std::string RunPolicyCase(PolicyRunner& runner, int script, const Params& params, const PolicyCase& one);

}  // namespace stemedb::script
