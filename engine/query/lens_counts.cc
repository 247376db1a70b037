// SPDX-License-Identifier: Apache-2.0
#include "query/lens_counts.h"

#include <algorithm>

namespace stemedb::query {
namespace {

// Whether the script was stopped because it used up its budget.
bool WasKilled(script::Failure failure) {
  return failure == script::Failure::kTime || failure == script::Failure::kMemory;
}

}  // namespace

void LensCounts::Use(const script::ScriptSet& scripts, telemetry::Metrics* metrics, RecentQuestions* recent) {
  by_script_.clear();
  for (const script::ScriptInfo& script : scripts.scripts()) {
    One& one = by_script_.emplace_back();
    if (metrics != nullptr) {
      const telemetry::ScriptSeries series = metrics->Script(script.name);
      one.seconds = &metrics->Lens(script.name);
      one.errors = &series.errors;
      one.budget_kills = &series.budget_kills;
    }
    if (recent != nullptr) one.recent = recent->ListFor(script.name);
  }
}

void LensCounts::Add(int script, double seconds, script::Failure failure, std::string_view message) {
  One& one = by_script_[static_cast<size_t>(script)];
  if (one.seconds == nullptr) return;
  if (one.calls++ == 0) called_.push_back(static_cast<size_t>(script));
  if (failure != script::Failure::kNone) {
    ++one.failures;
    one.failure = message;
  }
  if (WasKilled(failure)) ++one.kills;
  one.seconds_used += seconds;
  one.seconds->Observe(seconds);
}

void LensCounts::AddKept(int script) {
  One& one = by_script_[static_cast<size_t>(script)];
  if (one.seconds == nullptr) return;
  if (one.calls++ == 0) called_.push_back(static_cast<size_t>(script));
}

// Its calls were right one by one, and yet there is no answer: they count as one call that failed, or a lens
// that is too slow for every subtree would hide its failures behind thousands of calls.
void LensCounts::AddTimeout(std::string_view message) {
  const auto slowest = std::max_element(called_.begin(), called_.end(), [this](size_t a, size_t b) {
    return by_script_[a].seconds_used < by_script_[b].seconds_used;
  });
  if (slowest == called_.end()) return;
  One& one = by_script_[*slowest];
  one.calls = ++one.failures;
  one.failure = message;
}

void LensCounts::HandOn(const script::ScriptSet& scripts, const env::Clock& clock) {
  for (const size_t script : called_) {
    One& one = by_script_[script];
    script::ScriptCounts& counts = *scripts.scripts()[script].counts;
    counts.AddCalls(one.calls);
    if (one.failures > 0) {
      counts.AddFailures(one.failures, one.failure, clock.NowMs(), clock.MonotonicNs());
      one.errors->Increment(static_cast<double>(one.failures));
    }
    if (one.kills > 0) one.budget_kills->Increment(static_cast<double>(one.kills));
  }
  Forget();
}

void LensCounts::Forget() {
  for (const size_t script : called_) {
    One& one = by_script_[script];
    one.calls = one.failures = one.kills = 0;
    one.seconds_used = 0;
  }
  called_.clear();
}

}  // namespace stemedb::query
