// SPDX-License-Identifier: Apache-2.0
// The log: one line for each event, on stderr, as text for people or JSON for collectors.
//
//   LogInfo("wal", "Replayed 1523 entries from WAL", {{"segments", 3}, {"file", path}});
//   2026-02-11T10:00:00.000Z INFO  wal  Replayed 1523 entries from WAL segments=3 file=data/wal
//
// Text that a client may have chosen belongs in a field, where it is quoted. Control characters and broken
// UTF-8 are escaped everywhere, so nobody can forge a line; long text is cut, so nobody can flood one.
// Threads: every function may be called from any thread; ConfigureLog once, before the others start.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <variant>

namespace stemedb::telemetry {

enum class Level : unsigned char { kDebug, kInfo, kWarn, kError, kOff };
enum class LogFormat : unsigned char { kText, kJson };

struct LogOptions {
  Level level = Level::kInfo;
  LogFormat format = LogFormat::kText;
  std::FILE* out = stderr;  // not owned; must outlive the last line
};

// The names that settings use: debug info warn error off; text json. Nothing when the name is unknown.
std::optional<Level> ParseLevel(std::string_view name);
std::optional<LogFormat> ParseLogFormat(std::string_view name);

// Sets what is written, how and where. Until it is called: info, text, stderr.
void ConfigureLog(const LogOptions& options);

// Whether a line of this level would be written: one relaxed atomic load. For fields that cost something to
// make.
bool LogEnabled(Level level);

// One key=value pair of a line. It borrows its text: use it in the call only. Keys are plain identifiers.
class LogField {
 public:
  using Value = std::variant<std::string_view, int64_t, uint64_t, double, bool>;

  template <std::convertible_to<std::string_view> T>
  LogField(std::string_view field_key, const T& text) : key(field_key), value(std::string_view(text)) {}
  template <std::integral T>
  LogField(std::string_view field_key, T number) : key(field_key), value(Widen(number)) {}
  LogField(std::string_view field_key, double number) : key(field_key), value(number) {}

  std::string_view key;
  Value value;

 private:
  template <std::integral T>
  static Value Widen(T number) {
    if constexpr (std::same_as<T, bool>) return number;
    if constexpr (std::signed_integral<T>) return static_cast<int64_t>(number);
    return static_cast<uint64_t>(number);
  }
};

using LogFields = std::initializer_list<LogField>;

// Writes one line, flushed, never interleaved with another's. `room` is the writer's directory name. A line
// that stderr refuses is lost: the log never stops the work that it tells of.
void Log(Level level, std::string_view room, std::string_view message, LogFields fields = {});

inline void LogDebug(std::string_view room, std::string_view message, LogFields fields = {}) {
  if (LogEnabled(Level::kDebug)) Log(Level::kDebug, room, message, fields);
}
inline void LogInfo(std::string_view room, std::string_view message, LogFields fields = {}) {
  Log(Level::kInfo, room, message, fields);
}
inline void LogWarn(std::string_view room, std::string_view message, LogFields fields = {}) {
  Log(Level::kWarn, room, message, fields);
}
inline void LogError(std::string_view room, std::string_view message, LogFields fields = {}) {
  Log(Level::kError, room, message, fields);
}

}  // namespace stemedb::telemetry
