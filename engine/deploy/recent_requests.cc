// SPDX-License-Identifier: Apache-2.0
#include "deploy/recent_requests.h"

namespace stemedb::deploy {

script::PolicyRequest RecordedRequest::View() const {
  return {.route = route,
          .method = method,
          .body_bytes = body_bytes,
          .items = items,
          .loopback = loopback,
          .is_signed = is_signed,
          .agent = agent,
          .peer = peer};
}

void RecentRequests::Keep(const script::PolicyRequest& request, int64_t now_ms) {
  RecordedRequest recorded{.route = std::string(request.route),
                           .method = std::string(request.method),
                           .agent = std::string(request.agent),
                           .peer = std::string(request.peer),
                           .body_bytes = request.body_bytes,
                           .items = request.items,
                           .loopback = request.loopback,
                           .is_signed = request.is_signed,
                           .asked_at_ms = now_ms};
  const std::lock_guard lock(mutex_);
  if (kept_.size() == kKeptMax) kept_.pop_front();
  kept_.push_back(std::move(recorded));
}

void RecentRequests::CopyTo(std::vector<RecordedRequest>& out) const {
  const std::lock_guard lock(mutex_);
  out.insert(out.end(), kept_.begin(), kept_.end());
}

}  // namespace stemedb::deploy
