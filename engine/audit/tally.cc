// SPDX-License-Identifier: Apache-2.0
#include "audit/tally.h"

#include <algorithm>
#include <string>
#include <utility>

namespace stemedb::audit {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kIntervalMaxNs = 60 * kSecondNs;
constexpr int64_t kQuietNs = 60 * kSecondNs;

std::string_view CountedOf(Tally::Kind kind) {
  switch (kind) {
    case Tally::Kind::kRefused:
      return " refused";
    case Tally::Kind::kBadRequest:
      return " bad requests";
    case Tally::Kind::kUnknownName:
      return " of unknown names";
    case Tally::Kind::kNoChange:
      return " that changed nothing";
    case Tally::Kind::kInquiry:
      return " that only asked";
  }
  return "";
}

}  // namespace

Entry Tally::Line::ToEntry() const {
  Entry entry = last;
  entry.detail = std::to_string(count);
  entry.detail.append(CountedOf(kind)).append(" since the last such line; this one: ").append(last.detail);
  return entry;
}

std::optional<Tally::Line> Tally::TakeIfDue(Kind kind, Count& count, int64_t now_ns) {
  if (count.count == 0 || count.line_ns > now_ns - count.interval_ns) return std::nullopt;
  count.line_ns = now_ns;
  count.interval_ns = std::clamp(2 * count.interval_ns, kSecondNs, kIntervalMaxNs);
  return Line{kind, std::exchange(count.count, 0), std::move(count.last)};
}

std::optional<Tally::Line> Tally::Add(Kind kind, Entry entry, int64_t now_ns) {
  const std::lock_guard lock(mutex_);
  Count& count = counts_[static_cast<size_t>(kind)];
  if (count.added_ns <= now_ns - kQuietNs) count.interval_ns = 0;
  count.added_ns = now_ns;
  ++count.count;
  count.last = std::move(entry);
  return TakeIfDue(kind, count, now_ns);
}

std::vector<Tally::Line> Tally::TakeDue(int64_t now_ns) {
  const std::lock_guard lock(mutex_);
  std::vector<Line> lines;
  for (size_t kind = 0; kind < counts_.size(); ++kind) {
    auto line = TakeIfDue(static_cast<Kind>(kind), counts_[kind], now_ns);
    if (line) lines.push_back(std::move(*line));
  }
  return lines;
}

std::vector<Tally::Line> Tally::TakeAll() {
  const std::lock_guard lock(mutex_);
  std::vector<Line> lines;
  for (size_t kind = 0; kind < counts_.size(); ++kind) {
    Count& count = counts_[kind];
    if (count.count > 0)
      lines.push_back({static_cast<Kind>(kind), std::exchange(count.count, 0), std::move(count.last)});
  }
  return lines;
}

void Tally::Return(const Line& line) {
  const std::lock_guard lock(mutex_);
  Count& count = counts_[static_cast<size_t>(line.kind)];
  if (count.count == 0) count.last = line.last;
  count.count += line.count;
}

}  // namespace stemedb::audit
