// SPDX-License-Identifier: Apache-2.0
// FaultInjectingEnv: an Env on top of another one, for tests: makes the n-th or every operation of a kind
// fail, and forgets what was not synced as a power loss would. It knows the files that were opened through
// it. Sync and SyncDir are bookkeeping here: the disk below is not asked, so that a test of a thousand
// crashes takes no longer than its writes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "env/env.h"

namespace stemedb::env {

enum class Operation : uint8_t { kOpen, kWrite, kSync, kTruncate, kRename, kRemove, kSyncDir, kRead };
inline constexpr size_t kOperationCount = 8;

enum class Failure : uint8_t {
  kIoError,     // EIO, nothing done
  kDiskFull,    // ENOSPC, nothing done
  kShortWrite,  // ENOSPC after half of the bytes were written (kWrite only)
};

enum class Loss : uint8_t {
  kEverything,   // all bytes after the last Sync are gone
  kSomeSectors,  // of each 512-byte sector, the bytes after the last Sync are there, or read as zeros, as
                 // chance has it
};

// May be called from any thread; the faults are set before the thread under test starts.
class FaultInjectingEnv final : public Env {
 public:
  explicit FaultInjectingEnv(Env* base = Env::Posix(), Clock* clock = nullptr);
  ~FaultInjectingEnv() override;

  // Lets `after` operations of the kind pass and fails the next `times` (from now on). While writes fail for
  // want of room, FreeBytes is 0.
  void Fail(Operation operation, Failure failure, uint64_t after = 0, uint64_t times = UINT64_MAX);
  // No more faults; loses nothing.
  void Heal();
  // How many operations of the kind were asked for since the start, failed ones included.
  uint64_t count(Operation operation) const;

  // Power loss: call when all Files of this Env are closed. Cuts every file that was written through it to
  // what was synced; files whose name was never made durable by SyncDir vanish. `seed` chooses the sectors of
  // kSomeSectors.
  Status LoseUnsynced(Loss loss, uint64_t seed = 1);

  Result<std::unique_ptr<File>> OpenAppend(const std::string& path) override;
  Result<std::unique_ptr<File>> OpenRead(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& dir) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override;
  Status MakeDirs(const std::string& dir) override;
  Status SyncDir(const std::string& dir) override;
  Result<uint64_t> FileSize(const std::string& path) override;
  Result<uint64_t> FreeBytes(const std::string& dir) override;
  Result<std::unique_ptr<FileLock>> LockDir(const std::string& dir) override;
  Result<std::unique_ptr<FileLock>> LockDirToRead(const std::string& dir) override;
  Clock* clock() override { return clock_; }

 private:
  friend class FaultFile;
  struct Plan {
    Failure failure = Failure::kIoError;
    uint64_t after = 0;
    uint64_t times = 0;  // 0: no fault is set
  };
  struct Durable {
    uint64_t size = 0;  // bytes known to be on disk
    bool name_is_durable = false;
  };

  // Counts one operation; the failure that it must show, if any.
  std::optional<Failure> Strike(Operation operation);
  Status StrikeOr(Operation operation, const char* what, const std::string& path);

  Env* const base_;
  Clock* const clock_;
  mutable std::mutex mutex_;  // guards all below
  std::array<Plan, kOperationCount> plans_;
  std::array<uint64_t, kOperationCount> counts_{};
  std::map<std::string, Durable> files_;
};

}  // namespace stemedb::env
