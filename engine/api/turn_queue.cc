// SPDX-License-Identifier: Apache-2.0
// A posted task is run by the next turn, between the sockets that are ready in it: that is all the fairness
// there is, and all that is needed.
#include "api/turn_queue.h"

namespace stemedb::api {

TurnQueue::TurnQueue(env::Clock& clock, TurnOptions options, Refuse refuse)
    : clock_(clock), options_(options), refuse_(std::move(refuse)) {}

void TurnQueue::Wait(http::ExchangePtr exchange, Work work) {
  if (waiting_.size() >= options_.waiting_max) {
    return refuse_(exchange, Status(Code::kResourceExhausted, "overloaded",
                                    "too many questions wait for their lenses; ask again later"));
  }
  waiting_.push_back({std::move(exchange), std::move(work), clock_.MonotonicNs()});
}

void TurnQueue::OnTurnEnd() {
  spent_ns_ = 0;
  if (waiting_.empty() || is_posted_) return;
  // Refused once the loop ends: then no peer is left who waits.
  is_posted_ = waiting_.front().exchange->loop().Post([this] {
    is_posted_ = false;
    RunWaiting();
  });
}

void TurnQueue::RunWaiting() {
  while (!waiting_.empty() && !is_spent()) {
    const Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    if (!next.exchange->peer_waits()) continue;
    const int64_t began_ns = clock_.MonotonicNs();
    if (began_ns - next.since_ns > options_.waited_ns_max) {
      refuse_(next.exchange, Status(Code::kResourceExhausted, "overloaded",
                                    "the question waited too long for its lens; ask again later"));
      continue;
    }
    next.work(next.exchange);
    Spend(clock_.MonotonicNs() - began_ns);
  }
}

}  // namespace stemedb::api
