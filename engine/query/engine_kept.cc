// SPDX-License-Identifier: Apache-2.0
// Answers that are kept and given again. Of each the body is kept; its end, as_of and next_cursor, is written
// anew for every question, as WriteAnswer does.
#include <memory>
#include <optional>
#include <utility>

#include "query/answer_cache.h"
#include "query/answer_json.h"
#include "query/cursor.h"
#include "query/engine_impl.h"
#include "query/kept_answer.h"
#include "query/question_key.h"

namespace stemedb::query {
namespace {

bool AsksAboutNow(const Question& question) { return !question.as_of && !question.now_ms; }

void WriteKept(const Question& question, const AnswerParts& parts, const RightAt& at,
               std::optional<int64_t> age_ms, std::string& out) {
  JsonWriter json(out);
  json.Raw(parts.body);
  WriteAsOf(json, at.sequence, at.now_ms);
  if (age_ms) {
    json.Key("stale");
    json.BeginObject();
    json.Key("age_ms");
    json.Integer(*age_ms);
    json.EndObject();
  }
  if (parts.next_before != 0) {
    json.Field("next_cursor", EncodeCursor({.before_sequence = parts.next_before,
                                            .as_of_sequence = at.sequence,
                                            .now_ms = at.now_ms,
                                            .changes_after = {},
                                            .question = FingerprintOf(question)}));
  }
  json.EndObject();
}

}  // namespace

bool Engine::Impl::GiveKept(const Question& question, const BoundLens& lens, std::string& out) {
  // What was said since a moment may be about any claim: little would be won by keeping it.
  if (options.answers == nullptr || lens.script < 0 || question.since) return false;
  MakeQuestionKey(question, lenses.scripts().scripts()[static_cast<size_t>(lens.script)], lens.params, moment,
                  reader->sequence(), options.candidates_max, key);
  const AnswerCache::AnswerPtr kept = options.answers->Find(key);
  if (kept == nullptr) return false;
  RightAt at{moment.sequence_max, moment.weighing.now_ms, asked_ns};
  std::optional<int64_t> age_ms;
  if (kept->IsRightAt(at.sequence, at.now_ms, *reader)) {
    if (AsksAboutNow(question)) kept->SetRight(at);
    options.answers->CountHit();
  } else {
    if (question.max_stale_ms == 0 || !AsksAboutNow(question)) return false;
    at = kept->last_right();
    age_ms = AgeMs(at, options.clock->MonotonicNs());
    if (*age_ms > question.max_stale_ms) return false;
    options.answers->CountStaleHit();
  }
  WriteKept(question, kept->parts(), at, age_ms, out);
  // Whoever counts how often a version fails counts what it was right in as well.
  counts.AddKept(lens.script);
  account = kept->parts().account;
  account.SetMoment(at.sequence, at.now_ms);
  account.is_stale = age_ms.has_value();
  if (kept->parts().had_claims) Record(lens, question, moment);
  return true;
}

void Engine::Impl::Keep(const Question& question, std::string_view body) {
  if (key.empty() || body.size() > options.answers->answer_bytes_max()) return;
  AnswerParts parts;
  parts.tells_time = read_now || moment.weighing.decays || question.include_explain;
  RightAt made{moment.sequence_max, moment.weighing.now_ms, asked_ns};
  const bool is_newest = moment.sequence_max == reader->sequence();
  if (is_newest && parts.tells_time && (question.max_stale_ms == 0 || !AsksAboutNow(question)))
    return;  // at no later time is it right
  if (!options.answers->Wants(key, began.Seconds())) return;
  // Whoever gives it as an old one names the time at which it was made, not one that this question brought.
  if (is_newest && !AsksAboutNow(question) && !parts.tells_time) made.now_ms = options.clock->NowMs();
  parts.body = body;
  parts.next_before = page.next_before;
  parts.had_claims = !covered.rows.empty();
  parts.account = account;
  if (is_newest)
    parts.reliance = Reliance::Of(question, moment, covered, standing.AwaitedIds(Reliance::kAwaitedMax));
  options.answers->Put(key, std::make_shared<const KeptAnswer>(std::move(parts), made));
}

}  // namespace stemedb::query
