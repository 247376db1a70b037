// SPDX-License-Identifier: Apache-2.0
// The gate, told once more: a reader says "inside" and then asks "is the map growing?"; the grower says
// "growing" and then asks each reader "inside?". Both orders are sequentially consistent, so that at least
// one sees the other.
#include "kv/environment.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <thread>

#include "base/path.h"
#include "kv/new_environment.h"

namespace stemedb::kv {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::chrono::microseconds kGatePause{50};

unsigned FlagsOf(const EnvironmentOptions& options) {
  // NOTLS: a reading transaction belongs to its object, not to a thread. NORDAHEAD: lookups are random.
  unsigned flags = MDB_NOTLS | MDB_NORDAHEAD;
  if (options.layout == Layout::kSingleFile) flags |= MDB_NOSUBDIR;
  if (options.access != Access::kReadWrite) flags |= MDB_RDONLY;
  if (options.access == Access::kAtRest) flags |= MDB_NOLOCK;
  return flags;
}

// A write that a full file system has cut short is EIO to LMDB: what it could write has taken the last room.
constexpr uint64_t kRoomOfFullDisk = 1u << 20;
bool DiskIsFull(const std::string& path) {
  struct statvfs info;
  return ::statvfs(path.c_str(), &info) == 0 && uint64_t{info.f_bavail} * info.f_frsize < kRoomOfFullDisk;
}

// LMDB wants whole pages.
uint64_t RoundToPages(uint64_t bytes) {
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

std::string DataFileOf(const EnvironmentOptions& options) {
  return options.layout == Layout::kSingleFile ? options.path : options.path + "/data.mdb";
}

// Whether so much more address space is to be had: LMDB gives its map up before it asks for a larger one.
bool HasAddressSpace(uint64_t bytes) {
  void* const trial = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (trial == MAP_FAILED) return false;
  ::munmap(trial, bytes);
  return true;
}

// A visit of the gate that ends with the scope.
class Visit {
 public:
  explicit Visit(Environment& environment) : environment_(environment) {
    environment_.Register(&slot_);
    status_ = environment_.Enter(slot_);
  }
  ~Visit() {
    Environment::Leave(slot_);
    environment_.Unregister(&slot_);
  }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  const Status& status() const { return status_; }

 private:
  Environment& environment_;
  ReaderSlot slot_;
  Status status_;
};

}  // namespace

Result<std::unique_ptr<Environment>> Environment::Open(const EnvironmentOptions& options) {
  std::unique_ptr<Environment> environment(new Environment(options));
  STEMEDB_RETURN_IF_ERROR(environment->OpenRaw());
  return environment;
}

Status Environment::MakeFiles() {
  if (options_.layout == Layout::kDirectory) {
    if (::mkdir(options_.path.c_str(), 0755) == 0) {
      const int code = SyncDirectory(ParentOf(options_.path));
      if (code != 0) return Failure(code, "sync the directory of");
    } else if (errno != EEXIST) {
      return Failure(errno, "create directory");
    }
  }
  const int code = MakeDataFile(DataFileOf(options_));
  return code == 0 ? Status::Ok() : Failure(code, "create");
}

Status Environment::OpenRaw() {
  if (options_.access == Access::kReadWrite) STEMEDB_RETURN_IF_ERROR(MakeFiles());
  int code = mdb_env_create(&env_);
  if (code != 0) return Failure(code, "create");
  if (code == 0) code = mdb_env_set_mapsize(env_, RoundToPages(options_.map_bytes));
  if (code == 0) code = mdb_env_set_maxdbs(env_, options_.databases_max);
  if (code == 0) code = mdb_env_set_maxreaders(env_, options_.readers_max);
  if (code == 0) code = mdb_env_open(env_, options_.path.c_str(), FlagsOf(options_), 0644);
  if (code != 0) return Failure(code, "open");
  mdb_env_set_userctx(env_, this);
  mdb_env_set_assert(env_, SayDamage);
  int dead = 0;
  code = mdb_reader_check(env_, &dead);
  if (code != 0) return Failure(code, "check readers");
  TakeFigures();
  return Status::Ok();
}

// LMDB ends the process when a page is not what it must be. Its own line has neither the file nor a way out.
void Environment::SayDamage(MDB_env* env, const char* /*message*/) {
  const auto& environment = *static_cast<Environment*>(mdb_env_get_userctx(env));
  std::fprintf(
      stderr,
      "%s: MDB_CORRUPTED: a page of the file is damaged, and the process ends. Nothing in the log is lost: "
      "see the runbook server-wont-start.md, section 6\n",
      environment.options_.path.c_str());
}

Environment::~Environment() {
  if (env_) mdb_env_close(env_);
}

Result<Database> Environment::OpenDatabase(const std::string& name, IfMissing if_missing) {
  std::lock_guard lock(handles_mutex_);
  const Visit visit(*this);
  STEMEDB_RETURN_IF_ERROR(visit.status());
  const bool create = if_missing == IfMissing::kCreate && options_.access == Access::kReadWrite;
  MDB_txn* txn = nullptr;
  int code = mdb_txn_begin(env_, nullptr, create ? 0 : MDB_RDONLY, &txn);
  if (code != 0) return Failure(code, "begin");
  MDB_dbi handle = 0;
  code = mdb_dbi_open(txn, name.c_str(), create ? MDB_CREATE : 0, &handle);
  if (code != 0) {
    mdb_txn_abort(txn);
    if (code == MDB_NOTFOUND) {
      return Status(Code::kNotFound, "no_such_database",
                    options_.path + " holds no database \"" + name + "\"");
    }
    return Failure(code, "open database " + name);
  }
  code = mdb_txn_commit(txn);
  if (code != 0) return Failure(code, "commit");
  TakeFigures();
  return Database(handle);
}

void Environment::Register(ReaderSlot* slot) {
  std::lock_guard lock(registry_mutex_);
  slots_.push_back(slot);
}

void Environment::Unregister(ReaderSlot* slot) {
  std::lock_guard lock(registry_mutex_);
  std::erase(slots_, slot);
}

Status Environment::Enter(ReaderSlot& slot) {
  while (true) {
    slot.inside.store(true, std::memory_order_seq_cst);
    if (!growing_.load(std::memory_order_seq_cst)) {
      if (!map_is_lost_.load(std::memory_order_acquire)) return Status::Ok();
      Leave(slot);
      return MapIsLost();
    }
    Leave(slot);
    std::lock_guard wait(grow_mutex_);
  }
}

Status Environment::GrowMap(uint64_t map_bytes, int64_t wait_ms_max) {
  if (map_bytes <= stats().map_bytes) return Status::Ok();
  return Resize(RoundToPages(map_bytes), wait_ms_max);
}

Status Environment::AdoptMap() { return Resize(0, 10'000); }

Status Environment::MapIsLost() const {
  return Status(
      Code::kUnavailable, "map_lost",
      options_.path +
          ": the system refused a larger map after the old one was given up, so nothing in the file "
          "can be reached. Look at the limits on address space and maps (ulimit -v, "
          "vm.max_map_count) and restart the server: nothing is lost");
}

// LMDB unmaps before it maps anew, and uses what it has unmapped when that fails: nobody may come near then.
Status Environment::Resize(uint64_t map_bytes, int64_t wait_ms_max) {
  const uint64_t before = stats().map_bytes;
  if (map_bytes > before && !HasAddressSpace(map_bytes - before)) {
    return Status(Code::kResourceExhausted, "no_address_space",
                  options_.path + ": no address space for a map of " + std::to_string(map_bytes) +
                      " bytes: raise the limit (ulimit -v)");
  }
  std::lock_guard lock(grow_mutex_);
  if (map_is_lost_.load(std::memory_order_acquire)) return MapIsLost();
  growing_.store(true, std::memory_order_seq_cst);
  Status status;
  if (!WaitUntilEmpty(wait_ms_max)) {
    status = Status(Code::kUnavailable, "readers_busy",
                    options_.path + ": the map can't grow while transactions are open; waited " +
                        std::to_string(wait_ms_max) + " ms");
  } else if (mdb_env_set_mapsize(env_, map_bytes) != 0) {
    map_is_lost_.store(true, std::memory_order_release);
    status = MapIsLost();
  } else {
    TakeFigures();
  }
  growing_.store(false, std::memory_order_seq_cst);
  return status;
}

bool Environment::WaitUntilEmpty(int64_t wait_ms_max) {
  const auto deadline = SteadyClock::now() + std::chrono::milliseconds(wait_ms_max);
  while (true) {
    {
      std::lock_guard lock(registry_mutex_);
      const bool empty = std::none_of(slots_.begin(), slots_.end(), [](const ReaderSlot* slot) {
        return slot->inside.load(std::memory_order_seq_cst);
      });
      if (empty) return true;
    }
    if (SteadyClock::now() >= deadline) return false;
    std::this_thread::sleep_for(kGatePause);
  }
}

void Environment::TakeFigures() {
  MDB_envinfo info{};
  MDB_stat stat{};
  mdb_env_info(env_, &info);
  mdb_env_stat(env_, &stat);
  map_bytes_.store(info.me_mapsize, std::memory_order_relaxed);
  used_bytes_.store((info.me_last_pgno + 1) * stat.ms_psize, std::memory_order_release);
}

EnvironmentStats Environment::stats() const {
  EnvironmentStats stats;
  stats.used_bytes =
      used_bytes_.load(std::memory_order_acquire);  // first: it is never above the map that follows
  stats.map_bytes = map_bytes_.load(std::memory_order_relaxed);
  return stats;
}

Status Environment::CopyTo(const std::string& path) {
  const Visit visit(*this);
  STEMEDB_RETURN_IF_ERROR(visit.status());
  const int code = mdb_env_copy2(env_, path.c_str(), MDB_CP_COMPACT);
  if (code == 0) return Status::Ok();
  return Failure(code, "copy to " + path + " from");
}

Status Environment::Failure(int code, std::string_view operation) const {
  const std::string where = std::string(operation) + " " + options_.path;
  if (code == EIO && DiskIsFull(options_.path)) code = ENOSPC;
  switch (code) {
    case MDB_MAP_FULL:
      return Status(Code::kResourceExhausted, "map_full", where + ": the map is full and has to grow");
    case MDB_READERS_FULL:
      return Status(Code::kResourceExhausted, "readers_full",
                    where + ": all " + std::to_string(options_.readers_max) + " reader slots are taken");
    case ENOSPC:
    case EDQUOT:
      return Status(Code::kResourceExhausted, "disk_full",
                    "No space left on device: " + options_.path + " (" + std::string(operation) +
                        "): free space or enlarge the file system");
    case EACCES:
    case EPERM:
    case EROFS:
      return Status(Code::kPermissionDenied, "permission_denied",
                    "Permission denied: " + options_.path +
                        " and its lock file must be readable and writable (mode 0644, "
                        "directory 0755) for this user");
    case ENOENT:
      return Status(Code::kNotFound, "no_such_file", "No such file or directory: " + options_.path);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PANIC:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
      return Status(Code::kCorruption, "kv_corrupt",
                    where + ": " + mdb_strerror(code) +
                        ": an index may be removed and is rebuilt; the record store likewise, as long as the "
                        "log is whole (see the runbook server-wont-start.md, section 6)");
    case MDB_KEYEXIST:
      return Status(Code::kConflict, "key_exists", where + ": the key is there, or not above the last one");
    case MDB_BAD_VALSIZE:
      return Status(Code::kInvalidArgument, "key_size", where + ": a key has 1 to 511 bytes");
    default:
      return Status(Code::kIoError, "kv_error", where + ": " + mdb_strerror(code));
  }
}

}  // namespace stemedb::kv
