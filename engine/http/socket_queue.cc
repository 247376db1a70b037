// SPDX-License-Identifier: Apache-2.0
#include "http/socket_queue.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace stemedb::http {

std::optional<size_t> UnacknowledgedBytes(int fd) {
  int bytes = 0;
  if (ioctl(fd, SIOCOUTQ, &bytes) != 0 || bytes < 0) return std::nullopt;
  return static_cast<size_t>(bytes);
}

bool BoundUnsentBytes(int fd, size_t bytes) {
  const int bound = static_cast<int>(bytes);
  return setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bound, sizeof bound) == 0;
}

bool HasFailed(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0;
}

}  // namespace stemedb::http
