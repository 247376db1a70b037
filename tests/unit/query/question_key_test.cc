// SPDX-License-Identifier: Apache-2.0
// Two questions with different answers have different keys.
#include "query/question_key.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <map>

namespace stemedb::query {
namespace {

struct Asked {
  Question question;
  script::ScriptInfo lens;
  script::Params params;
  Viewpoint viewpoint;
  uint64_t sequence_end = 10;
  size_t candidates_max = 100;

  std::string Key() const {
    std::string key = "what was there before";
    MakeQuestionKey(question, lens, params, viewpoint, sequence_end, candidates_max, key);
    return key;
  }
};

Asked Plain() {
  Asked asked;
  asked.question.concept_path = asked.viewpoint.concept_path = "a/b";
  asked.question.predicate = "p";
  asked.question.lens = asked.lens.name = "lens";
  asked.params.values = {1.0, std::string("x"), true};
  asked.viewpoint.sequence_max = 10;
  return asked;
}

TEST(QuestionKey, EachThingThatAnAnswerDependsOnMakesAnother) {
  const std::vector<std::function<void(Asked&)>> changes = {
      [](Asked&) {},
      [](Asked& a) { a.question.concept_path = "a/c"; },
      [](Asked& a) { a.question.predicate = "q"; },
      [](Asked& a) { a.question.predicate.clear(); },
      [](Asked& a) { a.question.subtree = true; },
      [](Asked& a) { a.viewpoint.concept_path = "c"; },
      [](Asked& a) {
        a.viewpoint.aliases = {"x", "y"};
      },
      [](Asked& a) { a.viewpoint.aliases = {"x"}; },
      [](Asked& a) { a.lens.name = "other"; },
      [](Asked& a) { a.lens.sha256[31] = 1; },
      [](Asked& a) { a.lens.generation = 2; },
      [](Asked& a) { a.params.values[0] = 2.0; },
      [](Asked& a) { a.params.values[0] = true; },
      [](Asked& a) { a.params.values[1] = std::string("y"); },
      [](Asked& a) { a.params.values[2] = false; },
      [](Asked& a) { a.params.values.pop_back(); },
      [](Asked& a) { a.viewpoint.sequence_max = 9; },
      [](Asked& a) { a.viewpoint.sequence_max = 8; },
      [](Asked& a) { a.viewpoint.sequence_min = 1; },
      [](Asked& a) { a.question.valid_at_ms = 0; },
      [](Asked& a) { a.question.valid_at_ms = 1; },
      [](Asked& a) { a.question.status = StatusFilter::kAny; },
      [](Asked& a) { a.question.lifecycle = model::Lifecycle::kProposed; },
      [](Asked& a) { a.question.lifecycle = model::Lifecycle::kApproved; },
      [](Asked& a) { a.question.source_class = model::SourceClass::kRegulatory; },
      [](Asked& a) { a.question.source_class = model::SourceClass::kClinical; },
      [](Asked& a) { a.question.agent_id = model::AgentId{}; },
      [](Asked& a) { a.question.agent_id = model::AgentId{1}; },
      [](Asked& a) { a.question.epoch = "e"; },
      [](Asked& a) { a.question.min_confidence = std::numeric_limits<double>::min(); },
      [](Asked& a) { a.question.decay.emplace().fill(1); },
      [](Asked& a) { a.question.decay.emplace().fill(2); },
      [](Asked& a) { a.question.class_multipliers.emplace().fill(1); },
      [](Asked& a) { a.question.include_candidates = true; },
      [](Asked& a) { a.question.include_explain = true; },
      [](Asked& a) { a.question.limit = 7; },
      [](Asked& a) { a.question.before_sequence = 7; },
      [](Asked& a) { a.question.before_sequence = 0; },
      [](Asked& a) { a.question.changes_after = 7; },
      [](Asked& a) { a.candidates_max = 99; },
  };
  std::map<std::string, size_t> keys;
  for (size_t i = 0; i < changes.size(); ++i) {
    Asked asked = Plain();
    changes[i](asked);
    const auto [place, is_new] = keys.emplace(asked.Key(), i);
    EXPECT_TRUE(is_new) << "changes " << place->second << " and " << i;
  }
}

TEST(QuestionKey, TextsDontRunIntoEachOther) {
  Asked one = Plain(), other = Plain();
  one.question.concept_path = "ab", one.question.predicate = "c";
  other.question.concept_path = "a", other.question.predicate = "bc";
  EXPECT_NE(one.Key(), other.Key());
  one = other = Plain();
  one.viewpoint.aliases = {"xy"};
  other.viewpoint.aliases = {"x", "y"};
  EXPECT_NE(one.Key(), other.Key());
}

TEST(QuestionKey, WhatTheAnswerDoesNotDependOnMakesNone) {
  const std::string plain = Plain().Key();
  const auto key_with = [](const std::function<void(Asked&)>& change) {
    Asked asked = Plain();
    change(asked);
    return asked.Key();
  };
  EXPECT_EQ(key_with([](Asked& a) { a.question.fallback = "other"; }), plain);
  EXPECT_EQ(key_with([](Asked& a) { a.question.max_stale_ms = 5; }), plain);
  EXPECT_EQ(key_with([](Asked& a) { a.viewpoint.weighing.now_ms = 5; }), plain);
  EXPECT_EQ(key_with([](Asked& a) { a.sequence_end = a.viewpoint.sequence_max = 11; }), plain)
      << "now is now, however far the log has come";
  EXPECT_EQ(key_with([](Asked& a) { a.question.as_of = Moment{.sequence = 10, .time_ms = {}}; }), plain)
      << "the newest moment by its name";
}

TEST(QuestionFingerprint, IsThatOfTheQuestionWhicheverPageOfIt) {
  const uint32_t plain = FingerprintOf(Plain().question);
  const std::vector<std::function<void(Question&)>> same = {
      [](Question& q) { q.limit = 7; },
      [](Question& q) { q.max_stale_ms = 5; },
      [](Question& q) { q.as_of = Moment{.sequence = 10, .time_ms = {}}; },
      [](Question& q) { q.now_ms = 5; },
      [](Question& q) { q.before_sequence = 4; },
      [](Question& q) { q.changes_after = 4; },
  };
  for (size_t i = 0; i < same.size(); ++i) {
    Question question = Plain().question;
    same[i](question);
    EXPECT_EQ(FingerprintOf(question), plain) << i;
  }
  const std::vector<std::function<void(Question&)>> others = {
      [](Question&) {},
      [](Question& q) { q.concept_path = "a/c"; },
      [](Question& q) { q.concept_path = "a/bp", q.predicate.clear(); },
      [](Question& q) { q.subtree = true; },
      [](Question& q) { q.predicate = "q"; },
      [](Question& q) { q.lens = "other"; },
      [](Question& q) { q.fallback = "other"; },
      [](Question& q) {
        q.params = {{"n", 1.0}};
      },
      [](Question& q) {
        q.params = {{"n", std::string("1")}};
      },
      [](Question& q) {
        q.params = {{"m", 1.0}};
      },
      [](Question& q) { q.valid_at_ms = 0; },
      [](Question& q) { q.since = Moment{.sequence = 3, .time_ms = {}}; },
      [](Question& q) { q.since = Moment{.sequence = {}, .time_ms = 3}; },
      [](Question& q) { q.status = StatusFilter::kAny; },
      [](Question& q) { q.lifecycle = model::Lifecycle::kApproved; },
      [](Question& q) { q.source_class = model::SourceClass::kExpert; },
      [](Question& q) { q.agent_id = model::AgentId{1}; },
      [](Question& q) { q.epoch = "e"; },
      [](Question& q) { q.min_confidence = 0.5; },
      [](Question& q) { q.decay = std::array<double, model::kSourceClassCount>{1}; },
      [](Question& q) { q.class_multipliers = std::array<double, model::kSourceClassCount>{1}; },
      [](Question& q) { q.include_candidates = true; },
      [](Question& q) { q.include_explain = true; },
  };
  std::map<uint32_t, size_t> seen;
  for (size_t i = 0; i < others.size(); ++i) {
    Question question = Plain().question;
    others[i](question);
    const auto [place, is_new] = seen.emplace(FingerprintOf(question), i);
    EXPECT_TRUE(is_new) << place->second << " and " << i;
  }
}

}  // namespace
}  // namespace stemedb::query
