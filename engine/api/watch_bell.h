// SPDX-License-Identifier: Apache-2.0
// WatchBell: tells loops that have watchers that new records are there. One for the server; rung by the
// commit thread after each publish. Loops without watchers aren't woken, and one that hasn't woken up yet
// isn't woken twice.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <vector>

#include "http/loop.h"

namespace stemedb::api {

class WatchBell {
 public:
  // One loop's end of it. The loop's thread alone makes, uses and destroys it; it must be off the bell by
  // then, and outlive the loop's posts.
  class Line {
   public:
    explicit Line(std::function<void()> wake) : wake_(std::move(wake)) {}
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;
    // Before looking at what is there: whatever is published afterwards rings again.
    void Clear() { rung_.exchange(false, std::memory_order_acq_rel); }

   private:
    friend class WatchBell;
    const std::function<void()> wake_;  // called on the loop's thread
    http::Loop* loop_ = nullptr;        // guarded by the bell's mutex
    std::atomic<bool> rung_{false};
  };

  void Add(Line& line, http::Loop& loop);
  void Remove(Line& line);
  // Any thread.
  void Ring();

 private:
  std::mutex mutex_;  // taken before a loop's
  std::vector<Line*> lines_;
};

}  // namespace stemedb::api
