// SPDX-License-Identifier: Apache-2.0
// Environment: one LMDB file, opened once in a process, with a map that can grow while the process runs.
//
// LMDB moves its map only when no transaction is open in the process. The gate here sees to that: a ReadTxn
// is inside the gate between Renew and Reset, a WriteTxn while it lives, and GrowMap waits for all to leave
// and holds newcomers back. On the readers' path the gate costs one store and one load on a cache line of
// their own.
//
// Errors: kResourceExhausted "map_full" (abort, GrowMap, retry), "disk_full", "readers_full",
// "no_address_space"; kPermissionDenied; kNotFound "no_such_file"; kCorruption "kv_corrupt"; kUnavailable
// "readers_busy", "map_lost" (for good: only a new Environment helps); kIoError. Messages name the file.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

struct MDB_env;
struct MDB_txn;

namespace stemedb::kv {

enum class Access : uint8_t {
  kReadWrite,
  kReadOnly,
  kAtRest,  // read-only, and nobody writes to the file as long as it is open: no lock file is touched
};
enum class Layout : uint8_t {
  kSingleFile,  // path is the data file; the lock file is path + "-lock"
  kDirectory,   // path is a directory with data.mdb and lock.mdb; it is created when missing
};
enum class IfMissing : uint8_t { kCreate, kFail };

struct EnvironmentOptions {
  std::string path;
  Layout layout = Layout::kSingleFile;
  Access access = Access::kReadWrite;
  // Address space, not disk: the file grows as it fills. Never smaller than what the file holds already.
  uint64_t map_bytes = uint64_t{1} << 34;
  unsigned databases_max = 32;
  unsigned readers_max = 510;
};

struct EnvironmentStats {
  uint64_t map_bytes = 0;   // the map's size
  uint64_t used_bytes = 0;  // pages in use or free inside the file: the highest page, times the page size
};

// A named database inside an Environment; a value, valid as long as the Environment.
class Database {
 public:
  Database() = default;
  unsigned handle() const { return handle_; }

 private:
  friend class Environment;
  explicit Database(unsigned handle) : handle_(handle) {}
  unsigned handle_ = 0;
};

// Where one reader stands at the gate. Owned by its ReadTxn.
struct alignas(64) ReaderSlot {
  std::atomic<bool> inside{false};
};

// Thread-safe, except where a call says otherwise. Must outlive every transaction and cursor. Not usable
// after fork.
class Environment {
 public:
  // Frees reader slots of dead processes as well (mdb_reader_check).
  static Result<std::unique_ptr<Environment>> Open(const EnvironmentOptions& options);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  // Runs a write transaction of its own when it must create: the calling thread must not hold a WriteTxn.
  Result<Database> OpenDatabase(const std::string& name, IfMissing if_missing = IfMissing::kCreate);

  // Makes the map at least `map_bytes` large. Waits up to `wait_ms_max` for open transactions to end, then
  // gives up with "readers_busy". The calling thread must hold no transaction.
  Status GrowMap(uint64_t map_bytes, int64_t wait_ms_max = 10'000);

  // As this process's last commit, opening or growth left it. Never waits: not for the gate, not for the
  // disk.
  EnvironmentStats stats() const;
  // Writes a consistent, compacted copy to `path`, which must not exist (for kDirectory: an empty directory).
  // Other threads go on reading and writing meanwhile; GrowMap waits.
  Status CopyTo(const std::string& path);
  const std::string& path() const { return options_.path; }

  // For transactions.
  // --------------------------------------------------------------------------------------------
  MDB_env* raw() const { return env_; }
  void Register(ReaderSlot* slot);
  void Unregister(ReaderSlot* slot);
  // Waits while the map grows; afterwards the slot counts as inside, unless the Status isn't ok ("map_lost").
  Status Enter(ReaderSlot& slot);
  static void Leave(ReaderSlot& slot) { slot.inside.store(false, std::memory_order_release); }
  // Takes over a map that another process has grown. The caller must be outside of the gate.
  Status AdoptMap();
  // Takes down the figures that stats() gives. They stand in the map: the caller must be inside of the gate.
  void TakeFigures();
  // The Status for LMDB's `code` of `operation`, naming the file.
  Status Failure(int code, std::string_view operation) const;

 private:
  static void SayDamage(MDB_env* env, const char* message);
  explicit Environment(EnvironmentOptions options) : options_(std::move(options)) {}
  Status OpenRaw();
  Status MakeFiles();
  Status MapIsLost() const;
  Status Resize(uint64_t map_bytes, int64_t wait_ms_max);
  bool WaitUntilEmpty(int64_t wait_ms_max);

  EnvironmentOptions options_;
  MDB_env* env_ = nullptr;

  std::atomic<uint64_t> map_bytes_{0};
  std::atomic<uint64_t> used_bytes_{0};
  std::atomic<bool> growing_{false};
  std::atomic<bool> map_is_lost_{false};
  std::mutex grow_mutex_;      // held by whoever grows the map
  std::mutex registry_mutex_;  // guards slots_; taken after grow_mutex_
  std::vector<ReaderSlot*> slots_;
  std::mutex handles_mutex_;  // LMDB opens one database handle at a time
};

}  // namespace stemedb::kv
