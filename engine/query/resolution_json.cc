// SPDX-License-Identifier: Apache-2.0
#include "query/resolution_json.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "base/bytes.h"

namespace stemedb::query {
namespace {

using script::Candidate;

void WriteHex(JsonWriter& json, const uint8_t* bytes) { json.Hex({bytes, sizeof(Hash256)}); }

void WriteValue(JsonWriter& json, const Candidate& candidate) {
  const std::string_view text(candidate.value_text, candidate.value_text_size);
  switch (static_cast<model::Value::Kind>(candidate.value_kind)) {
    case model::Value::Kind::kText:
      json.String(text);
      break;
    case model::Value::Kind::kNumber:
      json.Number(candidate.number);
      break;
    case model::Value::Kind::kBoolean:
      json.Bool(candidate.number != 0);
      break;
    case model::Value::Kind::kReference:
      json.BeginObject();
      json.Field("ref", text);
      json.EndObject();
      break;
  }
}

// For each distinct value, where its candidates are: a linked list through `next`, in canonical order.
struct ByValue {
  explicit ByValue(const CandidateSet& set)
      : first(set.values_count(), kEnd),
        last(set.values_count(), kEnd),
        count(set.values_count(), 0),
        next(set.candidates().size(), kEnd) {
    const auto candidates = set.candidates();
    for (uint32_t i = 0; i < candidates.size(); ++i) {
      const uint32_t value = candidates[i].value_index;
      (first[value] == kEnd ? first[value] : next[last[value]]) = i;
      last[value] = i;
      ++count[value];
    }
  }
  static constexpr uint32_t kEnd = UINT32_MAX;
  std::vector<uint32_t> first, last, count, next;
};

// `tier` below 0: of all candidates.
void WriteClaims(JsonWriter& json, const script::Judgement& judgement, const CandidateSet& set,
                 const ByValue& by_value, int tier, const AnswerBound& bound) {
  const auto candidates = set.candidates();
  json.Key("claims");
  json.BeginArray();
  for (const script::ValueWeight& value : judgement.values) {
    if (bound.exceeded()) break;
    json.BeginObject();
    json.Key("value");
    WriteValue(json, candidates[by_value.first[value.value_index]]);
    json.Key("weight");
    json.Number(value.weight);
    json.Key("share");
    json.Number(value.share);
    json.Key("assertion_ids");
    json.BeginArray();
    uint64_t count = 0;
    for (uint32_t i = by_value.first[value.value_index]; i != ByValue::kEnd; i = by_value.next[i]) {
      if (tier >= 0 && candidates[i].tier != tier) continue;
      if (count++ < kAssertionIdsMax) WriteHex(json, candidates[i].id);
    }
    json.EndArray();
    json.Key("assertions_count");
    json.Unsigned(count);
    json.EndObject();
  }
  json.EndArray();
}

// Which parts of a judgement are the lens's own, and which follow from the weights by the default rules.
void WriteOrigins(JsonWriter& json, const script::Origins& origins) {
  const auto name = [](script::Origin origin) {
    return origin == script::Origin::kLens ? "lens" : "default";
  };
  json.Key("said_by");
  json.BeginObject();
  json.Field("weights", name(origins.weights));
  json.Field("confidence", name(origins.confidence));
  json.Field("conflict_score", name(origins.conflict_score));
  json.Field("status", name(origins.status));
  json.EndObject();
}

void WriteJudgement(JsonWriter& json, const script::Judgement& judgement, const ResolutionText& text,
                    const ByValue& by_value, int tier, const AnswerBound& bound) {
  const CandidateSet& set = *text.set;
  json.Key("winner");
  if (judgement.winner) {
    const Candidate& winner = set.candidates()[*judgement.winner];
    WriteHex(json, winner.id);
    json.Key("value");
    WriteValue(json, winner);
  } else {
    json.Null();
    json.Key("value");
    json.Null();
  }
  json.Key("confidence");
  json.Number(judgement.confidence);
  json.Key("conflict_score");
  json.Number(judgement.conflict_score);
  json.Field("status", NameOf(judgement.agreement));
  json.Key("candidates_count");
  json.Unsigned(judgement.candidates_count);
  if (text.include_explain) WriteOrigins(json, judgement.origins);
  WriteClaims(json, judgement, set, by_value, tier, bound);
}

// What the lens made of a claim, by what it said of the claim's value.
std::string_view RoleOf(uint32_t candidate, uint32_t value_index, double value_weight,
                        const ResolutionText& text) {
  const std::optional<uint32_t>& winner = text.outcome->overall.winner;
  if (winner == candidate) return "winner";
  if (!(value_weight > 0)) return "unweighed";
  if (!winner) return "listed";
  return text.set->candidates()[*winner].value_index == value_index ? "supports" : "opposes";
}

// The numbers that a candidate came to the lens with, and what it left with.
void WriteAccount(JsonWriter& json, uint32_t index, const Candidate& candidate, const ResolutionText& text,
                  const script::ValueWeight& value, const std::string* note) {
  json.Key("effective_confidence");
  json.Number(candidate.effective_confidence);
  json.Key("class_multiplier");
  json.Number(text.weighing->class_multipliers[candidate.tier]);
  json.Key("weight");
  json.Number(candidate.weight);
  json.Key("voice");
  json.Unsigned(candidate.voice_index);
  json.Key("votes");
  json.Unsigned(candidate.votes);
  json.Key("vote_weight");
  json.Number(candidate.vote_weight);
  json.Key("trust");
  json.Number(candidate.trust);
  json.Key("derived_trust");
  json.Number(candidate.derived_trust);
  json.Key("epoch_superseded");
  json.Bool(candidate.epoch_superseded != 0);
  json.Key("value_weight");
  json.Number(value.weight);
  json.Key("value_share");
  json.Number(value.share);
  json.Field("role", RoleOf(index, candidate.value_index, value.weight, text));
  if (note != nullptr) json.Field("note", *note);
}

void WriteCandidate(JsonWriter& json, const Candidate& candidate) {
  const auto source_class = static_cast<model::SourceClass>(candidate.tier);
  json.Key("id");
  WriteHex(json, candidate.id);
  json.Key("value");
  WriteValue(json, candidate);
  json.Key("confidence");
  json.Number(candidate.confidence);
  json.Key("timestamp");
  json.Time(candidate.timestamp_ms);
  json.Field("source_class", model::NameOf(source_class));
  if (candidate.source_id_size > 0) json.Field("source_id", {candidate.source_id, candidate.source_id_size});
  if (!candidate.anonymous) {
    json.Key("agent_id");
    WriteHex(json, candidate.agent_id);
  }
  json.Field("lifecycle", model::NameOf(static_cast<model::Lifecycle>(candidate.lifecycle)));
  json.Key("sequence");
  json.Unsigned(candidate.sequence);
}

void WriteCandidates(JsonWriter& json, const ResolutionText& text, const AnswerBound& bound) {
  const auto candidates = text.set->candidates();
  const size_t shown = std::min(candidates.size(), kCandidatesShownMax);
  json.Key("candidates");
  json.BeginArray();
  std::vector<script::ValueWeight> by_value(text.set->values_count());
  for (const auto& value : text.outcome->overall.values) by_value[value.value_index] = value;
  auto note = text.outcome->notes.begin();
  for (uint32_t i = 0; i < shown && !bound.exceeded(); ++i) {
    json.BeginObject();
    WriteCandidate(json, candidates[i]);
    if (text.include_explain) {
      const bool has_note = note != text.outcome->notes.end() && note->candidate == i;
      WriteAccount(json, i, candidates[i], text, by_value[candidates[i].value_index],
                   has_note ? &note->text : nullptr);
      if (has_note) ++note;
    }
    json.EndObject();
  }
  json.EndArray();
  if (shown < candidates.size()) {
    json.Key("candidates_not_shown");
    json.Unsigned(candidates.size() - shown);
  }
}

// What the weights were made of, so that they can be made again.
void WriteWeighing(JsonWriter& json, const Weighing& weighing) {
  json.Key("weighing");
  json.BeginObject();
  json.Key("now");
  json.Time(weighing.now_ms);
  const auto by_class = [&](std::string_view name,
                            const std::array<double, model::kSourceClassCount>& numbers) {
    json.Key(name);
    json.BeginObject();
    for (size_t tier = 0; tier < numbers.size(); ++tier) {
      json.Key(model::NameOf(static_cast<model::SourceClass>(tier)));
      if (std::isfinite(numbers[tier])) {
        json.Number(numbers[tier]);
      } else {
        json.Null();  // never halves
      }
    }
    json.EndObject();
  };
  by_class("class_multipliers", weighing.class_multipliers);
  if (weighing.decays) by_class("half_life_days", weighing.half_life_days);
  json.EndObject();
}

}  // namespace

std::string_view NameOf(script::Agreement agreement) {
  switch (agreement) {
    case script::Agreement::kUnanimous:
      return "unanimous";
    case script::Agreement::kAgreed:
      return "agreed";
    case script::Agreement::kContested:
      return "contested";
    case script::Agreement::kNone:
      break;
  }
  return "none";
}

void WriteWinningValue(JsonWriter& json, const script::Judgement& judgement, const CandidateSet& set) {
  if (judgement.winner) {
    WriteValue(json, set.candidates()[*judgement.winner]);
  } else {
    json.Null();
  }
}

void WriteResolution(JsonWriter& json, const ResolutionText& text, const AnswerBound& bound) {
  const script::Outcome& outcome = *text.outcome;
  const ByValue by_value(*text.set);
  json.BeginObject();
  json.Field("concept_path", text.concept_path);
  json.Field("predicate", text.predicate);
  WriteJudgement(json, outcome.overall, text, by_value, -1, bound);
  json.Field("explain", outcome.explain);
  if (!outcome.layers.empty()) {
    json.Key("layers");
    json.BeginArray();
    for (const script::Layer& layer : outcome.layers) {
      json.BeginObject();
      json.Key("tier");
      json.Unsigned(layer.tier);
      json.Field("source_class", model::NameOf(static_cast<model::SourceClass>(layer.tier)));
      WriteJudgement(json, layer.judgement, text, by_value, layer.tier, bound);
      json.EndObject();
    }
    json.EndArray();
  }
  if (!outcome.details_json.empty()) {
    json.Key("details");
    json.Raw(outcome.details_json);
  }
  if (text.set->left_out() > 0) {
    json.Key("candidates_left_out");
    json.Unsigned(text.set->left_out());
  }
  if (text.include_explain) {
    json.Key("declined");
    json.Bool(outcome.declined);
    WriteWeighing(json, *text.weighing);
  }
  if (text.include_candidates || text.include_explain) {
    WriteCandidates(json, text, bound);
  }
  json.EndObject();
}

}  // namespace stemedb::query
