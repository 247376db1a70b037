// SPDX-License-Identifier: Apache-2.0
// Operations on their way through a loop: what comes in between, what is counted and how often, and who may
// have a retraction tried.
#include "api/operations.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api_fixture.h"
#include "base/time.h"

namespace stemedb::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const script::ScriptFile kQuick{"quick.lua", R"lua(
return { kind = "lens", api = 1, name = "quick", version = "1", description = "d",
  resolve = function() return { winner = 1 } end })lua"};

// A store in which something else happens just before an operation that was judged is queued.
class MeddlingStore final : public store::Store {
 public:
  explicit MeddlingStore(store::Store& store) : store_(store) {}

  std::function<void(store::Store&)> meddle;  // called so many times
  std::atomic<int> meddles = 0;
  std::atomic<int> judged = 0;  // operations that were queued with a judgement

  Status Submit(store::Submission submission, store::Wake wake) override {
    if (submission.judged) {
      ++judged;
      if (meddles > 0) {
        --meddles;
        meddle(store_);
      }
    }
    return store_.Submit(std::move(submission), wake);
  }
  void Begin() override { store_.Begin(); }
  std::unique_ptr<store::Reader> NewReader() override { return store_.NewReader(); }
  void SetPublishListener(std::function<void()> listener) override {
    store_.SetPublishListener(std::move(listener));
  }
  store::Stats stats() const override { return store_.stats(); }
  Status Flush() override { return store_.Flush(); }
  void Close() override { store_.Close(); }

 private:
  store::Store& store_;
};

// For the claims of these tests; it passes the self-check.
const script::ScriptFile kEndless{"endless.lua", R"lua(
return { kind = "lens", api = 1, name = "endless", version = "1", description = "d",
  resolve = function(ctx, candidates)
    while candidates[1].source == "withdrawn" do pcall(function() while true do end end) end
    return { winner = 1 }
  end })lua"};

class TakingOperations : public ApiTest {
 protected:
  static constexpr int kMany = 1'200;  // more than a loop counts

  void SetUp() override {
    Open();
    meddling_ = std::make_unique<MeddlingStore>(*store_);
    served_store_ = meddling_.get();
    // About the source, as a retraction of it is, and no contradiction to it; with another claim of it.
    meddling_->meddle = [this](store::Store& store) {
      Slip(store,
           {Prepare(ChangeOfStatus("withdrawn", model::SourceStatus::kUnderReview, kTestNow + ++claims_)),
            Prepare(OfSource(claims_))});
    };
  }
  ~TakingOperations() override {  // before the store that it uses
    if (slow_lane_) slow_lane_->Stop();
    server_.reset();
  }

  // In front of what is queued next.
  static void Slip(store::Store& store, std::vector<store::PreparedRecord> records) {
    const Status queued = store.Submit(
        {.records = std::move(records), .judged = store::Judgement{}, .done = [](store::CommitResult&&) {}},
        store::Wake::kNow);
    ASSERT_TRUE(queued.ok()) << queued.message();
  }
  static model::Assertion OfSource(int number) {
    model::Assertion claim = Claim("of/source", "p", Number(number));
    claim.source = model::Source{.id = "withdrawn"};
    return claim;
  }
  void SayOfSource(int count) {
    std::vector<model::Assertion> claims;
    for (int i = 0; i < count; ++i) claims.push_back(OfSource(++claims_));
    ASSERT_TRUE(Write(*store_, PrepareAll(claims)).status.ok());
  }
  // As an operator sends it, unless `host` is another one.
  static std::string Send(const std::string& method, const std::string& target, const std::string& body,
                          const std::string& host = "localhost", const std::string& fields = "") {
    return method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + fields +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  static std::string RetractSource(const std::string& more = "") {
    return Send("POST", "/v1/retract", R"({"source_id":"withdrawn","timestamp":1770804000)" + more + "}");
  }
  // Each further count would find what came in with a change of the source.
  void ExpectCountedOnce(int count) {
    lane_options_.emplace();
    SayOfSource(count);
    Serve({kQuick});
    meddling_->meddles = 3;
    const Answer answer = Peer(port()).Ask(RetractSource());
    EXPECT_EQ(answer.status, 201) << answer.body;
    EXPECT_EQ(meddling_->judged, 4);
    EXPECT_THAT(answer.body, HasSubstr("\"retracted\":" + std::to_string(count) + ","));
    EXPECT_THAT(answer.body, Not(HasSubstr("at_least")));
  }

  std::unique_ptr<MeddlingStore> meddling_;
  std::atomic<int> claims_ = 0;
};

TEST_F(TakingOperations, OneWhoseNameChangesMeanwhileIsJudgedAgain) {
  SayOfSource(3);
  Serve({kQuick});
  meddling_->meddles = 19;
  const Answer answer = Peer(port()).Ask(RetractSource());
  EXPECT_EQ(answer.status, 201) << answer.body;
  EXPECT_EQ(meddling_->judged, 20);
}

TEST_F(TakingOperations, OneWhoseNameDoesntComeToRestIsToBeSentAgain) {
  SayOfSource(3);
  Serve({kQuick});
  meddling_->meddles = 20;
  Peer peer(port());
  const Answer refused = peer.Ask(RetractSource());
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.body, HasSubstr("\"code\":\"names_changed\""));
  EXPECT_EQ(refused.fields.at("retry-after"), "1");
  EXPECT_EQ(meddling_->judged, 20);
  EXPECT_EQ(peer.Ask(RetractSource()).status, 201) << "once it has";
}

TEST_F(TakingOperations, OneThatMakesNoSenseAnyMoreIsRefused) {
  SayOfSource(3);
  Serve({kQuick});
  meddling_->meddle = [](store::Store& store) {
    Slip(store, {Prepare(RetractionFrom("withdrawn", Cascade::kYes))});
  };
  meddling_->meddles = 1;
  const Answer answer = Peer(port()).Ask(RetractSource());
  EXPECT_EQ(answer.status, 409) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr("\"code\":\"already_retracted\""));
  EXPECT_EQ(meddling_->judged, 1);
}

TEST_F(TakingOperations, WhatARetractionReachesIsCountedOnceHoweverOftenItIsJudged) { ExpectCountedOnce(3); }

TEST_F(TakingOperations, WhatIsCountedInTheSlowLaneIsCountedOnceToo) { ExpectCountedOnce(kMany); }

TEST_F(TakingOperations, WhatComesInWhileItIsCountedCostsNoTry) {
  lane_options_.emplace();
  lane_engine_options_.call_ms_max = 400;
  SayOfSource(kMany);
  Serve({kEndless});
  Peer flood(port()), peer(port()), other(port());
  flood.Send(Get("/v1/query?concept_path=of/source&predicate=p&lens=endless"));  // keeps the lane's thread
  const auto& handed_over = metrics_.domain().query_slow_lane_total;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (handed_over.Value() < 1 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  ASSERT_GE(handed_over.Value(), 1);
  peer.Send(RetractSource());
  // Two turns of the loop later it has been read.
  for (int i = 0; i < 2; ++i) ASSERT_EQ(other.Ask(Get("/v1/health")).status, 200);
  meddling_->meddle(*store_);
  const Answer answer = peer.Read();
  EXPECT_EQ(answer.status, 201) << answer.body;
  EXPECT_EQ(meddling_->judged, 1);
}

TEST_F(TakingOperations, ARepeatRetractsNothingAndIsNotCounted) {
  lane_options_.emplace();
  SayOfSource(kMany);
  Serve({kQuick});
  Peer peer(port());
  ASSERT_EQ(peer.Ask(RetractSource()).status, 201);
  SayOfSource(kMany);
  slow_lane_->Stop();
  ASSERT_EQ(peer.Ask(RetractSource(R"(,"cascade":true)")).status, 503) << "nobody can count there any more";
  const Answer again = peer.Ask(RetractSource());
  EXPECT_EQ(again.status, 200) << again.body;
  EXPECT_THAT(again.body, HasSubstr("\"status\":\"duplicate\""));
  EXPECT_THAT(again.body, HasSubstr(R"("retracted":0,"cascaded":0,"cascade":false,"ids_sample":[],)"));
}

TEST_F(TakingOperations, WhoRetractsASourceThatNobodyRegisteredIsToldSo) {
  SayOfSource(1);
  Serve({kQuick});
  Peer peer(port());
  const auto retract = [&](const std::string& more) {
    return peer.Ask(Send("POST", "/v1/retract", R"({"source_id":"lable-2030")" + more + "}")).body;
  };
  EXPECT_THAT(retract(R"(,"dry_run":true)"), HasSubstr(R"("retracted":0,)"));
  EXPECT_THAT(retract(R"(,"dry_run":true)"), HasSubstr(R"("registered":false})"));
  EXPECT_THAT(retract(R"(,"timestamp":1770804000)"), HasSubstr(R"("registered":false})"));
  EXPECT_THAT(retract(R"(,"timestamp":1770804000)"), HasSubstr(R"("registered":false})")) << "a repeat";
  ASSERT_EQ(peer.Ask(Send("POST", "/v1/sources", R"({"id":"withdrawn"})")).status, 201);
  EXPECT_THAT(peer.Ask(RetractSource()).body, HasSubstr(R"("registered":true})"));
  const std::string of_a_claim = R"({"assertion_id":")" + ToHex(Encode(OfSource(1)).id) + "\"}";
  EXPECT_THAT(peer.Ask(Send("POST", "/v1/retract", of_a_claim)).body, Not(HasSubstr("registered")));
}

TEST_F(TakingOperations, OneOfATimeToComeIsRefusedWithBothTimes) {
  constexpr int64_t kDayMs = 24 * 3'600'000;
  backend_.clock = &clock_;
  SayOfSource(1);
  Serve({kQuick});
  Peer peer(port());
  const auto vote = [&](int64_t time_ms) {
    return peer.Ask(Send("POST", "/v1/vote",
                         R"({"assertion_id":")" + ToHex(Encode(OfSource(1)).id) +
                             R"(","weight":1,"timestamp":")" + FormatTime(time_ms) + "\"}"));
  };
  EXPECT_EQ(vote(kTestNow + kDayMs).status, 201) << "clocks differ";
  const Answer refused = vote(kTestNow + kDayMs + 1);
  EXPECT_EQ(refused.status, 422);
  EXPECT_THAT(refused.body, HasSubstr("\"code\":\"timestamp_in_future\""));
  EXPECT_THAT(refused.body, HasSubstr(FormatTime(kTestNow + kDayMs + 1)));
  EXPECT_THAT(refused.body, HasSubstr(FormatTime(kTestNow)));
  EXPECT_EQ(vote(kTimeMax).status, 422);
  const std::string far = R"(,"timestamp":"9999-01-01T00:00:00Z"})";
  EXPECT_EQ(peer.Ask(Send("POST", "/v1/retract", R"({"source_id":"withdrawn")" + far)).status, 422);
  EXPECT_EQ(peer.Ask(Send("POST", "/v1/sources", R"({"id":"withdrawn")" + far)).status, 422);
  EXPECT_EQ(store_->stats().sequence, 2u) << "nothing of these was recorded";
  clock_.AdvanceMs(1);
  EXPECT_EQ(vote(kTestNow + kDayMs + 1).status, 201) << "its time has come";
}

TEST_F(TakingOperations, OneOfATimeToComeThatIsInTheLogAlreadyHolds) {
  backend_.clock = &clock_;
  SayOfSource(1);
  const Hash256 id = Encode(OfSource(1)).id;
  ASSERT_TRUE(Write(*store_, {Prepare(Vote(id, 0.5, 1, kTimeMax))}).status.ok());
  Serve({kQuick});
  const Answer trace = Peer(port()).Ask(Get("/v1/trace/" + ToHex(id)));
  EXPECT_THAT(trace.body, HasSubstr(R"("votes":{"count":1,"weight":0.5})"));
}

// From this machine, but for a name that isn't its own: claims are taken so, and no operator's calls.
TEST_F(TakingOperations, WhoIsntTakenForTheOperatorIsToldWhy) {
  SayOfSource(1);
  Serve({kQuick});
  const std::string order = R"({"source_id":"withdrawn")", host = "elsewhere.example";
  Peer peer(port());
  const Answer refused = peer.Ask(Send("POST", "/v1/retract", order + "}", host));
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.body, HasSubstr("\"code\":\"not_yours\""));
  EXPECT_THAT(refused.body,
              HasSubstr("this retracts by a name, which is everybody's: retract each of your own "
                        "assertions by its assertion_id"));
  const Answer naming = peer.Ask(Send("POST", "/v1/sources", R"({"id":"withdrawn"})", host));
  EXPECT_THAT(naming.body, HasSubstr("this changes what a name means for everybody"));
  EXPECT_THAT(refused.body, HasSubstr("Host must be localhost"));
  const Answer tried = peer.Ask(Send("POST", "/v1/retract", order + R"(,"dry_run":true})", host));
  EXPECT_EQ(tried.status, 200) << tried.body;
  EXPECT_THAT(tried.body, HasSubstr(R"("allowed":false,"code":"not_yours","detail":")"));
  EXPECT_THAT(tried.body, HasSubstr("Host must be localhost"));
  EXPECT_THAT(tried.body, HasSubstr("\"retracted\":1,"));
  EXPECT_EQ(store_->stats().sequence, 1u) << "nothing was recorded";
}

TEST_F(TakingOperations, ADryRunNeedsNoSignatureWhereEverythingElseDoes) {
  SayOfSource(2);
  backend_.unsigned_claims = api::UnsignedClaims::kRefused;
  Serve({kQuick});
  Peer peer(port());
  const Answer refused = peer.Ask(RetractSource());
  EXPECT_EQ(refused.status, 401);
  EXPECT_THAT(refused.body, HasSubstr("sign what you say"));
  const Answer tried = peer.Ask(RetractSource(R"(,"dry_run":true)"));
  EXPECT_EQ(tried.status, 200) << tried.body;
  EXPECT_THAT(tried.body, HasSubstr(R"("allowed":true,"retracted":2,)"));
  const Answer from_elsewhere =
      peer.Ask(Send("POST", "/v1/retract", R"({"source_id":"withdrawn","dry_run":true})", "localhost",
                    "X-Forwarded-For: 192.0.2.1\r\n"));
  EXPECT_EQ(from_elsewhere.status, 200) << from_elsewhere.body;
  EXPECT_THAT(from_elsewhere.body, HasSubstr(R"("allowed":false,"code":"signature_required")"));
  EXPECT_THAT(from_elsewhere.body, HasSubstr("\"retracted\":2,"));
}

// Claims each of which replaces the one before it, more than a loop follows.
class LongChain : public TakingOperations {
 protected:
  void SetUp() override {
    TakingOperations::SetUp();
    lane_options_.emplace();
    std::vector<store::PreparedRecord> records;
    for (int i = 0; i < kMany; ++i) {
      const auto claim = Claim("chain", "p", Number(i));
      chain_.push_back(Encode(claim).id);
      records.push_back(Prepare(claim));
      if (i > 0) records.push_back(Prepare(Supersession(chain_[chain_.size() - 2], chain_.back())));
    }
    records.push_back(Prepare(Claim("chain", "p", Number(-1))));
    beside_ = records.back().id;
    ASSERT_TRUE(Write(*store_, std::move(records)).status.ok());
  }
  Answer Supersede(const Hash256& target, const Hash256& replacement) {
    return Peer(port()).Ask(
        Send("POST", "/v1/supersede",
             R"({"target":")" + ToHex(target) + R"(","replacement":")" + ToHex(replacement) + "\"}"));
  }

  std::vector<Hash256> chain_;
  Hash256 beside_{};
};

TEST_F(LongChain, IsFollowedInTheSlowLane) {
  Serve({kQuick});
  const Answer circle = Supersede(chain_.back(), chain_.front());
  EXPECT_EQ(circle.status, 409) << circle.body;
  EXPECT_THAT(circle.body, HasSubstr("\"code\":\"would_close_circle\""));
  const Answer answer = Supersede(beside_, chain_.front());
  EXPECT_EQ(answer.status, 201) << answer.body;
  slow_lane_->Stop();
  EXPECT_EQ(Supersede(chain_.back(), chain_.front()).status, 503) << "no loop does it";
}

TEST_F(LongChain, ThatIsTooLongForTheSlowLaneTooIsNoCircle) {
  lane_engine_options_.chain_max = kMany - 10;
  Serve({kQuick});
  const Answer answer = Supersede(beside_, chain_.front());
  EXPECT_EQ(answer.status, 422) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr("\"code\":\"chain_too_long\""));
  EXPECT_EQ(Supersede(beside_, chain_[kMany / 2]).status, 201) << "from further on it can be told";
}

}  // namespace
}  // namespace stemedb::testing
