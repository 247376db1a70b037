// SPDX-License-Identifier: Apache-2.0
// An engine for each side, made for one run: between runs there is no reader that would keep anything alive.
#include "deploy/shadow.h"

#include <algorithm>

#include "telemetry/stopwatch.h"

namespace stemedb::deploy {
namespace {

// What one question may cost here; beyond it, it isn't compared.
constexpr size_t kRowsMax = 200'000;
constexpr size_t kPairsMax = 1'000;
constexpr size_t kAnswerBytesMax = 8u << 20;

std::unique_ptr<query::Engine> MakeEngine(const ShadowRoom& room,
                                          std::shared_ptr<const script::ScriptSet> scripts) {
  query::EngineOptions options;
  options.clock = room.clock;
  options.metrics = room.metrics;
  options.counting = query::EngineOptions::Counting::kOff;
  options.rows_max = kRowsMax;
  options.resolutions_max = kPairsMax;
  options.answer_bytes_max = kAnswerBytesMax;
  options.script_seconds_max = ShadowBounds::kQuestionSecondsMax;
  return std::make_unique<query::Engine>(room.store->NewReader(), std::move(scripts), options);
}

// Empty when the two say the same.
std::string Difference(const query::Verdict& before, const query::Verdict& after) {
  if (before.value_json != after.value_json) return "value";
  if (before.status != after.status) return "status";
  if (before.confidence != after.confidence) return "confidence";
  if (before.resolution_json != after.resolution_json) return "weights";  // or layers, or details
  return before.explain != after.explain ? "explain" : "";
}

ShadowSide SideOf(const query::Verdict& verdict) {
  return {verdict.value_json, verdict.confidence, verdict.status, {}, {}};
}

bool IsFailure(const Status& status) {
  return status.reason() == "lens_failed" || status.reason() == "query_timeout";
}

// Whether it is what a client would get: not so when the question ran into a bound of the shadow's own.
bool IsKnown(const Status& status) {
  return status.ok() || IsFailure(status) || status.reason() == "invalid_params";
}

class Run {
 public:
  Run(ShadowReport& report, const std::function<bool()>& stop) : report_(report), stop_(stop) {}

  void Compare(const query::RecordedQuestion& asked, query::Engine& before, query::Engine& after) {
    std::vector<query::Verdict> old_verdicts, new_verdicts;
    const Status old_status = before.Judge(asked.question, stop_, old_verdicts);
    const Status new_status = after.Judge(asked.question, stop_, new_verdicts);
    if (!IsKnown(old_status) || !IsKnown(new_status)) return;
    --report_.not_compared;
    const bool old_ok = old_status.ok(), new_ok = new_status.ok();
    if (!old_ok && !new_ok) {  // neither answers it
      report_.both_failed += IsFailure(old_status) && IsFailure(new_status) ? 1 : 0;
      return;
    }
    report_.mended += new_ok && IsFailure(old_status) ? 1 : 0;
    ++report_.compared;
    if (!old_ok || !new_ok) {
      ShadowExample example = ExampleOf(asked);
      example.before.failure = old_status.message();
      example.after.failure = new_status.message();
      if (old_ok && !old_verdicts.empty()) example.before = SideOf(old_verdicts.front());
      if (new_ok && !new_verdicts.empty()) example.after = SideOf(new_verdicts.front());
      // A parameter that is no more is a change that its author meant; an error in a script is none.
      const bool is_failure = IsFailure(new_status);
      example.difference = new_ok ? "answered" : is_failure ? "failure" : "refused";
      ++(is_failure ? report_.failed : report_.changed);
      if (is_failure && report_.first_failure.empty()) report_.first_failure = new_status.message();
      return report_.AddExample(std::move(example));
    }
    CompareVerdicts(asked, old_verdicts, new_verdicts);
  }

 private:
  static ShadowExample ExampleOf(const query::RecordedQuestion& asked) {
    ShadowExample example;
    example.concept_path = asked.question.concept_path;
    example.predicate = asked.question.predicate;
    example.sequence = asked.question.as_of->sequence.value_or(0);
    example.time_ms = asked.asked_at_ms;
    return example;
  }

  // Both saw the same claims, so the pairs are the same ones.
  void CompareVerdicts(const query::RecordedQuestion& asked, const std::vector<query::Verdict>& before,
                       const std::vector<query::Verdict>& after) {
    bool changed = false, reworded = false;
    for (size_t i = 0; i < std::min(before.size(), after.size()); ++i) {
      const std::string difference = Difference(before[i], after[i]);
      if (difference.empty()) continue;
      const bool first = !changed && !reworded;
      (difference == "explain" ? reworded : changed) = true;
      if (!first) continue;
      ShadowExample example = ExampleOf(asked);
      example.concept_path = before[i].concept_path;
      example.predicate = before[i].predicate;
      example.before = SideOf(before[i]);
      example.after = SideOf(after[i]);
      example.difference = difference;
      report_.AddExample(std::move(example));
    }
    report_.changed += changed ? 1 : 0;
    report_.reworded += reworded && !changed ? 1 : 0;
  }

  ShadowReport& report_;
  const std::function<bool()>& stop_;
};

}  // namespace

// Failures come first: of all that an operator may look at they are the most urgent.
void ShadowReport::AddExample(ShadowExample example) {
  if (example.difference == "failure") {
    examples.insert(examples.begin(), std::move(example));
  } else {
    examples.push_back(std::move(example));
  }
  if (examples.size() > ShadowBounds::kExamplesMax) examples.pop_back();
}

ShadowReport RunShadow(const ShadowRoom& room, std::vector<query::RecordedQuestion> questions,
                       std::shared_ptr<const script::ScriptSet> before,
                       std::shared_ptr<const script::ScriptSet> after, double seconds_max,
                       const std::function<bool()>& stop) {
  ShadowReport report;
  report.was_run = true;
  report.questions = questions.size();
  if (questions.empty()) return report;
  std::stable_sort(questions.begin(), questions.end(),
                   [](const auto& a, const auto& b) { return a.asked_at_ms > b.asked_at_ms; });
  if (questions.size() > ShadowBounds::kQuestionsMax) questions.resize(ShadowBounds::kQuestionsMax);
  const auto old_engine = MakeEngine(room, std::move(before));
  const auto new_engine = MakeEngine(room, std::move(after));
  const telemetry::Stopwatch stopwatch;
  report.not_compared = questions.size();  // so far
  const std::function<bool()> is_over = [&] { return stopwatch.Seconds() > seconds_max || stop(); };
  Run run(report, is_over);
  for (const query::RecordedQuestion& question : questions) {
    if (is_over()) break;
    run.Compare(question, *old_engine, *new_engine);
  }
  report.seconds = stopwatch.Seconds();
  report.is_cut = report.not_compared > 0 && report.seconds > seconds_max;
  return report;
}

}  // namespace stemedb::deploy
