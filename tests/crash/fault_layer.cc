// SPDX-License-Identifier: Apache-2.0
// The disk's bad days, below the server as it is shipped: a library for LD_PRELOAD that stands between a
// process and the C library's file calls, for the files below one directory. LMDB, which knows nothing of
// engine/env, is below it as well. It counts operations, makes some fail, ends the process at any of them,
// and takes back what a power loss would take.
//
//   STEMEDB_TEST_FAULT_DIR         the data directory, absolute. Unset: the library does nothing.
//   STEMEDB_TEST_FAULT_RULES       ACTION:KIND:CLASS:N[:COUNT[:MS]], more after commas. At the N-th operation
//                                  that fits (from 1), and at the COUNT-1 after it (default 1, 0 = all):
//     ACTION  EIO ENOSPC EDQUOT EMFILE ENOMEM: fails, nothing done.  short: writes half (kind write only).
//             kill_before, kill_after.  stall: waits MS milliseconds before it.
//     KIND    open create write sync truncate allocate rename unlink mkdir map close dirsync, or *
//     CLASS   wal records index metadata lock dir other, or *
//   STEMEDB_TEST_FAULT_LOSS        what a kill takes along: none (a process dies), all (the machine dies,
//   nothing
//                                  unsynced was on disk yet), torn (it dies, and chance decides for every 512
//                                  or 4096 bytes), later (as none; the next process with the same STATE may
//                                  lose it)
//   STEMEDB_TEST_FAULT_SEED        for torn
//   STEMEDB_TEST_FAULT_STATE       where `later` keeps what is unsynced, and from where it is read at a start
//   STEMEDB_TEST_FAULT_REPORT_FD   a pipe's writing end: lines on what was done. It ends when all is over.
//   STEMEDB_TEST_FAULT_CONTROL_FD  a pipe's reading end: a byte, or its end, kills at that moment.
//   STEMEDB_TEST_FAULT_MAP_BYTES   LMDB's maps begin this small, so that they must grow
//
// The model of a disk. A write is durable when an fsync or fdatasync of its file that began after it has
// succeeded, or when its descriptor has O_DSYNC or O_SYNC (LMDB's meta page). A failed fsync leaves what it
// should have synced lost for ever, whatever a second one says. Created, renamed, removed names are durable
// when their directory was synced; with `torn` the first few of them may be as well, in their order. The loss
// is made by a child process after the server is dead, so that nothing dead can be read by a living client.
//
// What it doesn't model. Stores through a writable map (such a map of anything but a lock file ends the
// process with a message), mremap and msync, O_APPEND, openat below another directory, links, modes and
// times, io_uring. Files that were there at the start count as durable (but see `later`, which knows of
// contents and new files alone). Two processes on one directory. Sectors are never half old and half new
// below 512 bytes, never garbage, and the disk never lies about a sync. Syncs are book-keeping: the real disk
// isn't asked.
#include <dlfcn.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr size_t kBlock = 512;
constexpr int kDescriptorsMax = 65536;
constexpr int kOwnDescriptorsFrom = 700;  // out of the way of the server's own

enum Kind {
  kOpen,
  kCreate,
  kWrite,
  kSync,
  kTruncate,
  kAllocate,
  kRename,
  kUnlink,
  kMkdir,
  kMap,
  kClose,
  kDirSync,
  kKinds
};
constexpr std::array<const char*, kKinds> kKindNames = {"open",     "create",   "write",  "sync",
                                                        "truncate", "allocate", "rename", "unlink",
                                                        "mkdir",    "map",      "close",  "dirsync"};
enum Class { kWal, kSpare, kRecords, kIndex, kMetadata, kLock, kDir, kOther, kClasses };
constexpr std::array<const char*, kClasses> kClassNames = {"wal",      "spare", "records", "index",
                                                           "metadata", "lock",  "dir",     "other"};

// The C library's own function behind the one that this library puts in front of it.
template <typename Function>
Function* Real(Function* known, const char* name) {
  (void)known;
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}
#define REAL(name)                                 \
  (*[] {                                           \
    static const auto real = Real(&::name, #name); \
    return real;                                   \
  }())

using Blocks = std::map<uint64_t, std::string>;  // number of the block -> what the disk holds there

struct File {
  std::string path;
  Class cls = kOther;
  bool is_nameless = false;  // removed, or replaced by a rename
  int own_fd = -1;           // stays open: what is lost is put back through it
  uint64_t durable_size = 0;
  Blocks dirty;    // written since the last sync
  Blocks syncing;  // of a sync that hasn't returned
  Blocks doomed;   // of a sync that failed, and not written again since
};

// What a descriptor of the server's stands for.
struct Handle {
  Class cls = kOther;
  bool is_dir = false;
  bool writes_are_synced = false;
  File* file = nullptr;  // none for directories and lock files
  std::string path;
};

// A change of names that its directory's sync hasn't made durable yet.
struct NameChange {
  Kind kind = kCreate;  // kCreate, kMkdir, kRename, kUnlink
  std::string path;     // the name before, of a rename
  std::string to;
  int saved_fd = -1;  // the file that lost its name: removed, or replaced by a rename
};

struct Rule {
  std::string action;
  int kind = -1, cls = -1;  // -1: any
  uint64_t first = 1, count = 1, ms = 0;
  uint64_t seen = 0;
};

struct Verdict {
  int error = 0;
  bool is_short = false, kill_after = false;
};

struct Layer {
  std::mutex mutex;  // held through every operation; guards all below
  std::string dir, loss = "none", state_path;
  std::vector<Rule> rules;
  uint64_t seed = 1, operations = 0, map_bytes = 0;
  int report_fd = -1, control_fd = -1;
  std::array<std::array<uint64_t, kClasses>, kKinds> counts{};
  std::map<std::pair<dev_t, ino_t>, File*> files;
  std::vector<NameChange> names;
  std::array<std::atomic<Handle*>, kDescriptorsMax> handles{};
};

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

template <size_t kCount>
int Lookup(const std::array<const char*, kCount>& names, const std::string& name) {
  for (size_t i = 0; i < kCount; ++i) {
    if (name == names[i]) return static_cast<int>(i);
  }
  if (name == "*") return -1;
  std::fprintf(stderr, "fault layer: '%s' is no kind, class or error\n", name.c_str());
  _exit(98);
}

std::vector<Rule> ParseRules(const std::string& text) {
  std::vector<Rule> rules;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line, ',');) {
    std::istringstream parts(line);
    std::array<std::string, 6> part;
    for (auto& one : part) std::getline(parts, one, ':');
    Rule rule;
    rule.action = part[0];
    rule.kind = Lookup(kKindNames, part[1]);
    rule.cls = Lookup(kClassNames, part[2]);
    rule.first = std::stoull(part[3]);
    rule.count = part[4].empty() ? 1 : std::stoull(part[4]);
    rule.ms = part[5].empty() ? 0 : std::stoull(part[5]);
    rules.push_back(rule);
  }
  return rules;
}

void ReadState(Layer& layer);

// Made at the first operation and never destroyed: threads outlive main's return.
Layer& TheLayer() {
  static Layer* const layer = [] {
    auto* made = new Layer;
    made->dir = Variable("STEMEDB_TEST_FAULT_DIR");
    made->rules = ParseRules(Variable("STEMEDB_TEST_FAULT_RULES"));
    made->state_path = Variable("STEMEDB_TEST_FAULT_STATE");
    if (const auto loss = Variable("STEMEDB_TEST_FAULT_LOSS"); !loss.empty()) made->loss = loss;
    if (const auto seed = Variable("STEMEDB_TEST_FAULT_SEED"); !seed.empty()) made->seed = std::stoull(seed);
    if (const auto fd = Variable("STEMEDB_TEST_FAULT_REPORT_FD"); !fd.empty())
      made->report_fd = std::stoi(fd);
    if (const auto fd = Variable("STEMEDB_TEST_FAULT_CONTROL_FD"); !fd.empty())
      made->control_fd = std::stoi(fd);
    if (const auto bytes = Variable("STEMEDB_TEST_FAULT_MAP_BYTES"); !bytes.empty())
      made->map_bytes = std::stoull(bytes);
    if (!made->dir.empty()) ReadState(*made);
    return made;
  }();
  return *layer;
}

void Report(Layer& layer, const std::string& line) {
  if (layer.report_fd < 0) return;
  const std::string text = line + "\n";
  (void)!REAL(write)(layer.report_fd, text.data(), text.size());
}

// ---------------------------------------------------------------- names

std::string ParentOf(const std::string& path) { return path.substr(0, std::max<size_t>(path.rfind('/'), 1)); }

bool EndsWith(const std::string& text, const char* end) {
  const size_t size = std::strlen(end);
  return text.size() >= size && text.compare(text.size() - size, size, end) == 0;
}

// The path without a final slash, or nothing when it isn't ours. The directory's own parent counts: the
// directory's name is in it.
std::string OurPath(const Layer& layer, const char* raw) {
  if (layer.dir.empty() || !raw) return {};
  std::string path = raw;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (path == layer.dir || path == ParentOf(layer.dir) || path.rfind(layer.dir + "/", 0) == 0) return path;
  return {};
}

Class ClassOf(const std::string& path) {
  if (EndsWith(path, "/LOCK") || EndsWith(path, "-lock") || EndsWith(path, "/lock.mdb")) return kLock;
  if (path.find("/segment-") != std::string::npos) return kWal;
  if (EndsWith(path, "/spare-segment")) return kSpare;
  if (path.find("/assertions.kv") != std::string::npos) return kRecords;
  if (path.find("/data.mdb") != std::string::npos) return kIndex;
  if (path.find("/metadata.json") != std::string::npos) return kMetadata;
  return kOther;
}

// ---------------------------------------------------------------- what a crash leaves

void CopyInto(int from, const std::string& path) {
  const int to = REAL(open)(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (to < 0) return;
  char buffer[65536];
  off_t at = 0;
  for (ssize_t got; (got = pread(from, buffer, sizeof buffer, at)) > 0; at += got) {
    (void)!REAL(pwrite)(to, buffer, static_cast<size_t>(got), at);
  }
  REAL(close)(to);
}

int RemoveOne(const char* path, const struct stat*, int, struct FTW*) { return ::remove(path); }

void TakeBack(const NameChange& change) {
  switch (change.kind) {
    case kCreate:
      REAL(unlink)(change.path.c_str());
      return;
    case kMkdir:
      nftw(change.path.c_str(), RemoveOne, 8, FTW_DEPTH | FTW_PHYS);
      return;
    case kRename:
      REAL(rename)(change.to.c_str(), change.path.c_str());
      if (change.saved_fd >= 0) CopyInto(change.saved_fd, change.to);
      return;
    default:
      if (change.saved_fd >= 0) CopyInto(change.saved_fd, change.path);
  }
}

uint64_t SizeOf(int fd) {
  struct stat info;
  return fstat(fd, &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
}

// The blocks whose loss is possible, with what the disk holds of them.
Blocks Losable(const File& file) {
  Blocks blocks = file.dirty;
  for (const auto& [number, old] : file.syncing) blocks[number] = old;
  for (const auto& [number, old] : file.doomed) blocks[number] = old;
  return blocks;
}

// The number of blocks that were put back.
size_t LoseData(File& file, bool torn, std::mt19937_64& rng) {
  const uint64_t now = SizeOf(file.own_fd);
  const Blocks blocks = Losable(file);
  if (blocks.empty() && now == file.durable_size) return 0;
  uint64_t size = file.durable_size;
  if (torn && rng() % 2 == 0) size = now;
  if (torn && rng() % 4 == 0)
    size = std::min(size, now) + rng() % (std::max(size, now) - std::min(size, now) + 1);
  // Often it is written from its beginning on, and the end is what is missing.
  const bool in_order = torn && now > file.durable_size && rng() % 3 == 0;
  if (in_order) size = file.durable_size + rng() % (now - file.durable_size + 1);
  // The file system's blocks are larger than the disk's: either of them may be what is written as a whole.
  const uint64_t unit = rng() % 2 == 0 ? 1 : 8;
  std::map<uint64_t, bool> fates;
  size_t lost = 0;
  for (const auto& [number, old] : blocks) {
    const auto fate = fates.emplace(number / unit, !in_order && (!torn || rng() % 2 == 0));
    if (!fate.first->second) continue;
    ++lost;
    (void)!REAL(pwrite)(file.own_fd, old.data(), old.size(), static_cast<off_t>(number * kBlock));
  }
  (void)!REAL(ftruncate)(file.own_fd, static_cast<off_t>(size));
  return lost;
}

void LoseUnsynced(Layer& layer) {
  const bool torn = layer.loss == "torn";
  std::mt19937_64 rng(layer.seed);
  size_t files = 0, blocks = 0, kept = torn && !layer.names.empty() ? rng() % (layer.names.size() + 1) : 0;
  const size_t undone = layer.names.size() - kept;
  // In the order of paths: that of inodes isn't the seed's.
  std::multimap<std::string, File*> sorted;
  for (auto& [id, file] : layer.files) sorted.emplace(file->path, file);
  for (auto& [path, file] : sorted) {
    const size_t lost = LoseData(*file, torn, rng);
    files += lost > 0;
    blocks += lost;
  }
  for (; layer.names.size() > kept; layer.names.pop_back()) TakeBack(layer.names.back());
  Report(layer, "lost " + std::to_string(blocks) + " blocks of " + std::to_string(files) + " files, " +
                    std::to_string(undone) + " names");
}

// `later`: paths hold no blanks here, and a block is 512 bytes in hex or fewer.
void WriteState(const Layer& layer) {
  std::ofstream out(layer.state_path, std::ios::trunc);
  for (const NameChange& change : layer.names) {
    if (change.kind == kCreate) out << "new " << change.path << "\n";
  }
  for (const auto& [id, file] : layer.files) {
    if (file->is_nameless) continue;
    out << "file " << file->path << " " << file->durable_size << "\n";
    for (const auto& [number, old] : Losable(*file)) {
      out << "block " << number << " ";
      for (const unsigned char byte : old)
        out << "0123456789abcdef"[byte >> 4] << "0123456789abcdef"[byte & 15];
      out << "\n";
    }
  }
}

File* FileOf(Layer& layer, const std::string& path);

void ReadState(Layer& layer) {
  if (layer.state_path.empty()) return;
  std::ifstream in(layer.state_path);
  File* file = nullptr;
  for (std::string word, path; in >> word;) {
    if (word == "new") {
      in >> path;
      layer.names.push_back({kCreate, path, "", -1});
    } else if (word == "file") {
      uint64_t size = 0;
      in >> path >> size;
      file = FileOf(layer, path);
      if (file) file->durable_size = size;
    } else {
      uint64_t number = 0;
      std::string hex;
      in >> number >> hex;
      std::string old(hex.size() / 2, '\0');
      for (size_t i = 0; i < old.size(); ++i)
        old[i] = static_cast<char>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
      if (file) file->dirty[number] = old;
    }
  }
  // What this process leaves behind isn't what the last one left.
  in.close();
  REAL(unlink)(layer.state_path.c_str());
}

void ReportCounts(Layer& layer) {
  for (size_t kind = 0; kind < kKinds; ++kind) {
    for (size_t cls = 0; cls < kClasses; ++cls) {
      if (layer.counts[kind][cls] == 0) continue;
      Report(layer, std::string("count ") + kKindNames[kind] + " " + kClassNames[cls] + " " +
                        std::to_string(layer.counts[kind][cls]));
    }
  }
  Report(layer, "operations " + std::to_string(layer.operations));
}

// In the child: waits for the server to be dead with all its threads, and goes on alone.
void AfterDeath(Layer& layer, pid_t server) {
  std::vector<int> kept = {layer.report_fd};
  for (const auto& [id, file] : layer.files) kept.push_back(file->own_fd);
  for (const NameChange& change : layer.names) kept.push_back(change.saved_fd);
  for (auto& handle : layer.handles) handle.store(nullptr, std::memory_order_relaxed);
  // Not to hold the server's locks and ports any longer than it does.
  for (int fd = 3; fd < 4096; ++fd) {
    if (std::find(kept.begin(), kept.end(), fd) == kept.end()) REAL(close)(fd);
  }
  kill(server, SIGKILL);
  while (getppid() == server) usleep(100);
  Report(layer, "child " + std::to_string(getpid()));
  if (layer.loss == "later")
    WriteState(layer);
  else
    LoseUnsynced(layer);
  _exit(0);
}

// The mutex is held and stays so: no other thread begins an operation any more.
[[noreturn]] void Die(Layer& layer, const std::string& where) {
  Report(layer, "killed " + where);
  ReportCounts(layer);
  const pid_t server = getpid();
  if (layer.loss != "none") {
    const pid_t child = fork();
    if (child == 0) AfterDeath(layer, server);
    if (child < 0) Report(layer, "error fork");
    if (child > 0) {
      for (;;) pause();
    }
  }
  kill(server, SIGKILL);
  for (;;) pause();
}

// ---------------------------------------------------------------- counting and judging

int ErrorOf(const std::string& action) {
  constexpr std::array<std::pair<const char*, int>, 5> kErrors = {
      {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EMFILE", EMFILE}, {"ENOMEM", ENOMEM}}};
  for (const auto& [name, error] : kErrors) {
    if (action == name) return error;
  }
  return 0;
}

// Counts one operation and says what becomes of it. May not return. A stall lets other threads go on.
Verdict Judge(Layer& layer, std::unique_lock<std::mutex>& lock, Kind kind, Class cls,
              const std::string& path) {
  ++layer.counts[kind][cls];
  const uint64_t number = ++layer.operations;
  const std::string where =
      std::string(kKindNames[kind]) + " " + kClassNames[cls] + " " + std::to_string(number) + " " + path;
  Verdict verdict;
  bool kill_before = false;
  uint64_t stall_ms = 0;
  for (Rule& rule : layer.rules) {
    if ((rule.kind >= 0 && rule.kind != kind) || (rule.cls >= 0 && rule.cls != cls)) continue;
    ++rule.seen;
    if (rule.seen < rule.first || (rule.count > 0 && rule.seen >= rule.first + rule.count)) continue;
    stall_ms += rule.ms;
    kill_before |= rule.action == "kill_before";
    verdict.kill_after |= rule.action == "kill_after";
    verdict.is_short |= rule.action == "short" && kind == kWrite;
    if (const int error = ErrorOf(rule.action); error != 0) verdict.error = error;
    if (verdict.error != 0 || verdict.is_short) Report(layer, "fired " + rule.action + " " + where);
  }
  if (stall_ms > 0) {
    lock.unlock();
    usleep(static_cast<useconds_t>(stall_ms * 1000));
    lock.lock();
  }
  if (kill_before) Die(layer, "before " + where);
  return verdict;
}

void Finish(Layer& layer, const Verdict& verdict, const char* what) {
  if (!verdict.kill_after) return;
  Die(layer, std::string("after ") + what + " " + std::to_string(layer.operations));
}

Handle* HandleOf(int fd) {
  if (fd < 0 || fd >= kDescriptorsMax) return nullptr;
  return TheLayer().handles[static_cast<size_t>(fd)].load(std::memory_order_acquire);
}

// ---------------------------------------------------------------- contents

// Keeps what the disk holds of [from, to), when nobody has kept it yet.
void Remember(File& file, uint64_t from, uint64_t to) {
  const uint64_t size = SizeOf(file.own_fd);
  for (uint64_t number = from / kBlock; number * kBlock < to; ++number) {
    if (file.dirty.count(number) != 0) continue;
    std::string old(kBlock, '\0');
    // Beyond the end the disk holds zeros, and beyond what is durable nothing that a crash brings back.
    if (number * kBlock < size)
      (void)!pread(file.own_fd, old.data(), kBlock, static_cast<off_t>(number * kBlock));
    file.dirty.emplace(number, std::move(old));
  }
}

void Settle(File& file, uint64_t from, uint64_t to) {
  for (uint64_t number = from / kBlock; number * kBlock < to; ++number) {
    file.dirty.erase(number);
    file.syncing.erase(number);
    file.doomed.erase(number);
  }
  file.durable_size = std::max(file.durable_size, to);
}

File* FileOf(Layer& layer, const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return nullptr;
  File*& file = layer.files[{info.st_dev, info.st_ino}];
  if (!file) {
    const int fd = REAL(open)(path.c_str(), O_RDWR | O_CLOEXEC);
    file = new File;
    file->own_fd = fcntl(fd, F_DUPFD_CLOEXEC, kOwnDescriptorsFrom);
    REAL(close)(fd);
    file->durable_size = static_cast<uint64_t>(info.st_size);
    file->cls = ClassOf(path);
  }
  file->path = path;
  return file;
}

// `write` does it for the part that it is told of, and returns what the system call would.
template <typename Write>
ssize_t Written(Handle& handle, off_t offset, size_t bytes, Write write) {
  Layer& layer = TheLayer();
  std::unique_lock lock(layer.mutex);
  const Verdict verdict = Judge(layer, lock, kWrite, handle.cls, handle.path);
  if (verdict.error != 0) {
    errno = verdict.error;
    return -1;
  }
  const size_t part = verdict.is_short ? std::max<size_t>(bytes / 2, 1) : bytes;
  const auto from = static_cast<uint64_t>(offset);
  if (handle.file) Remember(*handle.file, from, from + part);
  const ssize_t result = write(part);
  if (handle.file && handle.writes_are_synced && result > 0)
    Settle(*handle.file, from, from + static_cast<uint64_t>(result));
  const int error = errno;
  Finish(layer, verdict, "write");
  errno = error;
  return result;
}

std::vector<iovec> FirstBytes(const iovec* parts, int count, size_t bytes) {
  std::vector<iovec> out;
  for (int i = 0; i < count && bytes > 0; ++i) {
    const size_t step = std::min(bytes, parts[i].iov_len);
    out.push_back({parts[i].iov_base, step});
    bytes -= step;
  }
  return out;
}

size_t BytesOf(const iovec* parts, int count) {
  size_t bytes = 0;
  for (int i = 0; i < count; ++i) bytes += parts[i].iov_len;
  return bytes;
}

int SyncFile(Layer& layer, std::unique_lock<std::mutex>& lock, Handle& handle) {
  File* file = handle.file;
  if (file) {
    for (auto& [number, old] : file->dirty) file->syncing.emplace(number, std::move(old));
    file->dirty.clear();
  }
  const uint64_t size = file ? SizeOf(file->own_fd) : 0;
  const Verdict verdict = Judge(layer, lock, kSync, handle.cls, handle.path);
  if (file && verdict.error != 0) {
    for (auto& [number, old] : file->syncing) file->doomed.emplace(number, std::move(old));
  } else if (file) {
    for (const auto& [number, old] : file->syncing) file->doomed.erase(number);
    file->durable_size = size;
  }
  if (file) file->syncing.clear();
  Finish(layer, verdict, "sync");
  errno = verdict.error;
  return verdict.error != 0 ? -1 : 0;
}

int SyncDir(Layer& layer, std::unique_lock<std::mutex>& lock, Handle& handle) {
  const Verdict verdict = Judge(layer, lock, kDirSync, handle.cls, handle.path);
  if (verdict.error == 0) {
    std::erase_if(layer.names, [&](const NameChange& change) {
      return ParentOf(change.kind == kRename ? change.to : change.path) == handle.path;
    });
  }
  Finish(layer, verdict, "dirsync");
  errno = verdict.error;
  return verdict.error != 0 ? -1 : 0;
}

template <typename Call>
int Synced(int fd, Call call) {
  Handle* handle = HandleOf(fd);
  if (!handle) return call(fd);
  Layer& layer = TheLayer();
  std::unique_lock lock(layer.mutex);
  return handle->is_dir ? SyncDir(layer, lock, *handle) : SyncFile(layer, lock, *handle);
}

template <typename Call>
int Resized(int fd, Kind kind, uint64_t from, uint64_t to, Call call) {
  Handle* handle = HandleOf(fd);
  if (!handle) return call();
  Layer& layer = TheLayer();
  std::unique_lock lock(layer.mutex);
  const Verdict verdict = Judge(layer, lock, kind, handle->cls, handle->path);
  if (verdict.error != 0) {
    errno = verdict.error;
    return -1;
  }
  if (handle->file) Remember(*handle->file, from, std::min(to, SizeOf(handle->file->own_fd)));
  const int result = call();
  const int error = errno;
  Finish(layer, verdict, kKindNames[kind]);
  errno = error;
  return result;
}

template <typename Call>
int Opened(const char* raw, int flags, Call call) {
  Layer& layer = TheLayer();
  const std::string path = OurPath(layer, raw);
  if (path.empty()) return call();
  std::unique_lock lock(layer.mutex);
  struct stat info;
  const bool was_there = stat(path.c_str(), &info) == 0;
  const bool is_dir = was_there && S_ISDIR(info.st_mode);
  const bool creates = !was_there && (flags & O_CREAT) != 0;
  const Class cls = is_dir ? kDir : ClassOf(path);
  const Verdict verdict = Judge(layer, lock, creates ? kCreate : kOpen, cls, path);
  if (verdict.error != 0) {
    errno = verdict.error;
    return -1;
  }
  const bool writes = (flags & O_ACCMODE) != O_RDONLY;
  File* file = was_there && writes && cls != kLock ? FileOf(layer, path) : nullptr;
  if (file && (flags & O_TRUNC) != 0) Remember(*file, 0, SizeOf(file->own_fd));
  const int fd = call();
  const int error = errno;
  if (fd >= 0 && fd < kDescriptorsMax) {
    if (creates && cls != kLock) {
      layer.names.push_back({kCreate, path, "", -1});
      file = FileOf(layer, path);
    }
    auto* handle = new Handle{cls, is_dir, (flags & (O_DSYNC | O_SYNC)) != 0, file, path};
    layer.handles[static_cast<size_t>(fd)].store(handle, std::memory_order_release);
  }
  Finish(layer, verdict, "open");
  errno = error;
  return fd;
}

template <typename Call>
void* Mapped(int fd, int protection, int flags, Call call) {
  Handle* handle = HandleOf(fd);
  if (!handle || handle->is_dir) return call();
  Layer& layer = TheLayer();
  std::unique_lock lock(layer.mutex);
  if (handle->cls != kLock && (protection & PROT_WRITE) != 0 && (flags & MAP_SHARED) != 0) {
    std::fprintf(stderr, "fault layer: %s is mapped for writing, which it can't follow\n",
                 handle->path.c_str());
    _exit(98);
  }
  const Verdict verdict = Judge(layer, lock, kMap, handle->cls, handle->path);
  if (verdict.error != 0) {
    errno = verdict.error;
    return MAP_FAILED;
  }
  void* result = call();
  Finish(layer, verdict, "map");
  return result;
}

void* Control(void*) {
  Layer& layer = TheLayer();
  char byte = 0;
  while (read(layer.control_fd, &byte, 1) < 0 && errno == EINTR) {
  }
  layer.mutex.lock();
  Die(layer, "on demand");
}

__attribute__((constructor)) void Begin() {
  Layer& layer = TheLayer();
  if (layer.dir.empty()) return;
  unsetenv("LD_PRELOAD");
  if (layer.control_fd < 0) return;
  // The server's signals are for its own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  if (pthread_create(&thread, nullptr, Control, nullptr) == 0) pthread_detach(thread);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

__attribute__((destructor)) void End() {
  Layer& layer = TheLayer();
  if (layer.dir.empty()) return;
  const std::lock_guard lock(layer.mutex);
  if (layer.loss == "later") WriteState(layer);
  Report(layer, "ended");
  ReportCounts(layer);
}

}  // namespace

// ---------------------------------------------------------------- what stands before the C library

extern "C" {

#define MODE_OF(flags)           \
  mode_t mode = 0;               \
  if (((flags)&O_CREAT) != 0) {  \
    va_list rest;                \
    va_start(rest, flags);       \
    mode = va_arg(rest, mode_t); \
    va_end(rest);                \
  }

int open(const char* path, int flags, ...) {
  MODE_OF(flags)
  return Opened(path, flags, [&] { return REAL(open)(path, flags, mode); });
}
int open64(const char* path, int flags, ...) {
  MODE_OF(flags)
  return Opened(path, flags, [&] { return REAL(open64)(path, flags, mode); });
}
int openat(int dir, const char* path, int flags, ...) {
  MODE_OF(flags)
  return Opened(path, flags, [&] { return REAL(openat)(dir, path, flags, mode); });
}
int openat64(int dir, const char* path, int flags, ...) {
  MODE_OF(flags)
  return Opened(path, flags, [&] { return REAL(openat64)(dir, path, flags, mode); });
}
int creat(const char* path, mode_t mode) {
  return Opened(path, O_CREAT | O_WRONLY | O_TRUNC, [&] { return REAL(creat)(path, mode); });
}

ssize_t write(int fd, const void* data, size_t bytes) {
  Handle* handle = HandleOf(fd);
  if (!handle) return REAL(write)(fd, data, bytes);
  return Written(*handle, lseek(fd, 0, SEEK_CUR), bytes,
                 [&](size_t part) { return REAL(write)(fd, data, part); });
}
ssize_t pwrite(int fd, const void* data, size_t bytes, off_t offset) {
  Handle* handle = HandleOf(fd);
  if (!handle) return REAL(pwrite)(fd, data, bytes, offset);
  return Written(*handle, offset, bytes, [&](size_t part) { return REAL(pwrite)(fd, data, part, offset); });
}
ssize_t pwrite64(int fd, const void* data, size_t bytes, off64_t offset) {
  return pwrite(fd, data, bytes, offset);
}
ssize_t writev(int fd, const iovec* parts, int count) {
  Handle* handle = HandleOf(fd);
  if (!handle) return REAL(writev)(fd, parts, count);
  return Written(*handle, lseek(fd, 0, SEEK_CUR), BytesOf(parts, count), [&](size_t part) {
    const auto some = FirstBytes(parts, count, part);
    return REAL(writev)(fd, some.data(), static_cast<int>(some.size()));
  });
}
ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
  Handle* handle = HandleOf(fd);
  if (!handle) return REAL(pwritev)(fd, parts, count, offset);
  return Written(*handle, offset, BytesOf(parts, count), [&](size_t part) {
    const auto some = FirstBytes(parts, count, part);
    return REAL(pwritev)(fd, some.data(), static_cast<int>(some.size()), offset);
  });
}
ssize_t pwritev64(int fd, const iovec* parts, int count, off64_t offset) {
  return pwritev(fd, parts, count, offset);
}

int fsync(int fd) {
  return Synced(fd, [](int other) { return REAL(fsync)(other); });
}
int fdatasync(int fd) {
  return Synced(fd, [](int other) { return REAL(fdatasync)(other); });
}

int ftruncate(int fd, off_t size) noexcept {
  return Resized(fd, kTruncate, static_cast<uint64_t>(size), UINT64_MAX,
                 [&] { return REAL(ftruncate)(fd, size); });
}
int ftruncate64(int fd, off64_t size) noexcept { return ftruncate(fd, size); }
// Blocks that are only reserved hold nothing that could be lost.
int fallocate(int fd, int mode, off_t offset, off_t bytes) {
  return Resized(fd, kAllocate, 0, 0, [&] { return REAL(fallocate)(fd, mode, offset, bytes); });
}
int posix_fallocate(int fd, off_t offset, off_t bytes) {
  int result = 0;
  const int judged =
      Resized(fd, kAllocate, 0, 0, [&] { return (result = REAL(posix_fallocate)(fd, offset, bytes)), 0; });
  return judged != 0 ? errno : result;
}

int rename(const char* from, const char* to) noexcept {
  Layer& layer = TheLayer();
  const std::string path = OurPath(layer, from), target = OurPath(layer, to);
  if (path.empty()) return REAL(rename)(from, to);
  std::unique_lock lock(layer.mutex);
  const Verdict verdict = Judge(layer, lock, kRename, ClassOf(path), path);
  if (verdict.error != 0) {
    errno = verdict.error;
    return -1;
  }
  File* replaced = FileOf(layer, target);
  const int saved = replaced ? replaced->own_fd : -1;
  const int result = REAL(rename)(from, to);
  if (result == 0) {
    if (replaced) replaced->is_nameless = true;
    layer.names.push_back({kRename, path, target, saved});
    FileOf(layer, target);  // takes the new name
  }
  const int error = errno;
  Finish(layer, verdict, "rename");
  errno = error;
  return result;
}
int renameat(int from_dir, const char* from, int to_dir, const char* to) noexcept {
  if (OurPath(TheLayer(), from).empty()) return REAL(renameat)(from_dir, from, to_dir, to);
  return rename(from, to);
}

int unlink(const char* raw) noexcept {
  Layer& layer = TheLayer();
  const std::string path = OurPath(layer, raw);
  if (path.empty()) return REAL(unlink)(raw);
  std::unique_lock lock(layer.mutex);
  const Class cls = ClassOf(path);
  const Verdict verdict = Judge(layer, lock, kUnlink, cls, path);
  if (verdict.error != 0) {
    errno = verdict.error;
    return -1;
  }
  File* file = cls == kLock ? nullptr : FileOf(layer, path);
  const int saved = file ? file->own_fd : -1;
  const int result = REAL(unlink)(raw);
  if (result == 0 && file) file->is_nameless = true;
  if (result == 0 && saved >= 0) layer.names.push_back({kUnlink, path, "", saved});
  Finish(layer, verdict, "unlink");
  return result;
}

int mkdir(const char* raw, mode_t mode) noexcept {
  Layer& layer = TheLayer();
  const std::string path = OurPath(layer, raw);
  struct stat info;
  if (path.empty() || stat(path.c_str(), &info) == 0) return REAL(mkdir)(raw, mode);
  std::unique_lock lock(layer.mutex);
  const Verdict verdict = Judge(layer, lock, kMkdir, kDir, path);
  if (verdict.error != 0) {
    errno = verdict.error;
    return -1;
  }
  const int result = REAL(mkdir)(raw, mode);
  if (result == 0) layer.names.push_back({kMkdir, path, "", -1});
  const int error = errno;
  Finish(layer, verdict, "mkdir");
  errno = error;
  return result;
}

void* mmap(void* at, size_t bytes, int protection, int flags, int fd, off_t offset) noexcept {
  if (fd < 0) return REAL(mmap)(at, bytes, protection, flags, fd, offset);
  return Mapped(fd, protection, flags, [&] { return REAL(mmap)(at, bytes, protection, flags, fd, offset); });
}
void* mmap64(void* at, size_t bytes, int protection, int flags, int fd, off64_t offset) noexcept {
  return mmap(at, bytes, protection, flags, fd, offset);
}

int close(int fd) {
  Handle* handle = HandleOf(fd);
  if (!handle) return REAL(close)(fd);
  Layer& layer = TheLayer();
  std::unique_lock lock(layer.mutex);
  const Verdict verdict = Judge(layer, lock, kClose, handle->cls, handle->path);
  layer.handles[static_cast<size_t>(fd)].store(nullptr, std::memory_order_release);
  const int result = REAL(close)(fd);
  Finish(layer, verdict, "close");
  if (verdict.error == 0) return result;
  errno = verdict.error;  // the descriptor is gone all the same, as with the kernel's
  return -1;
}

// LMDB's own: the first size that a server sets is replaced, what it grows to is not.
struct MDB_env;
int mdb_env_set_mapsize(MDB_env* env, size_t bytes) {
  static const auto real =
      reinterpret_cast<int (*)(MDB_env*, size_t)>(dlsym(RTLD_NEXT, "mdb_env_set_mapsize"));
  constexpr size_t kFirstSizeMin = size_t{1} << 30;
  const uint64_t small = TheLayer().map_bytes;
  return real(env, small > 0 && bytes >= kFirstSizeMin ? small : bytes);
}

}  // extern "C"
