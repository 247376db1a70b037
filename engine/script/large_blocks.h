// SPDX-License-Identifier: Apache-2.0
// LargeBlocks: the largest blocks of a script's memory. What takes long about a large block is that the
// system gives its pages at their first touch: tens of milliseconds for 16 MiB on a busy virtual machine, in
// which nobody would ask whether the script's time is over. So these get their pages a slice at a time, with
// a look at the clock in between, and have addresses in reserve to grow where they are. Owned by a State,
// used on its thread.
#pragma once

#include <array>
#include <cstddef>

namespace stemedb::script {

class Budget;

class LargeBlocks {
 public:
  // Smaller ones are malloc's, which keeps pages that were touched before.
  static constexpr size_t kBytesMin = 4u << 20;

  LargeBlocks() = default;
  LargeBlocks(const LargeBlocks&) = delete;
  LargeBlocks& operator=(const LargeBlocks&) = delete;
  ~LargeBlocks();

  bool Has(const void* block) const { return count_ != 0 && Find(block) != nullptr; }
  // Whether another one can be made: a State needs two at a time, one being copied to the other.
  bool HasRoom() const { return count_ < blocks_.size(); }

  // A block of so many bytes that can grow to bytes_max. Null when the time is over, or the system refuses.
  void* Make(size_t bytes, size_t bytes_max, Budget& budget);
  // In place; false as for Make, and the block is as it was. new_size is at most the block's bytes_max.
  bool Grow(void* block, size_t old_size, size_t new_size, Budget& budget);
  // In place, to at least a byte; never fails.
  void Shrink(void* block, size_t old_size, size_t new_size);
  void Free(void* block);

 private:
  struct Block {
    void* start = nullptr;
    size_t bytes_max = 0;
  };
  const Block* Find(const void* block) const;

  std::array<Block, 4> blocks_;
  size_t count_ = 0;
};

}  // namespace stemedb::script
