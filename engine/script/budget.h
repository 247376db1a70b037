// SPDX-License-Identifier: Apache-2.0
// Budget: the time that one call of a script may take, and how often it has to ask for more. Owned by a
// State, used on its thread.
//
// A script asks (Tick) when its fuel is used up, the allocator and whoever walks a script's tables ask
// (IsOver) now and then. Both read the coarse monotonic clock, in 10 ns. But a busy machine takes the thread
// away for whole milliseconds, which aren't the script's fault: so past an eighth of the time, and at the
// end, the thread's processor time is asked, which costs some 100 times as much and decides.
#pragma once

#include <cstdint>

namespace stemedb::script {

// The processor time of the calling thread. Costs some microseconds to read.
int64_t ThreadCpuNs();

class Budget {
 public:
  // Units of fuel for each Tick. Eight pay for the dearest operator (instrument.h), which takes a nanosecond
  // as a rule, and at most as long as the script's longest text takes to be read as a hexadecimal number:
  // some 20 µs for 16 KiB. So there are at most 45 ms between two ticks.
  static constexpr double kFuel = 8 * 2048;
  static constexpr double kFuelMin = 8 * 16;

  // From here on the time counts. Without it there is no limit.
  void Start(int64_t time_ms_max);

  // Fuel to go on with, for a script whose texts are so long, or -1: stop. Once it says stop it always does.
  double Tick(uint32_t text_bytes);
  // Whether the time is over; the same clock without the fuel.
  bool IsOver();
  // Whether a Tick or IsOver said so since the last Start.
  bool stopped() const { return stopped_; }
  int64_t time_ms_max() const { return limit_ns_ / 1'000'000; }

 private:
  bool Look(int64_t now_ns);

  int64_t limit_ns_ = 0;
  int64_t start_ns_ = 0;
  int64_t look_at_ns_ = INT64_MAX;  // earlier than that the time can't be over
  int64_t cpu_start_ns_ = -1;       // of the thread's processor time; -1: not asked yet
  int64_t last_tick_ns_ = 0;
  double fuel_ = kFuel;  // less for scripts whose steps turn out to be slow
  bool stopped_ = false;
};

}  // namespace stemedb::script
