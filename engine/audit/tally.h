// SPDX-License-Identifier: Apache-2.0
// Tally: what anybody may bring about as often as they like is in the audit as well, but not with a line
// each. Each kind has a line with the last of them and how many there were since the line before: at once
// after a minute without any, then after 1 s, 2 s, 4 s and so on, up to one a minute for as long as they go
// on coming. So a flood can't wash out of the file what else is in it.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "audit/entry.h"

namespace stemedb::audit {

// Any thread, loops too: a lock for some copies, never for a wait.
class Tally {
 public:
  enum class Kind : uint8_t {
    kRefused,
    kBadRequest,
    kUnknownName,  // of what there isn't
    kNoChange,     // of what there is, but refused, or without an effect
    kInquiry,      // what only asks, and makes the server work
  };
  struct Line {
    Kind kind = Kind::kRefused;
    uint64_t count = 0;
    Entry last;

    // As it is written: how many, and the last one's detail.
    Entry ToEntry() const;
  };

  // Counts one. A line to be written, when it is time for one.
  std::optional<Line> Add(Kind kind, Entry entry, int64_t now_ns);
  // Lines for what was counted and has waited long enough: a burst's end, which nothing follows.
  std::vector<Line> TakeDue(int64_t now_ns);
  // Lines for all that was counted: nothing follows any more.
  std::vector<Line> TakeAll();
  // It couldn't be written: counts for the next line.
  void Return(const Line& line);

 private:
  struct Count {
    uint64_t count = 0;
    Entry last;
    int64_t added_ns = INT64_MIN;  // when the last one came
    int64_t line_ns = 0;           // when there was a line
    int64_t interval_ns = 0;       // from that one to the next
  };
  static std::optional<Line> TakeIfDue(Kind kind, Count& count, int64_t now_ns);

  std::mutex mutex_;  // guards counts_
  std::array<Count, static_cast<size_t>(Kind::kInquiry) + 1> counts_;
};

}  // namespace stemedb::audit
