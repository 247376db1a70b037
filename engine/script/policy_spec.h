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

#include <vector>

#include "script/policy.h"
#include "script/spec.h"

struct lua_State;

namespace stemedb::script {

// The cases in the table at this absolute stack index, run against scripts()[script] of the runner's set.
std::vector<SpecResult> RunPolicyCases(PolicyRunner& runner, int script, lua_State* lua, int index);

}  // namespace stemedb::script
