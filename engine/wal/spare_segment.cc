// SPDX-License-Identifier: Apache-2.0
#include "wal/spare_segment.h"

#include <pthread.h>

#include <algorithm>
#include <system_error>

namespace stemedb::wal {
namespace {

// Written and synced piece by piece, so that the log's own writes get between them. Through the page cache,
// where the log's writes then find the rest of their first and last page. Nothing is reserved before: turning
// a reservation into written blocks costs ext4 four times the work of the zeros themselves.
constexpr uint64_t kPieceBytes = uint64_t{1} << 20;
// A disk with less free room than so many segments is left to the records themselves.
constexpr uint64_t kRoomInSegments = 4;

}  // namespace

SpareSegment::SpareSegment(env::Env* env, const std::string& dir, uint64_t bytes)
    : env_(env), dir_(dir), path_(dir + "/spare-segment"), bytes_(bytes) {
  (void)env_->Remove(path_);  // mostly there is none
}

SpareSegment::~SpareSegment() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (!thread_.joinable()) return;
  thread_.join();
  if (state_ != State::kNone) (void)env_->Remove(path_);
}

void SpareSegment::Prepare() {
  const std::lock_guard lock(mutex_);
  if (state_ != State::kNone) return;
  state_ = State::kWanted;
  wake_.notify_one();
  if (thread_.joinable()) return;
  try {
    thread_ = std::thread([this] { Run(); });
    pthread_setname_np(thread_.native_handle(), "wal-spare");
  } catch (const std::system_error&) {  // no more threads are to be had: then there is no spare
    state_ = State::kFailed;
  }
}

bool SpareSegment::ready() const {
  const std::lock_guard lock(mutex_);
  return state_ == State::kReady;
}

Result<bool> SpareSegment::MoveTo(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (state_ == State::kFailed) state_ = State::kNone;
  if (state_ != State::kReady) return false;
  STEMEDB_RETURN_IF_ERROR(env_->Rename(path_, path));
  state_ = State::kNone;
  return true;
}

void SpareSegment::Drop() {
  const std::lock_guard lock(mutex_);
  if (state_ != State::kReady) return;
  (void)env_->Remove(path_);
  state_ = State::kFailed;
}

bool SpareSegment::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void SpareSegment::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || state_ == State::kWanted; });
    if (stopping_) return;
    lock.unlock();
    const Status made = Make();
    if (!made.ok()) (void)env_->Remove(path_);
    lock.lock();
    state_ = made.ok() ? State::kReady : State::kFailed;
  }
}

// A failure is nobody's harm: the log then grows its segments as it goes.
Status SpareSegment::Make() {
  const auto free = env_->FreeBytes(dir_);
  if (!free) return free.error();
  if (*free / kRoomInSegments < bytes_) {
    return Status(Code::kResourceExhausted, "disk_full", "too little room for a spare segment");
  }
  auto file = env_->OpenAppend(path_);
  if (!file) return file.error();
  STEMEDB_RETURN_IF_ERROR((*file)->Truncate(0));
  const std::string zeros(std::min(kPieceBytes, bytes_), '\0');
  while ((*file)->size() < bytes_) {
    if (stopping()) return Status(Code::kUnavailable, "shutting_down", "the log is being closed");
    const uint64_t piece = std::min<uint64_t>(zeros.size(), bytes_ - (*file)->size());
    STEMEDB_RETURN_IF_ERROR((*file)->Append(std::string_view(zeros).substr(0, piece)));
    STEMEDB_RETURN_IF_ERROR((*file)->Sync());
  }
  return Status::Ok();
}

}  // namespace stemedb::wal
