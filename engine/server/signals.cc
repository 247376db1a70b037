// SPDX-License-Identifier: Apache-2.0
#include "server/signals.h"

#include <pthread.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigset_t and sigwait are POSIX, not C
#include <unistd.h>

#include "telemetry/log.h"

namespace stemedb::server {
namespace {

sigset_t StopSet() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

// A file that is mapped and shorter than its content, or a disk that fails, shows in the middle of a read.
void OnBusError(int number) {
  constexpr char kText[] =
      "A database file can't be read where it is mapped: it was cut short, or the disk fails (see dmesg). "
      "Nothing in "
      "the log is lost: see docs/operations/runbooks/server-wont-start.md, section 6\n";
  (void)!write(STDERR_FILENO, kText, sizeof kText - 1);
  signal(number, SIG_DFL);
  raise(number);
}

}  // namespace

void ExplainBusErrors() {
  struct sigaction action {};
  action.sa_handler = OnBusError;
  sigaction(SIGBUS, &action, nullptr);
}

StopSignal::StopSignal() {
  const sigset_t set = StopSet();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::thread([this] { Run(); });
}

StopSignal::~StopSignal() {
  leaving_ = true;
  // To this thread alone: it waits for signals, takes this one and leaves.
  // NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread,cert-pos44-c)
  pthread_kill(thread_.native_handle(), SIGTERM);
  thread_.join();
}

void StopSignal::Arm() {
  const std::lock_guard lock(mutex_);
  armed_ = true;
}

int StopSignal::Wait() {
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, [this] { return signal_ != 0; });
  return signal_;
}

void StopSignal::Run() {
  pthread_setname_np(pthread_self(), "signals");
  const sigset_t set = StopSet();
  while (!leaving_) {
    int number = 0;
    if (sigwait(&set, &number) != 0 || leaving_) continue;
    const std::lock_guard lock(mutex_);
    if (!armed_) {
      telemetry::LogInfo("server", "Stopped during the start", {{"signal", number}});
      _exit(0);
    }
    if (signal_ == 0) signal_ = number;
    arrived_.notify_all();
  }
}

}  // namespace stemedb::server
