// SPDX-License-Identifier: Apache-2.0
// RecentRequests: what one loop's rate limit really had to judge of late, kept so that a new version of the
// policy can be put to the same requests before anybody is refused by it.
//
// The loop's thread offers every request that it puts to the policy, with what was known of it then; all are
// kept while there is room, then one in sixteen. An offer that isn't kept costs a counter; a kept one a copy
// of a few short texts under a lock that nobody else holds but a shadow, for as long as it takes to copy
// them.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "script/policy.h"

namespace stemedb::deploy {

// A request as the policy saw it, with texts of its own: it can be judged again, for the same moment.
struct RecordedRequest {
  std::string route, method, agent, peer;
  uint64_t body_bytes = 0;
  uint64_t items = 0;
  bool loopback = false;
  bool is_signed = false;
  int64_t asked_at_ms = 0;

  // Lives as long as this stays as it is.
  script::PolicyRequest View() const;
};

class RecentRequests {
 public:
  static constexpr size_t kKeptMax = 64;

  // The loop's thread.
  void Offer(const script::PolicyRequest& request, int64_t now_ms) {
    const uint64_t number = seen_++;
    if (number < kKeptMax || IsSampled(number)) Keep(request, now_ms);
  }
  // Any thread: appends them, the newest last.
  void CopyTo(std::vector<RecordedRequest>& out) const;

 private:
  // One in sixteen, by turns an even and an odd one: most requests that are limited are judged twice, when
  // their head is known and when they are read, and either look would be missing else.
  static bool IsSampled(uint64_t number) { return number % 32 == 0 || number % 32 == 15; }
  void Keep(const script::PolicyRequest& request, int64_t now_ms);

  uint64_t seen_ = 0;         // the loop's thread
  mutable std::mutex mutex_;  // guards kept_
  std::deque<RecordedRequest> kept_;
};

}  // namespace stemedb::deploy
