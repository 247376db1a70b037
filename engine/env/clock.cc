// SPDX-License-Identifier: Apache-2.0
#include "env/clock.h"

#include <chrono>

namespace stemedb::env {
namespace {

class SystemClock final : public Clock {
 public:
  int64_t NowMs() const override {
    return Count<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
  int64_t MonotonicNs() const override {
    return Count<std::chrono::nanoseconds>(std::chrono::steady_clock::now());
  }

 private:
  template <typename Unit, typename Moment>
  static int64_t Count(Moment moment) {
    return std::chrono::duration_cast<Unit>(moment.time_since_epoch()).count();
  }
};

}  // namespace

Clock* Clock::System() {
  static SystemClock clock;
  return &clock;
}

}  // namespace stemedb::env
