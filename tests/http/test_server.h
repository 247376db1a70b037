// SPDX-License-Identifier: Apache-2.0
// TestServer: a real Server with a small service:
//   GET  /hello          "hello"
//   POST /echo           the body; GET too
//   POST /small          the body, at most 100 bytes
//   GET  /items/{id}     the id; /items/{id}/parts/{part}: both
//   GET  /big?N          N bytes of text
//   GET  /later          kept until the test answers it
//   GET  /forgotten      dropped without an answer
//   GET  /refused, POST  OnHeaders answers 429
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "http/server.h"

namespace stemedb::http::test {

// A RequestRecord that owns its text.
struct SeenRequest {
  std::string method, route, target, request_id;
  int status = 0;
  bool refused_by_server = false;
  size_t request_bytes = 0, response_bytes = 0;
  double seconds = 0;
};

class TestServer {
 public:
  explicit TestServer(Options options = {});
  ~TestServer();

  uint16_t port() const { return server_->port(); }
  Server& server() { return *server_; }
  std::string url(const std::string& path) const;

  // Waits until the loops have read everything that was sent before the call.
  void Settle();
  // Waits for `count` requests to /later and gives them away, in the order in which they came.
  std::vector<ExchangePtr> TakeLater(size_t count);
  // Waits for `count` finished requests, and gives all there are.
  std::vector<SeenRequest> WaitForRecords(size_t count);
  size_t later_count();

 private:
  class TestService;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ExchangePtr> later_;
  std::vector<SeenRequest> records_;
  std::unique_ptr<Server> server_;
};

// Answers on the exchange's loop, from any thread.
void AnswerFromOutside(ExchangePtr exchange, std::string body);

}  // namespace stemedb::http::test
