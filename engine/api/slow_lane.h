// SPDX-License-Identifier: Apache-2.0
// SlowLane: where questions are answered that took too long on their loop. Some threads with an engine each;
// no loop ever waits for them. Lenses take turns, so that one whose questions never end doesn't keep
// another's long ones waiting; and in a lens's turns the clients that ask it (ClientOf, sender.h), so that
// nobody's flood keeps others' long ones waiting. A turn is one question.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "api/fair_queue.h"
#include "base/status.h"
#include "env/clock.h"
#include "http/exchange.h"
#include "query/engine.h"

namespace stemedb::api {

class SlowLane {
 public:
  struct Options {
    size_t threads = 1;
    // Waiting for one lens, each with its head and body, 64 KiB at most.
    size_t waiting_of_lens_max = 256;
    size_t waiting_max = 1024;
    // Answering late keeps all behind it late.
    int64_t waited_ns_max = 5'000'000'000;
  };
  // Called on a lane's thread, once; with a status that isn't ok when the question isn't to be answered any
  // more: then `engine` is null, and it may be called by who stops the lane, or by who posts.
  using Work = std::function<void(query::Engine* engine, const Status& ready)>;

  // `new_engine` is called on the thread that makes the lane, once for each of its own; `clock` outlives it.
  SlowLane(const env::Clock& clock, Options options,
           const std::function<std::unique_ptr<query::Engine>()>& new_engine);
  ~SlowLane() { Stop(); }
  SlowLane(const SlowLane&) = delete;
  SlowLane& operator=(const SlowLane&) = delete;

  // Any thread. Work whose peer has gone when its turn comes is dropped uncalled. When too much waits, for
  // the lens or in all, one is called with kResourceExhausted "overloaded", `work` or another: the newest of
  // the client that has the most, among those for the lens that has the most. kUnavailable "shutting_down"
  // after Stop: then `work` is destroyed uncalled.
  Status Post(const std::string& lens, http::ExchangePtr exchange, Work work);
  // Ends the threads after what they are at; what waits is refused. Repeats do nothing.
  void Stop();

 private:
  struct Waiting {
    http::ExchangePtr exchange;
    Work work;
    int64_t since_ns;
  };

  void Run(query::Engine& engine);
  // Under the mutex; there must be something that waits.
  Waiting TakeNext();

  const env::Clock& clock_;
  const Options options_;
  std::mutex mutex_;  // guards the next three
  std::condition_variable changed_;
  // By lens, address and connection.
  FairQueue<std::string, FairQueue<std::string, FairQueue<uint64_t, Line<Waiting>>>> waiting_;
  bool stopping_ = false;
  std::vector<std::unique_ptr<query::Engine>> engines_;
  std::vector<std::thread> threads_;
};

}  // namespace stemedb::api
