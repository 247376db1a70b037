// SPDX-License-Identifier: Apache-2.0
// LensCounts: what one engine counts of its lens calls. A question may call a lens 10,000 times, so calls are
// counted here and handed on once: what they are handed to is shared by all threads.
//
// One for each engine, used on its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "env/clock.h"
#include "query/recent_questions.h"
#include "script/lens.h"
#include "telemetry/metrics.h"

namespace stemedb::query {

class LensCounts {
 public:
  // Looks the series of every script up. Null `metrics`: nothing is counted; null `recent`: no lists.
  void Use(const script::ScriptSet& scripts, telemetry::Metrics* metrics, RecentQuestions* recent);

  // One call, and what it failed of, with the words for it. Its time is observed at once.
  void Add(int script, double seconds, script::Failure failure, std::string_view message);
  // One call that needn't be made, since its answer was kept: it counts, and has no time.
  void AddKept(int script);
  // The time of the question is over, which `message` says: a failure of the lens that took most of it.
  void AddTimeout(std::string_view message);
  void HandOn(const script::ScriptSet& scripts, const env::Clock& clock);
  // Drops the calls since then: another engine makes them again, and counts them.
  void Forget();

  // Of the script's questions; may be null.
  RecentQuestions::List* recent(int script) const { return by_script_[static_cast<size_t>(script)].recent; }

 private:
  struct One {
    telemetry::Histogram* seconds = nullptr;
    telemetry::Counter* errors = nullptr;        // null, like `seconds`: nothing is counted
    telemetry::Counter* budget_kills = nullptr;  // likewise
    RecentQuestions::List* recent = nullptr;
    uint64_t calls = 0, failures = 0, kills = 0;  // since HandOn
    double seconds_used = 0;                      // likewise
    std::string failure;                          // of the last call that failed
  };
  std::vector<One> by_script_;
  std::vector<size_t> called_;  // the scripts with calls since HandOn
};

}  // namespace stemedb::query
