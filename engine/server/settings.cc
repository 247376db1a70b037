// SPDX-License-Identifier: Apache-2.0
// A row's default is text like any other value, so that there is one way in for all three origins.
#include "server/settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>

namespace stemedb::server {
namespace {

constexpr uint64_t kLoopsMax = 256;
constexpr uint64_t kBodyMemoryMin = uint64_t{1} << 20;
constexpr uint64_t kBodyMemoryMax = uint64_t{1} << 40;
constexpr uint64_t kAnswerCacheMax = uint64_t{1} << 40;
constexpr uint64_t kSegmentBytesMin = 4096;
constexpr uint64_t kSegmentBytesMax = uint64_t{1}
                                      << 29;  // recovery reads a segment into memory, and refuses above 1 GiB

constexpr uint64_t kAuditBytesMin = uint64_t{1} << 20;
constexpr uint64_t kAuditBytesMax = uint64_t{64} << 30;

std::string LoopsByDefault() { return std::to_string(std::max(1u, std::thread::hardware_concurrency())); }

// As installed beside the program (bin/ and share/stemedb/), else below the working directory, as in a
// checkout.
std::string Installed(const char* name) {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto installed = program.parent_path().parent_path() / "share" / "stemedb" / name;
  return !error && std::filesystem::is_directory(installed, error) ? installed.string() : name;
}

constexpr std::string_view kPrefix = "STEMEDB_";
constexpr std::string_view kPoliciesDir = "STEMEDB_POLICIES_DIR";

// Settings of later versions, and the one value by which this version behaves. Secrets among them: the values
// are not printed.
struct LaterSetting {
  std::string_view env;
  std::string_view value;  // empty: unset
};
constexpr std::array kLater = {
    LaterSetting{"STEMEDB_TLS_ENABLED", "false"},  LaterSetting{"STEMEDB_TLS_CERT", ""},
    LaterSetting{"STEMEDB_TLS_KEY", ""},           LaterSetting{"STEMEDB_METER_ENABLED", "true"},
    LaterSetting{"STEMEDB_QUALITY_THRESHOLD", ""}, LaterSetting{"STEMEDB_AUTH_ENABLED", "false"},
    LaterSetting{"STEMEDB_ROOT_API_KEY", ""},
};

bool IsOfOtherPrograms(std::string_view name) {
  return name == "STEMEDB_URL" || name == "STEMEDB_API_KEY" || name == "STEMEDB_API" ||
         name == "STEMEDB_TOOL" || name == "STEMEDB_SOURCE_DIR" || name == "STEMEDB_EXPOSITION_DIR" ||
         name.starts_with("STEMEDB_TEST_") || name.starts_with("STEMEDB_BENCH_");
}

// How many letters have to be put in, taken out or changed.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, change}));
    }
  }
  return row[b.size()];
}

std::string NamesNear(std::string_view name) {
  constexpr size_t kNear = 4, kLongest = 64;
  std::string near;
  for (const Setting& setting : Settings()) {
    if (name.size() > kLongest || EditDistance(name, setting.env) > kNear) continue;
    near += (near.empty() ? "" : ", ") + std::string(setting.env);
  }
  return near;
}

bool ParseBool(std::string_view text, bool& out) {
  if (text != "true" && text != "false" && text != "1" && text != "0") return false;
  out = text == "true" || text == "1";
  return true;
}

template <uint64_t kMin, uint64_t kMax, typename Number>
bool ParseNumber(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out >= kMin && out <= kMax;
}

bool ParseOrigins(std::string_view text, std::vector<std::string>& out) {
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view origin = text.substr(0, comma);
    const bool is_origin =
        origin == "*" || (origin.find("://") != std::string_view::npos && origin.back() != '/');
    if (!is_origin || origin.find(' ') != std::string_view::npos) return false;
    out.emplace_back(origin);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return true;
}

bool ApplyDir(std::string_view text, std::string& out) {
  while (text.size() > 1 && text.back() == '/') text.remove_suffix(1);
  out = text;
  return !out.empty() && out.find('\0') == std::string::npos;
}

template <typename T>
bool Take(std::optional<T> parsed, T& out) {
  if (parsed) out = *parsed;
  return parsed.has_value();
}

}  // namespace

const std::vector<Setting>& Settings() {
  static const std::vector<Setting> table = {
      {"STEMEDB_BIND_ADDR", "--bind-addr",
       "HOST:PORT with a numeric HOST or localhost; port 0 lets the system choose", "where clients connect",
       [] { return std::string("127.0.0.1:18180"); },
       [](std::string_view text, Config& c) { return ParseAddress(text, c.bind); }},
      {"STEMEDB_DASHBOARD_ADDR", "--dashboard-addr", "HOST:PORT, or off",
       "where health and metrics answer on a loop of their own",
       [] { return std::string("127.0.0.1:18188"); },
       [](std::string_view text, Config& c) {
         c.has_dashboard = text != "off";
         return !c.has_dashboard || ParseAddress(text, c.dashboard);
       }},
      {"STEMEDB_WAL_DIR", "--wal-dir", "a directory", "the write-ahead log",
       [] { return std::string("data/wal"); },
       [](std::string_view text, Config& c) { return ApplyDir(text, c.wal_dir); }},
      {"STEMEDB_DB_DIR", "--db-dir", "a directory", "records and indexes",
       [] { return std::string("data/db"); },
       [](std::string_view text, Config& c) { return ApplyDir(text, c.db_dir); }},
      {"STEMEDB_LENSES_DIR", "--lenses-dir", "a directory", "the lenses' Lua files",
       [] { return Installed("lenses"); },
       [](std::string_view text, Config& c) { return ApplyDir(text, c.lenses_dir); }},
      {"STEMEDB_POLICIES_DIR", "--policies-dir", "a directory that exists",
       "the policies' Lua files; may be left out", [] { return Installed("policies"); },
       [](std::string_view text, Config& c) { return ApplyDir(text, c.policies_dir); }},
      {"STEMEDB_SCRIPTS_ATOMIC", "--scripts-atomic", "true or false",
       "scripts that change go in all together or not at all, instead of each by itself",
       [] { return std::string("false"); },
       [](std::string_view text, Config& c) { return ParseBool(text, c.scripts_atomic); }},
      {"STEMEDB_SCRIPTS_HOLD_CHANGES", "--scripts-hold-changes", "true or false",
       "a changed script that would answer recent questions otherwise waits for an operator's yes",
       [] { return std::string("false"); },
       [](std::string_view text, Config& c) { return ParseBool(text, c.scripts_hold_changes); }},
      {"STEMEDB_SCRIPTS_POLL_MS", "--scripts-poll-ms", "a whole number from 10 to 60000",
       "how often the directories of lenses and policies are looked at; two looks make a change",
       [] { return std::string("200"); },
       [](std::string_view text, Config& c) { return ParseNumber<10, 60'000>(text, c.scripts_poll_ms); }},
      {"STEMEDB_LOOPS", "--loops", "a whole number from 1 to 256",
       "event loops; by default one for each core", LoopsByDefault,
       [](std::string_view text, Config& c) { return ParseNumber<1, kLoopsMax>(text, c.loops); }},
      {"STEMEDB_LOG_FORMAT", "--log-format", "text or json", "how log lines are written",
       [] { return std::string("text"); },
       [](std::string_view text, Config& c) { return Take(telemetry::ParseLogFormat(text), c.log_format); }},
      {"STEMEDB_LOG_LEVEL", "--log-level", "debug, info, warn, error or off", "what is logged",
       [] { return std::string("info"); },
       [](std::string_view text, Config& c) { return Take(telemetry::ParseLevel(text), c.log_level); }},
      {"STEMEDB_REQUIRE_SIGNATURES", "--require-signatures", "true or false",
       "refuse unsigned claims from everybody", [] { return std::string("false"); },
       [](std::string_view text, Config& c) { return ParseBool(text, c.require_signatures); }},
      {"STEMEDB_ALLOWED_ORIGINS", "--allowed-origins",
       "origins such as https://example.org, with commas between; or *",
       "web pages that may use the API from a browser", [] { return std::string(); },
       [](std::string_view text, Config& c) { return ParseOrigins(text, c.allowed_origins); }},
      {"STEMEDB_BODY_MEMORY_BYTES", "--body-memory-bytes", "a whole number from 1048576 to 1099511627776",
       "memory for the request bodies of one event loop; a body beyond it is answered with 503; a batch may "
       "have "
       "16 MiB",
       [] { return std::to_string(uint64_t{256} << 20); },
       [](std::string_view text, Config& c) {
         return ParseNumber<kBodyMemoryMin, kBodyMemoryMax>(text, c.body_memory_bytes);
       }},
      {"STEMEDB_ANSWER_CACHE_BYTES", "--answer-cache-bytes", "a whole number from 0 to 1099511627776",
       "memory for answers that are asked for again and again, of all loops together; 0: none is kept",
       [] { return std::to_string(uint64_t{64} << 20); },
       [](std::string_view text, Config& c) {
         return ParseNumber<0, kAnswerCacheMax>(text, c.answer_cache_bytes);
       }},
      {"STEMEDB_WAL_SEGMENT_BYTES", "--wal-segment-bytes", "a whole number from 4096 to 536870912",
       "a segment of the log is closed before the write that would make it larger",
       [] { return std::to_string(uint64_t{64} << 20); },
       [](std::string_view text, Config& c) {
         return ParseNumber<kSegmentBytesMin, kSegmentBytesMax>(text, c.wal_segment_bytes);
       }},
      {"STEMEDB_WAL_SALVAGE", "--wal-salvage", "true or false",
       "start in spite of damage in the log: it is cut off before the damage, and the rest is set aside",
       [] { return std::string("false"); },
       [](std::string_view text, Config& c) { return ParseBool(text, c.salvage_wal); }},
      {"STEMEDB_AUDIT_QUERIES", "--audit-queries", "true or false",
       "keep a trail of every question: who asked what, of which lens version, and what the answer rested on",
       [] { return std::string("true"); },
       [](std::string_view text, Config& c) { return ParseBool(text, c.audit_queries); }},
      {"STEMEDB_AUDIT_QUERIES_BYTES", "--audit-queries-bytes", "a whole number from 1048576 to 68719476736",
       "what the trail of questions may take on disk; beyond it the oldest go",
       [] { return std::to_string(uint64_t{256} << 20); },
       [](std::string_view text, Config& c) {
         return ParseNumber<kAuditBytesMin, kAuditBytesMax>(text, c.audit_queries_bytes);
       }},
      {"STEMEDB_AUDIT_QUERIES_DAYS", "--audit-queries-days", "a whole number from 1 to 3650",
       "how long a question stays in the trail, at the most", [] { return std::string("30"); },
       [](std::string_view text, Config& c) { return ParseNumber<1, 3650>(text, c.audit_queries_days); }},
  };
  return table;
}

std::string_view NameOf(Origin origin) {
  switch (origin) {
    case Origin::kFlag:
      return "flag";
    case Origin::kEnvironment:
      return "environment";
    case Origin::kDefault:
      break;
  }
  return "default";
}

std::vector<SettingValue> Resolve(const std::vector<std::string>& flags, const std::vector<bool>& given) {
  std::vector<SettingValue> values;
  for (size_t i = 0; i < Settings().size(); ++i) {
    const Setting& setting = Settings()[i];
    SettingValue& value = values.emplace_back();
    value.setting = &setting;
    // Before there are other threads.  NOLINTNEXTLINE(concurrency-mt-unsafe)
    const char* environment = std::getenv(std::string(setting.env).c_str());
    if (given[i]) {
      value.origin = Origin::kFlag;
      value.text = flags[i];
    } else if (environment != nullptr && *environment != '\0') {
      value.origin = Origin::kEnvironment;
      value.text = environment;
    } else {
      value.text = setting.default_value();
    }
  }
  return values;
}

Status CheckEnvironment(const std::vector<std::string_view>& variables) {
  for (std::string_view variable : variables) {
    const size_t equals = variable.find('=');
    if (!variable.starts_with(kPrefix) || equals == std::string_view::npos) continue;
    const std::string_view name = variable.substr(0, equals), value = variable.substr(equals + 1);
    if (value.empty() || IsOfOtherPrograms(name)) continue;
    if (std::any_of(Settings().begin(), Settings().end(), [&](const Setting& s) { return s.env == name; }))
      continue;
    const auto later =
        std::find_if(kLater.begin(), kLater.end(), [&](const auto& l) { return l.env == name; });
    if (later == kLater.end()) {
      const std::string near = NamesNear(name);
      return Status(Code::kInvalidArgument, "unknown_setting",
                    std::string(name) + " is no setting, so setting it changes nothing: unset it" +
                        (near.empty() ? "; --help lists them all" : ", or did you mean " + near + "?"));
    }
    if (value == later->value) continue;
    return Status(Code::kInvalidArgument, "unavailable_setting",
                  std::string(name) + " is not available in this version: unset it" +
                      (later->value.empty() ? "" : ", or set it to " + std::string(later->value)));
  }
  return Status::Ok();
}

Status Apply(const std::vector<SettingValue>& values, Config& config) {
  for (const SettingValue& value : values) {
    std::error_code error;
    if (value.setting->env == kPoliciesDir && value.origin != Origin::kDefault &&
        !std::filesystem::is_directory(value.text, error)) {
      return Status(Code::kInvalidArgument, "invalid_setting",
                    std::string(kPoliciesDir) + ": No such file or directory: " + value.text);
    }
    if (value.setting->apply(value.text, config)) continue;
    return Status(Code::kInvalidArgument, "invalid_setting",
                  std::string(value.setting->env) + " (" + std::string(value.setting->flag) + ") is '" +
                      value.text + "', from the " + std::string(NameOf(value.origin)) +
                      "; allowed: " + std::string(value.setting->allowed));
  }
  // Else the second to bind would say that somebody else has the port.
  if (config.has_dashboard && config.bind.port != 0 && config.bind.port == config.dashboard.port &&
      config.bind.host == config.dashboard.host) {
    return Status(Code::kInvalidArgument, "invalid_setting",
                  "STEMEDB_BIND_ADDR and STEMEDB_DASHBOARD_ADDR are both " + FormatAddress(config.bind) +
                      ": give them two ports, or set STEMEDB_DASHBOARD_ADDR to off");
  }
  return Status::Ok();
}

bool ParseAddress(std::string_view text, Address& address) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  std::string_view host = text.substr(0, colon);
  const bool has_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (has_brackets) host = host.substr(1, host.size() - 2);
  if (has_brackets != (host.find(':') != std::string_view::npos)) return false;
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  address.host = host;
  return error == std::errc() && end == port.data() + port.size();
}

std::string FormatAddress(const Address& address) {
  const bool is_ipv6 = address.host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

}  // namespace stemedb::server
