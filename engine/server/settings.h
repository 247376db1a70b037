// SPDX-License-Identifier: Apache-2.0
// Settings: the one table of what an operator can set. A row is an environment variable, a flag and a default
// at once; --help and --print-config read it. A flag beats the environment, which beats the default.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "telemetry/log.h"

namespace stemedb::server {

struct Address {
  std::string host;   // numeric, or "localhost"; without brackets
  uint16_t port = 0;  // 0: the system chooses
};

struct Config {
  Address bind;
  bool has_dashboard = true;
  Address dashboard;
  std::string wal_dir;
  std::string db_dir;
  std::string lenses_dir;
  std::string policies_dir;
  bool scripts_atomic = false;
  bool scripts_hold_changes = false;
  uint64_t scripts_poll_ms = 0;
  size_t loops = 1;
  telemetry::LogFormat log_format = telemetry::LogFormat::kText;
  telemetry::Level log_level = telemetry::Level::kInfo;
  bool require_signatures = false;
  std::vector<std::string> allowed_origins;
  size_t body_memory_bytes = 0;   // of each loop
  size_t answer_cache_bytes = 0;  // of all loops together; 0: answers aren't kept
  uint64_t wal_segment_bytes = 0;
  bool salvage_wal = false;
  bool audit_queries = true;
  uint64_t audit_queries_bytes = 0;
  uint64_t audit_queries_days = 0;
};

struct Setting {
  std::string_view env;
  std::string_view flag;     // with its dashes
  std::string_view allowed;  // for people
  std::string_view description;
  std::string (*default_value)();
  // False when the text is none of what is allowed.
  bool (*apply)(std::string_view text, Config& config);
};

const std::vector<Setting>& Settings();

// Where a value came from.
enum class Origin : uint8_t { kDefault, kEnvironment, kFlag };
std::string_view NameOf(Origin origin);

struct SettingValue {
  const Setting* setting = nullptr;
  Origin origin = Origin::kDefault;
  std::string text;
};

// The value of every setting, in the table's order. `flags[i]` is the text that was given on the command line
// for Settings()[i]; `given[i]` says whether it was. An empty environment variable counts as unset.
std::vector<SettingValue> Resolve(const std::vector<std::string>& flags, const std::vector<bool>& given);

// Looks for variables ("NAME=VALUE") that would be set in vain: whoever sets one believes that it does
// something. kInvalidArgument "unknown_setting": a STEMEDB_ name that no row has; "unavailable_setting": one
// of a later version, with another value than the one by which this version behaves. Left alone are the names
// of programs around the server: STEMEDB_URL, STEMEDB_API, STEMEDB_SOURCE_DIR, STEMEDB_TEST_*,
// STEMEDB_BENCH_* and STEMEDB_EXPOSITION_DIR.
Status CheckEnvironment(const std::vector<std::string_view>& variables);

// Fills in `config`. kInvalidArgument "invalid_setting": names the variable, its value, and what is allowed.
Status Apply(const std::vector<SettingValue>& values, Config& config);

// "127.0.0.1:18180", "[::1]:18180", "localhost:0".
bool ParseAddress(std::string_view text, Address& address);
std::string FormatAddress(const Address& address);

}  // namespace stemedb::server
