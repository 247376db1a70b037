// SPDX-License-Identifier: Apache-2.0
// TurnQueue: keeps requests that run scripts from starving their loop, and each other. A loop's turn is what
// it does between two looks at its sockets. Requests run at once until the turn has spent its budget; the
// further ones wait and run in later turns, some in each by the same budget. So a request that runs no script
// waits for one turn's budget and one request's length at most, however many wait here.
//
// Those that wait take turns by client (ClientOf, sender.h): one more client makes the others wait for a
// little time and one request's length, whatever it sends (docs/decisions/0019).
//
// One for each loop, used on its thread alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "api/fair_queue.h"
#include "base/status.h"
#include "env/clock.h"
#include "http/exchange.h"
#include "http/loop.h"

namespace stemedb::api {

struct TurnOptions {
  // As long as a slow fdatasync: a client that waits for a write behind it feels no second one. A question
  // through a shipped lens takes some 30 µs, so that several hundred run before any has to wait.
  int64_t turn_ns_max = 20'000'000;
  // What a client's scripts may take before another client's go on. Some hundred questions; or one that takes
  // nearly as long as a loop gives it.
  int64_t client_ns_max = 5'000'000;
  // A waiting request holds its head and body, 64 KiB at most: bounded besides by the loop's body memory.
  size_t waiting_max = 4096;
  // Who has waited that long has been overtaken by time-outs elsewhere; answering late keeps all behind it
  // late.
  int64_t waited_ns_max = 5'000'000'000;
};

class TurnQueue {
 public:
  // Answers the exchange.
  using Work = std::function<void(const http::ExchangePtr&)>;
  // Answers the exchange with a refusal.
  using Refuse = std::function<void(const http::ExchangePtr&, const Status&)>;

  // `clock` outlives it.
  TurnQueue(env::Clock& clock, TurnOptions options, Refuse refuse);
  TurnQueue(const TurnQueue&) = delete;
  TurnQueue& operator=(const TurnQueue&) = delete;

  // Runs `work` now or later; too long a wait is refused with "overloaded", and so is, when the queue is
  // full, the newest request of the client that has the most there. Work whose peer has gone in the meantime
  // is dropped unrun.
  template <typename F>
  void Run(http::ExchangePtr exchange, F&& work) {
    if (MayRunNow()) {
      const int64_t began_ns = clock_.MonotonicNs();
      work(exchange);
      Spend(clock_.MonotonicNs() - began_ns);
    } else {
      Wait(std::move(exchange), Work(std::forward<F>(work)));
    }
  }

  // Time that scripts took outside of Run.
  void Spend(int64_t ns) { spent_ns_ += ns; }
  bool is_spent() const { return spent_ns_ >= options_.turn_ns_max; }

  void OnTurnEnd();
  size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    http::ExchangePtr exchange;
    Work work;
    int64_t since_ns;
  };

  bool MayRunNow() const { return waiting_.empty() && !is_spent(); }
  void Wait(http::ExchangePtr exchange, Work work);
  void RunWaiting();

  env::Clock& clock_;
  const TurnOptions options_;
  const Refuse refuse_;
  int64_t spent_ns_ = 0;  // of this turn
  // By address and connection.
  FairQueue<std::string, FairQueue<uint64_t, Line<Waiting>>> waiting_;
  http::Loop* loop_ = nullptr;  // of whatever waits
  bool is_posted_ = false;      // RunWaiting comes with the next turn
};

}  // namespace stemedb::api
