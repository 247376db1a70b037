// SPDX-License-Identifier: Apache-2.0
// Remote: asks a running server over HTTP. One connection, kept.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "console/backend.h"

namespace stemedb::console {

struct RemoteOptions {
  std::string url;      // "http://127.0.0.1:18180"
  std::string api_key;  // sent as X-API-Key; empty: none
  // Ends the call under way when it becomes true; outlives the backend.
  const std::atomic<bool>* interrupted = nullptr;
  bool shows_progress = false;  // on stderr, when a call takes long
};

// kInvalidArgument "invalid_url".
Result<std::unique_ptr<Backend>> OpenRemote(RemoteOptions options);

}  // namespace stemedb::console
