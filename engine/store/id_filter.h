// SPDX-License-Identifier: Apache-2.0
// IdFilter: whether an id may have been stored, in one cache line. A new claim's id is nearly always answered
// with "never", which saves the search in LMDB for it.
//
// A split-block Bloom filter (after F. Putze, P. Sanders, J. Singler, "Cache-, Hash- and Space-Efficient
// Bloom Filters", 2007): an id chooses a block of 512 bits, and one bit in each of its eight words. Ids are
// SHA-256, so their own bits serve as the hash. With 12 bits for each id about 3 of 1,000 unknown ids pass.
// When a layer is full one of twice its size is put over it: 4.5 bytes for each id at that moment, and 1.5
// when that one is full as well.
//
// Belongs to one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace stemedb::store {

class IdFilter {
 public:
  // `expected`: how many ids the first layer has room for, at the least.
  explicit IdFilter(size_t expected = 0);

  void Add(const Hash256& id);
  // False: the id was never added.
  bool MayContain(const Hash256& id) const;
  size_t memory_bytes() const;

 private:
  struct alignas(64) Block {
    std::array<uint64_t, 8> words{};
  };
  struct Layer {
    std::vector<Block> blocks;
    size_t room = 0;  // for so many more ids
  };
  void AddLayer(size_t ids);

  std::vector<Layer> layers_;  // the last one takes new ids
};

}  // namespace stemedb::store
