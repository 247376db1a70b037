// SPDX-License-Identifier: Apache-2.0
#include "console/interrupt.h"

#include <csignal>

namespace stemedb::console {
namespace {

std::atomic<bool> interrupted{false};
std::atomic<script::Prompt*> running{nullptr};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<script::Prompt*>::is_always_lock_free);

void OnInterrupt(int /*number*/) {
  interrupted = true;
  if (script::Prompt* prompt = running) prompt->Interrupt();
}

}  // namespace

// Without SA_RESTART: who waits for a key must come back.
Interrupts::Interrupts(script::Prompt* prompt) {
  running = prompt;
  struct sigaction action {};
  action.sa_handler = OnInterrupt;
  ::sigaction(SIGINT, &action, nullptr);
}

Interrupts::~Interrupts() {
  std::signal(SIGINT, SIG_DFL);
  running = nullptr;
}

const std::atomic<bool>& Interrupts::flag() { return interrupted; }
void Interrupts::Clear() { interrupted = false; }

}  // namespace stemedb::console
