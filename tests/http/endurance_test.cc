// SPDX-License-Identifier: Apache-2.0
// Peers that are slow, stuck or gone, and the end of the server's own life.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <thread>

#include "raw_client.h"
#include "test_server.h"

namespace stemedb::http::test {
namespace {

using Clock = std::chrono::steady_clock;

std::string Get(const std::string& target, const std::string& fields = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

// Short enough for a test, and each kind of its own so that the right one must strike.
Options WithTimeout(uint64_t Timeouts::*which, uint64_t milliseconds) {
  Options options;
  options.timeouts.*which = milliseconds;
  return options;
}

TEST(SlowPeer, WhoDoesNotFinishTheHeadGets408) {
  TestServer server(WithTimeout(&Timeouts::header_ms, 100));
  RawClient client(server.port());
  client.Send("GET /hello HTTP/1.1\r\nHos");
  std::optional<Answer> answer = client.Read();
  ASSERT_TRUE(answer);
  EXPECT_EQ(408, answer->status);
  EXPECT_TRUE(client.ReadsEnd());
}

TEST(SlowPeer, WhoTricklesTheHeadIsNotSavedByItsTrickle) {
  TestServer server(WithTimeout(&Timeouts::header_ms, 100));
  RawClient client(server.port());
  client.Send("GET /hello HTTP/1.1\r\nX: ");
  auto deadline = Clock::now() + std::chrono::seconds(10);
  bool dropped = false;
  while (!dropped && Clock::now() < deadline) {
    dropped = !client.Send("a");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // the trickle itself
  }
  EXPECT_TRUE(dropped);
}

TEST(SlowPeer, WhoTricklesTheBodyGets408) {
  Options options = WithTimeout(&Timeouts::body_ms, 100);
  options.timeouts.body_bytes_per_second = 1000;
  TestServer server(options);
  RawClient client(server.port());
  client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc");
  std::optional<Answer> answer = client.Read();
  ASSERT_TRUE(answer);
  EXPECT_EQ(408, answer->status);
}

TEST(SlowPeer, WhoIsIdleIsDroppedSilently) {
  TestServer server(WithTimeout(&Timeouts::idle_ms, 100));
  RawClient fresh(server.port()), used(server.port());
  used.Send(Get("/hello"));
  EXPECT_EQ(200, used.Read()->status);
  EXPECT_TRUE(fresh.ReadsEnd());
  EXPECT_TRUE(used.ReadsEnd());
}

TEST(SlowPeer, WhoWaitsForALateAnswerIsNotIdle) {
  TestServer server(WithTimeout(&Timeouts::idle_ms, 50));
  RawClient idle(server.port()), waiting(server.port());
  waiting.Send(Get("/later"));
  std::vector<ExchangePtr> exchanges = server.TakeLater(1);
  EXPECT_TRUE(idle.ReadsEnd());  // by now the time-out has struck for those whom it meets
  AnswerFromOutside(std::move(exchanges[0]), "worth it");
  std::optional<Answer> answer = waiting.Read();
  ASSERT_TRUE(answer);
  EXPECT_EQ("worth it", answer->body);
}

TEST(StuckReader, IsDroppedAfterTheStallTimeout) {
  Options options = WithTimeout(&Timeouts::write_stall_ms, 100);
  options.timeouts.read_credit_ms = 0;  // what the sockets have taken buys no time
  TestServer server(options);
  RawClient client(server.port(), 4096);
  client.Send(Get("/big?30000000"));
  server.WaitForRecords(1);
  // Reading starts only when the server has given up: less than the whole answer is then in the sockets.
  RawClient canary(server.port());
  auto deadline = Clock::now() + std::chrono::seconds(10);
  bool dropped = false;
  while (!dropped && Clock::now() < deadline) {
    dropped = !client.Send(Get("/hello"));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(dropped);
  EXPECT_FALSE(client.Read());
}

TEST(StuckReader, StopsTheServerFromReadingOn) {
  TestServer server;
  RawClient client(server.port(), 4096);
  std::string burst;
  for (int i = 0; i < 60; ++i) burst += Get("/big?500000");
  client.Send(burst);
  server.WaitForRecords(1);
  server.Settle();
  // 1 MiB may be queued before the server stops, and the kernel takes some megabytes of its own.
  EXPECT_LT(server.WaitForRecords(1).size(), 30u);
  for (int i = 0; i < 60; ++i) {
    std::optional<Answer> answer = client.Read();
    ASSERT_TRUE(answer) << i;
    ASSERT_EQ(500000u, answer->body.size());
  }
}

TEST(Drain, FinishesWhatIsInFlightAndClosesWhatIsIdle) {
  TestServer server;
  RawClient idle(server.port()), busy(server.port());
  busy.Send(Get("/later?1") + Get("/later?2"));
  std::vector<ExchangePtr> waiting = server.TakeLater(2);
  server.server().Drain();
  EXPECT_TRUE(idle.ReadsEnd());
  AnswerFromOutside(std::move(waiting[0]), "one");
  AnswerFromOutside(std::move(waiting[1]), "two");
  std::optional<Answer> one = busy.Read(), two = busy.Read();
  ASSERT_TRUE(one && two);
  EXPECT_EQ("one", one->body);
  EXPECT_EQ("", one->field("connection"));
  EXPECT_EQ("two", two->body);
  EXPECT_EQ("close", two->field("connection"));
  EXPECT_TRUE(busy.ReadsEnd());
  server.server().Stop();
}

TEST(Drain, AnswersWhatHadArrivedWhenItBegan) {
  TestServer server;
  RawClient idle(server.port()), busy(server.port());
  busy.Send(Get("/later"));
  std::vector<ExchangePtr> waiting = server.TakeLater(1);
  std::promise<void> go_on;
  waiting[0]->loop().Post([held = go_on.get_future().share()] { held.wait(); });
  server.server().Drain();  // waits behind the task that holds the loop, and so does what is sent now
  RawClient late(server.port());
  idle.Send(Get("/hello"));
  late.Send(Get("/hello"));
  go_on.set_value();
  EXPECT_TRUE(idle.Read());
  EXPECT_TRUE(late.Read());
  AnswerFromOutside(std::move(waiting[0]), "one");
  EXPECT_TRUE(busy.Read());
}

TEST(Drain, LetsARequestThatIsBeingSentFinish) {
  TestServer server;
  RawClient client(server.port());
  client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
  server.Settle();
  server.server().Drain();
  server.Settle();
  client.Send("def");
  std::optional<Answer> answer = client.Read();
  ASSERT_TRUE(answer);
  EXPECT_EQ("abcdef", answer->body);
  EXPECT_EQ("close", answer->field("connection"));
}

TEST(Drain, CutsOffWhatTakesLongerThanItsTimeout) {
  TestServer server(WithTimeout(&Timeouts::drain_ms, 100));
  RawClient client(server.port());
  client.Send(Get("/later"));
  std::vector<ExchangePtr> waiting = server.TakeLater(1);
  server.server().Stop();
  EXPECT_TRUE(client.ReadsEnd());
  Loop& loop = waiting[0]->loop();
  EXPECT_FALSE(loop.Post([] {}));
  waiting.clear();  // the last pointer may outlive the loop's thread
}

TEST(Drain, StopsWhileClientsKeepHammering) {
  Options options;
  options.loops = 2;
  TestServer server(options);
  uint16_t port = server.port();
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([port] {
      RawClient client(port);
      while (client.Send(Get("/hello") + Get("/items/1"))) {
        if (!client.Read() || !client.Read()) break;
      }
    });
  }
  server.WaitForRecords(2000);
  server.server().Stop();
  for (std::thread& client : clients) client.join();
}

TEST(Port, IsRefusedToASecondServer) {
  Options options;
  options.loops = 2;
  TestServer first(options);
  options.port = first.port();
  auto second = Server::Start(options, [](Loop&) -> Result<std::unique_ptr<Service>> {
    return Status(Code::kInternal, "unreachable", "the port must fail first");
  });
  ASSERT_FALSE(second);
  EXPECT_EQ("address_in_use", second.error().reason());
  std::string message(second.error().message());
  EXPECT_THAT(message, testing::HasSubstr("Address already in use"));
  EXPECT_THAT(message, testing::HasSubstr("lsof -i :" + std::to_string(first.port())));
}

TEST(Port, IsSharedByTheLoopsOfOneServer) {
  Options options;
  options.loops = 3;
  TestServer server(options);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 96; ++i) {
    clients.push_back(std::make_unique<RawClient>(server.port()));
    clients.back()->Send(Get("/later"));
  }
  std::vector<int> on_loop(3);
  for (int seen = 0; seen < 96;) {
    for (ExchangePtr& exchange : server.TakeLater(1)) {
      ++on_loop[static_cast<size_t>(exchange->loop().index())];
      ++seen;
      AnswerFromOutside(std::move(exchange), "");
    }
  }
  // By the kernel's hash: with 96 connections an empty loop is a chance of 10^-17.
  for (int count : on_loop) EXPECT_GT(count, 0);
  for (auto& client : clients) EXPECT_EQ(200, client->Read()->status);
}

TEST(Port, CanBeUsedAgainAtOnceAfterStop) {
  Options options;
  {
    TestServer first;
    RawClient client(first.port());
    client.Send(Get("/hello", "Connection: close\r\n"));
    EXPECT_EQ(200, client.Read()->status);
    options.port = first.port();
  }
  TestServer second(options);
  RawClient client(second.port());
  client.Send(Get("/hello"));
  EXPECT_EQ(200, client.Read()->status);
}

TEST(Start, FailsWithTheServicesFailure) {
  auto server = Server::Start({}, [](Loop& loop) -> Result<std::unique_ptr<Service>> {
    return Status(Code::kInternal, "no_lens", "loop " + std::to_string(loop.index()) + ": no lens");
  });
  ASSERT_FALSE(server);
  EXPECT_EQ("no_lens", server.error().reason());
}

TEST(Start, RefusesAnAddressThatIsNone) {
  Options options;
  options.address = "nowhere.invalid";
  auto server = Server::Start(options, [](Loop&) -> Result<std::unique_ptr<Service>> {
    return Status(Code::kInternal, "unreachable", "");
  });
  ASSERT_FALSE(server);
  EXPECT_EQ(Code::kInvalidArgument, server.error().code());
}

}  // namespace
}  // namespace stemedb::http::test
