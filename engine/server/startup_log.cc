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

// What helps, where it is told at length, and where in the start a failure of the store belongs.
struct Remedy {
  std::string_view reason;
  Step step;
  std::string_view what_to_do;
  std::string_view runbook;
};

constexpr std::string_view kWontStart = "server-wont-start", kRestore = "restore-from-backup";
constexpr std::string_view kSalvage =
    "restore a backup, or start once with --wal-salvage: the log then ends before the damage, and the rest "
    "is kept in "
    "*.damaged files";
constexpr std::string_view kRebuild =
    "stop every server on it, move data/db/indexes away and start again: it is made anew from the records";
constexpr std::string_view kRestoreBoth = "put back a copy of wal and db that were taken together";
constexpr std::string_view kNewer = "start the version of StemeDB that wrote it";

constexpr std::array kRemedies = {
    Remedy{"address_in_use", Step::kBind,
           "stop the other process, or set STEMEDB_BIND_ADDR or STEMEDB_DASHBOARD_ADDR", kWontStart},
    Remedy{"bind_failed", Step::kBind,
           "set STEMEDB_BIND_ADDR or STEMEDB_DASHBOARD_ADDR to an address of this machine", kWontStart},
    Remedy{"invalid_address", Step::kBind, "give a numeric address, such as 127.0.0.1:18180", kWontStart},
    Remedy{"directories_overlap", Step::kDirectories, "correct the settings", kWontStart},
    Remedy{"already_running", Step::kStore, "stop the other server, or give this one directories of its own",
           kWontStart},
    Remedy{"permission_denied", Step::kStore,
           "give the directory to the user that runs the server: chown -R stemedb:stemedb data", kWontStart},
    Remedy{"disk_full", Step::kStore, "make room on the file system, then start again", kWontStart},
    Remedy{"no_such_file", Step::kStore, "create the directory, or correct the setting", kWontStart},
    Remedy{"wal_magic", Step::kWal, kSalvage, kWontStart},
    Remedy{"wal_header", Step::kWal, kSalvage, kWontStart},
    Remedy{"wal_segment", Step::kWal, kSalvage, kWontStart},
    Remedy{"wal_chain", Step::kWal, kSalvage, kWontStart},
    Remedy{"wal_checksum", Step::kWal, kSalvage, kWontStart},
    Remedy{"wal_gap", Step::kWal, "put the missing segment back, or restore a backup", kWontStart},
    Remedy{"wal_version", Step::kWal, kNewer, kWontStart},
    Remedy{"wal_changed", Step::kWal, "stop the other process that writes to the directory", kWontStart},
    Remedy{"unknown_record_type", Step::kWal, kNewer, kWontStart},
    Remedy{"log_diverged", Step::kWal, kRestoreBoth, kRestore},
    Remedy{"claim_record", Step::kStore, kRestoreBoth, kRestore},
    Remedy{"record_missing", Step::kStore, kRestoreBoth, kRestore},
    Remedy{"record_unreadable", Step::kStore, kRestoreBoth, kRestore},
    Remedy{"id_unreadable", Step::kStore, kRestoreBoth, kRestore},
    Remedy{"kv_corrupt", Step::kStore,
           "when the path ends in indexes, move that directory away and start again: it is made anew; else "
           "restore a "
           "backup",
           kWontStart},
    Remedy{"checkpoint_unreadable", Step::kStore, kNewer, kWontStart},
    Remedy{"concept_unreadable", Step::kStore, kRebuild, kWontStart},
    Remedy{"index_unreadable", Step::kStore, kRebuild, kWontStart},
};

Remedy RemedyFor(const Status& failure) {
  const auto row = std::find_if(kRemedies.begin(), kRemedies.end(),
                                [&](const Remedy& remedy) { return remedy.reason == failure.reason(); });
  if (row != kRemedies.end()) return *row;
  return {"", Step::kStore, "correct what the message names, then start again", kWontStart};
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
  telemetry::LogError("server", "Startup failed at " + Label(step) + ": " + std::string(failure.message()) +
                                    ". " + RemedyLine(failure));
  return kStartFailed;
}

Step StepOfStoreFailure(const Status& failure) { return RemedyFor(failure).step; }

std::string RemedyLine(const Status& failure) {
  const Remedy remedy = RemedyFor(failure);
  return "To mend it: " + std::string(remedy.what_to_do) + ". Runbook: " + std::string(kRunbooks) +
         std::string(remedy.runbook) + ".md";
}

}  // namespace stemedb::server
