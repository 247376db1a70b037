// SPDX-License-Identifier: Apache-2.0
// What an answer was, from the lens versions that gave it. They go into a set that was never live, under the
// generations that they had then: an answer names them, and is to be the same to the byte.
#include <utility>

#include "deploy/deployment.h"
#include "query/engine.h"
#include "telemetry/metrics.h"

namespace stemedb::deploy {

Result<script::ScriptInfo> Deployment::VersionOf(const PastLens& lens) const {
  const auto live = live_.Current();
  const script::ScriptInfo* current = live->Get(lens.name);
  if (current != nullptr && current->sha256 == lens.sha256) return *current;
  const Version* kept = RecordOf(lens.name).Find(lens.sha256);
  if (kept == nullptr) {
    return Status(Code::kNotFound, "unknown_version",
                  "'" + lens.name + "' has no version " + ToHex(lens.sha256) +
                      " any more: of each lens the last " + std::to_string(kVersionsMax) + " are kept");
  }
  // One from before the start has its text alone.
  if (kept->info->counts != nullptr) return *kept->info;
  return script::CheckScript({kept->info->file, kept->info->source});
}

Status Deployment::Replay(const query::Question& question, std::span<const std::string> compared,
                          std::span<const PastLens> lenses, std::string& out) const {
  const auto live = live_.Current();
  std::vector<script::ScriptInfo> scripts = live->scripts();
  for (script::ScriptInfo& script : scripts) script.counts = nullptr;  // its calls are none of the live one's
  for (const PastLens& lens : lenses) {
    auto version = VersionOf(lens);
    if (!version) return version.error();
    version->generation = lens.generation;
    version->counts = nullptr;
    std::erase_if(scripts, [&](const script::ScriptInfo& script) { return script.name == lens.name; });
    scripts.push_back(std::move(*version));
  }
  auto set = script::ScriptSet::Of(std::move(scripts), live->generation());
  if (!set) return set.error();
  // Of its own, which nobody reads: what operators look into is no traffic. Counting::kOff is for drafts,
  // whose verdicts are read more strictly than those that were given then.
  telemetry::Metrics metrics;
  query::EngineOptions options;
  options.clock = options_.room.clock;
  options.metrics = &metrics;
  query::Engine engine(options_.room.store->NewReader(), std::move(*set), options);
  return compared.empty() ? engine.Answer(question, out) : engine.Compare(question, compared, out);
}

}  // namespace stemedb::deploy
