// SPDX-License-Identifier: Apache-2.0
// ScriptCounts: how one version of a script has fared since it went live. All threads count here; the scripts
// thread looks whether it fails too often, and whoever lists scripts shows it.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "base/rate_window.h"

namespace stemedb::script {

struct alignas(64) ScriptCounts {
  // What a call failed of last.
  struct Failed {
    std::string message;  // with file and line, when the script is to blame; empty: none has failed
    int64_t time_ms = 0;
  };

  std::atomic<uint64_t> calls{0};
  std::atomic<uint64_t> failures{0};

  // Without a lock.
  void AddCalls(uint64_t count) { calls.fetch_add(count, std::memory_order_relaxed); }
  // So many of these calls have failed, the last one of `message`. `now_ms` is the wall clock's, `now_ns` the
  // monotonic one's.
  void AddFailures(uint64_t count, std::string_view message, int64_t now_ms, int64_t now_ns) {
    minute_.Add(count, now_ns / kSecondNs);
    {
      const std::lock_guard lock(mutex_);
      last_.message = message;
      last_.time_ms = now_ms;
    }
    // Behind its message, so that who sees it finds that.
    failures.fetch_add(count, std::memory_order_release);
  }
  Failed last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  // In the 60 seconds up to now.
  uint64_t FailuresOfMinute(int64_t now_ns) const { return minute_.PerMinute(now_ns / kSecondNs); }

 private:
  static constexpr int64_t kSecondNs = 1'000'000'000;

  RateWindow minute_;
  mutable std::mutex mutex_;  // guards last_
  Failed last_;
};

}  // namespace stemedb::script
