// SPDX-License-Identifier: Apache-2.0
// The server as a process: starts every room in order, waits for a signal, stops them in the opposite order.
#pragma once

#include "server/command_line.h"

namespace stemedb::server {

// Returns the exit code: 0 after a clean stop, 1 when it couldn't start or the stop wasn't clean.
int Serve(const Invocation& invocation);

}  // namespace stemedb::server
