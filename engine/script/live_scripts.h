// SPDX-License-Identifier: Apache-2.0
// LiveScripts: the one place that says which generation of scripts is live. Whoever runs scripts keeps the
// set it began with and looks here between two requests: one atomic load as long as nothing has changed.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "script/lens.h"

namespace stemedb::script {

class LiveScripts {
 public:
  // 0 until the first Publish.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
  // Any thread; holds a lock for a pointer's copy.
  std::shared_ptr<const ScriptSet> Current() const {
    const std::lock_guard lock(mutex_);
    return current_;
  }
  // Puts the live set into `mine` when that is another one; says whether it did. Any thread.
  bool TakeUp(std::shared_ptr<const ScriptSet>& mine) const {
    if (mine != nullptr && mine->generation() == generation()) return false;
    mine = Current();
    return true;
  }
  // One publisher; each set has a generation that no set before it had.
  void Publish(std::shared_ptr<const ScriptSet> set) {
    const std::lock_guard lock(mutex_);
    current_.swap(set);
    generation_.store(current_->generation(), std::memory_order_release);
  }  // the old set goes when its last user lets go, `set` being the first of them

 private:
  std::atomic<uint64_t> generation_{0};
  mutable std::mutex mutex_;
  std::shared_ptr<const ScriptSet> current_;
};

}  // namespace stemedb::script
