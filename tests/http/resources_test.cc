// SPDX-License-Identifier: Apache-2.0
// What the server does when memory for bodies or file descriptors run out. The limit on descriptors is the
// whole process's, so clients make their sockets before it is lowered: connecting needs no further one.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "raw_client.h"
#include "test_server.h"

namespace stemedb::http::test {
namespace {

using testing::HasSubstr;

constexpr size_t kBudget = 1024 * 1024;

Options WithBudget() {
  Options options;
  options.limits.body_bytes_total_max = kBudget;
  return options;
}

std::string Post(const std::string& target, size_t length) {
  return "POST " + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
}

void ExpectOverloaded(RawClient& client) {
  std::optional<Answer> answer = client.Read();
  ASSERT_TRUE(answer);
  EXPECT_EQ(503, answer->status);
  EXPECT_THAT(answer->body, HasSubstr("\"overloaded\""));
  EXPECT_EQ("1", answer->field("retry-after"));
  EXPECT_EQ("close", answer->field("connection"));
  EXPECT_TRUE(client.ReadsEnd());
}

TEST(BodyBudget, RefusesABodyThatBeginsWhenOthersHaveTakenTheMemoryAndTakesOneWhenTheyAreGone) {
  TestServer server(WithBudget());
  RawClient holder(server.port());
  holder.Send(Post("/later", 700'000) + std::string(700'000, 'x'));
  std::vector<ExchangePtr> held = server.TakeLater(1);

  RawClient refused(server.port());
  refused.Send(Post("/echo", 2) + "no");
  ExpectOverloaded(refused);
  RawClient without_body(server.port());
  without_body.Send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ("hello", without_body.Read()->body);

  AnswerFromOutside(std::move(held[0]), "done");
  held.clear();
  EXPECT_EQ("done", holder.Read()->body);
  server.Settle();
  RawClient taken(server.port());
  taken.Send(Post("/echo", 3) + "yes");
  EXPECT_EQ("yes", taken.Read()->body);
}

TEST(BodyBudget, RefusesABodyThatGrowsBeyondIt) {
  TestServer server(WithBudget());
  RawClient announced(server.port());
  announced.Send(Post("/echo", kBudget + 1));
  ExpectOverloaded(announced);

  RawClient chunked(server.port());
  chunked.Send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n");
  chunked.Send(std::string(0x200000, 'x'));
  ExpectOverloaded(chunked);

  // Each alone would fit.
  RawClient first(server.port()), second(server.port());
  first.Send(Post("/echo", 500'000) + std::string(499'000, 'x'));
  second.Send(Post("/echo", 500'000));
  server.Settle();
  second.Send(std::string(400'000, 'y'));
  server.Settle();
  RawClient third(server.port());
  third.Send(Post("/echo", 100'000));
  ExpectOverloaded(third);
  first.Send(std::string(1'000, 'x'));
  EXPECT_EQ(200, first.Read()->status);
}

TEST(BodyBudget, CountsThePipelinedBodiesOfOneConnection) {
  TestServer server(WithBudget());
  RawClient client(server.port());
  std::string burst;
  for (int i = 0; i < 20; ++i) burst += Post("/later", 100'000) + std::string(100'000, 'x');
  std::thread sender([&] { client.Send(burst); });
  std::vector<ExchangePtr> held = server.TakeLater(1);
  sender.join();
  server.Settle();
  EXPECT_LT(held.size() + server.later_count(), 11u);  // 100,000 bytes lie in a buffer of 131,072
  for (ExchangePtr& exchange : held) AnswerFromOutside(std::move(exchange), "ok");
  held.clear();
  if (server.later_count() > 0) {
    for (ExchangePtr& exchange : server.TakeLater(1)) AnswerFromOutside(std::move(exchange), "ok");
  }
  std::vector<Answer> answers = client.ReadAll();
  ASSERT_FALSE(answers.empty());
  for (size_t i = 0; i + 1 < answers.size(); ++i) EXPECT_EQ(200, answers[i].status);
  EXPECT_EQ(503, answers.back().status);
}

// Lowers the process's limit on descriptors for its own lifetime.
class DescriptorLimit {
 public:
  DescriptorLimit() { getrlimit(RLIMIT_NOFILE, &before_); }
  ~DescriptorLimit() { setrlimit(RLIMIT_NOFILE, &before_); }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;

  // Leaves room for `count` new ones.
  void LeaveFree(int count) {
    std::vector<int> taken(static_cast<size_t>(count));
    for (int& fd : taken) fd = fcntl(0, F_DUPFD_CLOEXEC, 0);
    int last =
        fcntl(0, F_DUPFD_CLOEXEC, 0);  // there may be gaps: a loop that libuv couldn't make leaves one open
    close(last);
    for (int fd : taken) close(fd);
    rlimit lowered = before_;
    lowered.rlim_cur = static_cast<rlim_t>(last);
    ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &lowered));
  }

 private:
  rlimit before_{};
};

TEST(Descriptors, AStartThatRunsOutOfThemFailsWithCauseAndRemedyWhereverItHappens) {
  { TestServer warm; }  // libuv opens two for the process with the first loop
  Options options;
  options.loops = 4;
  ServiceFactory none = [](Loop&) -> Result<std::unique_ptr<Service>> {
    return Status(Code::kInternal, "reached", "the loop came to its service");
  };
  int failures = 0;
  for (int free = 0;; ++free) {
    ASSERT_LT(free, 100);
    DescriptorLimit limit;
    limit.LeaveFree(free);
    auto started = Server::Start(options, none);
    ASSERT_FALSE(started);
    if (started.error().reason() == "reached") break;
    ++failures;
    EXPECT_THAT(std::string(started.error().message()), HasSubstr("Too many open files"));
    EXPECT_THAT(std::string(started.error().message()), HasSubstr("ulimit -n"));
  }
  EXPECT_GE(failures, 6);  // four sockets and the first loop's own
}

TEST(Descriptors, ALaterLoopThatCantStartEndsTheOthersThatHave) {
  { TestServer warm; }
  Options options;
  options.loops = 4;
  int made = 0;
  ServiceFactory third_fails = [&](Loop& loop) -> Result<std::unique_ptr<Service>> {
    if (loop.index() == 2) return Status(Code::kInternal, "third", "not this one");
    class Plain : public Service {
      const Router& router() const override { return router_; }
      Router router_;
    };
    ++made;
    return {std::make_unique<Plain>()};
  };
  auto started = Server::Start(options, third_fails);
  ASSERT_FALSE(started);
  EXPECT_EQ("third", started.error().reason());
  EXPECT_EQ(2, made);
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::vector<pollfd> MakeSockets(size_t count) {
  std::vector<pollfd> sockets;
  for (size_t i = 0; i < count; ++i) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_GE(fd, 0);
    sockets.push_back({fd, POLLIN, 0});
  }
  return sockets;
}

void ConnectAndAsk(const std::vector<pollfd>& sockets, uint16_t port) {
  constexpr std::string_view kHello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (const pollfd& socket : sockets) {
    ASSERT_EQ(0, connect(socket.fd, reinterpret_cast<sockaddr*>(&address), sizeof address));
    ASSERT_EQ(kHello.size(), send(socket.fd, kHello.data(), kHello.size(), MSG_NOSIGNAL));
  }
}

// How many are answered within `patience`; each answered one is closed, which gives descriptors back.
size_t ReadAndClose(std::vector<pollfd>& sockets, std::chrono::milliseconds patience) {
  size_t answered = 0;
  auto end = std::chrono::steady_clock::now() + patience;
  while (!sockets.empty() && std::chrono::steady_clock::now() < end) {
    if (poll(sockets.data(), sockets.size(), 100) <= 0) continue;
    std::erase_if(sockets, [&](const pollfd& socket) {
      if (socket.revents == 0) return false;
      char bytes[1024];
      ssize_t count = recv(socket.fd, bytes, sizeof bytes, 0);
      if (count > 0 &&
          std::string_view(bytes, static_cast<size_t>(count)).find("200 OK") != std::string_view::npos) {
        ++answered;
      }
      close(socket.fd);
      return true;
    });
  }
  return answered;
}

TEST(Descriptors, ConnectionsBeyondThemWaitAndAreServedWhenOthersHaveGone) {
  constexpr size_t kClients = 200;
  Options options;
  options.loops = 2;
  TestServer server(options);
  std::vector<pollfd> sockets = MakeSockets(kClients);
  DescriptorLimit limit;
  limit.LeaveFree(10);
  ConnectAndAsk(sockets, server.port());
  double before = CpuSeconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_LT(CpuSeconds() - before, 0.3);  // starved loops rest
  size_t answered_at_first = 0;
  for (pollfd& socket : sockets) answered_at_first += poll(&socket, 1, 0) > 0 ? 1 : 0;
  EXPECT_GE(answered_at_first, 1u);
  EXPECT_LE(answered_at_first, 10u);
  EXPECT_EQ(kClients, ReadAndClose(sockets, std::chrono::seconds(30)));
  for (const pollfd& socket : sockets) close(socket.fd);
}

}  // namespace
}  // namespace stemedb::http::test
