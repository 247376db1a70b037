// SPDX-License-Identifier: Apache-2.0
// Answers that nobody takes: one loop keeps a bounded number of bytes for all slow readers together, gives up
// those who hold most, and lets go of the buffers of connections that rest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <chrono>
#include <memory>
#include <thread>

#include "raw_client.h"
#include "test_server.h"

namespace stemedb::http::test {
namespace {

constexpr size_t kMega = 1024 * 1024;
constexpr int kSmallWindow = 4096;

std::string Big(size_t bytes) { return "GET /big?" + std::to_string(bytes) + " HTTP/1.1\r\nHost: a\r\n\r\n"; }

Options WithBudget(size_t bytes) {
  Options options;
  options.limits.output_bytes_total_max = bytes;
  options.timeouts.write_stall_ms =
      600'000;  // that it's the budget which closes, however slow the machine is
  return options;
}

using Clients = std::vector<std::unique_ptr<RawClient>>;

// Clients that have asked for `bytes` and read nothing.
Clients AskAndRest(TestServer& server, size_t count, size_t bytes) {
  Clients clients;
  for (size_t i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<RawClient>(server.port(), kSmallWindow));
    clients.back()->Send(Big(bytes));
    server.WaitForRecords(i + 1);
  }
  server.Settle();
  return clients;
}

// How many get their whole answer.
size_t ReadWhole(const Clients& clients, size_t bytes) {
  size_t whole = 0;
  for (const auto& client : clients) {
    std::optional<Answer> answer = client->Read();
    whole += answer && answer->body.size() == bytes ? 1 : 0;
  }
  return whole;
}

TEST(OutputBudget, ClosesTheLargestOfThoseWhoDoNotReadAndServesTheOthers) {
  constexpr size_t kLarge = 24 * kMega, kSmall = 8 * kMega;
  TestServer server(WithBudget(64 * kMega));
  RawClient small(server.port(), kSmallWindow);
  small.Send(Big(kSmall));
  server.WaitForRecords(1);
  Clients large;
  for (int i = 0; i < 6; ++i) {
    large.push_back(std::make_unique<RawClient>(server.port(), kSmallWindow));
    large.back()->Send(Big(kLarge));
    server.WaitForRecords(static_cast<size_t>(i) + 2);
  }
  server.Settle();
  RawClient other(server.port(), "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ("hello", other.Read()->body);
  size_t whole = ReadWhole(large, kLarge);
  EXPECT_GE(whole, 1u);
  EXPECT_LE(whole, 2u);  // three would be 72 MiB
  std::optional<Answer> spared = small.Read();
  ASSERT_TRUE(spared);
  EXPECT_EQ(kSmall, spared->body.size());
}

TEST(OutputBudget, IsGivenBackByThoseWhoReadAndByThoseWhoLeave) {
  constexpr size_t kBytes = 10 * kMega;
  TestServer server(WithBudget(40 * kMega));
  for (int round = 0; round < 5; ++round) {
    SCOPED_TRACE(round);
    Clients clients = AskAndRest(server, 2, kBytes);
    if (round % 2 == 1) {
      for (auto& client : clients) client->Reset();
      server.Settle();
      continue;
    }
    EXPECT_EQ(2u, ReadWhole(clients, kBytes));
  }
}

TEST(OutputBudget, CountsAnswersThatWaitForAnEarlierOne) {
  TestServer server(WithBudget(16 * kMega));
  RawClient client(server.port(), "GET /later HTTP/1.1\r\nHost: a\r\n\r\n" + Big(20 * kMega));
  std::vector<ExchangePtr> held = server.TakeLater(1);
  server.Settle();
  EXPECT_FALSE(client.Read());
  EXPECT_FALSE(held[0]->peer_waits());
}

TEST(IdleConnections, KeepNoBuffersOfTheAnswersThatTheyHad) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's allocator doesn't tell what is in use";
#endif
  constexpr size_t kClients = 200, kBytes = 200'000;
  Options options;
  options.timeouts.linger_ms = 40;  // a tick comes every 10 ms
  TestServer server(options);
  auto in_use = [] {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  const size_t before = in_use();
  Clients clients;
  for (size_t i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<RawClient>(server.port(), kSmallWindow));
    clients.back()->Send(Big(kBytes));
  }
  ASSERT_EQ(kClients, ReadWhole(clients, kBytes));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  const auto excess = [&] { return static_cast<ptrdiff_t>(in_use()) - static_cast<ptrdiff_t>(before); };
  constexpr ptrdiff_t kAllowed = kClients * 64 * 1024;  // far below what each answer took
  while (excess() > kAllowed && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_LT(excess(), kAllowed);
}

}  // namespace
}  // namespace stemedb::http::test
