// SPDX-License-Identifier: Apache-2.0
// Env: the files, directories and locks of the operating system, as far as the log needs them.
//
// It is an interface because there are two of it: the real one (Env::Posix) and FaultInjectingEnv, by which
// tests make a disk fail. Errors are Statuses that say what an operator needs:
//   ENOSPC, EDQUOT  kResourceExhausted "disk_full"          No space left on device: PATH
//   EACCES, EPERM   kPermissionDenied  "permission_denied"  Permission denied: PATH (owner, mode, wanted)
//   ENOENT          kNotFound          "no_such_file"       No such file or directory: PATH
//   others          kIoError           "io_error"           OPERATION PATH: strerror
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "env/clock.h"

namespace stemedb::env {

// One open file that grows at its end. Not thread-safe; ReadAt alone may run beside the other calls.
// Closed by the destructor, which does not sync.
class File {
 public:
  virtual ~File() = default;
  // Writes the parts one after the other at the end (one system call where the kernel takes them all). After
  // a failure an unknown part of it may stand in the file: Truncate to the size before it.
  virtual Status Append(std::span<const std::string_view> parts) = 0;
  Status Append(std::string_view bytes) { return Append({&bytes, 1}); }
  // fdatasync: what was appended survives a power loss. After a failure the state of earlier writes is
  // unknown and a second Sync proves nothing: give the file up.
  virtual Status Sync() = 0;
  virtual Status Truncate(uint64_t size) = 0;
  // The content ends at `end`, which is at most size(), though the file is longer: Append goes on there, over
  // what was prepared. Changes nothing on disk.
  virtual void SetEnd(uint64_t end) = 0;
  // Allocates disk space up to `bytes` from the file's beginning without changing its size. A help, never a
  // need: false when the file system won't.
  virtual bool Reserve(uint64_t bytes) = 0;
  // Reads up to out.size() bytes; fewer only at the end of the file.
  virtual Result<size_t> ReadAt(uint64_t offset, std::span<uint8_t> out) const = 0;
  // Bytes, as this handle knows it: at opening, moved by Append, Truncate and SetEnd.
  virtual uint64_t size() const = 0;
  // Whether path() still leads to this very file, and it is no shorter than size(): false once somebody has
  // renamed, removed, replaced it or cut it short behind our back. True when that can't be told.
  virtual bool IsInPlace() const = 0;
  virtual const std::string& path() const = 0;
};

// Held as long as it lives; the kernel lets go when the process dies, however that happens.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

// May be called from any thread. Paths are bytes; directories without a final slash.
class Env {
 public:
  virtual ~Env() = default;

  // Both open regular files, links followed, and nothing else: a FIFO, a device or a directory in a file's
  // place is kIoError "io_error" ("PATH: is a FIFO, not a file: …"), never waited for. OpenAppend creates the
  // file (mode 0644) when it is not there.
  virtual Result<std::unique_ptr<File>> OpenAppend(const std::string& path) = 0;
  virtual Result<std::unique_ptr<File>> OpenRead(const std::string& path) = 0;
  // Names (not paths) of what is in the directory, sorted, without . and ..
  virtual Result<std::vector<std::string>> List(const std::string& dir) = 0;
  // Replaces `to` when it is there. Durable after SyncDir.
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  virtual Status Remove(const std::string& path) = 0;
  // mkdir -p, mode 0755. What it made survives a power loss.
  virtual Status MakeDirs(const std::string& dir) = 0;
  // Makes created, renamed and removed names in the directory survive a power loss.
  virtual Status SyncDir(const std::string& dir) = 0;
  virtual Result<uint64_t> FileSize(const std::string& path) = 0;
  // Bytes that an unprivileged process may still write to the directory's file system.
  virtual Result<uint64_t> FreeBytes(const std::string& dir) = 0;
  // Takes DIR/LOCK for this process and writes the pid into it. Fails at once with kConflict
  // "already_running" when another holder, in this process or another, has it.
  virtual Result<std::unique_ptr<FileLock>> LockDir(const std::string& dir) = 0;
  // Takes DIR/LOCK to read: with others who read, and with none who has LockDir. Changes nothing on disk;
  // null where there is no such file. kConflict "already_running".
  virtual Result<std::unique_ptr<FileLock>> LockDirToRead(const std::string& dir) = 0;
  // Never null; lives as long as the Env.
  virtual Clock* clock() = 0;

  // The machine's; lives as long as the process.
  static Env* Posix();
};

// The Status for errno `error` of `operation` ("open", "write") on `path`. `wanted` is what the caller needed
// of it, such as "rw" or "rwx"; it shows in "Permission denied" alone.
Status StatusFromErrno(int error, std::string_view operation, const std::string& path,
                       std::string_view wanted = "rw");

}  // namespace stemedb::env
