// SPDX-License-Identifier: Apache-2.0
// What the kernel says of a connection on this machine.
#include "http/socket_queue.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace stemedb::http {
namespace {

constexpr int kPatienceMs = 20'000;

// Two ends of a TCP connection; `theirs` has a small receive buffer.
class Pair {
 public:
  Pair() {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(0, bind(listener, reinterpret_cast<const sockaddr*>(&at), size));
    EXPECT_EQ(0, listen(listener, 1));
    EXPECT_EQ(0, getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size));
    theirs = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int small = 4096;
    setsockopt(theirs, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    EXPECT_EQ(0, connect(theirs, reinterpret_cast<const sockaddr*>(&at), sizeof at));
    ours = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    EXPECT_GE(ours, 0);
    close(listener);
  }
  ~Pair() {
    close(ours);
    if (theirs >= 0) close(theirs);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  // Writes as much as the socket takes of `bytes`.
  size_t Write(size_t bytes) const {
    const std::string piece(16 * 1024, 'x');
    size_t written = 0;
    while (written < bytes) {
      const ssize_t count = send(ours, piece.data(), std::min(piece.size(), bytes - written), MSG_NOSIGNAL);
      if (count <= 0) break;
      written += static_cast<size_t>(count);
    }
    return written;
  }
  void Read(size_t bytes) const {
    std::array<char, 16 * 1024> piece{};
    while (bytes > 0) {
      pollfd wait{theirs, POLLIN, 0};
      ASSERT_GT(poll(&wait, 1, kPatienceMs), 0);
      const ssize_t count = recv(theirs, piece.data(), std::min(piece.size(), bytes), 0);
      ASSERT_GT(count, 0);
      bytes -= static_cast<size_t>(count);
    }
  }

  int ours = -1, theirs = -1;
};

TEST(SocketQueue, TellsWhatThePeerHasNotAcknowledged) {
  const Pair pair;
  const auto at_first = UnacknowledgedBytes(pair.ours);
  if (!at_first) GTEST_SKIP() << "this kernel doesn't say";
  EXPECT_EQ(0u, *at_first);
  constexpr size_t kBytes = 100'000;
  ASSERT_EQ(kBytes, pair.Write(kBytes));
  const size_t unread = *UnacknowledgedBytes(pair.ours);
  EXPECT_GT(unread, kBytes / 2);
  EXPECT_LE(unread, kBytes);
  pair.Read(kBytes / 2);
  EXPECT_LT(*UnacknowledgedBytes(pair.ours), unread);
  pair.Read(kBytes / 2);
  // The last acknowledgement may be held back for a moment: an empty read is no sign of it.
  for (int round = 0; round < 2000 && *UnacknowledgedBytes(pair.ours) > 0; ++round) usleep(1000);
  EXPECT_EQ(0u, *UnacknowledgedBytes(pair.ours));
}

TEST(SocketQueue, SaysNothingOfWhatIsNoConnection) {
  std::array<int, 2> ends{};
  ASSERT_EQ(0, pipe(ends.data()));
  EXPECT_FALSE(UnacknowledgedBytes(ends[1]));
  EXPECT_FALSE(BoundUnsentBytes(ends[1], 1));
  EXPECT_TRUE(HasFailed(ends[1]));
  for (const int end : ends) close(end);
  EXPECT_FALSE(UnacknowledgedBytes(-1));
  EXPECT_FALSE(BoundUnsentBytes(-1, 1));
}

TEST(SocketQueue, ABoundedSocketTakesLittleForWhoDoesNotRead) {
  const Pair pair;
  constexpr size_t kBound = 64 * 1024;
  if (!BoundUnsentBytes(pair.ours, kBound)) GTEST_SKIP() << "this kernel doesn't know how";
  const size_t taken = pair.Write(64 * 1024 * 1024);
  EXPECT_GE(taken, kBound / 2);
  EXPECT_LE(taken, 4 * kBound);  // what is on its way, and a segment beyond the bound
}

TEST(SocketQueue, TellsOfAReset) {
  Pair pair;
  EXPECT_FALSE(HasFailed(pair.ours));
  const linger now{1, 0};
  setsockopt(pair.theirs, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(std::exchange(pair.theirs, -1));
  pollfd wait{pair.ours, POLLIN, 0};
  ASSERT_GT(poll(&wait, 1, kPatienceMs), 0);
  EXPECT_TRUE(HasFailed(pair.ours));
}

}  // namespace
}  // namespace stemedb::http
