// SPDX-License-Identifier: Apache-2.0
// Engine: answers questions. One for each thread; it owns that thread's reader and Lua states and reuses its
// buffers. Answers are appended to a string as the JSON of docs/http-api.md.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "env/env.h"
#include "query/account.h"
#include "query/answer_cache.h"
#include "query/operation_rules.h"
#include "query/patience.h"
#include "query/plan.h"
#include "query/provenance.h"
#include "query/question.h"
#include "query/recent_questions.h"
#include "script/lens.h"
#include "script/live_scripts.h"
#include "store/reader.h"
#include "telemetry/metrics.h"

namespace stemedb::query {

struct EngineOptions {
  env::Clock* clock = nullptr;            // outlives the engine
  telemetry::Metrics* metrics = nullptr;  // outlives the engine
  // For one resolution: the best by (lowest tier, newest timestamp, smallest id); the answer says when it
  // bites.
  size_t candidates_max = 100'000;
  size_t resolutions_max =
      10'000;  // (concept, predicate) pairs in one answer; beyond: kOutOfRange "too_many_pairs"
  size_t rows_max =
      2'000'000;  // index rows looked at for one question, wanted or not; beyond: kOutOfRange "too_many_rows"
  // Ids of lineages that one question may look up anew; beyond: kOutOfRange "lineage_too_large".
  size_t lineage_max = 1'000'000;
  size_t chain_max = kChainMax;  // of CheckOperation; beyond: kOutOfRange kChainTooLong
  ListingBounds listing;         // of questions without a lens
  // Of all lens calls of one question together, and of a comparison's: 10,000 pairs through a shipped lens
  // take some 50 ms. Beyond: kDeadlineExceeded "query_timeout", unless the question names a fallback, which
  // has half of this time again.
  double script_seconds_max = 0.25;
  int64_t call_ms_max = 50;  // of one lens call, of the thread's processor time; beyond: "lens_failed"
  // What becomes of a question that needs more rows or time than that: it is refused, or, as kUnavailable
  // kHandOverReason, to be asked again of an engine with more room. For one that hands over,
  // script_seconds_max is the time of the whole question, by the clock on the wall.
  enum class Beyond : uint8_t { kRefuse, kHandOver } beyond = Beyond::kRefuse;
  // Where new generations come from: every call begins with a look, and keeps the one it began with to its
  // end. Null: the set that the engine was made with. Outlives the engine.
  const script::LiveScripts* live = nullptr;
  RecentQuestions* recent =
      nullptr;  // gets the questions that a lens answered; null: nobody. Outlives the engine
  // Answers that are kept, of all engines that have the same cache; these have the same resolutions_max and
  // answer_bytes_max. Null: every answer is made anew. Outlives the engine.
  AnswerCache* answers = nullptr;
  // Whether calls of lenses are counted, for their scripts and in the metrics. Not when a draft is tried.
  enum class Counting : uint8_t { kOn, kOff } counting = Counting::kOn;
  // One answer as text, which is made whole in memory; beyond: kOutOfRange "answer_too_large".
  size_t answer_bytes_max = 32u << 20;
};

// What a lens said of one (concept, predicate) pair, for comparing two versions of it.
struct Verdict {
  std::string concept_path;
  std::string predicate;
  std::string value_json;  // "null" without a winner
  double confidence = 0;
  std::string status;
  std::string explain;
  std::string resolution_json;  // the whole resolution, explain left empty
};

// Of an engine on an event loop, where every request waits for the one before it: what takes longer is handed
// over. Shipped lenses get through some thousand pairs.
EngineOptions ForLoop(EngineOptions options);

class Engine {
 public:
  Engine(std::unique_ptr<store::Reader> reader, std::shared_ptr<const script::ScriptSet> scripts,
         EngineOptions options);
  ~Engine();

  // Takes up the live generation when it is another one, as every question does: for a thread that has had
  // none for a while, so that it doesn't keep what is no more live.
  void TakeUpLive();

  // The answer of POST /v1/query. kNotFound "unknown_lens" (the message lists the lenses there are),
  // kInvalidArgument "invalid_params", kOutOfRange "as_of_in_future", kInternal "lens_failed",
  // kDeadlineExceeded "query_timeout"; `out` is worth nothing then.
  Status Answer(const Question& question, std::string& out);

  // The answer of POST /v1/lenses/compare: one question through several lenses, side by side. A lens that
  // fails has its error in its place.
  Status Compare(const Question& question, std::span<const std::string> lenses, std::string& out);

  // What the last Answer or Compare rests on, failures included as far as they came. Until the next call.
  const Account& account() const;

  // The verdicts of the question's lens: Answer without its text, and with its failures. kUnavailable
  // "cut_off" when `stop`, which is asked between calls of the lens, says so.
  Status Judge(const Question& question, const std::function<bool()>& stop, std::vector<Verdict>& verdicts);

  // What operations make of claims now, by their sequences: appends the name of a status for each; an empty
  // one for a claim whose lineage is too long to be looked at here.
  Status Statuses(std::span<const uint64_t> sequences, std::vector<std::string_view>& statuses);

  // One assertion with its status. kNotFound "unknown_assertion".
  Status Assertion(const Hash256& id, std::string& out);

  // The children of a concept path with counts. `after` continues a listing.
  Status Concepts(std::string_view prefix, std::string_view after, size_t limit, std::string& out);

  // As the functions of provenance.h.
  Status Trace(const Hash256& id, std::string& out, const TraceMore& more = {});
  Status Source(std::string_view id, std::string& out);
  Status Sources(std::string_view after, size_t limit, std::string& out);
  Result<bool> IsRegisteredSource(std::string_view id);
  Status Feed(uint64_t before, size_t limit, std::string& out);
  // As the functions of trust.h.
  Status Trusts(std::string_view after, size_t limit, std::string& out);
  Status Trust(const model::AgentId& agent, uint64_t before, size_t limit, std::string& out);

  // Whether the operation may be taken in (operation_rules.h).
  Status Check(const model::Operation& operation, const Hash256& id, Authority authority,
               store::Judgement& judgement);
  // Whether its agent may make it from elsewhere.
  Status CheckAgent(const model::Operation& operation);
  // What a retraction would change.
  Result<Impact> ImpactOf(const model::Operation& operation, const ImpactBounds& bounds);
  // Whether a claim or an operation has the id.
  Result<bool> IsThere(const Hash256& id);

  // Names, versions, hashes, parameters with types.
  void Lenses(std::string& out);

  uint64_t assertion_count();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stemedb::query
