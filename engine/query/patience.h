// SPDX-License-Identifier: Apache-2.0
// Patience: how long a thread looks into one question. On a loop everybody else waits meanwhile, so what
// takes longer is handed over to another engine; the slow lane's patience has no end.
#pragma once

#include <limits>
#include <string_view>

#include "base/status.h"
#include "telemetry/stopwatch.h"

namespace stemedb::query {

// The reason of an answer that another engine must give; never shown to a client.
inline constexpr std::string_view kHandOverReason = "hand_over";

inline Status HandOverStatus() {
  return Status(Code::kUnavailable, kHandOverReason, "the question is too long to be answered here");
}

class Patience {
 public:
  Patience() = default;  // without end
  // Ends so many seconds after `began`.
  Patience(const telemetry::Stopwatch& began, double seconds_max)
      : began_(began), seconds_max_(seconds_max) {}

  // To be called for each row, id or record that is looked at. HandOverStatus() once it has ended. A look at
  // the clock costs as much as a short one of these, so it is taken every 64th time.
  Status Check() {
    if (--until_look_ > 0) return Status::Ok();
    until_look_ = kLookEvery;
    return CheckNow();
  }
  // Until it ends; below 0 once it has.
  double seconds_left() const { return seconds_max_ - began_.Seconds(); }
  Status CheckNow() const { return began_.Seconds() <= seconds_max_ ? Status::Ok() : HandOverStatus(); }

 private:
  static constexpr int kLookEvery = 64;

  telemetry::Stopwatch began_;
  double seconds_max_ = std::numeric_limits<double>::infinity();
  int until_look_ = kLookEvery;
};

}  // namespace stemedb::query
