// SPDX-License-Identifier: Apache-2.0
// Specs: a lens's known answers (and a policy's: policy_spec.h), written beside it (recency_spec.lua) as
// data: claims that are given and what the lens is to say of them. They are run here exactly as questions
// are: same sandbox, same LensRunner, same default rules.
//
//   return {
//     { claim = "the newest claim wins",
//       given = { { value = "old", age_s = 90000 }, { value = "new" } },
//       expect = { winner = 2, confidence = 0.95 } },
//   }
//
// docs/lua-api.md lists all fields. A field that isn't known fails its case, and so does a case that expects
// nothing: a slip of the pen must not pass.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "script/lens.h"

namespace stemedb::script {

struct SpecResult {
  std::string claim;    // the case, in words
  std::string failure;  // empty: it holds
};

// The specs of a directory (*_spec.lua), sorted by name.
Result<std::vector<ScriptFile>> ReadSpecs(const std::string& directory);

// Compiles a spec, of a lens or a policy, and reads its cases without the script: how many there are, or what
// is wrong with the first that is. "spec_invalid" also for one that is too large (spec_size.h).
Result<size_t> CheckSpec(const ScriptFile& spec);

// Runs "<name>_spec.lua" against the script <name> of the runner's set. Fails when there is no such script,
// or when the spec is no list of cases. After 2 s of processor time the next case fails as "not run" and is
// the last of the results. `stop`, if there is one, is asked before each case: kUnavailable "cut_off" when it
// says so.
Result<std::vector<SpecResult>> RunSpec(LensRunner& runner, const ScriptFile& spec,
                                        const std::function<bool()>& stop = nullptr);

}  // namespace stemedb::script
