// SPDX-License-Identifier: Apache-2.0
// Peers that read their answers slowly, and those that only seem to.
//
// What a socket has room for changes in large steps, a third of a buffer of megabytes on this machine's own
// network; what a peer has acknowledged is seen at once. These tests read less than such a step, and so can't
// pass where the server sees the former alone: they are left out on kernels that don't tell the latter.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "http/socket_queue.h"
#include "raw_client.h"
#include "test_server.h"

namespace stemedb::http::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kSmallWindow = 4096;
constexpr size_t kInTheKernel = 1'000'000;  // what a socket takes at once for a peer that reads nothing
constexpr size_t kMore = 8'000'000;         // more than that

std::string Get(const std::string& target, const std::string& fields = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
std::string Big(size_t bytes, const std::string& fields = "") {
  return Get("/big?" + std::to_string(bytes), fields);
}

// A client that takes as much as it is told to, when it is told to.
class SlowReader : public ::testing::Test {
 protected:
  void SetUp() override {
    const int any = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool tells = UnacknowledgedBytes(any).has_value();
    close(any);
    if (!tells) GTEST_SKIP() << "this kernel doesn't tell what was acknowledged";
  }

  // False when the server has ended the connection, or sends nothing for ten seconds.
  static bool Take(const RawClient& client, std::string& got, size_t most) {
    pollfd wait{client.fd(), POLLIN, 0};
    if (poll(&wait, 1, kPatienceMs) <= 0) return false;
    std::string bytes(most, '\0');
    const ssize_t count = recv(client.fd(), bytes.data(), most, 0);
    if (count > 0) got.append(bytes, 0, static_cast<size_t>(count));
    return count > 0;
  }
  // Takes `piece` bytes now and then until `until`; false when the server has ended the connection before.
  static bool Trickle(const RawClient& client, std::string& got, size_t piece, milliseconds rest,
                      Clock::time_point until) {
    while (Clock::now() < until) {
      if (!Take(client, got, piece)) return false;
      std::this_thread::sleep_for(rest);  // the slowness itself
    }
    return true;
  }
  static size_t BodyBytes(const std::string& got) {
    const size_t head = got.find("\r\n\r\n");
    return head == std::string::npos ? 0 : got.size() - head - 4;
  }
  // Whether the connection is reset within ten seconds, though nothing is read.
  static bool IsReset(const RawClient& client) {
    pollfd wait{client.fd(), 0, 0};
    return poll(&wait, 1, kPatienceMs) > 0 && (wait.revents & POLLERR) != 0;
  }
};

TEST_F(SlowReader, GetsItsWholeAnswer) {
  Options options;
  options.timeouts.write_stall_ms = 1'000;
  options.timeouts.read_credit_ms = 0;  // each acknowledgement must be seen in time
  TestServer server(options);
  RawClient client(server.port(), kSmallWindow);
  client.Send(Big(kMore));
  std::string got;
  ASSERT_TRUE(Trickle(client, got, 2048, milliseconds(15), Clock::now() + milliseconds(2'500)));
  EXPECT_LT(BodyBytes(got), 400'000u);  // less than a socket would show
  while (BodyBytes(got) < kMore && Take(client, got, 256 * 1024)) {
  }
  EXPECT_EQ(kMore, BodyBytes(got));
}

// It acknowledges some kilobytes again and again, but would take eighty seconds.
TEST_F(SlowReader, IsDroppedWhenItReadsALittleNowAndThenForEver) {
  Options options;
  options.timeouts.write_stall_ms = 500;
  options.timeouts.read_bytes_per_second = 1024 * 1024;
  TestServer server(options);
  RawClient client(server.port(), kSmallWindow);
  client.Send(Big(kMore));
  std::string got;
  EXPECT_FALSE(Trickle(client, got, 2048, milliseconds(20), Clock::now() + milliseconds(kPatienceMs)));
  EXPECT_LT(BodyBytes(got), kMore / 2);
}

TEST_F(SlowReader, HasTimeForWhatItHasTakenBefore) {
  Options options;
  options.timeouts.write_stall_ms = 300;
  options.timeouts.read_bytes_per_second = 1024 * 1024;
  TestServer server(options);
  RawClient client(server.port(), 64 * 1024);
  client.Send(Big(4 * kMore));
  std::string got;
  while (BodyBytes(got) < 2 * kMore && Take(client, got, 256 * 1024)) {
  }
  std::this_thread::sleep_for(milliseconds(1'500));  // five times what who has taken nothing gets
  while (BodyBytes(got) < 4 * kMore && Take(client, got, 256 * 1024)) {
  }
  EXPECT_EQ(4 * kMore, BodyBytes(got));
}

// What the kernel has taken the peer need not have read.
TEST_F(SlowReader, IsNotIdleWhileItsAnswerIsInTheKernel) {
  Options options;
  options.timeouts.idle_ms = 500;
  TestServer server(options);
  RawClient reader(server.port(), kSmallWindow);
  reader.Send(Big(kInTheKernel));
  server.WaitForRecords(1);
  RawClient idle(server.port());
  EXPECT_TRUE(idle.ReadsEnd());  // by now the time-out has struck for those whom it meets
  std::optional<Answer> answer = reader.Read();
  ASSERT_TRUE(answer);
  EXPECT_EQ(kInTheKernel, answer->body.size());
  reader.Send(Get("/hello"));
  answer = reader.Read();
  ASSERT_TRUE(answer);
  EXPECT_EQ("hello", answer->body);
}

TEST_F(SlowReader, CantKeepItsAnswerInTheKernelForEver) {
  Options options;
  options.timeouts.write_stall_ms = 200;
  options.timeouts.read_credit_ms = 0;
  options.timeouts.linger_ms = 50;
  options.timeouts.idle_ms = 300;
  TestServer server(options);
  for (const char* ending : {"keeps the connection", "has said it's the last", "has closed its side"}) {
    SCOPED_TRACE(ending);
    const std::string_view which(ending);
    RawClient client(server.port(), kSmallWindow);
    client.Send(Big(kInTheKernel, which == "has said it's the last" ? "Connection: close\r\n" : ""));
    if (which == "has closed its side") client.EndSending();
    EXPECT_TRUE(IsReset(client));
    EXPECT_FALSE(client.Read());
  }
}

// Of one that has closed its side nothing is read any more that could tell of its end.
TEST_F(SlowReader, WhoIsGoneIsNotWaitedFor) {
  Options options;
  options.timeouts.write_stall_ms = 600'000;
  options.timeouts.linger_ms = 50;
  options.limits.connections_max = 1;
  for (const char* fields : {"", "Connection: close\r\n"}) {
    SCOPED_TRACE(fields);
    TestServer server(options);
    RawClient gone(server.port(), kSmallWindow);
    gone.Send(Big(kInTheKernel, fields));
    gone.EndSending();
    server.Settle();
    gone.Reset();
    bool has_room = false;
    for (const auto until = Clock::now() + milliseconds(kPatienceMs); !has_room && Clock::now() < until;) {
      RawClient next(server.port(), Get("/hello", "Connection: close\r\n"));
      const std::optional<Answer> answer = next.Read();
      has_room = answer && answer->status == 200;
    }
    EXPECT_TRUE(has_room);
  }
}

}  // namespace
}  // namespace stemedb::http::test
