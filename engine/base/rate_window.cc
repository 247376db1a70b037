// SPDX-License-Identifier: Apache-2.0
// A slot is known to be stale by the second that it remembers, so nothing has to run in the seconds without
// events.
#include "base/rate_window.h"

namespace stemedb {

void RateWindow::Add(uint64_t events, int64_t now_s) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Slot& slot = slots_[static_cast<size_t>(now_s % kSlots)];
  if (slot.second != now_s) slot = {now_s, 0};
  slot.events += events;
}

uint64_t RateWindow::PerMinute(int64_t now_s) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  uint64_t sum = 0;
  for (const Slot& slot : slots_) {
    if (slot.second > now_s - kSlots && slot.second <= now_s) sum += slot.events;
  }
  return sum;
}

}  // namespace stemedb
