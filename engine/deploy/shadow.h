// SPDX-License-Identifier: Apache-2.0
// The shadow: real questions of late, put to two versions of a lens for the same moment, or real requests,
// put to two versions of a policy, and what would change. Runs on the scripts thread with readers and states
// of its own: no loop waits for it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "deploy/recent_requests.h"
#include "env/clock.h"
#include "query/engine.h"
#include "query/recent_questions.h"
#include "script/lens.h"
#include "script/policy.h"
#include "store/store.h"
#include "telemetry/metrics.h"

namespace stemedb::deploy {

// What one version said.
struct ShadowSide {
  std::string value_json = "null";  // of a lens, as the next two
  double confidence = 0;
  std::string status;
  std::optional<script::RateVerdict> verdict;  // of a policy; none: the request isn't limited
  std::string failure;                         // instead of the above
};

struct ShadowExample {
  // A question,
  std::string concept_path;
  std::string predicate;
  uint64_t sequence = 0;
  int64_t time_ms = 0;
  std::optional<RecordedRequest> request;  // or, of a policy, a request
  ShadowSide before;
  ShadowSide after;
  // value, status, confidence, weights, explain, refused; of a policy: limited, bucket, cost, limit,
  // window_s, peer_limit; of both: failure, answered.
  std::string difference;
};

struct ShadowReport {
  bool was_run = false;
  size_t questions = 0;                 // recorded; of a policy, here and below: requests
  size_t compared = 0;                  // those that at least one version answered
  size_t not_compared = 0;              // of those that were to be put: time was up, or they are too large
  size_t changed = 0;                   // with another judgement
  size_t reworded = 0;                  // with the same judgement and another explanation
  size_t failed = 0;                    // the new version failed, the old one didn't
  size_t mended = 0;                    // of `changed`: the old version failed, the new one didn't
  size_t both_failed = 0;               // not compared with anything, as neither answers
  bool is_cut = false;                  // time was up before all were compared
  double seconds = 0;                   // that it took
  std::vector<ShadowExample> examples;  // at most ShadowBounds::kExamplesMax, failures first
  std::string first_failure;

  void AddExample(ShadowExample example);
};

struct ShadowBounds {
  static constexpr size_t kQuestionsMax = 64;
  static constexpr size_t kRequestsMax = 256;
  static constexpr size_t kExamplesMax = 10;
  static constexpr double kSecondsMax = 2;             // of one version
  static constexpr double kTransactionSecondsMax = 4;  // of all that are looked at together
  // The lens calls of one question: twice what a loop gives it, since this thread may be slower. A version
  // that needs more would make the question a 504.
  static constexpr double kQuestionSecondsMax = 0.5;
  // One call of a policy: twice what a loop gives it, likewise.
  static constexpr int64_t kRequestMsMax = 2 * script::PolicyRunner::Options().time_ms_max;
};

struct ShadowRoom {
  store::Store* store = nullptr;
  env::Clock* clock = nullptr;
  telemetry::Metrics* metrics = nullptr;
};

// The newest kQuestionsMax of `questions`, which are of the same lens, through both sets. Ends early, within
// one call of a lens, when `seconds_max` are over or `stop` says so; what was under way isn't compared then.
ShadowReport RunShadow(const ShadowRoom& room, std::vector<query::RecordedQuestion> questions,
                       std::shared_ptr<const script::ScriptSet> before,
                       std::shared_ptr<const script::ScriptSet> after, double seconds_max,
                       const std::function<bool()>& stop);

// The same with the newest kRequestsMax of `requests`, for the policy of that name, which both sets have.
ShadowReport RunPolicyShadow(const std::string& name, std::vector<RecordedRequest> requests,
                             std::shared_ptr<const script::ScriptSet> before,
                             std::shared_ptr<const script::ScriptSet> after, double seconds_max,
                             const std::function<bool()>& stop);

}  // namespace stemedb::deploy
