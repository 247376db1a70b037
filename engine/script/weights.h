// SPDX-License-Identifier: Apache-2.0
// What a claim weighs before any lens looks at it: its confidence, decayed by age, times the multiplier of
// its source class. The query room fills Candidate::effective_confidence and Candidate::weight with these.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

namespace stemedb::script {

// By tier: regulatory, clinical, observational, expert, community, anecdotal.
inline constexpr std::array<double, 6> kClassMultipliers = {1.0, 0.9, 0.7, 0.5, 0.3, 0.1};
inline constexpr std::array<double, 6> kHalfLifeDays = {
    std::numeric_limits<double>::infinity(), 730, 365, 180, 90, 30};

// confidence × 2^(−age / half-life). Never above `confidence`: a claim from the future has age 0. A half-life
// that is infinite, or not above 0, means no decay.
double EffectiveConfidence(double confidence, int64_t age_ms, double half_life_days);

}  // namespace stemedb::script
