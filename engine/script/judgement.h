// SPDX-License-Identifier: Apache-2.0
// From what a lens said to a Judgement: default weights and confidence, shares, conflict score, agreement,
// order. The formulas are in outcome.h. All sums run in an order that doesn't depend on when claims arrived.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "script/call_frame.h"
#include "script/outcome.h"

namespace stemedb::script {

// One thread's scratch memory for Judge; reused from call to call.
struct JudgeScratch {
  std::vector<uint32_t> first_claims;  // by value, within one tier
  std::vector<double> weights;         // by value
};

// `slot` says what the lens said of all candidates, or of the candidates of `tier`.
Judgement Judge(const CallFrame& frame, const JudgementSlot& slot, std::optional<uint8_t> tier,
                JudgeScratch& scratch);

// Shannon entropy of the weights' shares / log(number of values with a weight above 0): a value that the lens
// leaves out of its weights is not part of the conflict. 0 for fewer than two such values; 1 when there are
// several values and none has weight (nothing speaks for any of them). steme.conflict in steme.lua is the
// same rule.
double ConflictScore(const std::vector<ValueWeight>& values);

}  // namespace stemedb::script
