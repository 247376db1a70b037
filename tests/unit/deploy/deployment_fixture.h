// SPDX-License-Identifier: Apache-2.0
// A deployment of real files in a directory, with its steps taken by hand, so that what a test sees doesn't
// hang on how fast the machine is; and an engine that answers by what is live.
#pragma once

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "../query/query_fixture.h"
#include "deploy/deployment.h"

namespace stemedb::testing {

inline constexpr char kSays[] = "return { winner = 1, confidence = 0.5, explain = 'it says ' .. SAYS }";

// A lens that tells its version; `body` runs first.
inline std::string Lens(const std::string& name, const std::string& version, const std::string& body = "",
                        const std::string& result = kSays) {
  return "local SAYS = '" + version + "'\nreturn { kind = 'lens', api = 1, name = '" + name +
         "', version = '" + version + "', description = 'd', resolve = function(ctx, candidates)\n" + body +
         "\n" + result + " end }\n";
}

class DeploymentTest : public EngineTest {
 protected:
  DeploymentTest() {
    StoreTest::Open();
    lenses_ = directory_.path() + "/lenses";
    policies_ = directory_.path() + "/policies";
    std::filesystem::create_directory(lenses_);
    auto journal = audit::Journal::Open(env_, directory_.path() + "/audit.jsonl");
    EXPECT_TRUE(journal);
    journal_ = std::move(*journal);
    deploy_options_.directories = {lenses_, policies_};
    deploy_options_.room = {store_.get(), &clock_, &metrics_};
    deploy_options_.journal = journal_.get();
    WriteLens("a", "1");
    WriteLens("b", "1");
  }
  ~DeploymentTest() override {
    engine_.reset();
    deployment_.reset();
  }

  // Anew, when there is one already: as after a restart.
  void Deploy() {
    engine_.reset();
    deployment_.reset();
    auto opened = deploy::Deployment::Open(deploy_options_);
    ASSERT_TRUE(opened) << opened.error().message();
    deployment_ = std::move(*opened);
    engine_options_.live = &deployment_->live();
    engine_options_.recent = deployment_->NewRecent();
    engine_ =
        std::make_unique<query::Engine>(store_->NewReader(), deployment_->live().Current(), engine_options_);
  }
  // As an editor saves: a new file takes the name.
  void Write(const std::string& name, const std::string& text) {
    const std::string path = lenses_ + "/" + name, temporary = path + ".new";
    std::ofstream(temporary, std::ios::binary) << text;
    std::filesystem::rename(temporary, path);
  }
  void WriteLens(const std::string& name, const std::string& version, const std::string& body = "",
                 const std::string& result = kSays) {
    Write(name + ".lua", Lens(name, version, body, result));
  }
  // A rate limit whose `body` is run for each request.
  void WritePolicy(const std::string& version, const std::string& body) {
    std::filesystem::create_directories(policies_);
    const std::string path = policies_ + "/rate_limit.lua";
    std::ofstream(path + ".new") << RateLimit(version, body);
    std::filesystem::rename(path + ".new", path);
  }
  static std::string RateLimit(const std::string& version, const std::string& body) {
    return "return { kind = 'policy', api = 1, hook = 'rate_limit', name = 'rate_limit', version = '" +
           version + "', description = 'd', limit = function(ctx, request)\n" + body + "\nend }\n";
  }
  void WriteSpec(const std::string& name, const std::string& expected) {
    Write(name + "_spec.lua",
          "return { { claim = 'it wins', given = { { value = 'x' } }, expect = { " + expected + " } } }");
  }
  // The two looks that a change takes.
  void TwoSteps() {
    deployment_->Step();
    deployment_->Step();
  }
  uint64_t generation() const { return deployment_->live().generation(); }
  std::string LiveVersion(const std::string& name) const {
    const auto set = deployment_->live().Current();
    const script::ScriptInfo* script = set->Get(name);
    return script != nullptr ? script->version : "none";
  }
  Hash256 ShaOf(const std::string& name) const { return deployment_->live().Current()->Get(name)->sha256; }
  // The last error's stage and detail, or nothing.
  std::string ErrorOf(const std::string& name) {
    std::string out;
    if (!deployment_->AppendScript(name, {}, out).ok()) return "unknown";
    simdjson::dom::element root = Parsed(out);
    std::string_view stage, detail;
    if (root["last_error"]["stage"].get(stage) != simdjson::SUCCESS) return "";
    EXPECT_EQ(root["last_error"]["detail"].get(detail), simdjson::SUCCESS);
    return std::string(stage) + ": " + std::string(detail);
  }
  // What GET /v1/admin/scripts/{name} shows.
  std::string Shown(const std::string& name) {
    std::string out;
    return deployment_->AppendScript(name, {}, out).ok() ? out : "unknown";
  }
  std::string ShownList() {
    std::string out;
    deployment_->AppendList(out);
    return out;
  }
  simdjson::dom::element Parsed(const std::string& text) {
    simdjson::dom::element root;
    EXPECT_EQ(parser_.parse(text).get(root), simdjson::SUCCESS) << text;
    return root;
  }
  double Counted(const char* result) { return metrics_.ScriptReload(result).Value(); }
  // What the lens says of the claims, as the answer's whole text.
  std::string AskText(const std::string& lens) {
    answer_.clear();
    query::Question question = Ask("c", lens);
    question.predicate = "p";
    const Status status = engine_->Answer(question, answer_);
    return status.ok() ? answer_ : std::string(status.message());
  }
  void SayTwo() { SayAll({Claim("c", "p", Number(1)), Claim("c", "p", Number(2))}); }

  std::string lenses_, policies_;
  std::unique_ptr<audit::Journal> journal_;
  deploy::DeploymentOptions deploy_options_;
  std::unique_ptr<deploy::Deployment> deployment_;
};

}  // namespace stemedb::testing
