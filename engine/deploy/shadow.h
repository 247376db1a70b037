// SPDX-License-Identifier: Apache-2.0
// The shadow: real questions of late, put to two versions of a lens for the same moment, and what would
// change. Runs on the scripts thread with readers of its own: no loop waits for it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "env/clock.h"
#include "query/engine.h"
#include "query/recent_questions.h"
#include "script/lens.h"
#include "store/store.h"
#include "telemetry/metrics.h"

namespace stemedb::deploy {

struct ShadowSide {
  std::string value_json = "null";
  double confidence = 0;
  std::string status;
  std::string failure;  // instead of the above
};

struct ShadowExample {
  std::string concept_path;
  std::string predicate;
  uint64_t sequence = 0;
  int64_t time_ms = 0;
  ShadowSide before;
  ShadowSide after;
  std::string difference;  // value, status, confidence, weights, explain, failure, refused, answered
};

struct ShadowReport {
  bool was_run = false;
  size_t questions = 0;                 // recorded
  size_t compared = 0;                  // those that at least one version answered
  size_t not_compared = 0;              // of those that were to be put: time was up, or they are too large
  size_t changed = 0;                   // with another judgement
  size_t reworded = 0;                  // with the same judgement and another explanation
  size_t failed = 0;                    // the new version failed, the old one didn't
  std::vector<ShadowExample> examples;  // at most kExamplesMax, failures first
  std::string first_failure;
};

struct ShadowBounds {
  static constexpr size_t kQuestionsMax = 64;
  static constexpr size_t kExamplesMax = 10;
  static constexpr double kSecondsMax = 2;
  // The lens calls of one question: twice what a loop gives it, since this thread may be slower. A version
  // that needs more would make the question a 504.
  static constexpr double kQuestionSecondsMax = 0.5;
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

}  // namespace stemedb::deploy
