// SPDX-License-Identifier: Apache-2.0
// Loop: one event loop on one thread, as other threads and other rooms see it. The server owns the loops and
// gives each of them a Service of its own; whatever happens to a request happens on its loop's thread.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace stemedb::http {

class Loop {
 public:
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs `task` on the loop's thread, soon and in the order of posting. From any thread. Many posts cost one
  // wake-up. False when the loop has not begun or has ended: the task is then destroyed unrun, on the
  // caller's thread. The queue is as long as its callers make it; they bound it, since each task answers a
  // request in flight.
  bool Post(std::function<void()> task);

  // 0 .. loop_count-1.
  int index() const { return index_; }
  bool InThread() const { return std::this_thread::get_id() == thread_id_.load(std::memory_order_relaxed); }

 protected:
  explicit Loop(int index) : index_(index) {}
  virtual ~Loop() = default;

  // Makes the loop call RunPosted soon. From any thread, under the queue's lock.
  virtual void Wake() = 0;
  // On the loop's thread, first and last thing.
  void EnterThread() { thread_id_.store(std::this_thread::get_id(), std::memory_order_relaxed); }
  void LeaveThread() { thread_id_.store(std::thread::id(), std::memory_order_relaxed); }
  // Takes posts from now on: Wake works.
  void OpenPosts();
  void RunPosted();
  // Refuses posts from now on and runs what is still queued.
  void ClosePosts();

 private:
  const int index_;
  std::atomic<std::thread::id> thread_id_{};

  std::mutex mutex_;  // guards the two below
  std::vector<std::function<void()>> posted_;
  bool closed_ = true;

  std::vector<std::function<void()>> running_;  // the loop's thread alone: the batch being run
};

}  // namespace stemedb::http
