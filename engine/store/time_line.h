// SPDX-License-Identifier: Apache-2.0
// TimeLine: up to which moment the past is over. A record gets its recorded_at before it is synced and is
// seen after that, so an answer "as of now" could lack a claim that the same question finds a moment later.
// The commit thread and the readers therefore promise each other something: the one not to record at or
// before a moment that was called closed, the others not to call a moment closed at or after which a write
// under way may record.
//
// Each says its own promise first and reads the other's then, sequentially consistent, so at least one of
// them sees the other's (Dekker's scheme, as at the gate of kv/environment.h). It does not rely on a wall
// clock that never steps back, except across a restart: then the newest record's time is what is known of the
// past.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>

namespace stemedb::store {

class TimeLine {
 public:
  // Commit thread: a write begins. What it records must be recorded at the returned time or later; `now_ms`
  // is the clock's, or the newest record's when that is later.
  int64_t Begin(int64_t now_ms) {
    writing_since_.store(now_ms, std::memory_order_seq_cst);
    return std::max(now_ms, closed_.load(std::memory_order_seq_cst) + 1);
  }
  // Commit thread: the write is over, and readers can see everything up to `sequence`.
  void End(uint64_t sequence) {
    visible_.store(sequence, std::memory_order_seq_cst);
    writing_since_.store(INT64_MAX, std::memory_order_seq_cst);
  }

  // A reader whose view ends at `sequence`: the newest closed moment before `now_ms`. Nothing when there is
  // more to see than the view holds: refresh it and ask again.
  std::optional<int64_t> Close(int64_t now_ms, uint64_t sequence) {
    const int64_t wanted = std::max(now_ms, INT64_MIN + 2) - 1;
    int64_t closed = closed_.load(std::memory_order_seq_cst);
    while (closed < wanted && !closed_.compare_exchange_weak(closed, wanted, std::memory_order_seq_cst)) {
    }
    const int64_t since = writing_since_.load(std::memory_order_seq_cst);  // before visible_: see End
    if (visible_.load(std::memory_order_seq_cst) > sequence) return {};
    return std::min(wanted, since - 1);
  }

 private:
  std::atomic<int64_t> writing_since_{INT64_MAX};
  std::atomic<int64_t> closed_{INT64_MIN};
  std::atomic<uint64_t> visible_{0};  // as far as this process wrote it
};

}  // namespace stemedb::store
