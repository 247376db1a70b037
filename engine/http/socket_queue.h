// SPDX-License-Identifier: Apache-2.0
// What the kernel knows of a TCP connection and of the output that it holds for it. Needs no privilege. The
// first two are Linux's own: where the kernel lacks them (sandboxes such as gVisor, filters on system calls)
// the caller does without. Any thread, on an open descriptor.
#pragma once

#include <cstddef>
#include <optional>

namespace stemedb::http {

// Bytes that were written to the socket and that its peer hasn't acknowledged; a FIN counts as one. Nothing
// when the kernel can't say.
std::optional<size_t> UnacknowledgedBytes(int fd);

// Lets the socket take no more than about `bytes` beyond what is on its way to the peer. Unlike a small
// SO_SNDBUF it doesn't bound what is on its way, and so costs a long, fast network nothing. False when the
// kernel doesn't know how.
bool BoundUnsentBytes(int fd, size_t bytes);

// Whether the connection has come to an error, such as a reset by its peer. The kernel tells it once.
bool HasFailed(int fd);

}  // namespace stemedb::http
