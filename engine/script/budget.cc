// SPDX-License-Identifier: Apache-2.0
#include "script/budget.h"

#include <time.h>

#include <algorithm>

namespace stemedb::script {
namespace {

// Between ticks: longer, and the next fuel is an eighth; shorter, and it may grow back.
constexpr int64_t kLongNs = 4'000'000;
constexpr int64_t kShortNs = 500'000;

int64_t Read(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return time.tv_sec * int64_t{1'000'000'000} + time.tv_nsec;
}

}  // namespace

void Budget::Start(int64_t time_ms_max) {
  limit_ns_ = time_ms_max * 1'000'000;
  start_ns_ = last_tick_ns_ = Read(CLOCK_MONOTONIC);
  look_at_ns_ = start_ns_ + limit_ns_ / 2;
  cpu_start_ns_ = -1;
  stopped_ = false;
}

double Budget::Tick(bool heavy) {
  const int64_t now = Read(CLOCK_MONOTONIC);
  if (stopped_ || (now >= look_at_ns_ && Look(now))) return -1;
  const int64_t took = now - last_tick_ns_;
  last_tick_ns_ = now;
  if (took > kLongNs) fuel_ = std::max(kFuelMin, fuel_ / 8);
  if (took < kShortNs) fuel_ = std::min(kFuel, fuel_ * 2);
  return heavy ? std::min(kFuelHeavy, fuel_) : fuel_;
}

bool Budget::IsOver() {
  if (stopped_) return true;
  const int64_t now = Read(CLOCK_MONOTONIC);
  return now >= look_at_ns_ && Look(now);
}

// The first look doesn't know how much of the time so far was the thread's own: all of it, but no more than
// half of the budget, so that a call that was put aside at once isn't stopped unheard.
bool Budget::Look(int64_t now_ns) {
  const int64_t cpu = Read(CLOCK_THREAD_CPUTIME_ID);
  if (cpu_start_ns_ < 0) cpu_start_ns_ = cpu - std::min(now_ns - start_ns_, limit_ns_ / 2);
  const int64_t used = cpu - cpu_start_ns_;
  stopped_ = used >= limit_ns_;
  look_at_ns_ = now_ns + (limit_ns_ - used);
  return stopped_;
}

}  // namespace stemedb::script
