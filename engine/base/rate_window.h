// SPDX-License-Identifier: Apache-2.0
// How many events the last full minute saw: sixty slots of one second, reused in turn.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>

namespace stemedb {

// Times are seconds of any clock that doesn't go back. Any thread.
class RateWindow {
 public:
  void Add(uint64_t events, int64_t now_s);
  // Events in the 60 seconds that end with now_s, that second included.
  uint64_t PerMinute(int64_t now_s) const;

 private:
  static constexpr int64_t kSlots = 60;
  struct Slot {
    int64_t second = -kSlots;
    uint64_t events = 0;
  };

  mutable std::mutex mutex_;
  std::array<Slot, kSlots> slots_;  // under mutex_
};

}  // namespace stemedb
