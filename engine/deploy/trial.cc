// SPDX-License-Identifier: Apache-2.0
// What a text would say if it were live: to recent questions, or to one.
#include "deploy/deployment.h"
#include "query/engine.h"

namespace stemedb::deploy {
namespace {

std::vector<script::ScriptInfo> WithReplaced(const script::ScriptSet& set, const std::string& name,
                                             const std::optional<script::ScriptInfo>& info) {
  std::vector<script::ScriptInfo> scripts = set.scripts();
  std::erase_if(scripts, [&](const script::ScriptInfo& script) { return script.name == name; });
  if (info) scripts.push_back(*info);
  return scripts;
}

}  // namespace

ShadowReport Deployment::RunShadowOf(const script::ScriptInfo& candidate, double seconds_max) const {
  const auto live = live_.Current();
  const script::ScriptInfo* current = live->Get(candidate.name);
  if (current == nullptr || current->kind != candidate.kind) return {};
  const bool is_lens = candidate.kind == "lens";
  if (is_lens && options_.room.store == nullptr) return {};
  script::ScriptInfo draft = candidate;
  draft.counts = nullptr;  // nothing of this is a call of the live one
  auto after = script::ScriptSet::Of(WithReplaced(*live, candidate.name, draft), 0);
  if (!after) return {};
  const auto stop = [this] { return stopping_.load(std::memory_order_relaxed); };
  if (!is_lens)
    return RunPolicyShadow(candidate.name, RecentRequestsOfAll(), live, *after, seconds_max, stop);
  return RunShadow(options_.room, RecentOf(candidate.name), live, *after, seconds_max, stop);
}

Result<ShadowReport> Deployment::Shadow(const std::string& name, const std::optional<std::string>& source,
                                        const Actor& actor) {
  const auto run = [&]() -> Result<ShadowReport> {
    const auto live = live_.Current();
    const script::ScriptInfo* current = live->Get(name);
    if (current == nullptr) return UnknownScript(name);
    script::ScriptFile file{name + ".lua", source.value_or("")};
    if (!source) {
      auto look = Look();
      if (!look) return look.error();
      if (!look->Has(name)) return UnknownScript(name);
      auto text = ReadTexts(name, look->Get(name));
      if (!text) return text.error();
      file = std::move(text->script);
    }
    auto info = script::CheckScript(file);
    if (!info) return info.error();
    if (info->kind != current->kind) {
      return Status(Code::kInvalidArgument, "script_invalid",
                    file.name + ": kind is '" + info->kind + "', but '" + name + "' is live as a " +
                        current->kind + ": only versions of one kind can be compared");
    }
    return RunShadowOf(*info, options_.shadow_seconds_max);
  };
  auto report = run();
  Audit({Cause::kReload, actor, Accept::kNo}, "scripts.shadow", name, report ? "ok" : report.error().reason(),
        report ? std::string_view() : report.error().message(), audit::Tally::Kind::kInquiry);
  return report;
}

Status Deployment::Try(std::string_view source, const std::string& label, query::Question question,
                       std::string& out, const Actor& actor) {
  std::string name = label;
  const auto run = [&]() -> Status {
    auto draft = script::CheckDraft(source, label);
    if (!draft) return draft.error();
    name = draft->name;
    if (draft->kind != "lens") {
      return Status(Code::kInvalidArgument, "script_invalid",
                    label + ": kind is '" + draft->kind + "'; only a lens can be asked");
    }
    if (!question.lens.empty() && question.lens != name) {
      return Status(Code::kInvalidArgument, "invalid_request",
                    "/question/lens is '" + question.lens + "', but the draft's name is '" + name +
                        "': leave lens out");
    }
    question.lens = name;
    auto set = script::ScriptSet::Of(WithReplaced(*live_.Current(), name, *draft), 0);
    if (!set) return set.error();
    query::EngineOptions options;
    options.clock = options_.room.clock;
    options.metrics = options_.room.metrics;
    options.counting = query::EngineOptions::Counting::kOff;
    return query::Engine(options_.room.store->NewReader(), std::move(*set), options).Answer(question, out);
  };
  Status status = run();
  Audit({Cause::kReload, actor, Accept::kNo}, "scripts.try", name, status.ok() ? "ok" : status.reason(),
        status.message(), audit::Tally::Kind::kInquiry);
  return status;
}

}  // namespace stemedb::deploy
