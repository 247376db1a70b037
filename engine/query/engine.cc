// SPDX-License-Identifier: Apache-2.0
#include "query/engine.h"

#include <algorithm>
#include <map>
#include <vector>

#include "base/json_writer.h"
#include "base/scratch.h"
#include "query/answer_bound.h"
#include "query/answer_json.h"
#include "query/candidates.h"
#include "query/cursor.h"
#include "query/lens_counts.h"
#include "query/lens_list_json.h"
#include "query/plan.h"
#include "query/provenance.h"
#include "query/resolution_json.h"
#include "query/script_time.h"
#include "telemetry/stopwatch.h"

namespace stemedb::query {
namespace {

// A lens with the parameters of one question.
struct BoundLens {
  int script = -1;
  script::Params params;
};

// A lens that failed, for which another one answers.
struct LensFailure {
  int script = -1;
  Status status;
};

// Runs `end` when the answer is written, however that comes about.
template <typename End>
class AtEnd {
 public:
  explicit AtEnd(End end) : end_(std::move(end)) {}
  ~AtEnd() { end_(); }
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;

 private:
  End end_;
};

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

script::LensRunner::Options RunnerOptions(const EngineOptions& options) {
  script::LensRunner::Options runner;
  runner.time_ms_max = options.call_ms_max;
  // What is handed over isn't lost, so making a state needn't be paid from the little time of its first call.
  if (options.beyond == EngineOptions::Beyond::kHandOver)
    runner.load_time_ms_max = script::LensRunner::Options().time_ms_max;
  return runner;
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

struct Engine::Impl {
  std::unique_ptr<store::Reader> reader;
  script::LensRunner lenses;
  EngineOptions options;
  LensCounts counts;
  telemetry::Stopwatch began;  // the question, or whatever runs
  telemetry::Histogram& claims_lookup_seconds;
  telemetry::Histogram& concepts_lookup_seconds;
  telemetry::StorageSeries scans;  // of the index
  telemetry::StorageSeries gets;   // of records

  // Reused between questions.
  Viewpoint moment;  // rows borrow its path
  Standing standing;
  Covered covered;
  Listing page;
  CandidateSet set;

  // Begins a call.
  void Begin();
  // Takes up the live generation, if it is another one.
  void TakeUp();
  Status HandOver() {
    counts.Forget();
    return Status(Code::kUnavailable, kHandOverReason, "the question is too long to be answered here");
  }
  bool hands_over() const { return options.beyond == EngineOptions::Beyond::kHandOver; }
  void Use(std::shared_ptr<const script::ScriptSet> scripts);
  void Record(const BoundLens& lens, const Question& question, const Viewpoint& viewpoint) const {
    RecentQuestions::List* recent = counts.recent(lens.script);
    if (recent != nullptr) recent->Offer(question, viewpoint.sequence_max, viewpoint.weighing.now_ms);
  }
  // Between questions: lets the reader's snapshot go, and memory that only a giant question needs.
  void Rest();
  Result<BoundLens> Bind(const std::string& name,
                         const std::map<std::string, script::ParamValue>& params) const;
  // The moment of the question, and, for a lens, all its rows; without one the page alone.
  enum class Need : uint8_t { kRows, kPage };
  Result<const Viewpoint*> Collect(const Question& question, Need need);
  struct Pair {  // the claims on one (concept, predicate)
    std::string_view concept_path, predicate;
    std::span<const store::Row> rows;
  };
  Result<script::Outcome> Resolve(const BoundLens& lens, const Pair& pair, const Viewpoint& viewpoint,
                                  script::Notes notes, ScriptTime& time);
  // Calls `visit` for each pair that the question covers, with its outcome; stops where one fails.
  template <typename Visit>
  Status ResolveAll(const Question& question, const Viewpoint& viewpoint, const BoundLens& lens,
                    ScriptTime& time, Visit visit);
  Status WriteResolutions(JsonWriter& json, const Question& question, const Viewpoint& viewpoint,
                          const BoundLens& lens, const AnswerBound& bound, ScriptTime& time);
  // The whole answer through one lens; `failure` tells for which other lens it stands in.
  Status WriteAnswer(const Question& question, const Viewpoint& viewpoint, const BoundLens& lens,
                     const LensFailure& failure, ScriptTime& time, std::string& out);
  // Runs `look` on a fresh view, at whose end the standing is.
  template <typename Function>
  Status Look(Function look) {
    const AtEnd end([this] { Rest(); });
    STEMEDB_RETURN_IF_ERROR(reader->Refresh());
    standing.Begin(*reader, reader->sequence());
    return look();
  }
  Result<std::string_view> StatusOf(const store::Record& record);
  Status WriteAssertions(JsonWriter& json, const Viewpoint& viewpoint, const AnswerBound& bound,
                         std::string& out, std::string& next_cursor);
};

EngineOptions ForLoop(EngineOptions options) {
  options.script_seconds_max = 0.01;
  options.call_ms_max = 10;
  options.rows_max = 50'000;
  options.lineage_max = 2'000;
  options.beyond = EngineOptions::Beyond::kHandOver;
  return options;
}

Engine::Engine(std::unique_ptr<store::Reader> reader, std::shared_ptr<const script::ScriptSet> scripts,
               EngineOptions options)
    : impl_(new Impl{std::move(reader),
                     {scripts, RunnerOptions(options)},
                     options,
                     {},
                     {},
                     options.metrics->IndexLookup("claims"),
                     options.metrics->IndexLookup("concepts"),
                     options.metrics->Storage("scan", "indexes"),
                     options.metrics->Storage("get", "assertions"),
                     {},
                     Standing(options.lineage_max),
                     {},
                     {},
                     {}}) {
  impl_->Use(std::move(scripts));
}

Engine::~Engine() = default;

void Engine::Impl::Begin() {
  began = telemetry::Stopwatch();
  TakeUp();
}

void Engine::Impl::TakeUp() {
  if (options.live == nullptr || options.live->generation() == lenses.scripts().generation()) return;
  Use(options.live->Current());
}

void Engine::Impl::Use(std::shared_ptr<const script::ScriptSet> scripts) {
  counts.Use(*scripts, options.counting == EngineOptions::Counting::kOn ? options.metrics : nullptr,
             options.recent);
  lenses.Use(std::move(scripts));
}

void Engine::Impl::Rest() {
  counts.HandOn(lenses.scripts());
  reader->Release();
  ReleaseIfLarge(covered.rows);
  ReleaseIfLarge(covered.standings);
  ReleaseIfLarge(page.sequences);
  set.Trim();
}

Result<BoundLens> Engine::Impl::Bind(const std::string& name,
                                     const std::map<std::string, script::ParamValue>& given) const {
  const script::ScriptSet& scripts = lenses.scripts();
  BoundLens lens{scripts.Find(name), {}};
  const bool is_lens = lens.script >= 0 && scripts.scripts()[static_cast<size_t>(lens.script)].kind == "lens";
  if (!is_lens) {
    std::string known;
    for (const script::ScriptInfo& script : scripts.scripts()) {
      if (script.kind == "lens") known += (known.empty() ? "" : ", ") + script.name;
    }
    return Status(Code::kNotFound, "unknown_lens", "there is no lens '" + name + "'; there are " + known);
  }
  auto params = script::CheckParams(scripts.scripts()[static_cast<size_t>(lens.script)], given);
  if (!params) return params.error();
  lens.params = std::move(*params);
  return lens;
}

Result<const Viewpoint*> Engine::Impl::Collect(const Question& question, Need need) {
  const telemetry::Stopwatch stopwatch;
  const AtEnd end([&] {
    const double seconds = stopwatch.Seconds();
    claims_lookup_seconds.Observe(seconds);
    scans.duration_seconds.Observe(seconds);
    scans.operations.Increment();
  });
  STEMEDB_RETURN_IF_ERROR(reader->Refresh());
  auto found = ViewpointOf(question, *reader, options.clock->NowMs());
  if (!found) return found.error();
  moment = std::move(*found);
  standing.Begin(*reader, moment.sequence_max);
  Status collected = need == Need::kPage
                         ? ListNewest(question, moment, options.listing, *reader, standing, page)
                         : CollectRows(question, moment, options.rows_max, *reader, standing, covered);
  if (hands_over() && (collected.reason() == kTooManyRows || collected.reason() == kLineageTooLarge))
    return HandOver();
  if (!collected.ok()) return collected;
  if (need == Need::kRows) ListRows(question, covered.rows, page);
  return &moment;
}

Result<script::Outcome> Engine::Impl::Resolve(const BoundLens& lens, const Pair& pair,
                                              const Viewpoint& viewpoint, script::Notes notes,
                                              ScriptTime& time) {
  if (hands_over() && began.Seconds() > options.script_seconds_max) return HandOver();
  if (Status left = time.Check(); !left.ok()) {
    counts.AddTimeout();
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
  counts.Add(lens.script, seconds, failure);
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

Status Engine::Impl::WriteAssertions(JsonWriter& json, const Viewpoint& viewpoint, const AnswerBound& bound,
                                     std::string& out, std::string& next_cursor) {
  if (page.next_before != 0)
    next_cursor = EncodeCursor({page.next_before, viewpoint.sequence_max, viewpoint.weighing.now_ms});
  json.Key("assertions");
  json.BeginArray();
  const telemetry::Stopwatch stopwatch;
  for (const uint64_t sequence : page.sequences) {
    if (hands_over() && began.Seconds() > options.script_seconds_max) return HandOver();
    auto record = reader->Get(sequence);
    if (!record) return record.error();
    auto status = StatusOf(*record);
    if (!status) return status.error();
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

// Of a claim in view, which Standing has begun on.
Result<std::string_view> Engine::Impl::StatusOf(const store::Record& record) {
  if (!standing.AnyOperation()) return NameOf(ClaimStatus::kActive);
  store::Row row{record.claim().concept_path(), record.claim().predicate(), record.sequence, record.claim()};
  row.has_marks = false;
  auto found = standing.Of(row);
  if (!found) return found.error();
  return NameOf(found->status);
}

void Engine::TakeUpLive() { impl_->TakeUp(); }

Status Engine::Answer(const Question& question, std::string& out) {
  impl_->Begin();
  BoundLens lens, fallback;
  if (!question.lens.empty()) {
    auto bound = impl_->Bind(question.lens, question.params);
    if (!bound) return bound.error();
    lens = std::move(*bound);
  }
  if (!question.fallback.empty()) {
    auto bound = impl_->Bind(question.fallback, {});
    if (!bound) return bound.error();
    fallback = std::move(*bound);
  }
  const AtEnd end([this] { impl_->Rest(); });
  auto viewpoint = impl_->Collect(question, lens.script >= 0 ? Impl::Need::kRows : Impl::Need::kPage);
  if (!viewpoint) return viewpoint.error();

  const size_t start = out.size();
  ScriptTime time(impl_->options.script_seconds_max);
  Status status = impl_->WriteAnswer(question, **viewpoint, lens, {}, time, out);
  if (IsLensFailure(status) && fallback.script >= 0) {
    out.resize(start);
    // The fallback's time is its own. But if the question is handed over, the failure will be counted there.
    if (!impl_->hands_over()) impl_->counts.HandOn(impl_->lenses.scripts());
    ScriptTime again(impl_->options.script_seconds_max / 2);
    ScriptTime& left = status.reason() == "query_timeout" ? again : time;
    const LensFailure failure{lens.script, std::move(status)};
    status = impl_->WriteAnswer(question, **viewpoint, fallback, failure, left, out);
  }
  // Where nobody has said anything no lens is asked: such questions would tell nothing of a new version, and
  // keep out those that would.
  const bool was_asked = lens.script >= 0 && !impl_->covered.rows.empty();
  if (was_asked && status.reason() != kHandOverReason) impl_->Record(lens, question, **viewpoint);
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
  STEMEDB_RETURN_IF_ERROR(WriteAssertions(json, viewpoint, bound, out, next_cursor));
  if (lens.script >= 0) {
    STEMEDB_RETURN_IF_ERROR(WriteResolutions(json, question, viewpoint, lens, bound, time));
  } else {
    json.Key("resolutions");
    json.Raw("[]");
  }
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
    one.clear();
    JsonWriter resolutions(one);
    const AnswerBound room(one, impl_->options.answer_bytes_max, out.size());
    Status status = impl_->WriteResolutions(resolutions, question, **viewpoint, lens, room, time);
    if (status.ok()) {
      json.Raw(one);
    } else if (status.reason() == "lens_failed") {
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

Status Engine::Assertion(const Hash256& id, std::string& out) {
  const AtEnd end([this] { impl_->Rest(); });
  STEMEDB_RETURN_IF_ERROR(impl_->reader->Refresh());
  auto sequence = impl_->reader->Find(id);
  if (!sequence) return sequence.error();
  const auto unknown = [&] {
    return Status(Code::kNotFound, "unknown_assertion", "there is no assertion with the id " + ToHex(id));
  };
  if (!sequence->has_value()) return unknown();
  auto record = impl_->reader->Get(**sequence);
  if (!record) return record.error();
  if (record->is_operation()) return unknown();
  impl_->standing.Begin(*impl_->reader, impl_->reader->sequence());
  auto status = impl_->StatusOf(*record);
  if (!status) return status.error();
  model::AppendClaimJson(out, record->claim(), record->sequence, record->recorded_at_ms, *status);
  return Status::Ok();
}

Status Engine::Trace(const Hash256& id, std::string& out) {
  return impl_->Look([&] { return AppendTrace(out, id, *impl_->reader, impl_->standing); });
}

Status Engine::Source(std::string_view id, std::string& out) {
  return impl_->Look([&] { return AppendSource(out, id, *impl_->reader); });
}

Status Engine::Sources(std::string_view after, size_t limit, std::string& out) {
  return impl_->Look([&] { return AppendSources(out, after, limit, *impl_->reader); });
}

Status Engine::Feed(uint64_t before, size_t limit, std::string& out) {
  return impl_->Look([&] { return AppendFeed(out, before, limit, *impl_->reader, impl_->standing); });
}

Status Engine::Check(const model::Operation& operation, const Hash256& id, Authority authority,
                     uint64_t& as_of) {
  return impl_->Look([&] {
    as_of = impl_->reader->sequence();
    return CheckOperation(operation, id, authority, *impl_->reader);
  });
}

Result<Impact> Engine::ImpactOf(const model::Operation& operation, size_t claims_max) {
  Impact impact;
  Status looked = impl_->Look([&]() -> Status {
    auto found = query::ImpactOf(operation, *impl_->reader, impl_->standing, claims_max);
    if (!found) return found.error();
    impact = std::move(*found);
    return Status::Ok();
  });
  return looked.ok() ? Result<Impact>(std::move(impact)) : Result<Impact>(std::move(looked));
}

Status Engine::Concepts(std::string_view prefix, std::string_view after, size_t limit, std::string& out) {
  const AtEnd end([this] { impl_->Rest(); });
  const telemetry::ScopedTimer timer(impl_->concepts_lookup_seconds);
  STEMEDB_RETURN_IF_ERROR(impl_->reader->Refresh());
  auto children = impl_->reader->Children(prefix, after, limit + 1);
  if (!children) return children.error();
  JsonWriter json(out);
  WriteConcepts(json, prefix, *children, limit);
  return Status::Ok();
}

void Engine::Lenses(std::string& out) {
  impl_->Begin();
  AppendLensList(out, impl_->lenses.scripts());
}

uint64_t Engine::assertion_count() {
  const AtEnd end([this] { impl_->Rest(); });
  return impl_->reader->Refresh().ok() ? impl_->reader->assertion_count() : 0;
}

}  // namespace stemedb::query
