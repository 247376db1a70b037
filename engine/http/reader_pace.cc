// SPDX-License-Identifier: Apache-2.0
#include "http/reader_pace.h"

#include <algorithm>

namespace stemedb::http {

ReaderPace::ReaderPace(const Timeouts& timeouts, uint64_t now_ms)
    : timeouts_(timeouts),
      credit_ms_(static_cast<int64_t>(timeouts.write_stall_ms)),
      looked_at_ms_(now_ms),
      stalled_since_ms_(now_ms) {}

bool ReaderPace::Look(const Sight& sight, Rule rule) {
  const auto elapsed = static_cast<int64_t>(sight.now_ms - looked_at_ms_);
  const uint64_t taken = sight.taken_bytes - std::min(sight.taken_bytes, taken_bytes_);
  const uint64_t earned = taken * 1000 / std::max<uint64_t>(timeouts_.read_bytes_per_second, 1);
  const auto beginning = static_cast<int64_t>(timeouts_.write_stall_ms);
  const auto most = beginning + static_cast<int64_t>(timeouts_.read_credit_ms);
  // What was taken meanwhile pays for the time that it took.
  credit_ms_ = credit_ms_ - elapsed + static_cast<int64_t>(earned);
  credit_ms_ = std::min(credit_ms_, most);
  if (!waits_ || (rule == Rule::kProgress && taken > 0)) credit_ms_ = std::max(credit_ms_, beginning);
  looked_at_ms_ = sight.now_ms;
  taken_bytes_ += taken;
  waits_ = sight.waiting_bytes > 0;
  if (taken > 0 || !waits_) stalled_since_ms_ = sight.now_ms;
  return credit_ms_ >= 0 || !waits_;
}

}  // namespace stemedb::http
