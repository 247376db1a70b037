// SPDX-License-Identifier: Apache-2.0
// Account: what one answer rests on, for whoever keeps a trail of what was asked: its moment, the lenses that
// gave it, and the claims that carried it, with their weights. A plain value: an answer that is kept to be
// given again is kept with its account.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "query/candidates.h"
#include "script/lens.h"
#include "script/outcome.h"

namespace stemedb::query {

// What a claim was in an answer. Listed: it is shown and was not judged, or its value has weight and nobody
// won. A claim whose value the lens gave no weight is in no account, unless it won.
enum class ClaimRole : uint8_t { kListed, kWinner, kSupports, kOpposes };

struct ContributingClaim {
  uint64_t sequence = 0;
  uint32_t resolution = 0;  // position among its lens's resolutions
  uint8_t lens = 0;         // position in Account::lenses
  ClaimRole role = ClaimRole::kListed;
  double weight = 0;  // that it came to the lens with; 0 where it was not judged
  double share = 0;   // of its value, as the lens weighed it
};

struct AccountedLens {
  std::string name;
  std::string version;
  Hash256 sha256{};
  uint64_t generation = 0;  // in which this version went live; 0: it isn't deployed
};

struct Account {
  // Claims are told of the first resolutions, and so many in all; of the rest, how many there are.
  static constexpr size_t kResolutionsToldMax = 16;
  static constexpr size_t kClaimsToldMax = 32;

  // In the order in which they were asked: a comparison's; else the question's own, and behind it the one
  // that answered in its place.
  std::vector<AccountedLens> lenses;
  bool fell_back = false;
  bool is_stale = false;  // a kept answer that may not be right any more, and says how old it is
  // Where the question stood; `has_moment` is false when it failed before that was known.
  bool has_moment = false;
  uint64_t sequence = 0;
  int64_t now_ms = 0;
  uint64_t resolutions = 0;  // in all, of every lens
  uint64_t candidates = 0;   // in all resolutions
  uint64_t assertions = 0;   // that the answer lists
  std::vector<ContributingClaim> claims;
  uint64_t claims_not_told = 0;  // further ones that contributed

  // Back to nothing. Keeps the memory.
  void Clear();
  void AddLens(const script::ScriptInfo& info, bool is_deployed);
  void SetMoment(uint64_t sequence_max, int64_t now);
  // One more resolution of the last lens.
  void AddResolution(const CandidateSet& set, const script::Outcome& outcome);
  // The claims that the answer lists, all of them. They count as contributing where no lens judges.
  void AddListed(std::span<const uint64_t> sequences);
  // The last lens failed: what it said was told to nobody.
  void TakeBack();

 private:
  void Tell(const ContributingClaim& claim);

  // Where the last lens began.
  uint64_t resolutions_before_ = 0;
  uint64_t candidates_before_ = 0;
  uint64_t claims_not_told_before_ = 0;
  size_t claims_before_ = 0;
};

}  // namespace stemedb::query
