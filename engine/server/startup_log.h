// SPDX-License-Identifier: Apache-2.0
// StartupLog: the ten numbered lines of a start. A step that hangs is the one behind the last line; a step
// that fails says so in one line, with the cause, the remedy and the runbook to read.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "telemetry/log.h"
#include "telemetry/stopwatch.h"

namespace stemedb::server {

enum class Step : uint8_t {
  kLogging = 1,
  kMetrics,
  kConfiguration,
  kDirectories,
  kWal,
  kStore,
  kIndexWorker,
  kScripts,
  kBind,
  kAccepting,
};

// Used on one thread.
class StartupLog {
 public:
  // The step is done. Its line carries the milliseconds since the process's start.
  void Done(Step step, std::string_view what, telemetry::LogFields fields = {});
  void Complete();
  // Logs the failure and returns the process's exit code.
  int Failed(Step step, const Status& failure);

 private:
  telemetry::Stopwatch since_start_;
};

// What an operator can do about the failure, and the runbook to read: one of each.
std::string RemedyLine(const Status& failure);

// The step that a failure of Store::Open belongs to.
Step StepOfStoreFailure(const Status& failure);

}  // namespace stemedb::server
