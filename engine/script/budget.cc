// SPDX-License-Identifier: Apache-2.0
#include "script/budget.h"

#include <time.h>

#include <algorithm>

#include "script/call_frame.h"

namespace stemedb::script {
namespace {

// Between ticks: as long as this, and the next fuel is an eighth; at once, and it may grow back. The clock
// moves in steps of 4 ms as a rule, of 10 ms at most.
constexpr int64_t kLongNs = 11'000'000;
constexpr int64_t kShortNs = 1'000'000;

// Costs a tenth of the exact clock, and a few milliseconds don't matter.
constexpr clockid_t kClock = CLOCK_MONOTONIC_COARSE;

int64_t Read(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return time.tv_sec * int64_t{1'000'000'000} + time.tv_nsec;
}

}  // namespace

int64_t ThreadCpuNs() { return Read(CLOCK_THREAD_CPUTIME_ID); }

void Budget::Start(int64_t time_ms_max) {
  limit_ns_ = time_ms_max * 1'000'000;
  start_ns_ = last_tick_ns_ = Read(kClock);
  look_at_ns_ = start_ns_ + limit_ns_ / 8;
  cpu_start_ns_ = -1;
  stopped_ = false;
}

double Budget::Tick(uint32_t text_bytes) {
  const int64_t now = Read(kClock);
  if (stopped_ || (now >= look_at_ns_ && Look(now))) return -1;
  const int64_t took = now - last_tick_ns_;
  last_tick_ns_ = now;
  if (took >= kLongNs) fuel_ = std::max(kFuelMin, fuel_ / 8);
  if (took < kShortNs) fuel_ = std::min(kFuel, fuel_ * 2);
  return std::min(fuel_, kFuel * kTextLight / std::max(kTextLight, text_bytes));
}

bool Budget::IsOver() {
  if (stopped_) return true;
  const int64_t now = Read(kClock);
  return now >= look_at_ns_ && Look(now);
}

// The first look doesn't know how much of the time so far was the thread's own: all of it, but no more than
// an eighth of it, so that a call that was put aside at once isn't stopped unheard.
bool Budget::Look(int64_t now_ns) {
  const int64_t cpu = ThreadCpuNs();
  if (cpu_start_ns_ < 0) cpu_start_ns_ = cpu - std::min(now_ns - start_ns_, limit_ns_ / 8);
  const int64_t used = cpu - cpu_start_ns_;
  stopped_ = used >= limit_ns_;
  look_at_ns_ = now_ns + (limit_ns_ - used);
  return stopped_;
}

}  // namespace stemedb::script
