// SPDX-License-Identifier: Apache-2.0
// Publisher: hands each batch to every reader before it is acknowledged, so that a question asked after the
// acknowledgement sees it, on whichever thread.
//
// Each reader has an inbox. The commit thread puts batches in; the reader takes them out at its next Refresh.
// What has reached LMDB is taken out again by Trim, so an idle reader's inbox stays as small as the index
// thread's backlog. That is safe because a reader empties its inbox *before* it takes its LMDB snapshot:
// whatever was trimmed by then is in there.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "store/batch.h"
#include "store/time_line.h"
#include "store/touches.h"

namespace stemedb::store {

using BatchPtr = std::shared_ptr<const Batch>;

class Inbox {
 public:
  // The reader's thread. Moves what is waiting to the end of `out`; one atomic load when nothing is.
  void Take(std::vector<BatchPtr>& out);

 private:
  friend class Publisher;
  std::mutex mutex_;
  std::deque<BatchPtr> waiting_;  // guarded by mutex_
  std::atomic<bool> any_{false};
};

class Publisher {
 public:
  // `touches` are noted for the readers; null: they aren't.
  explicit Publisher(std::unique_ptr<Touches> touches = nullptr) : touches_(std::move(touches)) {}

  // Any thread. The new inbox holds everything that is not in LMDB yet.
  std::shared_ptr<Inbox> Subscribe();
  void Unsubscribe(const std::shared_ptr<Inbox>& inbox);

  // Commit thread.
  void Publish(const BatchPtr& batch);
  // Index thread: everything up to `sequence` is in LMDB, committed.
  void Trim(uint64_t sequence);

  // Any thread. Called with every batch that is published from now on, on the commit thread, when all inboxes
  // have it: must be quick. An earlier one may be under way still. Null: none.
  void SetListener(std::function<void()> listener);

  TimeLine& time_line() { return time_line_; }
  // Of what was published, noted before any inbox has it. Null when none are kept.
  const Touches* touches() const { return touches_.get(); }

 private:
  TimeLine time_line_;
  const std::unique_ptr<Touches> touches_;
  std::mutex mutex_;  // taken before an inbox's
  std::deque<BatchPtr> unindexed_;
  std::vector<std::shared_ptr<Inbox>> inboxes_;
  std::shared_ptr<const std::function<void()>> listener_;  // guarded by mutex_
};

}  // namespace stemedb::store
