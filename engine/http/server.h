// SPDX-License-Identifier: Apache-2.0
// Server: an HTTP/1.1 server of several loops that share one port. It knows protocol, limits and time-outs,
// and no word of what it serves: that is the Services' business.
//
// Start, Drain, Stop and the destructor belong to one thread, which must not be a loop's. Start ignores
// SIGPIPE for the whole process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "http/loop.h"
#include "http/service.h"

namespace stemedb::http {

struct Limits {
  size_t target_bytes_max = 8 * 1024;
  size_t header_bytes_max = 16 * 1024;  // request line, fields and line ends together
  size_t header_count_max = 100;
  size_t body_bytes_max = 16 * 1024 * 1024;  // for routes that name no limit of their own
  size_t pipelined_max = 64;                 // requests in flight on a connection; then it isn't read
  size_t output_bytes_max = 1024 * 1024;     // unsent answers of a connection; then it isn't read
  // Memory of all requests' bodies of one loop, read or in flight. Beyond it a request with a body gets 503
  // and its connection is closed.
  size_t body_bytes_total_max = 256 * 1024 * 1024;
  // Memory of all answers of one loop that wait for their readers, or for an earlier answer. Beyond it the
  // connections that hold most of it are closed, the largest first.
  size_t output_bytes_total_max = 256 * 1024 * 1024;
  // Unsent bytes of a streaming answer; who has more waiting when a further piece comes is dropped.
  size_t stream_output_bytes_max = 256 * 1024;
  size_t connections_max = 16384;  // for each loop; further ones get 503 and are closed
};

struct Timeouts {
  uint64_t header_ms = 10'000;  // from a request's first byte to the end of its head
  // A body may take body_ms plus one second for each body_bytes_per_second that has arrived.
  uint64_t body_ms = 10'000;
  uint64_t body_bytes_per_second = 16 * 1024;
  uint64_t idle_ms = 60'000;  // between requests, and between the pieces of a streaming answer
  // An answer's reader may take write_stall_ms, plus one second for each read_bytes_per_second that it has
  // acknowledged; of these seconds it keeps at most read_credit_ms (reader_pace.h). A streaming answer's
  // reader has write_stall_ms again whenever it acknowledges anything.
  uint64_t write_stall_ms = 30'000;
  uint64_t read_bytes_per_second = 1024;
  uint64_t read_credit_ms = 150'000;
  uint64_t linger_ms = 2'000;  // after the last answer was read, until the peer closes
  uint64_t drain_ms = 10'000;  // from Drain to the end of requests in flight
};

struct Options {
  std::string address = "127.0.0.1";  // numeric IPv4 or IPv6, or "localhost"
  uint16_t port = 0;                  // 0 lets the system choose: see Server::port
  size_t loops = 1;
  std::string thread_name = "http";  // loops are named http-0, http-1 ...
  Limits limits;
  Timeouts timeouts;
  std::vector<std::string> allowed_origins;  // for CORS; "*" allows every origin
  size_t gzip_bytes_min = 1024;              // smaller answers aren't worth compressing
};

class LoopThread;

class Server {
 public:
  // Binds, makes the services and accepts from the moment it returns. Fails with kUnavailable and reason
  // "address_in_use" when another socket listens on the port, also if that is a second instance of this
  // server.
  static Result<std::unique_ptr<Server>> Start(Options options, const ServiceFactory& factory);
  ~Server();  // Stop
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  uint16_t port() const { return port_; }
  size_t loop_count() const { return loops_.size(); }
  Loop& loop(size_t index);

  // Stops accepting, closes idle connections and lets requests in flight finish. Doesn't wait.
  void Drain();
  // Drain, then waits until the last connection is gone or the drain time-out has cut it off, and joins the
  // threads. Afterwards posts are refused. Repeats do nothing.
  void Stop();

 private:
  explicit Server(Options options);

  const Options options_;
  uint16_t port_ = 0;
  std::vector<std::unique_ptr<LoopThread>> loops_;
};

}  // namespace stemedb::http
