// SPDX-License-Identifier: Apache-2.0
#include "deploy/deployer.h"

#include <pthread.h>

#include <chrono>

namespace stemedb::deploy {

void Deployer::Start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "scripts");
    Run();
  });
}

void Deployer::Run() {
  using Clock = std::chrono::steady_clock;
  static_cast<void>(deployment_->Keep());  // what the start took up
  auto next_look = Clock::now() + std::chrono::milliseconds(poll_ms_);
  while (true) {
    Task task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_until(lock, next_look, [this] { return stopping_ || AnyWaits(); });
      if (stopping_) return;
      // A look that is due comes first: requests in a row must not blind the watch.
      if (Clock::now() < next_look && AnyWaits()) {
        std::deque<Task>& tasks = changes_.empty() ? inquiries_ : changes_;
        task = std::move(tasks.front());
        tasks.pop_front();
      }
    }
    if (task) {
      task(*deployment_, Status::Ok());
      continue;
    }
    deployment_->Step();
    next_look = Clock::now() + std::chrono::milliseconds(poll_ms_);
  }
}

void Deployer::Stop() {
  std::deque<Task> changes, inquiries;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changes.swap(changes_);
    inquiries.swap(inquiries_);
  }
  deployment_->Stop();
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  const Status ended(Code::kUnavailable, "shutting_down", "the server is shutting down");
  for (const Task& task : changes) task(*deployment_, ended);
  for (const Task& task : inquiries) task(*deployment_, ended);
}

Status Deployer::Post(Kind kind, Task task) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return Status(Code::kUnavailable, "shutting_down", "the server is shutting down");
  std::deque<Task>& tasks = kind == Kind::kChange ? changes_ : inquiries_;
  if (tasks.size() == (kind == Kind::kChange ? kChangesMax : kInquiriesMax)) {
    return Status(Code::kResourceExhausted, "overloaded",
                  "too many requests wait for the scripts thread; send it again later");
  }
  tasks.push_back(std::move(task));
  changed_.notify_all();
  return Status::Ok();
}

}  // namespace stemedb::deploy
