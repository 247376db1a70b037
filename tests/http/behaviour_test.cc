// SPDX-License-Identifier: Apache-2.0
// What a well-behaved client can rely on: order, keep-alive, HEAD, OPTIONS, CORS, 100-continue, ids, limits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "raw_client.h"
#include "test_server.h"

namespace stemedb::http::test {
namespace {

using testing::HasSubstr;

std::string Get(const std::string& target, const std::string& fields = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

TEST(Pipelining, AnswersLeaveInTheOrderOfTheRequestsWhenHandlersAnswerOutOfOrder) {
  TestServer server;
  RawClient client(server.port());
  std::string burst;
  for (int i = 0; i < 40; ++i)
    burst += i % 4 == 3 ? Get("/items/now" + std::to_string(i)) : Get("/later?" + std::to_string(i));
  client.Send(burst);
  std::vector<ExchangePtr> waiting = server.TakeLater(30);
  uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::shuffle(waiting.begin(), waiting.end(), std::mt19937(seed));
  std::thread outside([&] {
    for (ExchangePtr& exchange : waiting) {
      std::string query(exchange->request().query);
      AnswerFromOutside(std::move(exchange), query);
    }
  });
  for (int i = 0; i < 40; ++i) {
    std::optional<Answer> answer = client.Read();
    ASSERT_TRUE(answer) << i;
    EXPECT_EQ((i % 4 == 3 ? "now" : "") + std::to_string(i), answer->body);
  }
  outside.join();
}

TEST(Pipelining, StopsReadingAtTheLimitOfRequestsInFlightAndGoesOnAfterwards) {
  Options options;
  options.limits.pipelined_max = 4;
  TestServer server(options);
  RawClient client(server.port());
  std::string burst;
  for (int i = 0; i < 10; ++i) burst += Get("/later?" + std::to_string(i));
  client.Send(burst);
  server.Settle();
  EXPECT_EQ(4u, server.later_count());
  for (int i = 0; i < 10;) {
    for (ExchangePtr& exchange : server.TakeLater(1)) {
      std::string query(exchange->request().query);
      AnswerFromOutside(std::move(exchange), query);
      EXPECT_EQ(std::to_string(i), client.Read()->body);
      ++i;
    }
  }
}

TEST(Pipelining, ABurstOfManyRequestsIsAnsweredWhole) {
  TestServer server;
  RawClient client(server.port());
  constexpr int kRequests = 5000;
  std::thread sender([&] {
    std::string burst;
    for (int i = 0; i < kRequests; ++i) burst += Get("/items/" + std::to_string(i));
    client.Send(burst);
  });
  for (int i = 0; i < kRequests; ++i) {
    std::optional<Answer> answer = client.Read();
    ASSERT_TRUE(answer) << i;
    ASSERT_EQ(std::to_string(i), answer->body);
  }
  sender.join();
}

TEST(Exchange, ForgottenByItsHandlerIsAnsweredWith500) {
  TestServer server;
  RawClient client(server.port());
  client.Send(Get("/forgotten") + Get("/hello"));
  EXPECT_EQ(500, client.Read()->status);
  EXPECT_EQ(200, client.Read()->status);
}

TEST(Exchange, DroppedOnAnotherThreadIsAnsweredWith500) {
  TestServer server;
  RawClient client(server.port());
  client.Send(Get("/later"));
  std::vector<ExchangePtr> waiting = server.TakeLater(1);
  std::thread([&] { waiting.clear(); }).join();
  EXPECT_EQ(500, client.Read()->status);
}

TEST(Exchange, KeepsItsRequestAliveAfterThePeerIsGone) {
  TestServer server;
  std::vector<ExchangePtr> waiting;
  {
    RawClient client(server.port());
    client.Send("POST /later?x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    waiting = server.TakeLater(1);
    linger abort_on_close{1, 0};  // reset, so that the server sees a dead connection, not a half-closed one
    setsockopt(client.fd(), SOL_SOCKET, SO_LINGER, &abort_on_close, sizeof abort_on_close);
  }
  server.Settle();
  EXPECT_EQ("body", waiting[0]->request().body);
  EXPECT_EQ("127.0.0.1", waiting[0]->request().peer_address);
  AnswerFromOutside(std::move(waiting[0]), "to nobody");
  EXPECT_EQ(0u, server.WaitForRecords(1)[0].response_bytes);
}

TEST(Exchange, KnowsItsConnectionByANumberThatNoOtherHas) {
  TestServer server;
  RawClient client(server.port()), other(server.port());
  client.Send(Get("/later?a") + Get("/later?a"));
  other.Send(Get("/later?b"));
  std::map<std::string, std::set<uint64_t>> numbers;
  for (ExchangePtr& exchange : server.TakeLater(3)) {
    std::string query(exchange->request().query);
    numbers[query].insert(exchange->request().connection);
    AnswerFromOutside(std::move(exchange), query);
  }
  ASSERT_EQ(1u, numbers["a"].size());
  ASSERT_EQ(1u, numbers["b"].size());
  EXPECT_NE(*numbers["a"].begin(), *numbers["b"].begin());
}

TEST(Exchange, BodyIsFollowedByReadableZeroes) {
  TestServer server;
  RawClient client(server.port());
  std::string body(1024 - kBodyPadding, 'x');
  client.Send("POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
              "\r\n\r\n" + body);
  std::vector<ExchangePtr> waiting = server.TakeLater(1);
  std::string_view got = waiting[0]->request().body;
  EXPECT_EQ(body, got);
  for (size_t i = 0; i < kBodyPadding; ++i) EXPECT_EQ(0, got.data()[got.size() + i]);
}

TEST(HalfClose, RequestsSentBeforeItAreAnswered) {
  TestServer server;
  RawClient client(server.port());
  client.Send(Get("/later") + Get("/hello"));
  client.EndSending();
  std::vector<ExchangePtr> waiting = server.TakeLater(1);
  server.Settle();
  AnswerFromOutside(std::move(waiting[0]), "late");
  std::vector<Answer> answers = client.ReadAll();
  ASSERT_EQ(2u, answers.size());
  EXPECT_EQ("late", answers[0].body);
}

TEST(Head, HasTheFieldsOfGetAndNoBody) {
  TestServer server;
  RawClient client(server.port());
  client.Send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n" + Get("/hello"));
  std::optional<Answer> head = client.Read(Body::kNone), get = client.Read();
  EXPECT_EQ(200, head->status);
  EXPECT_EQ("5", head->field("content-length"));
  EXPECT_EQ("hello", get->body);
}

TEST(Head, OfAProtocolErrorCarriesNoBody) {
  TestServer server;
  RawClient client(server.port());
  client.Send("HEAD /nowhere HTTP/1.1\r\nHost: a\r\n\r\n" + Get("/hello"));
  EXPECT_EQ(404, client.Read(Body::kNone)->status);
  EXPECT_EQ("hello", client.Read()->body);
}

TEST(Methods, OtherMethodsOfAKnownPathGet405WithAllow) {
  TestServer server;
  RawClient client(server.port());
  client.Send("PUT /items/1 HTTP/1.1\r\nHost: a\r\n\r\n");
  std::optional<Answer> answer = client.Read();
  EXPECT_EQ(405, answer->status);
  EXPECT_EQ("GET, HEAD, DELETE, OPTIONS", answer->field("allow"));
}

TEST(Methods, OptionsNamesWhatThePathServes) {
  TestServer server;
  RawClient client(server.port());
  client.Send("OPTIONS /echo HTTP/1.1\r\nHost: a\r\n\r\nOPTIONS /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
  std::optional<Answer> known = client.Read();
  EXPECT_EQ(204, known->status);
  EXPECT_EQ("GET, HEAD, POST, OPTIONS", known->field("allow"));
  EXPECT_EQ("", known->field("content-length"));
  EXPECT_EQ(404, client.Read()->status);
}

TEST(Cors, AllowedOriginsMayReadAndPreflight) {
  Options options;
  options.allowed_origins = {"https://good.example"};
  TestServer server(options);
  RawClient client(server.port());
  client.Send(Get("/hello", "Origin: https://good.example\r\n"));
  std::optional<Answer> answer = client.Read();
  EXPECT_EQ("https://good.example", answer->field("access-control-allow-origin"));
  EXPECT_EQ("Origin", answer->field("vary"));
  client.Send(
      "OPTIONS /echo HTTP/1.1\r\nHost: a\r\nOrigin: https://good.example\r\n"
      "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: "
      "content-type,x-api-key\r\n\r\n");
  answer = client.Read();
  EXPECT_EQ(204, answer->status);
  EXPECT_EQ("content-type,x-api-key", answer->field("access-control-allow-headers"));
  EXPECT_THAT(answer->field("access-control-allow-methods"), HasSubstr("POST"));
}

TEST(Cors, OtherOriginsGetNoPermission) {
  Options options;
  options.allowed_origins = {"https://good.example"};
  TestServer server(options);
  RawClient client(server.port());
  client.Send(Get("/hello", "Origin: https://good.example.evil.example\r\n"));
  std::optional<Answer> answer = client.Read();
  EXPECT_EQ(200, answer->status);
  EXPECT_EQ("", answer->field("access-control-allow-origin"));
  EXPECT_EQ("Origin", answer->field("vary"));
}

TEST(Cors, AStarAllowsEveryOrigin) {
  Options options;
  options.allowed_origins = {"*"};
  TestServer server(options);
  RawClient client(server.port());
  client.Send(Get("/hello", "Origin: http://any.example\r\n"));
  EXPECT_EQ("*", client.Read()->field("access-control-allow-origin"));
}

TEST(Continue, IsSentOnceTheHeadHasPassed) {
  TestServer server;
  RawClient client(server.port());
  client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(100, client.Read()->status);
  client.Send("abc");
  EXPECT_EQ("abc", client.Read()->body);
}

TEST(Continue, WaitsForTheAnswersOfEarlierRequests) {
  TestServer server;
  RawClient client(server.port());
  client.Send(Get("/later") +
              "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  std::vector<ExchangePtr> waiting = server.TakeLater(1);
  server.Settle();
  AnswerFromOutside(std::move(waiting[0]), "first");
  EXPECT_EQ("first", client.Read()->body);
  EXPECT_EQ(100, client.Read()->status);
  client.Send("abc");
  EXPECT_EQ("abc", client.Read()->body);
}

TEST(Continue, IsNotSentWhenTheBodyIsRefusedOrHasCome) {
  TestServer server;
  {
    RawClient client(server.port());
    client.Send("POST /small HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 300\r\n\r\n");
    EXPECT_EQ(413, client.Read()->status);
    EXPECT_TRUE(client.ReadsEnd());
  }
  {
    RawClient client(server.port());
    client.Send("POST /refused HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    EXPECT_EQ(429, client.Read()->status);
    EXPECT_TRUE(client.ReadsEnd());
  }
  RawClient client(server.port());
  client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ("abc", client.Read()->body);
}

TEST(RequestId, IsEchoedWhenValidAndMadeOtherwise) {
  TestServer server;
  RawClient client(server.port());
  client.Send(Get("/hello", "X-Request-Id: my\"id\\1\r\n") + Get("/nowhere", "X-Request-Id: my\"id\\1\r\n") +
              Get("/hello", "X-Request-Id: two words\r\n") +
              Get("/hello", "X-Request-Id: " + std::string(129, 'a') + "\r\n"));
  EXPECT_EQ("my\"id\\1", client.Read()->field("x-request-id"));
  EXPECT_THAT(client.Read()->body, HasSubstr(R"("request_id":"my\"id\\1")"));
  std::string made = client.Read()->field("x-request-id"), other = client.Read()->field("x-request-id");
  EXPECT_EQ(32u, made.size());
  EXPECT_NE(made, other);
}

TEST(Answers, CarryADateAndTheRefusalsOfOnHeadersTheirFields) {
  TestServer server;
  RawClient client(server.port());
  client.Send(Get("/refused"));
  std::optional<Answer> answer = client.Read();
  EXPECT_EQ(429, answer->status);
  EXPECT_EQ("7", answer->field("retry-after"));
  EXPECT_THAT(answer->field("date"),
              testing::MatchesRegex("[A-Z][a-z]+, [0-9]+ [A-Z][a-z]+ 20[0-9]+ [0-9:]+ GMT"));
}

TEST(Observer, SeesEveryRequestOnce) {
  TestServer server;
  RawClient client(server.port());
  client.Send(Get("/items/7?x=1", "X-Request-Id: seven\r\n") + Get("/nowhere") + "oops\r\n\r\n");
  size_t answers = client.ReadAll().size();
  EXPECT_EQ(3u, answers);
  std::vector<SeenRequest> seen = server.WaitForRecords(3);
  ASSERT_EQ(3u, seen.size());
  EXPECT_EQ("GET /items/{id} /items/7?x=1 seven 200", seen[0].method + " " + seen[0].route + " " +
                                                          seen[0].target + " " + seen[0].request_id + " " +
                                                          std::to_string(seen[0].status));
  EXPECT_EQ("unmatched", seen[1].route);
  EXPECT_FALSE(seen[0].refused_by_server);
  EXPECT_TRUE(seen[1].refused_by_server);
  EXPECT_EQ("invalid", seen[2].method);
  EXPECT_EQ(400, seen[2].status);
  EXPECT_GT(seen[0].response_bytes, 100u);
  EXPECT_GE(seen[0].seconds, 0);
  EXPECT_LT(seen[0].seconds, 10);
}

TEST(Observer, SeesTheTemplateOfAKnownPathWhateverTheServerRefuses) {
  TestServer server;
  auto send = [&](const std::string& request) { RawClient(server.port(), request).ReadAll(); };
  send("POST /items/7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  send("OPTIONS /items/7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\n");
  send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n");
  send("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n");
  send("OPTIONS /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  std::vector<std::string> seen;
  for (const SeenRequest& r : server.WaitForRecords(6)) {
    seen.push_back(r.method + " " + r.route + " " + std::to_string(r.status));
    EXPECT_TRUE(r.refused_by_server) << seen.back();
  }
  EXPECT_THAT(seen, testing::ElementsAre("POST /items/{id} 405", "OPTIONS /items/{id} 204", "POST /echo 415",
                                         "POST /echo 400", "POST /small 413", "OPTIONS unmatched 404"));
}

TEST(Limits, TargetAndFieldsBeyondThemAreRefused) {
  TestServer server;
  auto status = [&](const std::string& request) {
    RawClient client(server.port());
    client.Send(request);
    std::optional<Answer> answer = client.Read();
    return answer ? answer->status : 0;
  };
  EXPECT_EQ(200, status(Get("/hello?" + std::string(8192 - 7, 'a'))));
  EXPECT_EQ(414, status(Get("/hello?" + std::string(8192 - 6, 'a'))));
  EXPECT_EQ(414, status("GET /" + std::string(20000, 'a')));
  EXPECT_EQ(431, status(Get("/hello", "X: " + std::string(17000, 'a') + "\r\n")));
  EXPECT_EQ(431, status("GET /hello HTTP/1.1\r\nX: " + std::string(17000, 'a')));
  std::string fields;
  for (int i = 0; i < 99; ++i) fields += "X: a\r\n";
  EXPECT_EQ(200, status(Get("/hello", fields)));
  EXPECT_EQ(431, status(Get("/hello", fields + "X: a\r\n")));
}

TEST(Limits, AChunkedMessageMayNotBeAllExtensionOrTrailer) {
  TestServer server;
  const std::string head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  auto status = [&](const std::string& body) {
    RawClient client(server.port());
    client.Send(head + body);
    std::optional<Answer> answer = client.Read();
    return answer ? answer->status : 0;
  };
  std::string extensions, trailer;
  for (int i = 0; i < 50; ++i) extensions += "1;" + std::string(100, 'e') + "\r\nx\r\n";
  for (int i = 0; i < 100; ++i) trailer += "X: " + std::string(100, 't') + "\r\n";
  EXPECT_EQ(400, status(extensions));
  EXPECT_EQ(431, status("0\r\n" + trailer));
}

TEST(Limits, ALargeBodyArrivesWhole) {
  TestServer server;
  RawClient client(server.port());
  std::string body(16 * 1024 * 1024, 'b');
  std::thread sender([&] {
    client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n\r\n");
    client.Send(body);
  });
  std::optional<Answer> answer = client.Read();
  sender.join();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->body == body);
}

TEST(Limits, ABodyThatIsTooLargeIsRefusedInAWayThatItsSenderCanRead) {
  TestServer server;
  RawClient client(server.port());
  std::string body(20 * 1024 * 1024, 'b');
  // All of it is sent before the answer is read: only a lingering close lets the answer survive.
  client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
              "\r\n\r\n");
  client.Send(body);
  std::optional<Answer> answer = client.Read();
  ASSERT_TRUE(answer);
  EXPECT_EQ(413, answer->status);
  EXPECT_TRUE(client.ReadsEnd());
}

TEST(Limits, ConnectionsBeyondTheLimitGet503) {
  Options options;
  options.limits.connections_max = 2;
  TestServer server(options);
  RawClient first(server.port()), second(server.port());
  server.Settle();
  RawClient third(server.port());
  std::optional<Answer> answer = third.Read();
  ASSERT_TRUE(answer);
  EXPECT_EQ(503, answer->status);
  EXPECT_EQ("1", answer->field("retry-after"));
  first.Send(Get("/hello"));
  EXPECT_EQ(200, first.Read()->status);
}

}  // namespace
}  // namespace stemedb::http::test
