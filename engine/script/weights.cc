// SPDX-License-Identifier: Apache-2.0
// Decay of confidence with age; see weights.h for the formula and its limits.
#include "script/weights.h"

#include <cmath>

namespace stemedb::script {

double EffectiveConfidence(double confidence, int64_t age_ms, double half_life_days) {
  if (age_ms <= 0 || !(half_life_days > 0) || std::isinf(half_life_days)) return confidence;
  constexpr double kDayMs = 86400000.0;
  return confidence * std::exp2(-static_cast<double>(age_ms) / (half_life_days * kDayMs));
}

}  // namespace stemedb::script
