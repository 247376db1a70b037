// SPDX-License-Identifier: Apache-2.0
// SpareSegment: a file of zeros, written and synced ahead of need, that becomes the log's next segment.
//
// Overwriting blocks that are already on disk costs fdatasync the data alone. In a file that grows it must
// also commit the file system's journal, and with that wait for whatever else is in it: on ext4, for the
// index's pages.
//
// It is made by a thread of its own, which starts with the first Prepare, and only where the disk has plenty
// of room. The file is named spare-segment; one that a crash has left is removed. The calls belong to the
// Writer's thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "base/status.h"
#include "env/env.h"

namespace stemedb::wal {

class SpareSegment {
 public:
  // `env` is not owned. `bytes` is the size of the file.
  SpareSegment(env::Env* env, const std::string& dir, uint64_t bytes);
  // Waits for the write in hand, at most a piece of kPieceBytes, and removes the file.
  ~SpareSegment();
  SpareSegment(const SpareSegment&) = delete;
  SpareSegment& operator=(const SpareSegment&) = delete;

  // Begins to make one; nothing when there is one, one is being made, or the last try failed.
  void Prepare();
  bool ready() const;
  // Gives the finished file its name as a segment, which the caller makes durable. False when there is none.
  // What happened before is forgotten: the next Prepare tries anew.
  Result<bool> MoveTo(const std::string& path);
  // Gives the disk space of a finished file back.
  void Drop();

 private:
  enum class State : uint8_t { kNone, kWanted, kReady, kFailed };

  void Run();
  Status Make();
  bool stopping() const;

  env::Env* const env_;
  const std::string dir_;
  const std::string path_;
  const uint64_t bytes_;
  mutable std::mutex mutex_;  // guards state_ and stopping_
  std::condition_variable wake_;
  State state_ = State::kNone;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace stemedb::wal
