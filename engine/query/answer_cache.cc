// SPDX-License-Identifier: Apache-2.0
#include "query/answer_cache.h"

#include <iterator>
#include <utility>

#include "base/keyed_hash.h"

namespace stemedb::query {
namespace {

// Of a list's and a table's node, with what the allocator adds.
constexpr size_t kNodeBytes = 160;

uint64_t HashOf(std::string_view key) { return KeyedHash::OfProcess().Of(key); }

}  // namespace

AnswerCache::AnswerCache(const Options& options, telemetry::Metrics& metrics)
    : options_(options), metrics_(metrics.answer_cache()) {}

AnswerCache::~AnswerCache() { metrics_.bytes.Decrement(static_cast<double>(bytes())); }

AnswerCache::AnswerPtr AnswerCache::Find(std::string_view key) {
  if (bytes() == 0) return nullptr;
  const uint64_t hash = HashOf(key);
  Shard& shard = ShardOf(hash);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.by_hash.find(hash);
  if (found == shard.by_hash.end() || found->second->key != key) return nullptr;
  shard.line.splice(shard.line.begin(), shard.line, found->second);
  return found->second->answer;
}

bool AnswerCache::Wants(std::string_view key, double seconds) {
  if (seconds < options_.worth_seconds) return false;
  metrics_.misses_total.Increment();
  const uint64_t hash = HashOf(key) | 1;  // 0 stands for nothing
  std::atomic<uint64_t>& place = asked_before_[(hash >> 32) % kAskedBefore];
  if (place.load(std::memory_order_relaxed) == hash) return true;
  place.store(hash, std::memory_order_relaxed);
  return false;
}

void AnswerCache::Put(std::string_view key, AnswerPtr answer) {
  Kept kept{std::string(key), std::move(answer), 0};
  kept.bytes = kNodeBytes + kept.key.capacity() + kept.answer->bytes();
  const size_t shard_bytes_max = options_.bytes_max / kShards;
  if (kept.bytes > answer_bytes_max()) return;
  const uint64_t hash = HashOf(key);
  Shard& shard = ShardOf(hash);
  Line gone, come;  // freed and made outside the lock
  come.push_back(std::move(kept));
  size_t evicted = 0;
  {
    const std::lock_guard lock(shard.mutex);
    const auto before = shard.by_hash.find(hash);
    if (before != shard.by_hash.end()) Take(shard, before->second, gone);
    while (shard.bytes + come.front().bytes > shard_bytes_max) {
      Take(shard, std::prev(shard.line.end()), gone);
      ++evicted;
    }
    shard.bytes += come.front().bytes;
    Add(static_cast<int64_t>(come.front().bytes));
    shard.line.splice(shard.line.begin(), come);
    shard.by_hash[hash] = shard.line.begin();
  }
  if (evicted > 0) metrics_.evictions_total.Increment(static_cast<double>(evicted));
}

void AnswerCache::Take(Shard& shard, Line::iterator at, Line& gone) {
  shard.by_hash.erase(HashOf(at->key));
  shard.bytes -= at->bytes;
  Add(-static_cast<int64_t>(at->bytes));
  gone.splice(gone.end(), shard.line, at);
}

void AnswerCache::Add(int64_t bytes) {
  bytes_.fetch_add(static_cast<size_t>(bytes), std::memory_order_relaxed);
  metrics_.bytes.Increment(static_cast<double>(bytes));
}

}  // namespace stemedb::query
