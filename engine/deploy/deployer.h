// SPDX-License-Identifier: Apache-2.0
// Deployer: the thread "scripts" and its queues. It looks at the directories again and again, and does what
// loops ask for and must not do themselves: changes before inquiries, and rollbacks before all, also amid the
// judgement of many changed files, so that nothing keeps out the rollback that may end its cause.
#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "base/status.h"
#include "deploy/deployment.h"

namespace stemedb::deploy {

class Deployer {
 public:
  enum class Kind : uint8_t {
    kRollback,  // calls Deployment::RollBack, and nothing else that changes something
    kChange,    // of what is live, or a line for the audit
    kInquiry,   // a try, a shadow, a difference, a page of the audit
  };
  static constexpr size_t kRollbacksMax = 16;
  static constexpr size_t kChangesMax = 64;
  static constexpr size_t kInquiriesMax = 16;

  // Called on the scripts thread; with a status that isn't ok when the thread ends before: on the thread that
  // calls Stop, and then it must not touch the deployment.
  using Task = std::function<void(Deployment& deployment, const Status& ready)>;

  Deployer(std::unique_ptr<Deployment> deployment, uint64_t poll_ms);
  ~Deployer() { Stop(); }
  Deployer(const Deployer&) = delete;
  Deployer& operator=(const Deployer&) = delete;

  // Posted tasks wait until then.
  void Start();
  // Ends the thread: what runs ends early, what waits is refused. Repeats do nothing.
  void Stop();

  // Any thread. kResourceExhausted "overloaded" when too many of its kind wait, kUnavailable "shutting_down"
  // after Stop: the task is then destroyed uncalled.
  Status Post(Kind kind, Task task);

  // For what a deployment offers to any thread.
  Deployment& deployment() { return *deployment_; }
  const Deployment& deployment() const { return *deployment_; }

 private:
  struct Queue {
    std::deque<Task> tasks;
    size_t max = 0;
  };
  static constexpr size_t kKinds = 3;

  void Run();
  // Those that wait now: no more, or a flood of them would keep the transaction from its end.
  void RunRollbacks();
  Queue& QueueOf(Kind kind) { return queues_[static_cast<size_t>(kind)]; }
  // Of the most urgent kind of which there is one; none when nothing waits.
  std::optional<Task> TakeFirst();
  bool AnyWaits() const;

  const std::unique_ptr<Deployment> deployment_;
  const uint64_t poll_ms_;
  std::mutex mutex_;  // guards the three below
  std::condition_variable changed_;
  std::array<Queue, kKinds> queues_;  // by kind
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace stemedb::deploy
