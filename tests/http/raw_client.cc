// SPDX-License-Identifier: Apache-2.0
// The reader is simple because it may be: it reads only what a correct server sends, and anything else is no
// answer.
#include "raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

namespace stemedb::http::test {

RawClient::RawClient(uint16_t port, int receive_buffer_bytes) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (receive_buffer_bytes > 0) {
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
}

RawClient::~RawClient() {
  if (fd_ >= 0) close(fd_);
}

bool RawClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    pollfd wait{fd_, POLLOUT, 0};
    if (poll(&wait, 1, kPatienceMs) <= 0) return false;
    ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

void RawClient::EndSending() { shutdown(fd_, SHUT_WR); }

void RawClient::Reset() {
  linger abort_on_close{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &abort_on_close, sizeof abort_on_close);
  close(std::exchange(fd_, -1));
}

bool RawClient::Fill() {
  pollfd wait{fd_, POLLIN, 0};
  if (poll(&wait, 1, kPatienceMs) <= 0) return false;
  char bytes[16384];
  ssize_t count = recv(fd_, bytes, sizeof bytes, 0);
  if (count <= 0) return false;
  buffer_.append(bytes, static_cast<size_t>(count));
  return true;
}

std::optional<Answer> RawClient::Read(Body body) {
  size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return std::nullopt;
  }
  std::string head = buffer_.substr(0, end + 2);
  buffer_.erase(0, end + 4);
  if (head.rfind("HTTP/1.1 ", 0) != 0) return std::nullopt;
  Answer answer;
  answer.status = std::atoi(head.c_str() + 9);
  for (size_t at = head.find("\r\n") + 2; at < head.size();) {
    size_t line_end = head.find("\r\n", at), colon = head.find(": ", at);
    if (colon == std::string::npos || colon > line_end) return std::nullopt;
    std::string name = head.substr(at, colon - at), value = head.substr(colon + 2, line_end - colon - 2);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    std::string& kept = answer.fields[name];
    kept = kept.empty() ? value : kept + ", " + value;
    at = line_end + 2;
  }
  bool has_body = body == Body::kExpected && answer.status >= 200 && answer.status != 204;
  size_t length = has_body ? std::strtoull(answer.field("content-length").c_str(), nullptr, 10) : 0;
  while (buffer_.size() < length) {
    if (!Fill()) return std::nullopt;
  }
  answer.body = buffer_.substr(0, length);
  buffer_.erase(0, length);
  if (buffer_.empty() && length > 65536) std::string().swap(buffer_);  // tests measure the server's memory
  return answer;
}

bool RawClient::CanRead() const {
  pollfd wait{fd_, POLLIN, 0};
  return !buffer_.empty() || poll(&wait, 1, 0) > 0;
}

bool RawClient::ReadsEnd() {
  if (!buffer_.empty()) return false;
  pollfd wait{fd_, POLLIN, 0};
  if (poll(&wait, 1, kPatienceMs) <= 0) return false;
  char byte;
  return recv(fd_, &byte, 1, 0) == 0;
}

std::vector<Answer> RawClient::ReadAll() {
  std::vector<Answer> answers;
  while (std::optional<Answer> answer = Read()) answers.push_back(std::move(*answer));
  return answers;
}

}  // namespace stemedb::http::test
