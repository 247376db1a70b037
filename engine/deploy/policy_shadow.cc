// SPDX-License-Identifier: Apache-2.0
// A runner for each side, made for one run. Both get the requests in the same order, so that even a policy
// that keeps something between calls, which it shouldn't, says the same when it is the same.
#include <algorithm>

#include "deploy/shadow.h"
#include "telemetry/stopwatch.h"

namespace stemedb::deploy {
namespace {

using Verdict = std::optional<script::RateVerdict>;

// Empty when the two say the same.
std::string Difference(const Verdict& before, const Verdict& after) {
  if (before.has_value() != after.has_value()) return "limited";
  if (!before) return "";
  if (before->bucket != after->bucket) return "bucket";
  if (before->cost != after->cost) return "cost";
  if (before->limit != after->limit) return "limit";
  if (before->window_s != after->window_s) return "window_s";
  return before->peer_limit != after->peer_limit ? "peer_limit" : "";
}

ShadowSide SideOf(const Result<Verdict>& said) {
  ShadowSide side;
  if (said) {
    side.verdict = *said;
  } else {
    side.failure = said.error().message();
  }
  return side;
}

void Compare(const RecordedRequest& asked, const Result<Verdict>& before, const Result<Verdict>& after,
             ShadowReport& report) {
  if (!before && !after) ++report.both_failed;
  if (!before && !after) return;  // neither judges it
  ++report.compared;
  report.mended += before ? 0 : 1;
  ShadowExample example;
  example.difference = !after ? "failure" : !before ? "answered" : Difference(*before, *after);
  if (example.difference.empty()) return;
  ++(after ? report.changed : report.failed);
  if (!after && report.first_failure.empty()) report.first_failure = after.error().message();
  example.request = asked;
  example.before = SideOf(before);
  example.after = SideOf(after);
  report.AddExample(std::move(example));
}

}  // namespace

ShadowReport RunPolicyShadow(const std::string& name, std::vector<RecordedRequest> requests,
                             std::shared_ptr<const script::ScriptSet> before,
                             std::shared_ptr<const script::ScriptSet> after, double seconds_max,
                             const std::function<bool()>& stop) {
  ShadowReport report;
  report.was_run = true;
  report.questions = requests.size();
  std::stable_sort(requests.begin(), requests.end(),
                   [](const auto& a, const auto& b) { return a.asked_at_ms > b.asked_at_ms; });
  if (requests.size() > ShadowBounds::kRequestsMax) requests.resize(ShadowBounds::kRequestsMax);
  script::PolicyRunner::Options options;
  options.time_ms_max = ShadowBounds::kRequestMsMax;
  script::PolicyRunner old_runner(std::move(before), options), new_runner(std::move(after), options);
  const int old_script = old_runner.scripts().Find(name), new_script = new_runner.scripts().Find(name);
  const telemetry::Stopwatch stopwatch;
  report.not_compared = requests.size();  // so far
  for (const RecordedRequest& asked : requests) {
    if (stopwatch.Seconds() > seconds_max || stop()) break;
    const script::PolicyRequest request = asked.View();
    const auto was = old_runner.Limit(old_script, request, asked.asked_at_ms);
    const auto is = new_runner.Limit(new_script, request, asked.asked_at_ms);
    --report.not_compared;
    Compare(asked, was, is, report);
  }
  report.seconds = stopwatch.Seconds();
  report.is_cut = report.not_compared > 0 && report.seconds > seconds_max;
  return report;
}

}  // namespace stemedb::deploy
