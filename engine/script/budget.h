// SPDX-License-Identifier: Apache-2.0
// Budget: the time that one call of a script may take, and how often it has to ask for more. Owned by a
// State, used on its thread.
//
// A script asks (Tick) when its fuel is used up, the allocator and whoever walks a script's tables ask
// (IsOver) now and then. Reading the monotonic clock costs 25 ns; but a busy machine takes the thread away
// for whole milliseconds, which aren't the script's fault: so past half of the time, and at the end, the
// thread's processor time is asked, which costs ten times as much and decides.
#pragma once

#include <cstdint>

namespace stemedb::script {

class Budget {
 public:
  // Units of fuel for each Tick. What one unit pays for takes at most some 20 µs (a text of 16 KiB read as a
  // hexadecimal number, the dearest operator), 80 µs when there are texts of 64 KiB (`heavy`), and a
  // nanosecond as a rule: so there are at most 40 ms between two ticks.
  static constexpr double kFuel = 2048;
  static constexpr double kFuelHeavy = 256;
  static constexpr double kFuelMin = 16;

  // From here on the time counts. Without it there is no limit.
  void Start(int64_t time_ms_max);

  // Fuel to go on with, or -1: stop. Once it says stop it always does.
  double Tick(bool heavy);
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
