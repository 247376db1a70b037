// SPDX-License-Identifier: Apache-2.0
#include "script/large_blocks.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "script/budget.h"

namespace stemedb::script {
namespace {

constexpr size_t kPage = 4096;  // where pages are larger, some are touched twice
constexpr size_t kSlice = 256u << 10;

size_t ToPages(size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

// Makes the kernel give the pages now; all at once where it can (Linux 5.14), else one by one.
bool Touch(char* from, size_t bytes) {
  if (madvise(from, bytes, MADV_POPULATE_WRITE) == 0) return true;
  if (errno == ENOMEM) return false;
  for (size_t at = 0; at < bytes; at += kPage) static_cast<volatile char*>(from)[at] = 0;
  return true;
}

bool TouchInSlices(char* block, size_t from, size_t to, Budget& budget) {
  for (; from < to; from += kSlice) {
    if (budget.IsOver() || !Touch(block + from, std::min(kSlice, to - from))) return false;
  }
  return true;
}

void GiveBack(char* block, size_t from, size_t to) {
  if (from < to) madvise(block + from, to - from, MADV_DONTNEED);
}

}  // namespace

LargeBlocks::~LargeBlocks() {
  for (const Block& block : blocks_) {
    if (block.start != nullptr) munmap(block.start, block.bytes_max);
  }
}

const LargeBlocks::Block* LargeBlocks::Find(const void* block) const {
  if (block == nullptr) return nullptr;
  const auto* found = std::find_if(blocks_.begin(), blocks_.end(),
                                   [&](const Block& candidate) { return candidate.start == block; });
  return found == blocks_.end() ? nullptr : found;
}

void* LargeBlocks::Make(size_t bytes, size_t bytes_max, Budget& budget) {
  auto* free = std::find_if(blocks_.begin(), blocks_.end(),
                            [](const Block& candidate) { return candidate.start == nullptr; });
  if (free == blocks_.end()) return nullptr;
  const size_t reserved = ToPages(std::max(bytes, bytes_max));
  void* start =
      mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) return nullptr;
  if (!TouchInSlices(static_cast<char*>(start), 0, ToPages(bytes), budget)) {
    munmap(start, reserved);
    return nullptr;
  }
  *free = {start, reserved};
  ++count_;
  return start;
}

bool LargeBlocks::Grow(void* block, size_t old_size, size_t new_size, Budget& budget) {
  auto* start = static_cast<char*>(block);
  const size_t from = ToPages(old_size);
  const size_t to = ToPages(new_size);
  if (to > Find(block)->bytes_max) return false;
  if (TouchInSlices(start, from, to, budget)) return true;
  GiveBack(start, from, to);
  return false;
}

void LargeBlocks::Shrink(void* block, size_t old_size, size_t new_size) {
  GiveBack(static_cast<char*>(block), ToPages(new_size), ToPages(old_size));
}

void LargeBlocks::Free(void* block) {
  auto* found = const_cast<Block*>(Find(block));
  munmap(found->start, found->bytes_max);
  *found = {};
  --count_;
}

}  // namespace stemedb::script
