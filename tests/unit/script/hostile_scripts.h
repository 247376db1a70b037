// SPDX-License-Identifier: Apache-2.0
// Scripts that want to run for ever, eat all memory or get out, and how each must end.
#pragma once

#include <vector>

namespace stemedb::script::testing {

enum class End {
  kRefused,  // at load, with file and line
  kStopped,  // by its time
  kCapped,   // by a limit of memory, length or depth: an error with file
  kHarmless  // there is nothing to get hold of: it ends by itself, with an error or with an answer
};

struct HostileScript {
  const char* name;
  End end;
  const char* body;       // of resolve(ctx, candidates)
  const char* head = "";  // before the table
};

const std::vector<HostileScript>& HostileScripts();

}  // namespace stemedb::script::testing
