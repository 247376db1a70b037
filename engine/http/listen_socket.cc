// SPDX-License-Identifier: Apache-2.0
// SO_REUSEPORT on every socket would let a second instance of the server bind the same port and silently take
// half of the connections. So the first socket binds without it, which fails if anyone listens there, and is
// given the option afterwards: the kernel looks at the option again when the next socket binds. All listen at
// once, since a socket that is only bound keeps nobody out.
#include "http/listen_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace stemedb::http {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Result<Address> Resolve(const std::string& text, uint16_t port) {
  Address address;
  std::string numeric = text == "localhost" ? "127.0.0.1" : text;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, numeric.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.size = sizeof *v4;
  } else if (inet_pton(AF_INET6, numeric.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.size = sizeof *v6;
  } else {
    return Status(Code::kInvalidArgument, "invalid_address",
                  "listen address '" + text + "' is not a numeric IPv4 or IPv6 address");
  }
  return address;
}

Status BindFailure(const std::string& address, uint16_t port, int error) {
  std::string where = address + " port " + std::to_string(port);
  if (error == EADDRINUSE) {
    return Status(Code::kUnavailable, "address_in_use",
                  "cannot listen on " + where + ": Address already in use. Find its owner with 'lsof -i :" +
                      std::to_string(port) + "', stop it, or choose another port");
  }
  return Status(Code::kIoError, "bind_failed", "cannot listen on " + where + ": " + SystemFailureText(error));
}

// Binds one socket. `shared`: whether it may join sockets that are bound there already.
enum class Sharing { kExclusive, kJoin };
int BindOne(const Address& address, Sharing sharing, int& error) {
  int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int on = 1;
  bool bound =
      fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      (sharing == Sharing::kExclusive || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
      bind(fd, address.get(), address.size) == 0 &&
      (sharing == Sharing::kJoin || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
      listen(fd, kBacklog) == 0;
  if (bound) return fd;
  error = errno;
  if (fd >= 0) close(fd);
  return -1;
}

uint16_t PortOf(int fd) {
  Address address;
  address.size = sizeof address.storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0) return 0;
  return ntohs(address.storage.ss_family == AF_INET6
                   ? reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_port
                   : reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port);
}

}  // namespace

std::string SystemFailureText(int error) {
  std::string text = std::generic_category().message(error);
  if (error == EMFILE) {
    text +=
        ". Raise the limit on open files ('ulimit -n', or LimitNOFILE= in a systemd unit), or run fewer "
        "loops";
  } else if (error == ENFILE) {
    text += ". Raise the machine's limit (sysctl fs.file-max), or end what holds so many files open";
  }
  return text;
}

Result<BoundSockets> BindShared(const std::string& address, uint16_t port, size_t count) {
  BoundSockets bound;
  bound.port = port;
  for (size_t i = 0; i < count; ++i) {
    Result<Address> resolved = Resolve(address, bound.port);
    if (!resolved) return resolved.error();
    int error = 0;
    int fd = BindOne(*resolved, i == 0 ? Sharing::kExclusive : Sharing::kJoin, error);
    if (fd < 0) {
      for (int open : bound.descriptors) close(open);
      return BindFailure(address, bound.port, error);
    }
    bound.descriptors.push_back(fd);
    bound.port = PortOf(fd);
  }
  return bound;
}

}  // namespace stemedb::http
