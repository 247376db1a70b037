// SPDX-License-Identifier: Apache-2.0
// ProvenAgents: which agents have proven themselves from which addresses within the last hour, in a fixed
// amount of memory. Who is forgotten too early, because newer ones took the place, is merely unknown again.
// Nothing is inherited, and that is why these marks don't lie among the Limiter's buckets.
//
// Threads: any; the time is passed in, monotonic.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include "base/keyed_hash.h"

namespace stemedb::defense {

class ProvenAgents {
 public:
  static constexpr int64_t kKeptNs = 3'600'000'000'000;

  struct Options {
    size_t pairs_max = 65'536;  // rounded up to a power of two; 16 bytes each
  };
  ProvenAgents() : ProvenAgents(Options{}) {}
  explicit ProvenAgents(Options options, const KeyedHash& hash = KeyedHash::OfProcess());
  ProvenAgents(const ProvenAgents&) = delete;
  ProvenAgents& operator=(const ProvenAgents&) = delete;

  // `pair` is the address and the agent: bytes that the caller chooses.
  void Note(std::string_view pair, int64_t now_ns);
  bool Has(std::string_view pair, int64_t now_ns) const;

 private:
  static constexpr size_t kWays = 8;
  struct Set {
    std::array<uint64_t, kWays> keys{};
    std::array<int64_t, kWays> until_ns{};
  };
  size_t SetOf(uint64_t key) const { return key & (sets_.size() - 1); }

  const KeyedHash& hash_;
  mutable std::mutex mutex_;  // guards the sets, for the length of one look at eight keys
  std::vector<Set> sets_;
};

}  // namespace stemedb::defense
