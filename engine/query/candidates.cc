// SPDX-License-Identifier: Apache-2.0
#include "query/candidates.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <string_view>

#include "base/bytes.h"
#include "base/keyed_hash.h"
#include "base/scratch.h"
#include "script/weights.h"

namespace stemedb::query {
namespace {

using script::Candidate;

std::string_view ValueText(const Candidate& c) { return {c.value_text, c.value_text_size}; }
std::string_view SourceId(const Candidate& c) { return {c.source_id, c.source_id_size}; }

// Newest first, equal times by smaller id.
bool InCanonicalOrder(const Candidate& a, const Candidate& b) {
  if (a.timestamp_ms != b.timestamp_ms) return a.timestamp_ms > b.timestamp_ms;
  return std::memcmp(a.id, b.id, sizeof(Hash256)) < 0;
}

uint64_t HashOfValue(const Candidate& c) {
  const KeyedHash& hash = KeyedHash::OfProcess();
  if (c.value_text_size > 0) return hash.Of(ValueText(c)) ^ c.value_kind;
  return hash.Of(std::bit_cast<uint64_t>(c.number + 0.0)) ^ c.value_kind;  // -0 equals 0
}

bool SameValue(const Candidate& a, const Candidate& b) {
  return a.value_kind == b.value_kind && a.number == b.number && ValueText(a) == ValueText(b);
}

uint64_t HashOfVoice(const Candidate& c) {
  const KeyedHash& hash = KeyedHash::OfProcess();
  if (c.anonymous) return hash.Of(SourceId(c));
  return hash.Of(std::string_view(reinterpret_cast<const char*>(c.agent_id), sizeof(model::AgentId)));
}

bool SameVoice(const Candidate& a, const Candidate& b) {
  if (a.anonymous != b.anonymous) return false;
  return a.anonymous ? SourceId(a) == SourceId(b)
                     : std::memcmp(a.agent_id, b.agent_id, sizeof(model::AgentId)) == 0;
}

// What a bound on candidates keeps first.
bool Precedes(const model::ClaimView& a, const model::ClaimView& b) {
  if (a.source_class() != b.source_class()) return a.source_class() < b.source_class();
  if (a.timestamp_ms() != b.timestamp_ms()) return a.timestamp_ms() > b.timestamp_ms();
  return std::memcmp(a.id(), b.id(), sizeof(Hash256)) < 0;
}

// Positions of the `count` first rows by Precedes, in no order.
std::vector<uint32_t> Best(std::span<const store::Row> rows, size_t count) {
  std::vector<uint32_t> positions(rows.size());
  std::iota(positions.begin(), positions.end(), 0u);
  std::nth_element(positions.begin(), positions.begin() + static_cast<ptrdiff_t>(count), positions.end(),
                   [&](uint32_t a, uint32_t b) { return Precedes(rows[a].claim, rows[b].claim); });
  positions.resize(count);
  return positions;
}

Candidate FromRow(const store::Row& row, const ClaimStanding& standing, const Weighing& weighing) {
  const model::ClaimView& claim = row.claim;
  const auto tier = static_cast<size_t>(claim.source_class());
  const std::string_view value = claim.value_text(), source = claim.source_id(), epoch = claim.epoch();
  Candidate c;
  c.confidence = claim.confidence();
  c.effective_confidence =
      weighing.decays ? script::EffectiveConfidence(c.confidence, weighing.now_ms - claim.timestamp_ms(),
                                                    weighing.half_life_days[tier])
                      : c.confidence;
  c.weight = c.effective_confidence * weighing.class_multipliers[tier];
  c.number = claim.number();
  c.trust = standing.trust;
  c.derived_trust = standing.derived_trust;
  c.vote_weight = standing.vote_weight;
  c.votes = static_cast<uint32_t>(std::min<uint64_t>(standing.votes, UINT32_MAX));
  c.epoch_superseded = standing.epoch_superseded ? 1 : 0;
  c.timestamp_ms = claim.timestamp_ms();
  c.valid_from_ms = claim.valid_from_ms();
  c.valid_to_ms = claim.valid_to_ms();
  c.sequence = row.sequence;
  c.value_text = value.data();
  c.source_id = source.data();
  c.epoch = epoch.data();
  c.id = claim.id();
  c.agent_id = claim.agent_id();
  c.value_text_size = static_cast<uint32_t>(value.size());
  c.source_id_size = static_cast<uint32_t>(source.size());
  c.epoch_size = static_cast<uint32_t>(epoch.size());
  c.value_index = 0;
  c.voice_index = 0;
  c.value_kind = static_cast<uint8_t>(claim.value_kind());
  c.tier = static_cast<uint8_t>(tier);
  c.lifecycle = static_cast<uint8_t>(claim.lifecycle());
  c.anonymous = claim.anonymous() ? 1 : 0;
  return c;
}

}  // namespace

template <typename Hash, typename Same>
uint32_t CandidateSet::Number(uint32_t script::Candidate::*index, Hash hash, Same same) {
  slots_.assign(std::bit_ceil(candidates_.size() * 2 + 1), 0);
  const size_t mask = slots_.size() - 1;
  uint32_t count = 0;
  for (uint32_t i = 0; i < candidates_.size(); ++i) {
    Candidate& candidate = candidates_[i];
    uint64_t at = hash(candidate);
    while (slots_[at & mask] != 0 && !same(candidates_[slots_[at & mask] - 1], candidate)) ++at;
    uint32_t& slot = slots_[at & mask];
    if (slot == 0) {
      slot = i + 1;
      candidate.*index = count++;
    } else {
      candidate.*index = candidates_[slot - 1].*index;
    }
  }
  return count;
}

void CandidateSet::Trim() {
  ReleaseIfLarge(candidates_);
  ReleaseIfLarge(slots_);
}

void CandidateSet::Build(std::span<const store::Row> rows, std::span<const ClaimStanding> standings,
                         const Weighing& weighing, size_t candidates_max) {
  static constexpr ClaimStanding kOfAnyClaim;
  const auto candidate = [&](size_t at) {
    return FromRow(rows[at], standings.empty() ? kOfAnyClaim : standings[at], weighing);
  };
  candidates_.clear();
  left_out_ = rows.size() > candidates_max ? rows.size() - candidates_max : 0;
  if (left_out_ > 0) {
    for (const uint32_t at : Best(rows, candidates_max)) candidates_.push_back(candidate(at));
  } else {
    // Claims mostly arrive in the order of their timestamps: read backwards, the rows are often in order
    // already.
    for (size_t at = rows.size(); at-- > 0;) candidates_.push_back(candidate(at));
  }
  if (!std::is_sorted(candidates_.begin(), candidates_.end(), InCanonicalOrder)) {
    std::sort(candidates_.begin(), candidates_.end(), InCanonicalOrder);
  }
  values_count_ = Number(&Candidate::value_index, HashOfValue, SameValue);
  voices_count_ = Number(&Candidate::voice_index, HashOfVoice, SameVoice);
}

}  // namespace stemedb::query
