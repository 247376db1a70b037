// SPDX-License-Identifier: Apache-2.0
// An engine over a real store and the lenses that are shipped; answers come back as parsed JSON.
#pragma once

#include <simdjson.h>

#include <set>
#include <string>
#include <vector>

#include "../store/store_fixture.h"
#include "query/cursor.h"
#include "query/engine.h"

namespace stemedb::testing {

inline std::shared_ptr<const script::ScriptSet> ShippedLenses() {
  static const auto set = [] {
    auto loaded = script::ScriptSet::Load(STEMEDB_SOURCE_DIR "/lenses", 1);
    EXPECT_TRUE(loaded.has_value()) << loaded.error().message();
    return *loaded;
  }();
  return set;
}

class EngineTest : public StoreTest {
 protected:
  EngineTest() {
    engine_options_.clock = &clock_;
    engine_options_.metrics = &metrics_;
  }
  ~EngineTest() override { engine_.reset(); }  // before its store

  void Open() {
    engine_.reset();
    StoreTest::Open();
    engine_ = std::make_unique<query::Engine>(store_->NewReader(), ShippedLenses(), engine_options_);
  }

  static query::Question Ask(std::string path, std::string lens = "") {
    query::Question question;
    question.concept_path = std::move(path);
    question.lens = std::move(lens);
    return question;
  }

  // The document lives until the next call.
  simdjson::dom::element Answer(const query::Question& question) {
    answer_.clear();
    const Status status = engine_->Answer(question, answer_);
    EXPECT_TRUE(status.ok()) << status.message();
    return Parse();
  }
  simdjson::dom::element Parse() {
    simdjson::dom::element root;
    EXPECT_EQ(parser_.parse(answer_).get(root), simdjson::SUCCESS) << answer_;
    return root;
  }
  static simdjson::dom::array List(simdjson::simdjson_result<simdjson::dom::element> element) {
    simdjson::dom::array array;
    EXPECT_EQ(element.get(array), simdjson::SUCCESS);
    return array;
  }
  Status Refusal(const query::Question& question) {
    answer_.clear();
    return engine_->Answer(question, answer_);
  }
  // The numbers that the listed assertions say, in the order of the answer.
  std::vector<double> Numbers(const query::Question& question) {
    std::vector<double> numbers;
    for (auto assertion : List(Answer(question)["assertions"]))
      numbers.push_back(assertion["value"].get_double().value());
    return numbers;
  }
  void SayAll(const std::vector<model::Assertion>& claims) {
    for (const model::Assertion& claim : claims) {
      const auto result = Say(claim);
      ASSERT_TRUE(result.status.ok()) << result.status.message();
    }
  }

  query::EngineOptions engine_options_;
  std::unique_ptr<query::Engine> engine_;
  simdjson::dom::parser parser_;
  std::string answer_;
};

}  // namespace stemedb::testing
