// SPDX-License-Identifier: Apache-2.0
#include "api/slow_lane.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <utility>

#include "api/sender.h"

namespace stemedb::api {
namespace {

// Where processors are scarce, loops go first; the lane still gets about a quarter of one that it shares.
constexpr int kNice = 6;

// How often an idle lane looks for another generation of scripts.
constexpr std::chrono::seconds kIdleLook{1};

Status Overloaded(const char* what) {
  return Status(Code::kResourceExhausted, "overloaded",
                std::string(what) + "; ask again later, or for a narrower concept path");
}

}  // namespace

SlowLane::SlowLane(const env::Clock& clock, Options options,
                   const std::function<std::unique_ptr<query::Engine>()>& new_engine)
    : clock_(clock), options_(options) {
  for (size_t i = 0; i < options.threads; ++i) {
    query::Engine& engine = *engines_.emplace_back(new_engine());
    threads_.emplace_back([this, &engine] {
      pthread_setname_np(pthread_self(), "slow-lane");
      setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);  // of this thread alone, on Linux
      Run(engine);
    });
  }
}

Status SlowLane::Post(const std::string& lens, http::ExchangePtr exchange, Work work) {
  const Client client = ClientOf(exchange->request());
  std::optional<Waiting> excess;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return Status(Code::kUnavailable, "shutting_down", "the server is stopping");
    waiting_.Push({std::move(exchange), std::move(work), clock_.MonotonicNs()}, lens, client.address,
                  client.connection);
    // A lens that has too many has the most: no other had more than it may.
    const bool is_too_much =
        waiting_.SizeOf(lens) > options_.waiting_of_lens_max || waiting_.size() > options_.waiting_max;
    if (is_too_much) excess = waiting_.TakeExcess();
  }
  changed_.notify_one();
  if (excess && excess->exchange->peer_waits())
    excess->work(nullptr, Overloaded("too many questions that take long wait to be answered"));
  return Status::Ok();
}

SlowLane::Waiting SlowLane::TakeNext() {
  Waiting next = waiting_.TakeNext();
  waiting_.Charge(1, 1);
  return next;
}

void SlowLane::Run(query::Engine& engine) {
  std::unique_lock lock(mutex_);
  for (;;) {
    while (!changed_.wait_for(lock, kIdleLook, [this] { return stopping_ || !waiting_.empty(); })) {
      lock.unlock();
      engine.TakeUpLive();
      lock.lock();
    }
    if (stopping_) return;
    Waiting next = TakeNext();
    lock.unlock();
    if (next.exchange->peer_waits()) {
      if (clock_.MonotonicNs() - next.since_ns > options_.waited_ns_max) {
        next.work(nullptr, Overloaded("the question waited too long to be answered"));
      } else {
        next.work(&engine, Status::Ok());
      }
    }
    next = {};  // before the lock: letting an exchange go may take its loop's
    lock.lock();
  }
}

void SlowLane::Stop() {
  std::vector<Waiting> refused;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    while (!waiting_.empty()) refused.push_back(TakeNext());
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  engines_.clear();
  const Status stopped(Code::kUnavailable, "shutting_down", "the server is stopping");
  for (const Waiting& one : refused) one.work(nullptr, stopped);
}

}  // namespace stemedb::api
