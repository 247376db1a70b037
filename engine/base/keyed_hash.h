// SPDX-License-Identifier: Apache-2.0
// KeyedHash: a fast hash under a secret of this process. Values, sources and agents are chosen by whoever
// writes; with a hash that anybody can compute they could be chosen to collide, and a question about them
// would take quadratic time. Nothing that is stored or shown may depend on a hash.
//
// Each 8-byte word goes through a 64 × 64 → 128 bit product with a secret factor, whose halves are folded
// together. That is no cryptography; it is enough against someone who sees neither the secrets nor the
// hashes.
#pragma once

#include <cstdint>
#include <string_view>

namespace stemedb {

class KeyedHash {
 public:
  // Keys for tests; production takes the process's own.
  KeyedHash(uint64_t start, uint64_t factor) : start_(start), factor_(factor | 1) {}
  // The same in all threads, drawn once from the system's randomness.
  static const KeyedHash& OfProcess();

  uint64_t Of(std::string_view bytes) const;
  uint64_t Of(uint64_t word) const;

 private:
  uint64_t start_;
  uint64_t factor_;
};

}  // namespace stemedb
