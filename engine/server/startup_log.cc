// SPDX-License-Identifier: Apache-2.0
// Remedies are kept here, by reason: the rooms know what failed, an operator needs to know what to do.
#include "server/startup_log.h"

#include <algorithm>
#include <array>
#include <string>

namespace stemedb::server {
namespace {

constexpr int kStartFailed = 1;
constexpr std::string_view kRunbooks = "docs/operations/runbooks/";

constexpr std::array<std::string_view, 11> kNames = {
    "",         "logging", "metrics",      "configuration",      "directories",
    "WAL",      "store",   "index worker", "routes and scripts", "bind",
    "accepting"};

struct Remedy {
  std::string_view reason;
  std::string_view what_to_do;
  std::string_view runbook;
};

constexpr std::array kRemedies = {
    Remedy{"address_in_use", "stop the other process, or set STEMEDB_BIND_ADDR or STEMEDB_DASHBOARD_ADDR",
           "server-wont-start"},
    Remedy{"bind_failed", "set STEMEDB_BIND_ADDR or STEMEDB_DASHBOARD_ADDR to an address of this machine",
           "server-wont-start"},
    Remedy{"invalid_address", "give a numeric address, such as 127.0.0.1:18180", "server-wont-start"},
    Remedy{"already_running", "stop the other server, or give this one directories of its own",
           "server-wont-start"},
    Remedy{"permission_denied",
           "give the directory to the user that runs the server: chown -R stemedb:stemedb data",
           "server-wont-start"},
    Remedy{"disk_full", "make room on the file system, then start again", "disk-full"},
    Remedy{"no_such_file", "create the directory, or correct the setting", "server-wont-start"},
};

Remedy RemedyFor(const Status& failure) {
  const auto row = std::find_if(kRemedies.begin(), kRemedies.end(),
                                [&](const Remedy& remedy) { return remedy.reason == failure.reason(); });
  if (row != kRemedies.end()) return *row;
  if (failure.code() == Code::kCorruption) {
    return {"", "restore a backup, or start with --wal-salvage to go on without the damaged end of the log",
            "restore-from-backup"};
  }
  return {"", "correct what the message names, then start again", "server-wont-start"};
}

std::string Label(Step step) {
  const auto number = static_cast<size_t>(step);
  return "step " + std::to_string(number) + "/10, " + std::string(kNames[number]);
}

}  // namespace

void StartupLog::Done(Step step, std::string_view what, telemetry::LogFields fields) {
  const auto ms = static_cast<int64_t>(since_start_.Seconds() * 1e3);
  telemetry::LogInfo(
      "server", "Startup " + Label(step) + ": " + std::string(what) + " (at " + std::to_string(ms) + " ms)",
      fields);
}

void StartupLog::Complete() {
  const auto ms = static_cast<int64_t>(since_start_.Seconds() * 1e3);
  telemetry::LogInfo("server", "Startup complete", {{"ms", ms}});
}

int StartupLog::Failed(Step step, const Status& failure) {
  const Remedy remedy = RemedyFor(failure);
  telemetry::LogError("server", "Startup failed at " + Label(step) + ": " + std::string(failure.message()) +
                                    ". To mend it: " + std::string(remedy.what_to_do) + ". Runbook: " +
                                    std::string(kRunbooks) + std::string(remedy.runbook) + ".md");
  return kStartFailed;
}

Step StepOfStoreFailure(const Status& failure) {
  const std::string_view text = failure.message();
  const bool is_log = text.find("WAL") != std::string_view::npos ||
                      text.find("segment") != std::string_view::npos || text.starts_with("wal");
  return is_log ? Step::kWal : Step::kStore;
}

}  // namespace stemedb::server
