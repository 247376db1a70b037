// SPDX-License-Identifier: Apache-2.0
// Answers through lenses: of each pair that the question covers the candidates, of them the lens's outcome,
// of it the text.
#include <algorithm>
#include <vector>

#include "query/answer_json.h"
#include "query/cursor.h"
#include "query/engine_impl.h"
#include "query/question_key.h"
#include "query/resolution_json.h"

namespace stemedb::query {
namespace {

// Calls visit(rows of one pair) for each (concept path, predicate) in order, until it fails.
template <typename Visit>
Status ForEachPair(std::span<const store::Row> rows, Visit visit) {
  for (size_t from = 0, to = 0; from < rows.size(); from = to) {
    while (to < rows.size() && rows[to].predicate == rows[from].predicate &&
           rows[to].concept_path == rows[from].concept_path) {
      ++to;
    }
    STEMEDB_RETURN_IF_ERROR(visit(rows.subspan(from, to - from)));
  }
  return Status::Ok();
}

Status TooManyPairs(size_t resolutions_max) {
  return Status(Code::kOutOfRange, "too_many_pairs",
                "the question covers more than " + std::to_string(resolutions_max) +
                    " (concept, predicate) pairs; ask for a narrower concept path or name a predicate");
}

// What another lens may answer instead.
bool IsLensFailure(const Status& status) {
  return status.reason() == "lens_failed" || status.reason() == "query_timeout";
}

Verdict MakeVerdict(std::string_view concept_path, std::string_view predicate, const CandidateSet& set,
                    script::Outcome& outcome, size_t bytes_max) {
  Verdict verdict{
      std::string(concept_path), std::string(predicate), {}, outcome.overall.confidence, {}, {}, {}};
  verdict.explain = std::move(outcome.explain);
  outcome.explain.clear();
  verdict.status = NameOf(outcome.overall.agreement);
  JsonWriter value(verdict.value_json);
  WriteWinningValue(value, outcome.overall, set);
  JsonWriter json(verdict.resolution_json);
  const AnswerBound bound(verdict.resolution_json, bytes_max);
  const Weighing unused;
  WriteResolution(json,
                  {.concept_path = concept_path,
                   .predicate = predicate,
                   .set = &set,
                   .outcome = &outcome,
                   .weighing = &unused},
                  bound);
  return verdict;
}

}  // namespace

Result<script::Outcome> Engine::Impl::Resolve(const BoundLens& lens, const Pair& pair,
                                              const Viewpoint& viewpoint, script::Notes notes,
                                              ScriptTime& time) {
  if (hands_over() && began.Seconds() > options.script_seconds_max) return HandOver();
  if (Status left = time.Check(); !left.ok()) {
    counts.AddTimeout(left.message());
    return left;
  }
  std::span<const ClaimStanding> standings;
  if (!covered.standings.empty() && !pair.rows.empty()) {
    const auto first = static_cast<size_t>(pair.rows.data() - covered.rows.data());
    standings = std::span(covered.standings).subspan(first, pair.rows.size());
  }
  set.Build(pair.rows, standings, viewpoint.weighing, options.candidates_max);
  script::LensCall call;
  call.candidates = set.candidates();
  call.values_count = set.values_count();
  call.voices_count = set.voices_count();
  call.now_ms = viewpoint.weighing.now_ms;
  call.params = &lens.params;
  call.notes = notes;
  call.concept_path = pair.concept_path;
  call.predicate = pair.predicate;
  if (options.counting == EngineOptions::Counting::kOff) call.reading = script::Reading::kThorough;
  const telemetry::Stopwatch stopwatch;
  auto outcome = lenses.Resolve(lens.script, call);
  const double seconds = stopwatch.Seconds();
  time.Add(seconds);
  const script::Failure failure = lenses.last_failure();
  if (hands_over() && failure == script::Failure::kTime) return HandOver();
  read_now = read_now || (outcome && outcome->read_now);
  counts.Add(lens.script, seconds, failure, outcome ? std::string_view() : outcome.error().message());
  return outcome;
}

template <typename Visit>
Status Engine::Impl::ResolveAll(const Question& question, const Viewpoint& viewpoint, const BoundLens& lens,
                                ScriptTime& time, Visit visit) {
  const auto notes = question.include_explain ? script::Notes::kWanted : script::Notes::kNone;
  const auto resolve = [&](const Pair& pair) -> Status {
    auto outcome = Resolve(lens, pair, viewpoint, notes, time);
    return outcome ? visit(pair.concept_path, pair.predicate, *outcome) : outcome.error();
  };
  size_t pairs = 0;
  STEMEDB_RETURN_IF_ERROR(ForEachPair(covered.rows, [&](std::span<const store::Row> pair) -> Status {
    if (++pairs > options.resolutions_max) return TooManyPairs(options.resolutions_max);
    return resolve({pair.front().concept_path, pair.front().predicate, pair});
  }));
  // A pair that the question names is answered even when nobody has said anything about it.
  if (pairs == 0 && !question.subtree && !question.predicate.empty()) {
    STEMEDB_RETURN_IF_ERROR(resolve({viewpoint.concept_path, question.predicate, {}}));
  }
  return Status::Ok();
}

Status Engine::Impl::WriteResolutions(JsonWriter& json, const Question& question, const Viewpoint& viewpoint,
                                      const BoundLens& lens, const AnswerBound& bound, ScriptTime& time) {
  json.Key("resolutions");
  json.BeginArray();
  STEMEDB_RETURN_IF_ERROR(ResolveAll(
      question, viewpoint, lens, time,
      [&](std::string_view concept_path, std::string_view predicate, script::Outcome& outcome) -> Status {
        account.AddResolution(set, outcome);
        WriteResolution(json,
                        {.concept_path = concept_path,
                         .predicate = predicate,
                         .set = &set,
                         .outcome = &outcome,
                         .weighing = &viewpoint.weighing,
                         .include_candidates = question.include_candidates,
                         .include_explain = question.include_explain},
                        bound);
        return bound.Check();
      }));
  json.EndArray();
  return Status::Ok();
}

Status Engine::Impl::WriteAssertions(JsonWriter& json, const Question& question, const Viewpoint& viewpoint,
                                     const AnswerBound& bound, std::string& out, std::string& next_cursor) {
  if (page.next_before != 0)
    next_cursor = EncodeCursor({.before_sequence = page.next_before,
                                .as_of_sequence = viewpoint.sequence_max,
                                .now_ms = viewpoint.weighing.now_ms,
                                .changes_after = {},
                                .question = FingerprintOf(question)});
  account.AddListed(page.sequences);
  json.Key("assertions");
  json.BeginArray();
  const telemetry::Stopwatch stopwatch;
  for (const uint64_t sequence : page.sequences) {
    if (hands_over() && began.Seconds() > options.script_seconds_max) return HandOver();
    auto record = reader->Get(sequence);
    if (!record) return record.error();
    auto status = StatusOf(*record);
    if (!status) return OrHandOver(status.error());
    json.Raw({});  // the comma; the claim is spliced in behind it
    model::AppendClaimJson(out, record->claim(), record->sequence, record->recorded_at_ms, *status);
    STEMEDB_RETURN_IF_ERROR(bound.Check());
  }
  if (!page.sequences.empty()) {
    const auto shown = static_cast<double>(page.sequences.size());
    gets.operations.Increment(shown);
    gets.duration_seconds.Observe(stopwatch.Seconds() / shown);
  }
  json.EndArray();
  return Status::Ok();
}

Status Engine::Answer(const Question& question, std::string& out) {
  impl_->Begin();
  BoundLens lens, fallback;
  if (!question.lens.empty()) {
    auto bound = impl_->Bind(question.lens, question.params);
    if (!bound) return bound.error();
    lens = std::move(*bound);
    impl_->AccountFor(lens);
  }
  if (!question.fallback.empty()) {
    auto bound = impl_->Bind(question.fallback, {});
    if (!bound) return bound.error();
    fallback = std::move(*bound);
  }
  const AtEnd end([this] { impl_->Rest(); });
  auto viewpoint = impl_->FindMoment(question);
  if (!viewpoint) return viewpoint.error();
  if (impl_->GiveKept(question, lens, out)) return Status::Ok();
  STEMEDB_RETURN_IF_ERROR(
      impl_->CollectRowsOrPage(question, lens.script >= 0 ? Impl::Need::kRows : Impl::Need::kPage));

  const size_t start = out.size();
  ScriptTime time(impl_->options.script_seconds_max);
  Status status = impl_->WriteAnswer(question, **viewpoint, lens, {}, time, out);
  if (IsLensFailure(status) && fallback.script >= 0) {
    out.resize(start);
    // The fallback's time is its own. But if the question is handed over, the failure will be counted there.
    if (!impl_->hands_over()) impl_->counts.HandOn(impl_->lenses.scripts(), *impl_->options.clock);
    ScriptTime again(impl_->options.script_seconds_max / 2);
    ScriptTime& left = status.reason() == "query_timeout" ? again : time;
    const LensFailure failure{lens.script, std::move(status)};
    impl_->account.TakeBack();
    impl_->account.fell_back = true;
    impl_->AccountFor(fallback);
    status = impl_->WriteAnswer(question, **viewpoint, fallback, failure, left, out);
  }
  // Where nobody has said anything no lens is asked: such questions would tell nothing of a new version, and
  // keep out those that would.
  const bool was_asked = lens.script >= 0 && !impl_->covered.rows.empty();
  if (was_asked && status.reason() != kHandOverReason) impl_->Record(lens, question, **viewpoint);
  if (status.ok() && !impl_->account.fell_back)
    impl_->Keep(question, std::string_view(out).substr(start, impl_->body_end - start));
  return status;
}

Status Engine::Impl::WriteAnswer(const Question& question, const Viewpoint& viewpoint, const BoundLens& lens,
                                 const LensFailure& failure, ScriptTime& time, std::string& out) {
  JsonWriter json(out);
  const AnswerBound bound(out, options.answer_bytes_max);
  std::string next_cursor;
  json.BeginObject();
  WriteSubject(json, question, viewpoint);
  json.Key("lens");
  if (lens.script >= 0) {
    WriteLens(json, lenses.scripts(), lens.script);
  } else {
    json.Null();
  }
  if (failure.script >= 0) {
    json.Key("fallback_from");
    json.BeginObject();
    json.Key("lens");
    WriteLens(json, lenses.scripts(), failure.script);
    json.Field("code", failure.status.reason());
    json.Field("detail", failure.status.message());
    json.EndObject();
  }
  STEMEDB_RETURN_IF_ERROR(WriteAssertions(json, question, viewpoint, bound, out, next_cursor));
  if (question.since)
    STEMEDB_RETURN_IF_ERROR(WriteChanges(json, question, viewpoint, bound, out, next_cursor));
  if (lens.script >= 0) {
    STEMEDB_RETURN_IF_ERROR(WriteResolutions(json, question, viewpoint, lens, bound, time));
  } else {
    json.Key("resolutions");
    json.Raw("[]");
  }
  body_end = out.size();
  WriteAsOf(json, viewpoint);
  if (!next_cursor.empty()) json.Field("next_cursor", next_cursor);
  json.EndObject();
  return Status::Ok();
}

Status Engine::Judge(const Question& question, const std::function<bool()>& stop,
                     std::vector<Verdict>& verdicts) {
  impl_->Begin();
  auto lens = impl_->Bind(question.lens, question.params);
  if (!lens) return lens.error();
  const AtEnd end([this] { impl_->Rest(); });
  auto viewpoint = impl_->Collect(question, Impl::Need::kRows);
  if (!viewpoint) return viewpoint.error();
  size_t bytes = 0;
  ScriptTime time(impl_->options.script_seconds_max);
  const auto cut_off = [] { return Status(Code::kUnavailable, "cut_off", "the comparison was stopped"); };
  if (stop()) return cut_off();
  return impl_->ResolveAll(
      question, **viewpoint, *lens, time,
      [&](std::string_view concept_path, std::string_view predicate, script::Outcome& outcome) -> Status {
        verdicts.push_back(
            MakeVerdict(concept_path, predicate, impl_->set, outcome, impl_->options.answer_bytes_max));
        bytes += verdicts.back().resolution_json.size();
        if (stop()) return cut_off();
        return AnswerBound(verdicts.back().resolution_json, impl_->options.answer_bytes_max,
                           bytes - verdicts.back().resolution_json.size())
            .Check();
      });
}

Status Engine::Compare(const Question& question, std::span<const std::string> lenses, std::string& out) {
  impl_->Begin();
  std::vector<BoundLens> bound;
  for (const std::string& name : lenses) {
    auto lens = impl_->Bind(name, question.params);
    if (!lens) return lens.error();
    bound.push_back(std::move(*lens));
  }
  const AtEnd end([this] { impl_->Rest(); });
  auto viewpoint = impl_->Collect(question, Impl::Need::kRows);
  if (!viewpoint) return viewpoint.error();

  JsonWriter json(out);
  json.BeginObject();
  WriteSubject(json, question, **viewpoint);
  json.Key("results");
  json.BeginArray();
  std::string one;
  ScriptTime time(impl_->options.script_seconds_max);
  for (const BoundLens& lens : bound) {
    json.BeginObject();
    json.Key("lens");
    WriteLens(json, impl_->lenses.scripts(), lens.script);
    impl_->AccountFor(lens);
    one.clear();
    JsonWriter resolutions(one);
    const AnswerBound room(one, impl_->options.answer_bytes_max, out.size());
    Status status = impl_->WriteResolutions(resolutions, question, **viewpoint, lens, room, time);
    if (status.ok()) {
      json.Raw(one);
    } else if (status.reason() == "lens_failed") {
      impl_->account.TakeBack();
      json.Key("error");
      json.BeginObject();
      json.Field("code", status.reason());
      json.Field("detail", status.message());
      json.EndObject();
    } else {
      return status;
    }
    json.EndObject();
  }
  json.EndArray();
  WriteAsOf(json, **viewpoint);
  json.EndObject();
  return Status::Ok();
}

}  // namespace stemedb::query
