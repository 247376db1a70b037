// SPDX-License-Identifier: Apache-2.0
// The queue of posted tasks. A batch is swapped out under the lock and run without it, so that posting never
// waits for a task; the two vectors take turns and keep their memory.
#include "http/loop.h"

namespace stemedb::http {

bool Loop::Post(std::function<void()> task) {
  std::lock_guard lock(mutex_);
  if (closed_) return false;
  posted_.push_back(std::move(task));
  // Whoever made the queue non-empty has woken the loop already. Waking stays under the lock, because the
  // wake-up handle may be closed as soon as ClosePosts has had the lock.
  if (posted_.size() == 1) Wake();
  return true;
}

void Loop::OpenPosts() {
  std::lock_guard lock(mutex_);
  closed_ = false;
}

void Loop::RunPosted() {
  {
    std::lock_guard lock(mutex_);
    running_.swap(posted_);
  }
  for (std::function<void()>& task : running_) {
    task();
    task = nullptr;  // what it holds goes now, not when the batch ends
  }
  running_.clear();
}

void Loop::ClosePosts() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  RunPosted();
}

}  // namespace stemedb::http
