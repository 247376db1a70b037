// SPDX-License-Identifier: Apache-2.0
// Clock: wall and monotonic time behind one interface, because tests need to stop and move both.
// Implementations may be called from any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace stemedb::env {

class Clock {
 public:
  virtual ~Clock() = default;
  // Milliseconds since the Unix epoch, UTC. May jump either way.
  virtual int64_t NowMs() const = 0;
  // Nanoseconds since some fixed moment. Never goes back.
  virtual int64_t MonotonicNs() const = 0;

  // The machine's clock; lives as long as the process.
  static Clock* System();
};

// Stands still until it is moved.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(int64_t now_ms = 0) : now_ms_(now_ms) {}
  int64_t NowMs() const override { return now_ms_.load(); }
  int64_t MonotonicNs() const override { return monotonic_ns_.load(); }

  // Moves both clocks forward.
  void AdvanceMs(int64_t by_ms) {
    now_ms_ += by_ms;
    monotonic_ns_ += by_ms * 1'000'000;
  }
  // Sets the wall clock alone, as an operator or NTP does.
  void SetNowMs(int64_t now_ms) { now_ms_ = now_ms; }

 private:
  std::atomic<int64_t> now_ms_;
  std::atomic<int64_t> monotonic_ns_{0};
};

}  // namespace stemedb::env
