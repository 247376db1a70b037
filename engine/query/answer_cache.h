// SPDX-License-Identifier: Apache-2.0
// AnswerCache: answers that are asked for again and again, kept for all threads in bounded memory. What a
// loop handed to the slow lane, every loop can answer from here the next time. docs/decisions/0022 has the
// reasons.
//
// It keeps answers and knows nothing of when they are right: KeptAnswer does. An answer gets in when making
// it took long, and the second time that this is said of its question; what was used least recently goes out.
//
// Shards, each with a lock that is held for a search in a table. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "query/kept_answer.h"
#include "telemetry/metrics.h"

namespace stemedb::query {

class AnswerCache {
 public:
  using AnswerPtr = std::shared_ptr<const KeptAnswer>;
  struct Options {
    // Of all answers with their keys and what is kept beside them. One answer may have a 64th, an eighth of
    // its shard: so a few large ones don't put out all others.
    size_t bytes_max = 64u << 20;
    // Making an answer that takes less costs about as much as looking whether a kept one is right.
    double worth_seconds = 50e-6;
  };

  // `metrics` outlives it.
  AnswerCache(const Options& options, telemetry::Metrics& metrics);
  ~AnswerCache();
  AnswerCache(const AnswerCache&) = delete;
  AnswerCache& operator=(const AnswerCache&) = delete;

  // Null when there is none.
  AnswerPtr Find(std::string_view key);

  // An answer to the question was made in so many seconds; true: Put it, if it can be kept. Counts a miss
  // when it is worth keeping.
  bool Wants(std::string_view key, double seconds);
  // In the place of an earlier one, if there is one. What is too large isn't kept.
  void Put(std::string_view key, AnswerPtr answer);

  void CountHit() { metrics_.hits_total.Increment(); }
  void CountStaleHit() { metrics_.stale_hits_total.Increment(); }

  // What is larger isn't kept.
  size_t answer_bytes_max() const { return options_.bytes_max / kShards / 8; }
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  struct Kept {
    std::string key;
    AnswerPtr answer;
    size_t bytes = 0;
  };
  using Line = std::list<Kept>;  // what was used last stands first
  struct Shard {
    std::mutex mutex;  // guards the others
    Line line;
    std::unordered_map<uint64_t, Line::iterator>
        by_hash;  // of the key; of two keys with one hash, one is kept
    size_t bytes = 0;
  };
  static constexpr size_t kShards = 8;
  static constexpr size_t kAskedBefore = 8192;

  Shard& ShardOf(uint64_t hash) { return shards_[hash % kShards]; }
  // Under the shard's lock: what it takes, and took, as the metrics have it.
  void Take(Shard& shard, Line::iterator at, Line& gone);
  void Add(int64_t bytes);

  const Options options_;
  const telemetry::AnswerCacheMetrics& metrics_;
  std::array<Shard, kShards> shards_;
  std::atomic<size_t> bytes_{0};
  // Hashes of keys whose answers took long once, each in a place that it shares with others.
  std::array<std::atomic<uint64_t>, kAskedBefore> asked_before_{};
};

}  // namespace stemedb::query
