// SPDX-License-Identifier: Apache-2.0
#include "api/watch_bell.h"

namespace stemedb::api {

void WatchBell::Add(Line& line, http::Loop& loop) {
  const std::lock_guard lock(mutex_);
  line.loop_ = &loop;
  line.rung_.store(false);
  lines_.push_back(&line);
}

void WatchBell::Remove(Line& line) {
  const std::lock_guard lock(mutex_);
  std::erase(lines_, &line);
}

// The lock is free but for a moment: it orders this look at the lines after the publish, and so whoever is
// added later sees what was published.
void WatchBell::Ring() {
  const std::lock_guard lock(mutex_);
  for (Line* line : lines_) {
    if (line->rung_.exchange(true, std::memory_order_acq_rel)) continue;
    // A loop that has ended refuses, and nobody watches there.
    line->loop_->Post([line] { line->wake_(); });
  }
}

}  // namespace stemedb::api
