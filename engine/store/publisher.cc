// SPDX-License-Identifier: Apache-2.0
#include "store/publisher.h"

#include <algorithm>
#include <utility>

namespace stemedb::store {
namespace {

void DropUpTo(std::deque<BatchPtr>& batches, uint64_t sequence) {
  while (!batches.empty() && batches.front()->last() <= sequence) batches.pop_front();
}

}  // namespace

void Inbox::Take(std::vector<BatchPtr>& out) {
  if (!any_.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(mutex_);
  for (BatchPtr& batch : waiting_) out.push_back(std::move(batch));
  waiting_.clear();
  any_.store(false, std::memory_order_relaxed);
}

std::shared_ptr<Inbox> Publisher::Subscribe() {
  auto inbox = std::make_shared<Inbox>();
  const std::lock_guard lock(mutex_);
  inbox->waiting_ = unindexed_;
  inbox->any_.store(!unindexed_.empty(), std::memory_order_release);
  inboxes_.push_back(inbox);
  return inbox;
}

void Publisher::Unsubscribe(const std::shared_ptr<Inbox>& inbox) {
  const std::lock_guard lock(mutex_);
  std::erase(inboxes_, inbox);
}

void Publisher::Publish(const BatchPtr& batch) {
  if (touches_ != nullptr) touches_->Note(*batch);
  std::shared_ptr<const std::function<void()>> listener;
  {
    const std::lock_guard lock(mutex_);
    unindexed_.push_back(batch);
    for (const auto& inbox : inboxes_) {
      const std::lock_guard inbox_lock(inbox->mutex_);
      inbox->waiting_.push_back(batch);
      inbox->any_.store(true, std::memory_order_release);
    }
    listener = listener_;
  }
  if (listener) (*listener)();
}

void Publisher::SetListener(std::function<void()> listener) {
  auto kept = listener ? std::make_shared<const std::function<void()>>(std::move(listener)) : nullptr;
  const std::lock_guard lock(mutex_);
  listener_ = std::move(kept);
}

void Publisher::Trim(uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  DropUpTo(unindexed_, sequence);
  for (const auto& inbox : inboxes_) {
    const std::lock_guard inbox_lock(inbox->mutex_);
    DropUpTo(inbox->waiting_, sequence);
  }
}

}  // namespace stemedb::store
