// SPDX-License-Identifier: Apache-2.0
// Durations for histograms: seconds of the steady clock, as the metric names promise.
#pragma once

#include <prometheus/histogram.h>

#include <chrono>

namespace stemedb::telemetry {

class Stopwatch {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Observes the time from its construction to its end, however the scope is left.
class ScopedTimer {
 public:
  explicit ScopedTimer(prometheus::Histogram& histogram) : histogram_(histogram) {}
  ~ScopedTimer() { histogram_.Observe(stopwatch_.Seconds()); }
  ScopedTimer(const ScopedTimer&) = delete;
  ScopedTimer& operator=(const ScopedTimer&) = delete;

 private:
  prometheus::Histogram& histogram_;
  Stopwatch stopwatch_;
};

}  // namespace stemedb::telemetry
