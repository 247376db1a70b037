// SPDX-License-Identifier: Apache-2.0
// Sockets for a port that several loops share. libuv 1.44 knows no SO_REUSEPORT, so they are made here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace stemedb::http {

constexpr int kBacklog = 1024;  // of each socket; the kernel lowers it to net.core.somaxconn

struct BoundSockets {
  std::vector<int> descriptors;  // listening; the caller closes them
  uint16_t port = 0;
};

// Binds `count` sockets to one address and port (0: the system chooses one). Only this process's sockets
// share it: when anything else listens there, the answer is kUnavailable with reason "address_in_use".
Result<BoundSockets> BindShared(const std::string& address, uint16_t port, size_t count);

// What `error`, an errno, means, with the remedy where one is known.
std::string SystemFailureText(int error);

}  // namespace stemedb::http
