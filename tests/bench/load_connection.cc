// SPDX-License-Identifier: Apache-2.0
#include "load_connection.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace stemedb::bench {
namespace {

constexpr size_t kReadBytes = 256 * 1024;
constexpr size_t kAnswerBytesMax = 64 << 20;
constexpr time_t kAnswerSecondsMax = 120;

Status Failed(const char* what) {
  return Status(Code::kIoError, "connection", std::string(what) + ": " + std::strerror(errno));
}

// The number behind the last `label`; 0 when there is none.
uint64_t NumberBehind(std::string_view text, std::string_view label) {
  uint64_t number = 0;
  const size_t at = text.rfind(label);
  if (at != std::string_view::npos) {
    std::from_chars(text.data() + at + label.size(), text.data() + text.size(), number);
  }
  return number;
}

}  // namespace

Result<sockaddr_in> ParseHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  uint16_t port = 0;
  if (colon != std::string_view::npos) {
    std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
  }
  address.sin_port = htons(port);
  const std::string host(text.substr(0, colon));
  if (port == 0 || inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    return Status(Code::kInvalidArgument, "address", "not an IPv4 address with a port: " + std::string(text));
  }
  return address;
}

Status LoadConnection::PostBatch(std::string_view ndjson, BatchAnswer& answer) {
  if (fd_ < 0) STEMEDB_RETURN_IF_ERROR(Connect());
  const std::string head =
      "POST /v1/assert/batch HTTP/1.1\r\nHost: load\r\nContent-Type: application/x-ndjson\r\n"
      "Content-Length: " +
      std::to_string(ndjson.size()) + "\r\n\r\n";
  Status status = Send(head);
  if (status.ok()) status = Send(ndjson);
  if (status.ok()) status = Receive(answer);
  if (!status.ok()) Close();
  return status;
}

Status LoadConnection::Connect() {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return Failed("socket");
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const timeval wait{.tv_sec = kAnswerSecondsMax, .tv_usec = 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) == 0) return Status::Ok();
  const Status failure = Failed("connect");
  Close();
  return failure;
}

Status LoadConnection::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return Failed("send");
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return Status::Ok();
}

Status LoadConnection::Receive(BatchAnswer& answer) {
  input_.clear();
  size_t body_at = std::string::npos;
  size_t whole = kAnswerBytesMax;
  while (body_at == std::string::npos || input_.size() < whole) {
    const size_t had = input_.size();
    if (had >= kAnswerBytesMax) return Status(Code::kIoError, "answer", "the answer has no end");
    input_.resize(had + kReadBytes);
    const ssize_t got = recv(fd_, input_.data() + had, kReadBytes, 0);
    input_.resize(had + static_cast<size_t>(got > 0 ? got : 0));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failed("recv");
    if (got == 0) return Status(Code::kIoError, "answer", "the server closed the connection");
    if (body_at != std::string::npos) continue;
    const size_t end = input_.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    body_at = end + 4;
    whole = body_at + NumberBehind(std::string_view(input_).substr(0, end), "Content-Length: ");
  }
  const std::string_view head = std::string_view(input_).substr(0, body_at);
  if (!head.starts_with("HTTP/1.1 ")) return Status(Code::kIoError, "answer", "the answer is not HTTP/1.1");
  answer.status = static_cast<int>(NumberBehind(head.substr(0, 12), "HTTP/1.1 "));
  answer.retry_after_s = static_cast<int>(NumberBehind(head, "Retry-After: "));
  answer.body.assign(input_, body_at);
  answer.created = NumberBehind(answer.body, "],\"created\":");
  answer.duplicates = NumberBehind(answer.body, ",\"duplicates\":");
  answer.refused = NumberBehind(answer.body, ",\"errors\":");
  if (head.find("\r\nConnection: close") != std::string_view::npos) Close();
  return Status::Ok();
}

void LoadConnection::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

}  // namespace stemedb::bench
