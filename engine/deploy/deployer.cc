// SPDX-License-Identifier: Apache-2.0
#include "deploy/deployer.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace stemedb::deploy {

Deployer::Deployer(std::unique_ptr<Deployment> deployment, uint64_t poll_ms)
    : deployment_(std::move(deployment)), poll_ms_(poll_ms) {
  QueueOf(Kind::kRollback).max = kRollbacksMax;
  QueueOf(Kind::kChange).max = kChangesMax;
  QueueOf(Kind::kInquiry).max = kInquiriesMax;
  deployment_->BetweenScripts([this] { RunRollbacks(); });
}

void Deployer::Start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "scripts");
    Run();
  });
}

bool Deployer::AnyWaits() const {
  return std::any_of(queues_.begin(), queues_.end(), [](const Queue& queue) { return !queue.tasks.empty(); });
}

std::optional<Deployer::Task> Deployer::TakeFirst() {
  const auto queue =
      std::find_if(queues_.begin(), queues_.end(), [](const Queue& one) { return !one.tasks.empty(); });
  if (queue == queues_.end()) return std::nullopt;
  Task task = std::move(queue->tasks.front());
  queue->tasks.pop_front();
  return task;
}

void Deployer::Run() {
  using Clock = std::chrono::steady_clock;
  static_cast<void>(deployment_->Keep());  // what the start took up
  auto next_look = Clock::now() + std::chrono::milliseconds(poll_ms_);
  while (true) {
    std::optional<Task> task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_until(lock, next_look, [this] { return stopping_ || AnyWaits(); });
      if (stopping_) return;
      // A look that is due comes first: requests in a row must not blind the watch.
      if (Clock::now() < next_look) task = TakeFirst();
    }
    if (task) {
      (*task)(*deployment_, Status::Ok());
      continue;
    }
    deployment_->Step();
    next_look = Clock::now() + std::chrono::milliseconds(poll_ms_);
  }
}

void Deployer::RunRollbacks() {
  std::deque<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) tasks.swap(QueueOf(Kind::kRollback).tasks);
  }
  for (const Task& task : tasks) task(*deployment_, Status::Ok());
}

void Deployer::Stop() {
  std::array<std::deque<Task>, kKinds> waiting;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (size_t kind = 0; kind < kKinds; ++kind) waiting[kind].swap(queues_[kind].tasks);
  }
  deployment_->Stop();
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  const Status ended(Code::kUnavailable, "shutting_down", "the server is shutting down");
  for (const std::deque<Task>& tasks : waiting) {
    for (const Task& task : tasks) task(*deployment_, ended);
  }
}

Status Deployer::Post(Kind kind, Task task) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return Status(Code::kUnavailable, "shutting_down", "the server is shutting down");
  Queue& queue = QueueOf(kind);
  if (queue.tasks.size() == queue.max) {
    return Status(Code::kResourceExhausted, "overloaded",
                  "too many requests wait for the scripts thread; send it again later");
  }
  queue.tasks.push_back(std::move(task));
  changed_.notify_all();
  return Status::Ok();
}

}  // namespace stemedb::deploy
