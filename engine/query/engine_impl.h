// SPDX-License-Identifier: Apache-2.0
// What the files of Engine share: engine.cc (its life, and what a question covers), engine_answers.cc
// (answers through lenses), engine_kept.cc (those that are kept), engine_changes.cc (what was said since),
// engine_looks.cc (single records and lists). Included by them alone.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/json_writer.h"
#include "query/answer_bound.h"
#include "query/candidates.h"
#include "query/engine.h"
#include "query/lens_counts.h"
#include "query/plan.h"
#include "query/script_time.h"
#include "query/standing.h"
#include "telemetry/stopwatch.h"

namespace stemedb::query {

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
  Account account;  // of the answer that is being made, or was made last
  // Of an answer that may be kept.
  std::string key;        // its question's; empty: it may not
  int64_t asked_ns = 0;   // monotonic, before its moment was found
  bool read_now = false;  // the lens looked at the clock
  size_t body_end = 0;    // in `out`: all that is kept as it is stands before

  // Begins a call.
  void Begin();
  // Takes up the live generation, if it is another one.
  void TakeUp();
  Status HandOver() {
    counts.Forget();
    return HandOverStatus();
  }
  // What another engine, with more room, may answer is handed over.
  Status OrHandOver(Status failure) {
    const std::string_view reason = failure.reason();
    const bool lacks_room = reason == kTooManyRows || reason == kLineageTooLarge || reason == kHandOverReason;
    return hands_over() && lacks_room ? HandOver() : failure;
  }
  bool hands_over() const { return options.beyond == EngineOptions::Beyond::kHandOver; }
  Patience patience() const {
    return hands_over() ? Patience(began, options.script_seconds_max) : Patience();
  }
  void Use(std::shared_ptr<const script::ScriptSet> scripts);
  void Record(const BoundLens& lens, const Question& question, const Viewpoint& viewpoint) const {
    RecentQuestions::List* recent = counts.recent(lens.script);
    if (recent != nullptr) recent->Offer(question, viewpoint.sequence_max, viewpoint.weighing.now_ms);
  }
  // Between questions: lets the reader's snapshot go, and memory that only a giant question needs.
  void Rest();
  Result<BoundLens> Bind(const std::string& name,
                         const std::map<std::string, script::ParamValue>& params) const;
  void AccountFor(const BoundLens& lens) {
    const script::ScriptSet& scripts = lenses.scripts();
    account.AddLens(scripts.scripts()[static_cast<size_t>(lens.script)], scripts.generation() != 0);
  }
  // The moment of the question.
  Result<const Viewpoint*> FindMoment(const Question& question);
  // At that moment, for a lens, all rows of the question; without one the page alone.
  enum class Need : uint8_t { kRows, kPage };
  Status CollectRowsOrPage(const Question& question, Need need);
  // Both.
  Result<const Viewpoint*> Collect(const Question& question, Need need);
  // Answers with what was kept, if that is right at the moment, or as old as the question allows.
  bool GiveKept(const Question& question, const BoundLens& lens, std::string& out);
  // The lens itself has answered, with `body` and an end: keeps it, if that pays.
  void Keep(const Question& question, std::string_view body);
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
    began = telemetry::Stopwatch();
    STEMEDB_RETURN_IF_ERROR(reader->Refresh());
    standing.Begin(*reader, reader->sequence(), patience());
    return look();
  }
  Result<std::string_view> StatusOf(const store::Record& record);
  Status WriteAssertions(JsonWriter& json, const Question& question, const Viewpoint& viewpoint,
                         const AnswerBound& bound, std::string& out, std::string& next_cursor);
  // Of a question with `since`, behind its assertions.
  Status WriteChanges(JsonWriter& json, const Question& question, const Viewpoint& viewpoint,
                      const AnswerBound& bound, std::string& out, std::string& next_cursor);
};

}  // namespace stemedb::query
