// SPDX-License-Identifier: Apache-2.0
#include "query/account.h"

#include <algorithm>

#include "base/scratch.h"

namespace stemedb::query {

void Account::Clear() {
  lenses.clear();
  claims.clear();
  fell_back = is_stale = has_moment = false;
  sequence = resolutions = candidates = assertions = claims_not_told = 0;
  now_ms = 0;
  resolutions_before_ = candidates_before_ = claims_not_told_before_ = 0;
  claims_before_ = 0;
}

void Account::AddLens(const script::ScriptInfo& info, bool is_deployed) {
  lenses.push_back({info.name, info.version, info.sha256, is_deployed ? info.generation : 0});
  resolutions_before_ = resolutions;
  candidates_before_ = candidates;
  claims_not_told_before_ = claims_not_told;
  claims_before_ = claims.size();
}

void Account::TakeBack() {
  resolutions = resolutions_before_;
  candidates = candidates_before_;
  claims_not_told = claims_not_told_before_;
  claims.resize(claims_before_);
}

void Account::SetMoment(uint64_t sequence_max, int64_t now) {
  has_moment = true;
  sequence = sequence_max;
  now_ms = now;
}

void Account::Tell(const ContributingClaim& claim) {
  if (claims.size() < kClaimsToldMax && claim.resolution < kResolutionsToldMax) {
    claims.push_back(claim);
  } else {
    ++claims_not_told;
  }
}

// The winner first: it is what is asked for, and must not fall to the bound. The others in canonical order.
void Account::AddResolution(const CandidateSet& set, const script::Outcome& outcome) {
  constexpr double kNoWeight = -1;                 // in a share's place
  static thread_local std::vector<double> shares;  // by value
  const auto all = set.candidates();
  const auto& winner = outcome.overall.winner;
  ContributingClaim claim;
  claim.resolution = static_cast<uint32_t>(resolutions++ - resolutions_before_);
  claim.lens = static_cast<uint8_t>(lenses.empty() ? 0 : lenses.size() - 1);
  candidates += all.size();
  shares.assign(set.values_count(), kNoWeight);
  for (const script::ValueWeight& value : outcome.overall.values)
    if (value.weight > 0) shares[value.value_index] = value.share;
  const auto tell = [&](const script::Candidate& candidate, ClaimRole role) {
    claim.sequence = candidate.sequence;
    claim.role = role;
    claim.weight = candidate.weight;
    claim.share = std::max(shares[candidate.value_index], 0.0);
    Tell(claim);
  };
  if (winner) tell(all[*winner], ClaimRole::kWinner);
  for (uint32_t i = 0; i < all.size(); ++i) {
    if (shares[all[i].value_index] == kNoWeight || winner == i) continue;
    if (!winner) {
      tell(all[i], ClaimRole::kListed);
    } else {
      const bool agrees = all[i].value_index == all[*winner].value_index;
      tell(all[i], agrees ? ClaimRole::kSupports : ClaimRole::kOpposes);
    }
  }
  ReleaseIfLarge(shares);
}

void Account::AddListed(std::span<const uint64_t> sequences) {
  assertions = sequences.size();
  if (!lenses.empty()) return;
  ContributingClaim claim;
  for (const uint64_t one : sequences) {
    claim.sequence = one;
    Tell(claim);
  }
}

}  // namespace stemedb::query
