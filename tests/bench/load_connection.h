// SPDX-License-Identifier: Apache-2.0
// A client's connection that posts NDJSON batches and waits for each answer: blocking, kept alive, opened
// again when the server closed it. It knows just as much HTTP as the answers to such requests need.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace stemedb::bench {

struct BatchAnswer {
  int status = 0;
  int retry_after_s = 0;  // of a 503
  uint64_t created = 0;
  uint64_t duplicates = 0;
  uint64_t refused = 0;
  std::string body;
};

// "127.0.0.1:18180".
Result<sockaddr_in> ParseHostPort(std::string_view text);

// Belongs to one thread.
class LoadConnection {
 public:
  explicit LoadConnection(const sockaddr_in& address) : address_(address) {}
  ~LoadConnection() { Close(); }
  LoadConnection(const LoadConnection&) = delete;
  LoadConnection& operator=(const LoadConnection&) = delete;

  // kIoError when the connection fails or the answer is none.
  Status PostBatch(std::string_view ndjson, BatchAnswer& answer);

 private:
  Status Connect();
  Status Send(std::string_view bytes);
  Status Receive(BatchAnswer& answer);
  void Close();

  const sockaddr_in address_;
  int fd_ = -1;
  std::string input_;
};

}  // namespace stemedb::bench
