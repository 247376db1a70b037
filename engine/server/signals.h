// SPDX-License-Identifier: Apache-2.0
// StopSignal: waits for SIGTERM or SIGINT on a thread of its own, from before any other thread exists. A
// signal during the start ends the process at once with 0, which is safe: the log is the truth, and nothing
// was acknowledged.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace stemedb::server {

// SIGBUS ends the process as ever, but says first what an operator can do.
void ExplainBusErrors();

class StopSignal {
 public:
  // Blocks both signals in the calling thread and in all threads that it starts later. One for each process.
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // From now on a signal ends Wait instead of the process.
  void Arm();
  // Returns the signal's number.
  int Wait();

 private:
  void Run();

  std::mutex mutex_;  // guards the two below
  bool armed_ = false;
  int signal_ = 0;
  std::condition_variable arrived_;
  std::atomic<bool> leaving_{false};
  std::thread thread_;
};

}  // namespace stemedb::server
