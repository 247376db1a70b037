// SPDX-License-Identifier: Apache-2.0
// Scratch memory that is kept from one question to the next saves allocations; after a giant one it would
// keep the giant's size for ever. So whoever keeps some lets it go when it has grown out of the ordinary.
#pragma once

#include <cstddef>
#include <vector>

namespace stemedb {

inline constexpr size_t kScratchElementsMax = 64 * 1024;

// Frees the vector's memory when it has room for more than kScratchElementsMax; what it held is lost then.
template <typename T>
void ReleaseIfLarge(std::vector<T>& scratch) {
  if (scratch.capacity() > kScratchElementsMax) std::vector<T>().swap(scratch);
}

}  // namespace stemedb
