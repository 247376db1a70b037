// SPDX-License-Identifier: Apache-2.0
#include "base/keyed_hash.h"

#include <cstring>
#include <random>

namespace stemedb {
namespace {

__extension__ using Wide = unsigned __int128;

uint64_t Fold(uint64_t a, uint64_t b) {
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t RandomWord() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

}  // namespace

const KeyedHash& KeyedHash::OfProcess() {
  static const KeyedHash hash(RandomWord(), RandomWord());
  return hash;
}

uint64_t KeyedHash::Of(std::string_view bytes) const {
  // The size goes in first: what is padded with zeros is not what has zeros.
  uint64_t state = Fold(start_ ^ bytes.size(), factor_);
  while (!bytes.empty()) {
    uint64_t word = 0;
    const size_t taken = bytes.size() < sizeof word ? bytes.size() : sizeof word;
    std::memcpy(&word, bytes.data(), taken);
    // A sum with the start keeps a word that happens to equal the state from wiping out what came before.
    state = Fold(state ^ word, factor_) + start_;
    bytes.remove_prefix(taken);
  }
  return Fold(state, factor_);
}

uint64_t KeyedHash::Of(uint64_t word) const { return Fold(Fold(start_ ^ word, factor_) + start_, factor_); }

}  // namespace stemedb
