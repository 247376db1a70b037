// SPDX-License-Identifier: Apache-2.0
// TrailBuffer: where one loop leaves its entries for the trail's thread. The loop waits for a copy of some
// hundred bytes at the most, or for an exchange of two pointers; what finds no room is counted, not waited
// for. Memory that has once been needed is kept and goes back and forth, so that in steady state nothing is
// allocated.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"

namespace stemedb::audit {

class TrailBuffer {
 public:
  explicit TrailBuffer(size_t bytes_max) : bytes_max_(bytes_max) {}

  enum class Kept : uint8_t { kYes, kHalfFull, kNo };
  // One frame, at `time_ms` of the wall clock and `order_ns` of the monotonic one. Half full: this one has
  // made it so, and the trail's thread is to be woken.
  Kept Add(std::string_view frame, int64_t time_ms, int64_t order_ns) {
    char order[kOrderBytes];
    StoreLittle(order, order_ns);
    const std::lock_guard lock(mutex_);
    if (bytes_.size() + kOrderBytes + frame.size() > bytes_max_) {
      lost_.from_ms = lost_.queries == 0 ? time_ms : std::min(lost_.from_ms, time_ms);
      lost_.to_ms = lost_.queries == 0 ? time_ms : std::max(lost_.to_ms, time_ms);
      ++lost_.queries;
      return Kept::kNo;
    }
    const bool was_below = bytes_.size() < bytes_max_ / 2;
    bytes_.append(order, kOrderBytes);
    bytes_ += frame;
    return was_below && bytes_.size() >= bytes_max_ / 2 ? Kept::kHalfFull : Kept::kYes;
  }

  struct Lost {
    uint64_t queries = 0;
    int64_t from_ms = 0;
    int64_t to_ms = 0;
  };
  static constexpr size_t kOrderBytes = sizeof(int64_t);
  // What has gathered, in exchange for an empty string: frames, each with its order_ns before it. And what
  // found no room since the last time.
  Lost Take(std::string& gathered) {
    gathered.clear();
    const std::lock_guard lock(mutex_);
    gathered.swap(bytes_);
    return std::exchange(lost_, Lost());
  }

 private:
  const size_t bytes_max_;
  std::mutex mutex_;  // guards the rest
  std::string bytes_;
  Lost lost_;
};

}  // namespace stemedb::audit
