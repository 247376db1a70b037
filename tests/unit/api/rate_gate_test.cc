// SPDX-License-Identifier: Apache-2.0
// Limited requests over real sockets: who pays, what the answers say, and what attackers get for their
// trouble. The clock stands still unless a test moves it, so that every number is exact.
#include "api/rate_gate.h"

#include "api_fixture.h"
#include "crypto/ed25519.h"
#include "crypto/sha256.h"
#include "script/state.h"

namespace stemedb::testing {
namespace {

using ::testing::HasSubstr;

// 30 points a minute; writing costs 10 for each claim, reading 5 and 1 for its lens; 1 for each KiB.
std::string Policy(const std::string& before = "") {
  return R"lua(
return {
  kind = "policy", api = 1, hook = "rate_limit", name = "rate_limit", version = "1", description = "Small numbers.",
  limit = function(ctx, request)
    )lua" +
         before + R"lua(
    if request.loopback then return nil end
    local cost = request.method == "POST" and string.find(request.route, "/v1/assert") and 10 * request.items
      or 5 + request.items
    return { bucket = "points", cost = cost + math.floor(request.body_bytes / 1024), limit = 30, window_s = 60,
      peer_limit = 50 }
  end,
}
)lua";
}

std::string Via(const std::string& address) { return "X-Forwarded-For: " + address + "\r\n"; }

class RateGateTest : public ApiTest {
 protected:
  void ServeWith(const std::string& policy) {
    Open();
    backend_.clock = &clock_;
    auto lenses = script::ReadScripts(STEMEDB_SOURCE_DIR "/lenses");
    ASSERT_TRUE(lenses);
    Serve(*lenses, {{"rate_limit.lua", policy}});
  }
  void SetUp() override { ServeWith(Policy()); }

  Answer Ask(const std::string& bytes) { return Peer(port()).Ask(bytes); }
  // A question without a lens, which costs 5.
  Answer Question(const std::string& from) { return Ask(Get("/v1/query?concept_path=a", Via(from))); }

  static crypto::KeyPair Key(uint8_t number) {
    const std::array<uint8_t, 32> seed = {number, 7};
    return *crypto::KeyPair::FromSeed(seed);
  }
  // A claim of that agent's, signed; another one at each call.
  std::string SignedBody(const crypto::KeyPair& key) {
    model::Assertion claim = Claim("a/" + std::to_string(++claims_), "p", Number(1));
    claim.agent_id = key.public_key();
    std::string canonical;
    model::AppendCanonicalJson(canonical, claim);
    const auto signature = key.Sign({"stemedb/assertion/v1\n", canonical});
    canonical.pop_back();
    return canonical + ",\"signature\":\"" + ToHex(signature) + "\"}";
  }
  static std::string Named(const crypto::KeyPair& key) {
    return "X-Agent-Id: " + ToHex(key.public_key()) + "\r\n";
  }
  Answer SignedClaim(const crypto::KeyPair& key, const std::string& from) {
    return Ask(Post("/v1/assert", SignedBody(key), Via(from) + Named(key)));
  }
  // In that agent's name, with a signature that is not its own.
  Answer ForgedClaim(const crypto::KeyPair& victim, const std::string& from) {
    std::string body = SignedBody(victim);
    char& digit = body[body.size() - 3];
    digit = digit == '0' ? '1' : '0';
    return Ask(Post("/v1/assert", body, Via(from) + Named(victim)));
  }
  static std::string Left(const Answer& answer) {
    const auto found = answer.fields.find("x-quota-remaining");
    return found == answer.fields.end() ? "unlimited" : found->second;
  }

  int claims_ = 0;
};

TEST_F(RateGateTest, ProgramsOnThisMachineAreNotLimited) {
  for (int i = 0; i < 20; ++i) {
    const Answer answer = Ask(Get("/v1/query?concept_path=a"));
    ASSERT_EQ(answer.status, 200);
    ASSERT_EQ(Left(answer), "unlimited");
    ASSERT_EQ(answer.fields.count("ratelimit"), 0u);
  }
}

TEST_F(RateGateTest, AnswersSayWhatIsLeft) {
  const Answer answer = Question("203.0.113.9");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.fields.at("ratelimit-policy"), "\"points\";q=30;w=60");
  EXPECT_EQ(answer.fields.at("ratelimit"), "\"points\";r=25;t=10");
  EXPECT_EQ(answer.fields.at("x-quota-limit"), "30");
  EXPECT_EQ(answer.fields.at("x-quota-remaining"), "25");
  EXPECT_EQ(answer.fields.at("x-quota-reset"), "10");
  EXPECT_EQ(answer.fields.count("retry-after"), 0u);
  EXPECT_EQ(Left(Ask(Get("/v1/query?concept_path=a&lens=consensus", Via("203.0.113.9")))), "19");
  EXPECT_EQ(Left(Ask(Get("/v1/skeptic?concept_path=a", Via("203.0.113.9")))), "13");
  EXPECT_EQ(Left(Ask(Get("/v1/concepts", Via("203.0.113.9")))), "8");
}

TEST_F(RateGateTest, AFallbackIsALensThatIsPaidFor) {
  EXPECT_EQ(Left(Ask(Get("/v1/query?concept_path=a&lens=consensus&fallback=recency", Via("203.0.113.9")))),
            "23");
}

TEST_F(RateGateTest, AnEmptyBucketRefusesUntilItHasFilled) {
  for (int i = 0; i < 6; ++i) ASSERT_EQ(Question("203.0.113.9").status, 200);
  const Answer refused = Question("203.0.113.9");
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.body, HasSubstr("\"code\":\"quota_exceeded\""));
  EXPECT_EQ(refused.fields.at("retry-after"), "10");  // 5 points at 30 a minute
  EXPECT_EQ(refused.fields.at("ratelimit"), "\"points\";r=0;t=60");
  EXPECT_EQ(Question("203.0.113.10").status, 200) << "another address";
  clock_.AdvanceMs(10'000);
  EXPECT_EQ(Question("203.0.113.9").status, 200);
  EXPECT_THAT(Ask(Get("/metrics")).body,
              HasSubstr("stemedb_requests_rejected_total{reason=\"quota_exceeded\"} 1"));
}

TEST_F(RateGateTest, IsAskedBeforeTheBodyIsSent) {
  for (int i = 0; i < 6; ++i) ASSERT_EQ(Question("203.0.113.9").status, 200);
  const std::string head =
      "POST /v1/assert HTTP/1.1\r\nHost: test\r\nContent-Length: 900000\r\nExpect: 100-continue\r\n";
  EXPECT_EQ(Ask(head + Via("203.0.113.9") + "\r\n").status, 429);
  EXPECT_EQ(Ask(head + "\r\n").status, 100) << "unlimited: go on";
}

TEST_F(RateGateTest, HealthAndMetricsAreNeverLimited) {
  for (int i = 0; i < 10; ++i) {
    for (const char* path : {"/livez", "/readyz", "/v1/health", "/metrics", "/api-doc/openapi.json"})
      ASSERT_EQ(Ask(Get(path, Via("203.0.113.9"))).status, 200) << path;
  }
}

TEST_F(RateGateTest, AnAgentThatProvesItselfPaysFromItsOwnBucket) {
  const auto key = Key(1);
  EXPECT_EQ(Left(SignedClaim(key, "203.0.113.9")), "20");
  EXPECT_EQ(Left(SignedClaim(key, "203.0.113.10")), "10") << "wherever it sends from";
  EXPECT_EQ(Left(Question("203.0.113.9")), "25") << "and not from the address's";
  EXPECT_EQ(SignedClaim(key, "203.0.113.11").status, 201);
  const Answer refused = SignedClaim(key, "203.0.113.12");
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.body, HasSubstr("the agent has used up its points"));
  EXPECT_EQ(refused.fields.at("retry-after"), "20");
}

TEST_F(RateGateTest, AKeyInTheBodyAlonePaysToo) {
  const auto key = Key(1);
  EXPECT_EQ(Left(Ask(Post("/v1/assert", SignedBody(key), Via("203.0.113.9")))), "20");
  EXPECT_EQ(Left(Question("203.0.113.9")), "25");
}

TEST_F(RateGateTest, NobodySpendsAnothersPointsByNamingItsKey) {
  const auto victim = Key(1);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(ForgedClaim(victim, "203.0.113.66").status, 401) << i;
  EXPECT_EQ(ForgedClaim(victim, "203.0.113.66").status, 429) << "the forger's address has paid";
  EXPECT_EQ(Left(SignedClaim(victim, "203.0.113.9")), "20") << "the victim has not";
}

TEST_F(RateGateTest, ForgersAreStoppedWhateverKeysTheyName) {
  int let_through = 0;
  for (uint8_t i = 0; i < 20; ++i) let_through += ForgedClaim(Key(i), "203.0.113.66").status == 401 ? 1 : 0;
  EXPECT_EQ(let_through, 3);
}

TEST_F(RateGateTest, NewKeysBuyAnAddressNoMoreThanItsOwnLimit) {
  int stored = 0;
  for (uint8_t i = 0; i < 20; ++i) stored += SignedClaim(Key(i), "203.0.113.66").status == 201 ? 1 : 0;
  EXPECT_EQ(stored, 5);  // peer_limit 50
  const Answer refused = SignedClaim(Key(99), "203.0.113.66");
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.body, HasSubstr("for all its agents together"));
}

TEST_F(RateGateTest, ANetworkOf64BitsIsOneAddress) {
  for (int i = 0; i < 6; ++i) ASSERT_EQ(Question("2001:db8:1:2::" + std::to_string(i)).status, 200);
  EXPECT_EQ(Question("2001:db8:1:2:ffff::1").status, 429);
  EXPECT_EQ(Question("2001:db8:1:3::1").status, 200);
}

TEST_F(RateGateTest, ReadersDontLockOutTheAgentsBehindTheirAddress) {
  for (int i = 0; i < 6; ++i) ASSERT_EQ(Question("203.0.113.9").status, 200);
  ASSERT_EQ(Question("203.0.113.9").status, 429);
  EXPECT_EQ(SignedClaim(Key(1), "203.0.113.9").status, 201);
}

TEST_F(RateGateTest, ForgersDontLockOutReadersNorAgentsThatHaveProvenThemselvesThere) {
  const std::string here = "203.0.113.10";
  ASSERT_EQ(SignedClaim(Key(1), here).status, 201);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(ForgedClaim(Key(2), here).status, 401) << i;
  ASSERT_EQ(ForgedClaim(Key(2), here).status, 429);
  EXPECT_EQ(Question(here).status, 200);
  EXPECT_EQ(SignedClaim(Key(1), here).status, 201);
}

TEST_F(RateGateTest, AnAgentThatIsNewBesideForgersComesInByItsSignatureAlone) {
  const std::string here = "203.0.113.10";
  for (int i = 0; i < 4; ++i) ForgedClaim(Key(2), here);
  EXPECT_EQ(SignedClaim(Key(1), here).status, 429) << "named, it can't be told from a forger";
  EXPECT_EQ(Ask(Post("/v1/assert", SignedBody(Key(1)), Via(here))).status, 201);
  EXPECT_EQ(SignedClaim(Key(1), here).status, 201) << "and is known from then on";
}

TEST_F(RateGateTest, ForgeriesInAKnownAgentsNameAreStoppedAndHoldThatAgentAloneAndThereAlone) {
  const std::string here = "203.0.113.10";
  for (const auto& key : {Key(1), Key(2)}) ASSERT_EQ(SignedClaim(key, here).status, 201);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(ForgedClaim(Key(1), here).status, 401) << i;
  const Answer refused = ForgedClaim(Key(1), here);
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.body, HasSubstr("in this agent's name"));
  EXPECT_EQ(SignedClaim(Key(1), here).status, 429);
  EXPECT_EQ(SignedClaim(Key(1), "203.0.113.11").status, 201);
  EXPECT_EQ(SignedClaim(Key(2), here).status, 201);
}

TEST_F(RateGateTest, AProxyThatNamesNobodyDoesntMakeItsClientsProgramsOfThisMachine) {
  EXPECT_EQ(Left(Ask(Get("/v1/concepts", "Via: 1.1 proxy\r\n"))), "25");
  EXPECT_EQ(Left(Ask(Get("/v1/concepts", "X-Real-IP: 203.0.113.9\r\n"))), "20")
      << "all of them share a bucket";
  EXPECT_EQ(Ask(Post("/v1/assert", "{}", "X-Forwarded-Proto: https\r\n")).status, 400);
  EXPECT_EQ(Left(Question("203.0.113.9")), "25");
}

TEST_F(RateGateTest, WhoIsRefusedAfterItWasReadPays) {
  const auto key = Key(1);
  // Without X-Agent-Id nobody knows whose points are missing until the signature is verified.
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(Ask(Post("/v1/assert", SignedBody(key), Via("203.0.113.9"))).status, 201) << i;
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(Ask(Post("/v1/assert", SignedBody(key), Via("203.0.113.9"))).status, 429) << i;
  EXPECT_EQ(Left(Question("203.0.113.9")), "0") << "three times 10 from the address that kept sending";
}

TEST_F(RateGateTest, WhoIsFoundTooDearWhenItIsReadPaysThePriceOfItsHead) {
  for (int i = 0; i < 5; ++i) ASSERT_EQ(Question("203.0.113.9").status, 200);
  const Answer refused =
      Ask(Get("/v1/query?concept_path=a&lens=consensus", Via("203.0.113.9")));  // 6; 5 are left
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.fields.at("retry-after"), "12");
  EXPECT_EQ(Left(refused), "0");
}

TEST_F(RateGateTest, RubbishPays) {
  EXPECT_EQ(Ask(Post("/v1/assert", "rubbish", Via("203.0.113.9"))).status, 400);
  EXPECT_EQ(Left(Question("203.0.113.9")), "15");
}

TEST_F(RateGateTest, ARequestThatIsNeverFinishedPays) {
  {
    Peer peer(port());
    peer.Send("POST /v1/assert HTTP/1.1\r\nHost: test\r\nContent-Length: 500\r\n" + Via("203.0.113.9") +
              "\r\n{");
    Peer(port()).Ask(Get("/livez"));  // the loop has read it
  }
  std::string left;
  for (int i = 0; i < 1000 && left != "15"; ++i) {
    const Answer answer = Question("203.0.113.9");
    left = answer.status == 200 ? Left(answer) : "refused";
    clock_.AdvanceMs(10'000);  // what the question took
  }
  EXPECT_EQ(left, "15");
}

TEST_F(RateGateTest, ABodyWithoutALengthPaysForWhatItHad) {
  const std::string body = R"({"concept_path":"a")" + std::string(3 * 1024, ' ') + "}";
  char size[16];
  std::snprintf(size, sizeof size, "%zx", body.size());
  const std::string chunked = "POST /v1/query HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n" +
                              Via("203.0.113.9") + "\r\n" + size + "\r\n" + body + "\r\n0\r\n\r\n";
  EXPECT_EQ(Left(Ask(chunked)), "22");  // 5 and 3 KiB
}

TEST_F(RateGateTest, AComparisonPaysForEachLens) {
  const std::string body = R"({"concept_path":"a","lenses":["consensus","recency","skeptic"]})";
  EXPECT_EQ(Left(Ask(Post("/v1/lenses/compare", body, Via("203.0.113.9")))), "22");
}

TEST_F(RateGateTest, ABatchPaysForEachClaim) {
  const auto key = Key(1);
  const std::string two = SignedBody(key) + "\n" + SignedBody(key);
  EXPECT_EQ(Left(Ask(Post("/v1/assert/batch", two, Via("203.0.113.9") + Named(key)))), "10");
  EXPECT_EQ(Ask(Post("/v1/assert/batch", two, Via("203.0.113.9") + Named(key))).status, 429);
  EXPECT_EQ(Left(Question("203.0.113.9")), "25") << "the agent has paid";
  EXPECT_EQ(Left(Ask(Post("/v1/assert/batch", two, Via("203.0.113.10")))), "10")
      << "without a name the address pays";
}

TEST_F(RateGateTest, ABatchInAnothersNameIsPaidByItsSender) {
  const auto key = Key(1), victim = Key(2);
  EXPECT_EQ(Left(Ask(Post("/v1/assert/batch", SignedBody(key), Via("203.0.113.66") + Named(victim)))), "20");
  EXPECT_EQ(Left(SignedClaim(victim, "203.0.113.9")), "20");
}

class FailingPolicy : public RateGateTest {
 protected:
  void SetUp() override { ServeWith(Policy("if request.route == '/v1/concepts' then error('broken') end")); }
};

TEST_F(FailingPolicy, IsReplacedByTheBuiltInLimit) {
  EXPECT_EQ(Left(Ask(Get("/v1/concepts"))), "unlimited") << "this machine";
  const Answer answer = Ask(Get("/v1/concepts", Via("203.0.113.9")));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.fields.at("ratelimit-policy"), "\"points\";q=10000;w=3600");
}

TEST_F(FailingPolicy, IsCountedEachTimeAndLoggedOnceAMinute) {
  TakeLog();
  for (int i = 0; i < 5; ++i) Ask(Get("/v1/concepts"));
  const std::string log = TakeLog();
  const size_t first = log.find("rate_limit.lua:5: broken");
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("rate_limit.lua:5: broken", first + 1), std::string::npos) << log;
  EXPECT_THAT(Ask(Get("/metrics")).body,
              HasSubstr("stemedb_errors_total{layer=\"script\",type=\"policy_failed\"} 5"));
  clock_.AdvanceMs(60'000);
  Ask(Get("/v1/concepts"));
  EXPECT_THAT(TakeLog(), HasSubstr("rate_limit.lua:5: broken"));
}

// A gate without sockets.
class GateAlone {
 public:
  explicit GateAlone(const std::string& policy, api::RateGate::Options options = {}) {
    for (const char* path :
         {"/v1/assert", "/v1/assert/batch", "/v1/query", "/v1/lenses/compare", "/v1/concepts"})
      router_.Add({.path = path,
                   .methods = {http::Method::kGet, http::Method::kPost},
                   .handler = [](http::ExchangePtr) {},
                   .param_names = {}});
    Publish(policy);
    gate_ = std::make_unique<api::RateGate>(
        live_, limiter_, proven_agents_, clock_,
        [this](const Status& status) {
          EXPECT_EQ(status.reason(), "policy_failed");
          ++replaced_;
        },
        options);
    gate_->Learn(router_);
  }
  void Publish(const std::string& policy) {
    auto files = *script::ReadScripts(STEMEDB_SOURCE_DIR "/lenses");
    files.push_back({"rate_limit.lua", policy});
    auto set = script::ScriptSet::Build(files, live_.generation() + 1);
    ASSERT_TRUE(set) << set.error().message();
    live_.Publish(*set);
  }
  // The policy's text as it is, unchecked: loading it may take longer than a good one's.
  void PublishUnchecked(const std::string& policy) {
    std::vector<script::ScriptInfo> scripts = live_.Current()->scripts();
    for (script::ScriptInfo& script : scripts) {
      if (script.name != "rate_limit") continue;
      script.source = policy;
      script.sha256 = crypto::Sha256::Of(policy);
    }
    auto set = script::ScriptSet::Of(std::move(scripts), live_.generation() + 1);
    ASSERT_TRUE(set) << set.error().message();
    live_.Publish(*set);
  }
  // What the answer says is left.
  std::string Left(std::string_view path, http::Method method, size_t body_bytes, uint64_t items) {
    const std::string body(body_bytes, ' '), length = std::to_string(body_bytes);
    http::Request request;
    request.method = method;
    request.headers = {{"content-length", length}};
    request.body = body;
    request.peer_address = "203.0.113.9";
    for (const http::Route& route : router_.routes())
      if (route.path == path) request.route = &route;
    EXPECT_TRUE(gate_->Judge(request).ok());
    const Status paid = path == "/v1/concepts" ? Status::Ok() : gate_->PayFor(request, items);
    EXPECT_TRUE(paid.ok());
    http::Response response;
    if (request.note != nullptr) api::RateGate::Finish(request, response);
    for (const auto& [name, value] : response.headers)
      if (name == "X-Quota-Remaining") return value;
    return "unlimited";
  }
  std::string Concepts() { return Left("/v1/concepts", http::Method::kGet, 0, 0); }
  api::RateGate& gate() { return *gate_; }
  const script::ScriptCounts& counts() const { return *live_.Current()->Get("rate_limit")->counts; }
  int replaced() const { return replaced_; }

 private:
  script::LiveScripts live_;
  defense::Limiter limiter_{defense::Limiter::Options{}};
  defense::ProvenAgents proven_agents_;
  env::FakeClock clock_;
  http::Router router_;
  int replaced_ = 0;
  std::unique_ptr<api::RateGate> gate_;
};

TEST(BuiltInLimit, HasThePricesOfTheShippedPolicyAndSaysThatItJudged) {
  std::ifstream file(STEMEDB_SOURCE_DIR "/policies/rate_limit.lua");
  const std::string shipped{std::istreambuf_iterator<char>(file), {}};
  GateAlone policy(shipped);
  GateAlone built_in(shipped, {.turn_ns_max = 0});  // every turn's time is used up
  const struct {
    const char* path;
    http::Method method;
    size_t body_bytes;
    uint64_t items;
  } requests[] = {
      {"/v1/assert", http::Method::kPost, 1025, 1},
      {"/v1/assert/batch", http::Method::kPost, 102'400, 500},
      {"/v1/assert/batch", http::Method::kPost, 2'048, 0},
      {"/v1/query", http::Method::kGet, 0, 0},
      {"/v1/query", http::Method::kPost, 100, 2},
      {"/v1/lenses/compare", http::Method::kPost, 1'024, 4},
      {"/v1/concepts", http::Method::kGet, 0, 0},
  };
  for (const auto& request : requests) {
    const std::string left = policy.Left(request.path, request.method, request.body_bytes, request.items);
    EXPECT_EQ(built_in.Left(request.path, request.method, request.body_bytes, request.items), left)
        << request.path << " " << request.items;
  }
  EXPECT_EQ(policy.replaced(), 0);
  EXPECT_EQ(built_in.replaced(), 13) << "two looks at each request, and one at the last";
}

TEST(RateGateCounts, CallsAndFailuresAppearTogether) {
  GateAlone alone(Policy("error('broken')"));
  alone.Concepts();
  alone.Concepts();
  EXPECT_EQ(alone.counts().calls, 0u);
  EXPECT_EQ(alone.counts().failures, 0u);
  alone.gate().OnTurnEnd();
  EXPECT_EQ(alone.counts().calls, 2u);
  EXPECT_EQ(alone.counts().failures, 2u);
}

TEST(RateGateRecent, WhatThePolicyJudgedIsKeptAsItSawIt) {
  deploy::RecentRequests recent;
  GateAlone alone(Policy(), {.recent = &recent});
  alone.Concepts();
  alone.Left("/v1/query", http::Method::kPost, 100, 2);
  std::vector<deploy::RecordedRequest> kept;
  recent.CopyTo(kept);
  ASSERT_EQ(kept.size(), 3u) << "a question is judged by its head, and again when it is read";
  EXPECT_EQ(kept[0].route + " " + kept[0].method + " " + kept[0].peer, "/v1/concepts GET 203.0.113.9");
  EXPECT_EQ(kept[1].route, "/v1/query");
  EXPECT_EQ(kept[1].items, 0u);
  EXPECT_EQ(kept[2].items, 2u);
  EXPECT_EQ(kept[2].body_bytes, 100u);
}

TEST(RateGateRecent, WhatTheBuiltInLimitJudgedForWantOfTimeIsNot) {
  deploy::RecentRequests recent;
  GateAlone alone(Policy(), {.turn_ns_max = 0, .recent = &recent});
  alone.Concepts();
  std::vector<deploy::RecordedRequest> kept;
  recent.CopyTo(kept);
  EXPECT_TRUE(kept.empty());
}

TEST(RateGateGenerations, APolicyThatStaysKeepsItsStateAndAChangedOneBeginsAnew) {
  const std::string counting = R"lua(
local calls = 0
return {
  kind = "policy", api = 1, hook = "rate_limit", name = "rate_limit", version = "1", description = "Dearer each time.",
  limit = function(ctx, request)
    calls = calls + 1
    return { bucket = "points", cost = calls, limit = 100, window_s = 60 }
  end,
}
)lua";
  GateAlone alone(counting);
  EXPECT_EQ(alone.Concepts(), "99");
  EXPECT_EQ(alone.Concepts(), "97");
  alone.Publish(counting);
  EXPECT_EQ(alone.Concepts(), "94");
  alone.Publish(counting + "-- another text\n");
  EXPECT_EQ(alone.Concepts(), "93");
}

// 25 ms by the thread's processor time, where a call may take 5.
TEST(RateGateGenerations, AStateIsMadeInATimeOfItsOwnWhenTheSetIsTakenUp) {
  const auto slow = [](double count) {
    return "local n = 0 for i = 1, " + std::to_string(static_cast<int64_t>(count)) + " do n = n + i end\n" +
           Policy();
  };
  auto opened = script::State::Open("rate_limit.lua", slow(1e6), {.load_time_ms_max = 60'000});
  ASSERT_TRUE(opened) << opened.error().message();
  const double ns_each = static_cast<double>((*opened)->load_ns()) / 1e6;
  GateAlone alone(Policy());
  alone.PublishUnchecked(slow(25e6 / ns_each));
  alone.gate().TakeUpLive();
  EXPECT_EQ(alone.Concepts(), "25");
  EXPECT_EQ(alone.replaced(), 0);
}

TEST(RateGateTurn, IsCountedByTheThreadsProcessorTime) {
  GateAlone alone(Policy(), {.turn_ns_max = 1});  // and the clock stands still
  alone.Concepts();
  EXPECT_EQ(alone.replaced(), 0);
  alone.Concepts();
  EXPECT_EQ(alone.replaced(), 1);
  alone.gate().OnTurnEnd();
  alone.Concepts();
  EXPECT_EQ(alone.replaced(), 1);
}

class NoPolicy : public RateGateTest {
 protected:
  void SetUp() override {
    Open();
    Serve(*script::ReadScripts(STEMEDB_SOURCE_DIR "/lenses"));
  }
};

TEST_F(NoPolicy, LimitsNobody) {
  for (int i = 0; i < 10; ++i) ASSERT_EQ(Left(Question("203.0.113.9")), "unlimited");
}

}  // namespace
}  // namespace stemedb::testing
