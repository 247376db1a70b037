// SPDX-License-Identifier: Apache-2.0
// Each field has a fixed width or its length before it, so that no two questions spell one key.
#include "query/question_key.h"

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "base/crc32c.h"

namespace stemedb::query {
namespace {

class KeyWriter {
 public:
  explicit KeyWriter(std::string& key) : key_(key) { key_.clear(); }

  void Word(uint64_t word) {
    char bytes[8];
    StoreLittle(bytes, word);
    key_.append(bytes, sizeof bytes);
  }
  void Byte(uint8_t byte) { key_.push_back(static_cast<char>(byte)); }
  void Double(double number) { Word(std::bit_cast<uint64_t>(number)); }
  void Text(std::string_view text) {
    Word(text.size());
    key_.append(text);
  }
  void Bytes(std::span<const uint8_t> bytes) { key_.append(AsView(bytes)); }
  void Classes(const std::array<double, model::kSourceClassCount>& numbers) {
    for (const double number : numbers) Double(number);
  }
  void Param(const script::ParamValue& value) {
    Byte(static_cast<uint8_t>(value.index()));
    if (const auto* flag = std::get_if<bool>(&value)) Byte(*flag ? 1 : 0);
    if (const auto* number = std::get_if<double>(&value)) Double(*number);
    if (const auto* text = std::get_if<std::string>(&value)) Text(*text);
  }
  // What narrows the claims down, and what they weigh.
  void Filters(const Question& question) {
    Byte(static_cast<uint8_t>(question.status));
    Text(question.epoch);
    Double(question.min_confidence);
    Optional(question.valid_at_ms, [&](int64_t at_ms) { Word(static_cast<uint64_t>(at_ms)); });
    Optional(question.lifecycle, [&](model::Lifecycle one) { Byte(static_cast<uint8_t>(one)); });
    Optional(question.source_class, [&](model::SourceClass one) { Byte(static_cast<uint8_t>(one)); });
    Optional(question.agent_id, [&](const model::AgentId& agent) { Bytes(agent); });
    Optional(question.decay, [&](const auto& days) { Classes(days); });
    Optional(question.class_multipliers, [&](const auto& factors) { Classes(factors); });
  }
  // What the claims are to be shown with.
  void Flags(const Question& question) {
    Byte(static_cast<uint8_t>((question.subtree ? 1 : 0) | (question.include_candidates ? 2 : 0) |
                              (question.include_explain ? 4 : 0)));
  }
  // Whether a field is there, and what it is.
  template <typename T, typename Write>
  void Optional(const std::optional<T>& field, Write write) {
    Byte(field ? 1 : 0);
    if (field) write(*field);
  }

 private:
  std::string& key_;
};

}  // namespace

void MakeQuestionKey(const Question& question, const script::ScriptInfo& lens, const script::Params& params,
                     const Viewpoint& viewpoint, uint64_t sequence_end, size_t candidates_max,
                     std::string& key) {
  // Every field by name: one that is new must be looked at here before this compiles again, and for
  // FingerprintOf. What isn't used below the writer has, or it stands in the key as what it came to: lens and
  // params as bound, as_of, since and now_ms as the viewpoint and, of the clock, in the kept answer itself.
  [[maybe_unused]] const auto& [concept_path, subtree, predicate, lens_name, params_given, fallback, as_of,
                                valid_at_ms, since, status, lifecycle, source_class, agent_id, epoch,
                                min_confidence, decay, class_multipliers, include_candidates, include_explain,
                                limit, now_ms, before_sequence, changes_after, max_stale_ms] = question;

  KeyWriter writer(key);
  writer.Text(concept_path);
  writer.Text(predicate);
  writer.Text(viewpoint.concept_path);
  writer.Word(viewpoint.aliases.size());
  for (const std::string& alias : viewpoint.aliases) writer.Text(alias);

  writer.Text(lens.name);
  writer.Bytes(lens.sha256);
  writer.Word(lens.generation);
  writer.Word(params.values.size());
  for (const script::ParamValue& value : params.values) writer.Param(value);

  writer.Word(viewpoint.sequence_max == sequence_end ? UINT64_MAX : viewpoint.sequence_max);
  writer.Word(viewpoint.sequence_min);
  writer.Word(before_sequence.value_or(UINT64_MAX));
  writer.Word(changes_after.value_or(UINT64_MAX));
  writer.Word(limit);
  writer.Word(candidates_max);
  writer.Flags(question);
  writer.Filters(question);
}

uint32_t FingerprintOf(const Question& question) {
  std::string key;
  KeyWriter writer(key);
  writer.Text(question.concept_path);
  writer.Text(question.predicate);
  writer.Text(question.lens);
  writer.Text(question.fallback);
  writer.Word(question.params.size());
  for (const auto& [name, value] : question.params) {
    writer.Text(name);
    writer.Param(value);
  }
  writer.Optional(question.since, [&](const Moment& since) {
    writer.Optional(since.sequence, [&](uint64_t sequence) { writer.Word(sequence); });
    writer.Optional(since.time_ms, [&](int64_t at_ms) { writer.Word(static_cast<uint64_t>(at_ms)); });
  });
  writer.Flags(question);
  writer.Filters(question);
  return Crc32c(AsBytes(key));
}

}  // namespace stemedb::query
