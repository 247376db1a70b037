// SPDX-License-Identifier: Apache-2.0
// Peers that mean harm, on one loop and on two: senders that trickle, readers that stall, connections half
// closed or reset at every byte, pipelines of thousands, chunks of one byte, compression asked for in vain.
// After each of them the server answers others as before.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <thread>

#include "raw_client.h"
#include "test_server.h"

namespace stemedb::http::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

std::string Get(const std::string& target, const std::string& fields = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
std::string Post(const std::string& body, const std::string& fields = "") {
  return "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         fields + "\r\n" + body;
}
std::string Chunked(const std::string& chunks) {
  return "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks;
}

class HostilePeer : public testing::TestWithParam<size_t> {
 protected:
  HostilePeer() { options_.loops = GetParam(); }

  TestServer& Start() {
    server_ = std::make_unique<TestServer>(options_);
    return *server_;
  }
  // Enough connections that each loop has some.
  void ExpectServes() {
    for (int i = 0; i < 8; ++i) {
      RawClient client(server_->port(), Get("/hello"));
      std::optional<Answer> answer = client.Read();
      ASSERT_TRUE(answer);
      EXPECT_EQ("hello", answer->body);
    }
  }

  // Sends byte by byte, one each millisecond, until an answer comes, and says how long that took.
  static milliseconds Trickle(RawClient& client, char byte) {
    const auto begin = Clock::now();
    while (Clock::now() - begin < std::chrono::seconds(10) && client.Send({&byte, 1}) && !client.CanRead()) {
      std::this_thread::sleep_for(milliseconds(1));  // the trickle itself
    }
    return std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
  }

  void ExpectTimeoutOf(const std::string& begin, char byte) {
    RawClient client(server_->port(), begin);
    const milliseconds took = Trickle(client, byte);
    std::optional<Answer> answer = client.Read();
    ASSERT_TRUE(answer) << begin;
    EXPECT_EQ(408, answer->status) << begin;
    EXPECT_EQ("close", answer->field("connection"));
    EXPECT_GE(took.count(), 100) << begin;
    ExpectServes();
  }

  Options options_;
  std::unique_ptr<TestServer> server_;
};

TEST_P(HostilePeer, WhoTricklesAHeadGets408AtTheSameTimeWhereverItTrickles) {
  options_.timeouts.header_ms = 150;
  Start();
  ExpectTimeoutOf("G", 'A');                                                // the method
  ExpectTimeoutOf("GET /", 'a');                                            // the target
  ExpectTimeoutOf("GET /hello HTTP/1.1\r\nX", 'x');                         // a name
  ExpectTimeoutOf("GET /hello HTTP/1.1\r\nHost: a\r\nX:", ' ');             // a value
  ExpectTimeoutOf(Get("/hello").substr(0, Get("/hello").size() - 2), 'X');  // further fields
}

TEST_P(HostilePeer, WhoTricklesABodyGets408WhateverItsCoding) {
  options_.timeouts.body_ms = 150;
  options_.timeouts.body_bytes_per_second = 1 << 20;  // what trickles in earns no time
  Start();
  ExpectTimeoutOf("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", 'x');
  ExpectTimeoutOf(Chunked("1"), ' ');          // behind a chunk's size
  ExpectTimeoutOf(Chunked("1;"), 'e');         // an extension
  ExpectTimeoutOf(Chunked("186A0\r\n"), 'x');  // data
  ExpectTimeoutOf(Chunked("0\r\nX: "), 't');   // the trailer
}

TEST_P(HostilePeer, ManySlowSendersAreAllDroppedInTime) {
  options_.timeouts.header_ms = 300;
  TestServer& server = Start();
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 500; ++i)
    slow.push_back(std::make_unique<RawClient>(server.port(), "GET /hello HTTP/1.1\r\nX"));
  ExpectServes();
  for (auto& client : slow) {
    std::optional<Answer> answer = client->Read();
    ASSERT_TRUE(answer);
    EXPECT_EQ(408, answer->status);
  }
}

TEST_P(HostilePeer, WhoReadsNothingIsDroppedAndCostsNoMoreThanItsLimit) {
  options_.timeouts.write_stall_ms = 150;
  options_.timeouts.read_credit_ms = 0;  // what the sockets have taken buys no time
  TestServer& server = Start();
  constexpr int kAnswers = 40;
  constexpr size_t kBytes = 1'000'000;
  std::string burst;
  for (int i = 0; i < kAnswers; ++i) burst += Get("/big?" + std::to_string(kBytes));
  RawClient client(server.port(), 4096);
  client.Send(burst);
  server.WaitForRecords(1);
  ExpectServes();
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  bool dropped = false;
  while (!dropped && Clock::now() < deadline) {
    // Unread answers hide the server's farewell; the reset in answer to more bytes does not.
    dropped = !client.Send("x");
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_TRUE(dropped);
  size_t big = 0;
  for (const SeenRequest& seen : server.WaitForRecords(1)) big += seen.response_bytes > kBytes ? 1 : 0;
  EXPECT_LT(big, 20u);  // 1 MiB is queued before the server stops reading; the kernel takes a few
}

TEST_P(HostilePeer, WhoHalfClosesOrResetsAtAnyByteHarmsNobody) {
  TestServer& server = Start();
  const std::string messages[] = {
      Get("/hello", "X: y\r\n"), Post("a body"), Chunked("3;e=\"x\"\r\nabc\r\n0\r\nX: y\r\n\r\n"),
      Get("/later") + Get("/hello"),
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"};
  for (const std::string& bytes : messages) {
    for (size_t cut = 0; cut <= bytes.size(); ++cut) {
      RawClient reset(server.port(), std::string_view(bytes).substr(0, cut));
      if (cut % 2 == 0) server.Settle();
      reset.Reset();
      RawClient half(server.port(), std::string_view(bytes).substr(0, cut));
      half.EndSending();
      if (bytes.find("/later") != std::string::npos) {
        server.Settle();
        half.Reset();
        if (server.later_count() > 0) server.TakeLater(1);  // forgotten: answered with 500, to nobody
        continue;
      }
      for (const Answer& answer : half.ReadAll()) {
        EXPECT_TRUE(answer.status == 200 || answer.status == 100) << cut;
      }
    }
  }
  ExpectServes();
}

TEST_P(HostilePeer, WhoResetsWhileItsAnswerIsWrittenHarmsNobody) {
  TestServer& server = Start();
  for (int i = 0; i < 20; ++i) {
    RawClient client(server.port(), 4096);
    client.Send(Get("/big?5000000") + Get("/big?5000000") + Post(std::string(1000, 'x')));
    if (i % 2 == 0) server.WaitForRecords(static_cast<size_t>(i) / 2 + 1);
    client.Reset();
  }
  ExpectServes();
}

TEST_P(HostilePeer, PipelinesOfThousandsAreAnsweredToTheFirstFault) {
  TestServer& server = Start();
  constexpr int kRequests = 4000;
  RawClient client(server.port());
  std::thread sender([&] {
    std::string burst;
    for (int i = 0; i < kRequests; ++i) {
      const std::string number = std::to_string(i);
      burst += i % 3 == 0   ? Get("/items/" + number)
               : i % 3 == 1 ? Post(number)
                            : Chunked("1;x\r\n" + number.substr(0, 1) + "\r\n0\r\n\r\n");
    }
    client.Send(burst + "GET / HTTP/1.1\nHost: a\r\n\r\n" + Get("/hello"));
  });
  for (int i = 0; i < kRequests; ++i) {
    std::optional<Answer> answer = client.Read();
    ASSERT_TRUE(answer) << i;
    ASSERT_EQ(i % 3 == 2 ? std::to_string(i).substr(0, 1) : std::to_string(i), answer->body);
  }
  sender.join();
  EXPECT_EQ(400, client.Read()->status);
  EXPECT_TRUE(client.ReadsEnd());
}

TEST_P(HostilePeer, ABodyInChunksOfOneByteCostsNoMoreThanItsBytes) {
  TestServer& server = Start();
  constexpr int kChunks = 200'000;
  std::string chunks;
  for (int i = 0; i < kChunks; ++i) chunks += "1\r\nx\r\n";
  RawClient client(server.port());
  std::thread sender([&] { client.Send(Chunked(chunks + "0\r\n\r\n")); });
  std::optional<Answer> answer = client.Read();
  sender.join();
  ASSERT_TRUE(answer);
  EXPECT_EQ(std::string(kChunks, 'x'), answer->body);
}

TEST_P(HostilePeer, ChunksThatAreAllExtensionOrTrailerOrAnnounceTooMuchAreRefused) {
  TestServer& server = Start();
  auto status = [&](const std::string& chunks) {
    RawClient client(server.port());
    std::thread sender([&] { client.Send(Chunked(chunks)); });
    std::optional<Answer> answer = client.Read();
    sender.join();
    return answer ? answer->status : 0;
  };
  EXPECT_EQ(400, status("1;" + std::string(1 << 20, 'e')));
  EXPECT_EQ(400, status("1;a=\"" + std::string(1 << 20, ' ')));
  EXPECT_EQ(400, status("1" + std::string(1 << 20, ' ')));
  EXPECT_EQ(400, status(std::string(1 << 20, '0')));
  EXPECT_EQ(413, status("FFFFFFFFFFFFFFF\r\n"));
  EXPECT_EQ(413, status("1000000\r\n" + std::string(1 << 24, 'x') + "\r\n1\r\n"));  // 16 MiB and one byte
  std::string trailer;
  for (int i = 0; i < 100'000; ++i) trailer += "X: y\r\n";
  EXPECT_EQ(431, status("0\r\n" + trailer));
  EXPECT_EQ(431, status("0\r\n" + std::string(1 << 20, 'X')));
}

TEST_P(HostilePeer, AcceptEncodingOfAnyKindGetsAnAnswerThatItAllows) {
  TestServer& server = Start();
  const std::pair<std::string, bool> fields[] = {
      {"gzip", true},
      {"*", true},
      {"GZIP;Q=1.000", true},
      {"gzip;q=0", false},
      {"identity", false},
      {"gzip;q=0.001, identity;q=0", true},
      {"gzip;q=0.1, identity;q=0.5", false},
      {"br, zstd, deflate", false},
      {"gzip;q=1.0000", false},
      {"gzip;q=2", false},
      {"gzip;q=-1", false},
      {"gzip;q=nan", false},
      {"gzip;q=", false},
      {",,,,gzip,,,,", true},
      {std::string(3000, ','), false},
      {"gzip;" + std::string(3000, 'q'), false},
  };
  for (const auto& [field, compressed] : fields) {
    RawClient client(server.port(), Get("/big?5000", "Accept-Encoding: " + field + "\r\n"));
    std::optional<Answer> answer = client.Read();
    ASSERT_TRUE(answer) << field;
    EXPECT_EQ(compressed ? "gzip" : "", answer->field("content-encoding")) << field;
  }
  std::string many;
  for (int i = 0; i < 90; ++i) many += "Accept-Encoding: gzip;q=0." + std::to_string(i) + "\r\n";
  RawClient client(server.port(), Get("/big?5000", many));
  EXPECT_EQ(200, client.Read()->status);
}

TEST_P(HostilePeer, ThousandsOfConnectionsThatComeAndGoLeaveNothingBehind) {
  options_.limits.connections_max = 64;
  TestServer& server = Start();
  for (int i = 0; i < 3000; ++i) {
    RawClient client(server.port(), i % 3 == 0 ? "" : i % 3 == 1 ? "GET /hel" : Get("/hello"));
    if (i % 2 == 0) client.Reset();
  }
  server.Settle();
  ExpectServes();  // none of them still counts
}

INSTANTIATE_TEST_SUITE_P(OnLoops, HostilePeer, testing::Values(1, 2));

}  // namespace
}  // namespace stemedb::http::test
