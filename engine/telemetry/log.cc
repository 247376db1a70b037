// SPDX-License-Identifier: Apache-2.0
// spdlog brings the level, the lock and the write; the line itself is made here, because spdlog escapes
// nothing and its patterns know no fields. One logger for the process: a log has to work before anything is
// wired and after everything is torn down, so this is the one piece of global state that the project allows
// itself.
#include "telemetry/log.h"

#include <spdlog/details/console_globals.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/json_writer.h"
#include "base/time.h"
#include "telemetry/log_text.h"

namespace stemedb::telemetry {
namespace {

constexpr std::array<std::string_view, 5> kLevelNames = {"debug", "info", "warn", "error", "off"};
constexpr std::array<std::string_view, 5> kLevelTexts = {"DEBUG ", "INFO  ", "WARN  ", "ERROR ", "OFF   "};

using StreamSink = spdlog::sinks::stdout_sink_base<spdlog::details::console_mutex>;

struct State {
  std::shared_ptr<spdlog::logger> logger;
  LogFormat format;
};

std::unique_ptr<State> MakeState(const LogOptions& options) {
  auto logger = std::make_shared<spdlog::logger>("stemedb", std::make_shared<StreamSink>(options.out));
  logger->set_formatter(
      std::make_unique<spdlog::pattern_formatter>("%v", spdlog::pattern_time_type::utc, "\n"));
  logger->set_level(spdlog::level::trace);  // levels are judged before the line is made
  logger->flush_on(spdlog::level::trace);
  logger->set_error_handler([](const std::string&) {});
  return std::make_unique<State>(State{std::move(logger), options.format});
}

std::atomic<Level> level_min{Level::kInfo};

// Never destroyed: threads may log while statics are torn down.
std::atomic<State*>& CurrentState() {
  static std::atomic<State*>* const state = new std::atomic<State*>(MakeState({}).release());
  return *state;
}

int64_t NowMs() {
  using std::chrono::duration_cast, std::chrono::milliseconds, std::chrono::system_clock;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

template <typename T>
void AppendNumber(std::string& out, T value) {
  char text[40];
  out.append(text, static_cast<size_t>(std::to_chars(text, text + sizeof text, value).ptr - text));
}

struct TextValue {
  std::string& out;
  void operator()(std::string_view text) const { AppendLogValue(out, text); }
  void operator()(bool value) const { out.append(value ? "true" : "false"); }
  template <typename T>
  void operator()(T number) const {
    AppendNumber(out, number);
  }
};

struct JsonValue {
  JsonWriter& writer;
  void operator()(std::string_view text) const { writer.String(ToValidUtf8(text)); }
  void operator()(bool value) const { writer.Bool(value); }
  void operator()(int64_t number) const { writer.Integer(number); }
  void operator()(uint64_t number) const { writer.Unsigned(number); }
  void operator()(double number) const { std::isfinite(number) ? writer.Number(number) : writer.Null(); }
};

std::string TextLine(Level level, std::string_view room, std::string_view message, LogFields fields) {
  std::string line;
  AppendTime(line, NowMs());
  line.push_back(' ');
  line.append(kLevelTexts[static_cast<size_t>(level)]).append(room).append("  ");
  AppendVisible(line, message);
  for (const LogField& field : fields) {
    line.push_back(' ');
    line.append(field.key).push_back('=');
    std::visit(TextValue{line}, field.value);
  }
  return line;
}

std::string JsonLine(Level level, std::string_view room, std::string_view message, LogFields fields) {
  std::string line;
  JsonWriter writer(line);
  writer.BeginObject();
  writer.Key("time");
  writer.Time(NowMs());
  writer.Field("level", kLevelNames[static_cast<size_t>(level)]);
  writer.Field("room", room);
  writer.Field("message", ToValidUtf8(message));
  for (const LogField& field : fields) {
    writer.Key(field.key);
    std::visit(JsonValue{writer}, field.value);
  }
  writer.EndObject();
  return line;
}

}  // namespace

std::optional<Level> ParseLevel(std::string_view name) {
  for (size_t i = 0; i < kLevelNames.size(); ++i) {
    if (kLevelNames[i] == name) return static_cast<Level>(i);
  }
  return {};
}

std::optional<LogFormat> ParseLogFormat(std::string_view name) {
  if (name == "text") return LogFormat::kText;
  if (name == "json") return LogFormat::kJson;
  return {};
}

void ConfigureLog(const LogOptions& options) {
  // The former state stays allocated: another thread may be in the middle of a line. Once for each process
  // start.
  static std::vector<std::unique_ptr<State>>* const former = new std::vector<std::unique_ptr<State>>();
  static std::mutex* const former_mutex = new std::mutex();
  const std::lock_guard<std::mutex> lock(*former_mutex);
  former->emplace_back(CurrentState().exchange(MakeState(options).release()));
  level_min.store(options.level, std::memory_order_relaxed);
}

bool LogEnabled(Level level) {
  return level >= level_min.load(std::memory_order_relaxed) && level != Level::kOff;
}

void Log(Level level, std::string_view room, std::string_view message, LogFields fields) {
  if (!LogEnabled(level)) return;
  const State& state = *CurrentState().load(std::memory_order_acquire);
  const bool json = state.format == LogFormat::kJson;
  const std::string line =
      json ? JsonLine(level, room, message, fields) : TextLine(level, room, message, fields);
  state.logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace stemedb::telemetry
