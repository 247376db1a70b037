// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"

#include <chrono>

namespace stemedb {
namespace {

constexpr int64_t kDayMs = 86'400'000;

// Reads exactly `width` digits at `at`, and moves on; -1 when there is anything else.
int Digits(std::string_view text, size_t& at, int width) {
  int value = 0;
  for (int i = 0; i < width; ++i, ++at) {
    if (at >= text.size() || text[at] < '0' || text[at] > '9') return -1;
    value = value * 10 + (text[at] - '0');
  }
  return value;
}

bool Skip(std::string_view text, size_t& at, char c) {
  if (at >= text.size() || text[at] != c) return false;
  ++at;
  return true;
}

void Put(char* to, int64_t value, int width) {
  for (int i = width - 1; i >= 0; --i, value /= 10) to[i] = static_cast<char>('0' + value % 10);
}

}  // namespace

void AppendTime(std::string& out, int64_t time_ms) {
  if (time_ms < kTimeMin) time_ms = kTimeMin;
  if (time_ms > kTimeMax) time_ms = kTimeMax;
  int64_t day = time_ms / kDayMs, rest = time_ms % kDayMs;
  if (rest < 0) {
    rest += kDayMs;
    --day;
  }
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  char text[] = "0000-00-00T00:00:00.000Z";
  Put(text, static_cast<int>(date.year()), 4);
  Put(text + 5, static_cast<unsigned>(date.month()), 2);
  Put(text + 8, static_cast<unsigned>(date.day()), 2);
  Put(text + 11, rest / 3'600'000, 2);
  Put(text + 14, rest / 60'000 % 60, 2);
  Put(text + 17, rest / 1'000 % 60, 2);
  Put(text + 20, rest % 1'000, 3);
  out.append(text, 24);
}

std::string FormatTime(int64_t time_ms) {
  std::string out;
  AppendTime(out, time_ms);
  return out;
}

std::optional<int64_t> ParseTime(std::string_view text) {
  size_t at = 0;
  const int year = Digits(text, at, 4);
  if (year < 0 || !Skip(text, at, '-')) return {};
  const int month = Digits(text, at, 2);
  if (month < 1 || !Skip(text, at, '-')) return {};
  const int day = Digits(text, at, 2);
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day < 0 ? 0 : day)}};
  if (!date.ok() || at >= text.size()) return {};
  const char between = text[at++];
  if (between != 'T' && between != 't' && between != ' ') return {};
  const int hour = Digits(text, at, 2);
  if (hour < 0 || hour > 23 || !Skip(text, at, ':')) return {};
  const int minute = Digits(text, at, 2);
  if (minute < 0 || minute > 59 || !Skip(text, at, ':')) return {};
  const int second = Digits(text, at, 2);
  if (second < 0 || second > 60) return {};
  int millis = 0;
  if (Skip(text, at, '.')) {
    int width = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++width) {
      if (width < 3) millis = millis * 10 + (text[at] - '0');
    }
    if (width == 0) return {};
    for (; width < 3; ++width) millis *= 10;
  }
  int64_t offset_min = 0;
  if (at >= text.size()) return {};
  const char zone = text[at++];
  if (zone == '+' || zone == '-') {
    const int h = Digits(text, at, 2);
    if (h < 0 || h > 23 || !Skip(text, at, ':')) return {};
    const int m = Digits(text, at, 2);
    if (m < 0 || m > 59) return {};
    offset_min = (zone == '+' ? 1 : -1) * (h * 60 + m);
  } else if (zone != 'Z' && zone != 'z') {
    return {};
  }
  if (at != text.size()) return {};
  const int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  const int64_t time_ms =
      days * kDayMs + ((hour * 60LL + minute - offset_min) * 60 + second) * 1'000 + millis;
  if (time_ms < kTimeMin || time_ms > kTimeMax) return {};
  return time_ms;
}

bool IsCanonicalTime(std::string_view text) {
  const std::optional<int64_t> time_ms = ParseTime(text);
  return time_ms && FormatTime(*time_ms) == text;
}

}  // namespace stemedb
