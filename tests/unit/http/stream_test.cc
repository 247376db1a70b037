// SPDX-License-Identifier: Apache-2.0
// Answers that come in pieces, seen from the peer's side of a real socket.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "http/server.h"
#include "http/socket_queue.h"

namespace stemedb::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

constexpr auto kPatience = std::chrono::seconds(20);
constexpr std::string_view kLastChunk = "\r\n0\r\n\r\n";

// A connection that sends and reads plain bytes.
class Peer {
 public:
  explicit Peer(uint16_t port, const std::string& bytes, int receive_buffer_bytes = 0)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (receive_buffer_bytes > 0)
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(0, connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to));
    Send(bytes);
  }
  ~Peer() { close(fd_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void Send(const std::string& bytes) { send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  void EndSending() { shutdown(fd_, SHUT_WR); }
  // All that has come, once it holds `text`; what came before the end otherwise.
  const std::string& ReadUntil(std::string_view text) {
    while (got_.find(text) == std::string::npos && Fill()) {
    }
    return got_;
  }
  // All that came until the server closed.
  const std::string& ReadAll() {
    while (Fill()) {
    }
    return got_;
  }
  // Some more of what has come, `most` bytes at the most; false at the end.
  bool Take(size_t most) { return Fill(most); }
  const std::string& got() const { return got_; }
  bool has_ended() const { return ended_; }

 private:
  bool Fill(size_t most = 16384) {
    char bytes[16384];
    const ssize_t count = recv(fd_, bytes, std::min(most, sizeof bytes), 0);
    ended_ = count == 0;
    if (count > 0) got_.append(bytes, static_cast<size_t>(count));
    return count > 0;
  }

  int fd_;
  bool ended_ = false;  // by FIN
  std::string got_;
};

// To try out what this kernel knows.
struct AnySocket {
  ~AnySocket() { close(fd); }
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

std::string Get(const std::string& target, const std::string& fields = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

// Serves GET /stream?FIRST (a stream that begins with FIRST, kept by the test), /later (kept unanswered),
// /hello.
class Stream : public ::testing::Test {
 protected:
  ~Stream() override {
    {
      const std::lock_guard lock(mutex_);
      kept_.clear();
    }
    server_.reset();
  }

  void Serve(const Options& options = {}) {
    auto started = Server::Start(options, [this](Loop&) -> Result<std::unique_ptr<Service>> {
      return {std::make_unique<TestService>(*this)};
    });
    ASSERT_TRUE(started) << started.error().message();
    server_ = std::move(*started);
  }
  uint16_t port() const { return server_->port(); }

  // The oldest exchange that was kept and not taken yet.
  ExchangePtr Take() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return !kept_.empty(); }));
    ExchangePtr taken = std::move(kept_.front());
    kept_.erase(kept_.begin());
    return taken;
  }
  // Runs `task` on the server's loop and waits for it.
  template <typename Task>
  void OnLoop(Task task) {
    std::promise<void> done;
    ASSERT_TRUE(server_->loop(0).Post([&] {
      task();
      done.set_value();
    }));
    done.get_future().wait();
  }
  bool BecomesTrue(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      bool is_true = false;
      OnLoop([&] { is_true = condition(); });
      if (is_true) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }
  size_t hellos() {
    const std::lock_guard lock(mutex_);
    return hellos_;
  }
  std::vector<int> statuses() {
    const std::lock_guard lock(mutex_);
    return statuses_;
  }

  std::unique_ptr<Server> server_;

 private:
  class TestService : public Service, public Observer {
   public:
    explicit TestService(Stream& owner) : owner_(owner) {
      const auto add = [&](const char* path, Handler handler) {
        router_.Add({path, {Method::kGet}, std::move(handler), 0, {}});
      };
      add("/stream", [this](ExchangePtr e) {
        Response head;
        head.content_type = "text/event-stream";
        head.body = std::string(e->request().query);
        e->StartStream(std::move(head));
        Keep(std::move(e));
      });
      add("/later", [this](ExchangePtr e) { Keep(std::move(e)); });
      add("/hello", [this](ExchangePtr e) {
        {
          const std::lock_guard lock(owner_.mutex_);
          ++owner_.hellos_;
        }
        Response response;
        response.body = "hello";
        e->Respond(std::move(response));
      });
    }
    const Router& router() const override { return router_; }
    Observer* observer() override { return this; }
    void OnRequestDone(const RequestRecord& record) override {
      const std::lock_guard lock(owner_.mutex_);
      owner_.statuses_.push_back(record.status);
    }

   private:
    void Keep(ExchangePtr exchange) {
      const std::lock_guard lock(owner_.mutex_);
      owner_.kept_.push_back(std::move(exchange));
      owner_.changed_.notify_all();
    }
    Stream& owner_;
    Router router_;
  };

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ExchangePtr> kept_;
  std::vector<int> statuses_;
  size_t hellos_ = 0;
};

TEST_F(Stream, ItsPiecesAreChunksAndItIsCountedOnce) {
  Serve();
  Peer peer(port(), Get("/stream?first", "Accept-Encoding: gzip\r\n"));
  const ExchangePtr stream = Take();
  peer.ReadUntil("first\r\n");
  EXPECT_EQ(statuses(), std::vector<int>{200});
  OnLoop([&] {
    stream->Send("one");
    stream->Send("");
    stream->Send(std::string(17, 'x'));
    stream->EndStream();
    stream->EndStream();
    stream->Send("nobody hears this");
  });
  const std::string& all = peer.ReadAll();
  EXPECT_TRUE(peer.has_ended());
  EXPECT_THAT(all, HasSubstr("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(all, HasSubstr("Content-Type: text/event-stream\r\n"));
  EXPECT_THAT(all, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(all, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(all, Not(HasSubstr("Content-Length")));
  EXPECT_THAT(all, Not(HasSubstr("Content-Encoding")));
  EXPECT_EQ(all.substr(all.find("\r\n\r\n") + 4),
            "5\r\nfirst\r\n3\r\none\r\n11\r\n" + std::string(17, 'x') + "\r\n0\r\n\r\n");
  EXPECT_EQ(statuses(), std::vector<int>{200});
}

TEST_F(Stream, ForHttp10ItEndsWithTheConnection) {
  Serve();
  Peer peer(port(), "GET /stream?first HTTP/1.0\r\n\r\n");
  const ExchangePtr stream = Take();
  OnLoop([&] {
    stream->Send("second");
    stream->EndStream();
  });
  const std::string& all = peer.ReadAll();
  EXPECT_TRUE(peer.has_ended());
  EXPECT_THAT(all, Not(HasSubstr("Transfer-Encoding")));
  EXPECT_THAT(all, EndsWith("\r\n\r\nfirstsecond"));
}

TEST_F(Stream, OfHeadIsTheHeadAlone) {
  Serve();
  Peer peer(port(), "HEAD /stream?first HTTP/1.1\r\nHost: a\r\n\r\n");
  const ExchangePtr stream = Take();
  OnLoop([&] { stream->Send("second"); });
  const std::string& all = peer.ReadAll();
  EXPECT_TRUE(peer.has_ended());
  EXPECT_THAT(all, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(all, EndsWith("\r\n\r\n"));
  EXPECT_THAT(all, Not(HasSubstr("first")));
}

TEST_F(Stream, RequestsBehindItAreNotAnswered) {
  Serve();
  Peer peer(port(), Get("/stream?first") + Get("/hello"));
  const ExchangePtr stream = Take();
  peer.Send(Get("/hello"));
  peer.ReadUntil("first");
  OnLoop([&] { stream->Send("second"); });
  peer.ReadUntil("second");
  OnLoop([&] { stream->EndStream(); });
  EXPECT_THAT(peer.ReadAll(), EndsWith("second" + std::string(kLastChunk)));
  EXPECT_EQ(hellos(), 0u);
}

TEST_F(Stream, RequestsThatWereTakenBeforeItBeganAreForgotten) {
  Serve();
  Peer peer(port(), Get("/later") + Get("/hello") + "GET /hel");
  ExchangePtr later = Take();
  ASSERT_TRUE(BecomesTrue([&] { return hellos() == 1; }));
  OnLoop([&] {
    Response head;
    head.body = "late";
    later->StartStream(std::move(head));
    later->EndStream();
  });
  const std::string& all = peer.ReadAll();
  EXPECT_THAT(all, EndsWith("late" + std::string(kLastChunk)));
  EXPECT_THAT(all, Not(HasSubstr("hello")));
  OnLoop([&] { later = {}; });
}

TEST_F(Stream, WaitsForTheAnswersOfEarlierRequests) {
  Serve();
  Peer peer(port(), Get("/later") + Get("/stream?first"));
  ExchangePtr later = Take();
  const ExchangePtr stream = Take();
  OnLoop([&] {
    stream->Send("second");
    EXPECT_EQ(stream->unsent_bytes(), 11u);
    Response response;
    response.body = "earlier";
    later->Respond(std::move(response));
    stream->EndStream();
  });
  const std::string& all = peer.ReadAll();
  EXPECT_THAT(all, HasSubstr("earlierHTTP/1.1 200"));
  EXPECT_THAT(all, EndsWith("\r\n\r\nb\r\nfirstsecond" + std::string(kLastChunk)));
}

TEST_F(Stream, EndsWithThePeersFin) {
  Serve();
  Peer peer(port(), Get("/stream?first"));
  const ExchangePtr stream = Take();
  peer.ReadUntil("first");
  peer.EndSending();
  EXPECT_TRUE(BecomesTrue([&] { return !stream->peer_waits(); }));
  OnLoop([&] {
    stream->Send("to nobody");
    EXPECT_EQ(stream->unsent_bytes(), 0u);
  });
}

TEST_F(Stream, EndsWhenItsLastHolderLetsGo) {
  Serve();
  Peer peer(port(), Get("/stream?first"));
  ExchangePtr stream = Take();
  stream = {};  // on this thread
  EXPECT_THAT(peer.ReadAll(), EndsWith("first" + std::string(kLastChunk)));
}

TEST_F(Stream, WhoDoesNotReadIsDroppedAndOthersAreServed) {
  Options options;
  options.limits.stream_output_bytes_max = 64 * 1024;
  options.timeouts.write_stall_ms = 600'000;  // that it's the bound which closes
  Serve(options);
  Peer stuck(port(), Get("/stream?first"), 4096);
  const ExchangePtr unread = Take();
  Peer reader(port(), Get("/stream?first"));
  const ExchangePtr read = Take();
  const std::string piece(32 * 1024, 'x');
  size_t most = 0;
  for (int i = 0; i < 4000 && unread->peer_waits(); ++i) {
    OnLoop([&] {
      unread->Send(piece);
      most = std::max(most, unread->unsent_bytes());
    });
  }
  EXPECT_FALSE(unread->peer_waits());
  EXPECT_LE(most, 64 * 1024 + piece.size() + 16);
  OnLoop([&] {
    read->Send("still here");
    read->EndStream();
  });
  EXPECT_THAT(reader.ReadAll(), EndsWith("still here" + std::string(kLastChunk)));
}

TEST_F(Stream, WhoTakesNothingIsDroppedAfterTheStallTimeout) {
  Options options;
  options.timeouts.write_stall_ms = 100;
  options.timeouts.read_credit_ms = 0;  // what the sockets have taken buys no time
  options.limits.stream_output_bytes_max = 64 * 1024 * 1024;
  Serve(options);
  Peer stuck(port(), Get("/stream?first"), 4096);
  const ExchangePtr stream = Take();
  OnLoop([&] { stream->Send(std::string(32 * 1024 * 1024, 'x')); });  // more than sockets take
  EXPECT_TRUE(BecomesTrue([&] { return !stream->peer_waits(); }));
}

// So slowly that a socket's buffer shows nothing of it within the time-out, and far below the rate that an
// answer is held to.
TEST_F(Stream, WhoReadsSlowlyLagsAndMissesNothing) {
  constexpr uint64_t kStallMs = 1'000;
  if (!UnacknowledgedBytes(AnySocket().fd)) GTEST_SKIP() << "this kernel doesn't tell what was acknowledged";
  Options options;
  options.timeouts.write_stall_ms = kStallMs;
  options.timeouts.read_bytes_per_second = uint64_t{1} << 30;
  options.limits.stream_output_bytes_max = 64 * 1024 * 1024;
  Serve(options);
  Peer slow(port(), Get("/stream?first"), 4096);
  const ExchangePtr stream = Take();
  std::string piece;
  while (piece.size() < 8'000'000) piece += std::to_string(piece.size()) + "\n";
  OnLoop([&] { stream->Send(piece); });
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(5 * kStallMs / 2);
  while (std::chrono::steady_clock::now() < until && slow.Take(2048)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(40));  // the slowness itself
  }
  EXPECT_LT(slow.got().size(), 200'000u);  // some of it is being read, most of it waits
  EXPECT_TRUE(stream->peer_waits());
  OnLoop([&] {
    stream->Send("last");
    stream->EndStream();
  });
  const std::string& all = slow.ReadAll();
  EXPECT_TRUE(slow.has_ended());
  EXPECT_NE(all.find(piece), std::string::npos);
  EXPECT_THAT(all.substr(all.size() - 64), EndsWith("4\r\nlast" + std::string(kLastChunk)));
}

TEST_F(Stream, LeavesLittleInTheKernelForWhoDoesNotRead) {
  if (!BoundUnsentBytes(AnySocket().fd, 1)) GTEST_SKIP() << "this kernel doesn't know how";
  Options options;
  options.timeouts.write_stall_ms = 600'000;
  Serve(options);
  Peer stuck(port(), Get("/stream?first"), 4096);
  const ExchangePtr stream = Take();
  const std::string piece(16 * 1024, 'x');
  size_t sent = 0, unsent = 0;
  while (unsent < 128 * 1024 && sent < 64 * 1024 * 1024) {
    OnLoop([&] {
      unsent = stream->unsent_bytes();
      stream->Send(piece);
    });
    sent += piece.size();
  }
  EXPECT_TRUE(stream->peer_waits());
  EXPECT_LT(sent, 1024 * 1024u);  // without a bound it would be megabytes
}

TEST_F(Stream, ThatSendsNothingIsCutOffAfterTheIdleTimeout) {
  Options options;
  options.timeouts.idle_ms = 200;
  Serve(options);
  Peer peer(port(), Get("/stream?first"));
  const ExchangePtr stream = Take();
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(600);
  bool waits = true;
  while (waits && std::chrono::steady_clock::now() < until) {
    OnLoop([&] {
      stream->Send(".");
      waits = stream->peer_waits();
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(BecomesTrue([&] { return !stream->peer_waits(); }));
  EXPECT_THAT(peer.ReadAll(), HasSubstr("1\r\n.\r\n"));
}

TEST_F(Stream, ADrainEndsIt) {
  Serve();
  Peer peer(port(), Get("/stream?first"));
  const ExchangePtr stream = Take();
  peer.ReadUntil("first");
  server_->Drain();
  EXPECT_THAT(peer.ReadAll(), EndsWith("first" + std::string(kLastChunk)));
  EXPECT_TRUE(peer.has_ended());
}

}  // namespace
}  // namespace stemedb::http
