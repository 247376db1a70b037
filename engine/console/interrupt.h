// SPDX-License-Identifier: Apache-2.0
// Ctrl-C: ends what is running, not the console. A signal handler can only reach what is global, so there is
// one of these in a process.
#pragma once

#include <atomic>

#include "script/prompt.h"

namespace stemedb::console {

class Interrupts {
 public:
  // Takes SIGINT over. `prompt` is told, unless it is null, and outlives the Interrupts.
  explicit Interrupts(script::Prompt* prompt);
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // Whether SIGINT came since the last Clear.
  static const std::atomic<bool>& flag();
  static void Clear();
};

}  // namespace stemedb::console
