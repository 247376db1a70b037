// SPDX-License-Identifier: Apache-2.0
// RawClient: a TCP socket and a reader of HTTP answers that shares no code with the server. It sends exactly
// the bytes that it is given. Every wait is bounded by kPatience; a test that runs into it fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stemedb::http::test {

inline constexpr int kPatienceMs = 10'000;

struct Answer {
  int status = 0;
  std::map<std::string, std::string> fields;  // names in lower case; repeated ones joined with ", "
  std::string body;

  std::string field(const std::string& lower_case_name) const {
    auto found = fields.find(lower_case_name);
    return found == fields.end() ? std::string() : found->second;
  }
};

enum class Body { kExpected, kNone };  // kNone for the answer to HEAD

class RawClient {
 public:
  explicit RawClient(uint16_t port, int receive_buffer_bytes = 0);
  // Connects and sends.
  RawClient(uint16_t port, std::string_view bytes) : RawClient(port) { Send(bytes); }
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // False when the peer takes no more.
  bool Send(std::string_view bytes);
  // Says that nothing more will be sent.
  void EndSending();
  // Ends the connection with a reset instead of a farewell; nothing more can be read.
  void Reset();
  // The next answer; nothing when the connection ends or patience does.
  std::optional<Answer> Read(Body body = Body::kExpected);
  // Whether something has come or the peer has closed, without waiting.
  bool CanRead() const;
  // Whether the peer closes without sending anything more.
  bool ReadsEnd();
  // Every answer until the peer closes.
  std::vector<Answer> ReadAll();

  int fd() const { return fd_; }

 private:
  bool Fill();  // reads some more into buffer_

  int fd_ = -1;
  std::string buffer_;
};

}  // namespace stemedb::http::test
