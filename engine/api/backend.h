// SPDX-License-Identifier: Apache-2.0
// Backend: what every loop's handlers share. The server room fills it in once, before the loops start, and it
// outlives them; afterwards only the limiter's buckets and the atomics change.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "api/turn_queue.h"
#include "audit/journal.h"
#include "audit/query_trail.h"
#include "defense/limiter.h"
#include "defense/proven_agents.h"
#include "deploy/deployer.h"
#include "env/clock.h"
#include "query/answer_cache.h"
#include "store/store.h"
#include "telemetry/metrics.h"

namespace stemedb::api {

class SlowLane;

enum class Phase : uint8_t { kStarting, kServing, kDraining };

// Which claims are taken without a signature.
enum class UnsignedClaims : uint8_t { kFromLoopback, kRefused };

// Says yes once in a period, to one of all threads.
class Seldom {
 public:
  bool IsDue(int64_t now_ns, int64_t period_ns) {
    int64_t last_ns = last_ns_.load(std::memory_order_relaxed);
    return last_ns <= now_ns - period_ns && last_ns_.compare_exchange_strong(last_ns, now_ns);
  }

 private:
  std::atomic<int64_t> last_ns_{INT64_MIN};
};

struct Backend {
  store::Store* store = nullptr;
  deploy::Deployer* deployer = nullptr;  // scripts: the live set, and all work on them
  SlowLane* slow_lane = nullptr;  // null: every question is answered on its loop, however long it takes
  query::AnswerCache* answers = nullptr;  // those that are kept; null: every answer is made anew
  audit::Journal* journal = nullptr;      // of what operators did
  audit::QueryTrail* trail = nullptr;     // of what everybody asked; null: it is off
  defense::Limiter limiter{defense::Limiter::Options{}};
  defense::ProvenAgents proven_agents;
  env::Clock* clock = nullptr;
  telemetry::Metrics* metrics = nullptr;
  UnsignedClaims unsigned_claims = UnsignedClaims::kFromLoopback;
  std::vector<std::string> allowed_origins;  // web pages that may write unsigned claims
  TurnOptions turns;                         // of each loop
  int64_t started_ns = 0;                    // clock->MonotonicNs() at start
  Seldom policy_failure_logged;
  std::atomic<Phase> phase{Phase::kStarting};
};

}  // namespace stemedb::api
