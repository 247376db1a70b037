// SPDX-License-Identifier: Apache-2.0
// Scratch memory that is kept from one question to the next saves allocations; after a giant one it would
// keep the giant's size for ever. So whoever keeps some lets it go when it has grown out of the ordinary.
#pragma once

#include <cstddef>

namespace stemedb {

inline constexpr size_t kScratchElementsMax = 64 * 1024;

// Frees a vector's or a text's memory when it has room for more than so many elements; what it held is lost
// then.
template <typename Scratch>
void ReleaseIfLarge(Scratch& scratch, size_t elements_max = kScratchElementsMax) {
  if (scratch.capacity() > elements_max) Scratch().swap(scratch);
}

}  // namespace stemedb
