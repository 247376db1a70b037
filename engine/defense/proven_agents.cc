// SPDX-License-Identifier: Apache-2.0
#include "defense/proven_agents.h"

#include <algorithm>
#include <bit>

namespace stemedb::defense {

ProvenAgents::ProvenAgents(Options options, const KeyedHash& hash)
    : hash_(hash), sets_(std::bit_ceil(std::max<size_t>(options.pairs_max, kWays)) / kWays) {}

// Its own place, else that of the one which would be forgotten first.
void ProvenAgents::Note(std::string_view pair, int64_t now_ns) {
  const uint64_t key = hash_.Of(pair);
  const std::lock_guard lock(mutex_);
  Set& set = sets_[SetOf(key)];
  auto way = std::find(set.keys.begin(), set.keys.end(), key) - set.keys.begin();
  if (way == kWays) way = std::min_element(set.until_ns.begin(), set.until_ns.end()) - set.until_ns.begin();
  set.keys[static_cast<size_t>(way)] = key;
  set.until_ns[static_cast<size_t>(way)] = now_ns + kKeptNs;
}

bool ProvenAgents::Has(std::string_view pair, int64_t now_ns) const {
  const uint64_t key = hash_.Of(pair);
  const std::lock_guard lock(mutex_);
  const Set& set = sets_[SetOf(key)];
  const auto way = std::find(set.keys.begin(), set.keys.end(), key) - set.keys.begin();
  return way != kWays && set.until_ns[static_cast<size_t>(way)] > now_ns;
}

}  // namespace stemedb::defense
