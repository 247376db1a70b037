// SPDX-License-Identifier: Apache-2.0
#include "store/id_filter.h"

#include <algorithm>

namespace stemedb::store {
namespace {

constexpr size_t kBitsPerId = 12;
constexpr size_t kBlockBits = 512;
constexpr size_t kIdsMin = 64 * 1024;

// Where the id goes among `count`, which is far below 2^32: its first 4 bytes, scaled.
size_t BlockOf(const Hash256& id, size_t count) {
  return (uint64_t{LoadLittle<uint32_t>(id.data())} * count) >> 32;
}

// Its bit in each of the eight words: 6 bits for each, from the bytes behind.
uint64_t BitOf(uint64_t choices, size_t word) { return uint64_t{1} << (choices >> (6 * word) & 63); }

uint64_t ChoicesOf(const Hash256& id) { return LoadLittle<uint64_t>(id.data() + 8); }

}  // namespace

IdFilter::IdFilter(size_t expected) { AddLayer(expected); }

void IdFilter::AddLayer(size_t ids) {
  Layer& layer = layers_.emplace_back();
  layer.room = std::max(ids, kIdsMin);
  layer.blocks.resize(layer.room * kBitsPerId / kBlockBits + 1);
}

void IdFilter::Add(const Hash256& id) {
  if (layers_.back().room == 0) AddLayer(layers_.back().blocks.size() * 2 * kBlockBits / kBitsPerId);
  Layer& layer = layers_.back();
  Block& block = layer.blocks[BlockOf(id, layer.blocks.size())];
  const uint64_t choices = ChoicesOf(id);
  for (size_t i = 0; i < block.words.size(); ++i) block.words[i] |= BitOf(choices, i);
  --layer.room;
}

bool IdFilter::MayContain(const Hash256& id) const {
  const uint64_t choices = ChoicesOf(id);
  return std::any_of(layers_.begin(), layers_.end(), [&](const Layer& layer) {
    const Block& block = layer.blocks[BlockOf(id, layer.blocks.size())];
    uint64_t missing = 0;
    for (size_t i = 0; i < block.words.size(); ++i) missing |= BitOf(choices, i) & ~block.words[i];
    return missing == 0;
  });
}

size_t IdFilter::memory_bytes() const {
  size_t bytes = 0;
  for (const Layer& layer : layers_) bytes += layer.blocks.size() * sizeof(Block);
  return bytes;
}

}  // namespace stemedb::store
