// SPDX-License-Identifier: Apache-2.0
// The engine's life, and what a question covers.
#include "query/engine.h"

#include <utility>

#include "base/scratch.h"
#include "query/engine_impl.h"
#include "query/find_lens.h"
#include "query/lens_list_json.h"

namespace stemedb::query {
namespace {

script::LensRunner::Options RunnerOptions(const EngineOptions& options) {
  script::LensRunner::Options runner;
  runner.time_ms_max = options.call_ms_max;
  // What is handed over isn't lost, so making a state needn't be paid from the little time of its first call.
  if (options.beyond == EngineOptions::Beyond::kHandOver)
    runner.load_time_ms_max = script::LensRunner::Options().time_ms_max;
  return runner;
}

}  // namespace

EngineOptions ForLoop(EngineOptions options) {
  options.script_seconds_max = 0.01;
  options.call_ms_max = 10;
  options.rows_max = 50'000;
  options.lineage_max = 10'000;
  options.chain_max = 1'000;
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
  account.Clear();
  key.clear();
  read_now = false;
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
  counts.HandOn(lenses.scripts(), *options.clock);
  reader->Release();
  ReleaseIfLarge(covered.rows);
  ReleaseIfLarge(covered.standings);
  ReleaseIfLarge(covered.passed_over);
  ReleaseIfLarge(page.sequences);
  set.Trim();
}

Result<BoundLens> Engine::Impl::Bind(const std::string& name,
                                     const std::map<std::string, script::ParamValue>& given) const {
  const script::ScriptSet& scripts = lenses.scripts();
  const auto found = FindLens(scripts, name);
  if (!found) return found.error();
  BoundLens lens{*found, {}};
  auto params = script::CheckParams(scripts.scripts()[static_cast<size_t>(lens.script)], given);
  if (!params) return params.error();
  lens.params = std::move(*params);
  return lens;
}

Result<const Viewpoint*> Engine::Impl::FindMoment(const Question& question) {
  if (options.answers != nullptr) asked_ns = options.clock->MonotonicNs();
  STEMEDB_RETURN_IF_ERROR(reader->Refresh());
  auto found = ViewpointOf(question, *reader, options.clock->NowMs());
  if (!found) return found.error();
  moment = std::move(*found);
  account.SetMoment(moment.sequence_max, moment.weighing.now_ms);
  return &moment;
}

Status Engine::Impl::CollectRowsOrPage(const Question& question, Need need) {
  const telemetry::Stopwatch stopwatch;
  const AtEnd end([&] {
    const double seconds = stopwatch.Seconds();
    claims_lookup_seconds.Observe(seconds);
    scans.duration_seconds.Observe(seconds);
    scans.operations.Increment();
  });
  standing.Begin(*reader, moment.sequence_max, patience());
  Status collected = need == Need::kPage
                         ? ListNewest(question, moment, options.listing, *reader, standing, page)
                         : CollectRows(question, moment, options.rows_max, *reader, standing, covered);
  if (!collected.ok()) return OrHandOver(std::move(collected));
  if (need == Need::kRows) ListRows(question, covered.rows, page);
  return Status::Ok();
}

Result<const Viewpoint*> Engine::Impl::Collect(const Question& question, Need need) {
  auto viewpoint = FindMoment(question);
  if (!viewpoint) return viewpoint;
  const Status collected = CollectRowsOrPage(question, need);
  return collected.ok() ? viewpoint : collected;
}

void Engine::TakeUpLive() { impl_->TakeUp(); }

const Account& Engine::account() const { return impl_->account; }

void Engine::Lenses(std::string& out) {
  impl_->Begin();
  AppendLensList(out, impl_->lenses.scripts());
}

}  // namespace stemedb::query
