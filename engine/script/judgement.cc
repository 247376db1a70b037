// SPDX-License-Identifier: Apache-2.0
// The default rules of every lens, in one place; see judgement.h.
#include "script/judgement.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace stemedb::script {
namespace {

constexpr uint32_t kNoClaim = UINT32_MAX;
constexpr double kAgreedShare = 0.8;

// Default weights, and the first claim of each value, in one pass over the tier's rows (or all rows).
uint32_t Collect(const CallFrame& frame, std::optional<uint8_t> tier, JudgeScratch& scratch) {
  scratch.first_claims.assign(frame.values_count, kNoClaim);
  scratch.weights.assign(frame.values_count, 0);
  uint32_t count = 0;
  for (uint32_t i = 0; i < frame.rows_count; ++i) {
    const Candidate& row = frame.rows[i];
    if (tier && row.tier != *tier) continue;
    ++count;
    scratch.weights[row.value_index] += row.weight;
    if (scratch.first_claims[row.value_index] == kNoClaim) scratch.first_claims[row.value_index] = i;
  }
  return count;
}

std::vector<ValueWeight> Values(const CallFrame& frame, const JudgementSlot& slot,
                                const JudgeScratch& scratch) {
  std::vector<ValueWeight> values;
  values.reserve(frame.values_count);
  double total = 0;
  for (uint32_t v = 0; v < frame.values_count; ++v) {
    if (scratch.first_claims[v] == kNoClaim) continue;
    values.push_back({v, slot.has_weights != 0 ? slot.weights[v] : scratch.weights[v], 0});
    total += values.back().weight;
  }
  if (total > 0) {
    for (auto& value : values) value.share = value.weight / total;
  }
  return values;
}

Agreement Agree(const std::vector<ValueWeight>& values) {
  if (values.empty()) return Agreement::kNone;
  if (values.size() == 1) return Agreement::kUnanimous;
  return values.front().share >= kAgreedShare ? Agreement::kAgreed : Agreement::kContested;
}

// The share of the winner's value; without a winner, the leading share.
double DefaultConfidence(const CallFrame& frame, const Judgement& judgement) {
  if (judgement.values.empty()) return 0;
  if (!judgement.winner) return judgement.values.front().share;
  for (const auto& value : judgement.values) {
    if (value.value_index == frame.rows[*judgement.winner].value_index) return value.share;
  }
  return 0;
}

}  // namespace

double ConflictScore(const std::vector<ValueWeight>& values) {
  if (values.size() < 2) return 0;
  if (values.front().weight == 0) return 1;
  double entropy = 0;
  size_t weighed = 0;
  for (const auto& value : values) {
    if (!(value.weight > 0)) continue;
    ++weighed;
    if (value.share > 0)
      entropy -= value.share * std::log(value.share);  // a share can be too small for a double
  }
  return weighed < 2 ? 0 : std::clamp(entropy / std::log(static_cast<double>(weighed)), 0.0, 1.0);
}

Judgement Judge(const CallFrame& frame, const JudgementSlot& slot, std::optional<uint8_t> tier,
                JudgeScratch& scratch) {
  Judgement judgement;
  judgement.candidates_count = Collect(frame, tier, scratch);
  judgement.values = Values(frame, slot, scratch);
  std::sort(judgement.values.begin(), judgement.values.end(),
            [&](const ValueWeight& a, const ValueWeight& b) {
              if (a.weight != b.weight) return a.weight > b.weight;
              const Candidate& first_a = frame.rows[scratch.first_claims[a.value_index]];
              const Candidate& first_b = frame.rows[scratch.first_claims[b.value_index]];
              return std::memcmp(first_a.id, first_b.id, sizeof(Hash256)) < 0;
            });
  if (slot.winner >= 0) judgement.winner = static_cast<uint32_t>(slot.winner);
  judgement.conflict_score =
      std::isnan(slot.conflict_score) ? ConflictScore(judgement.values) : slot.conflict_score;
  judgement.agreement = slot.agreement < 0 ? Agree(judgement.values) : static_cast<Agreement>(slot.agreement);
  const auto origin = [](bool by_lens) { return by_lens ? Origin::kLens : Origin::kDefault; };
  judgement.origins = {.weights = origin(slot.has_weights != 0),
                       .confidence = origin(!std::isnan(slot.confidence)),
                       .conflict_score = origin(!std::isnan(slot.conflict_score)),
                       .status = origin(slot.agreement >= 0)};
  judgement.confidence = std::isnan(slot.confidence) ? DefaultConfidence(frame, judgement) : slot.confidence;
  return judgement;
}

}  // namespace stemedb::script
