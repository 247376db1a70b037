// SPDX-License-Identifier: Apache-2.0
// A posted task is run by the next turn, between the sockets that are ready in it: that is all the fairness
// towards other requests there is, and all that is needed. What a client took while nothing waited isn't held
// against it: it is less than a turn's budget.
#include "api/turn_queue.h"

#include "api/sender.h"

namespace stemedb::api {

TurnQueue::TurnQueue(env::Clock& clock, TurnOptions options, Refuse refuse)
    : clock_(clock), options_(options), refuse_(std::move(refuse)) {}

void TurnQueue::Wait(http::ExchangePtr exchange, Work work) {
  loop_ = &exchange->loop();
  const Client client = ClientOf(exchange->request());
  waiting_.Push({std::move(exchange), std::move(work), clock_.MonotonicNs()}, client.address,
                client.connection);
  if (waiting_.size() <= options_.waiting_max) return;
  const Waiting excess = waiting_.TakeExcess();
  if (!excess.exchange->peer_waits()) return;
  refuse_(excess.exchange, Status(Code::kResourceExhausted, "overloaded",
                                  "too many questions wait for their lenses; ask again later"));
}

void TurnQueue::OnTurnEnd() {
  spent_ns_ = 0;
  if (waiting_.empty() || is_posted_) return;
  // Refused once the loop ends: then no peer is left who waits.
  is_posted_ = loop_->Post([this] {
    is_posted_ = false;
    RunWaiting();
  });
}

void TurnQueue::RunWaiting() {
  while (!waiting_.empty() && !is_spent()) {
    const Waiting next = waiting_.TakeNext();
    if (!next.exchange->peer_waits()) continue;
    const int64_t began_ns = clock_.MonotonicNs();
    if (began_ns - next.since_ns > options_.waited_ns_max) {
      refuse_(next.exchange, Status(Code::kResourceExhausted, "overloaded",
                                    "the question waited too long for its lens; ask again later"));
    } else {
      next.work(next.exchange);
    }
    const int64_t took_ns = clock_.MonotonicNs() - began_ns;
    Spend(took_ns);
    waiting_.Charge(took_ns, options_.client_ns_max);
  }
}

}  // namespace stemedb::api
