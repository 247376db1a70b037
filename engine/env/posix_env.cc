// SPDX-License-Identifier: Apache-2.0
// Env over POSIX system calls. Every call that a signal may interrupt is tried again; every descriptor is
// close-on-exec. Files are opened without waiting (O_NONBLOCK matters for what is no regular file alone) and
// looked at as what they turned out to be.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/path.h"
#include "env/env.h"

namespace stemedb::env {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

template <typename Call>
auto Retry(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

int OpenRetrying(const std::string& path, int flags) {
  return Retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0644); });
}

class PosixFile final : public File {
 public:
  PosixFile(std::string path, int fd, uint64_t size) : path_(std::move(path)), fd_(fd), size_(size) {}

  Status Append(std::span<const std::string_view> parts) override {
    while (!parts.empty()) {
      const size_t count = std::min<size_t>(parts.size(), kPartsMax);
      STEMEDB_RETURN_IF_ERROR(AppendSome(parts.first(count)));
      parts = parts.subspan(count);
    }
    return Status::Ok();
  }

  Status Sync() override {
    if (::fdatasync(fd_.get()) != 0) return StatusFromErrno(errno, "fdatasync", path_);
    return Status::Ok();
  }

  Status Truncate(uint64_t size) override {
    if (Retry([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); }) != 0) {
      return StatusFromErrno(errno, "truncate", path_);
    }
    size_ = size;
    return Status::Ok();
  }

  void SetEnd(uint64_t end) override { size_ = end; }

  bool Reserve(uint64_t bytes) override {
    return Retry([&] { return ::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)); }) ==
           0;
  }

  Result<size_t> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    size_t done = 0;
    while (done < out.size()) {
      const ssize_t got = Retry([&] {
        return ::pread(fd_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      });
      if (got < 0) return StatusFromErrno(errno, "read", path_, "r");
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }

  uint64_t size() const override { return size_; }

  bool IsInPlace() const override {
    struct stat here, there;
    if (::fstat(fd_.get(), &here) != 0) return true;
    if (::stat(path_.c_str(), &there) != 0) return errno != ENOENT && errno != ENOTDIR;
    return here.st_dev == there.st_dev && here.st_ino == there.st_ino &&
           static_cast<uint64_t>(here.st_size) >= size_;
  }

  const std::string& path() const override { return path_; }

 private:
  static constexpr size_t kPartsMax = 64;

  // Written at size_ rather than with O_APPEND: what a failed call left behind the end is overwritten, not
  // kept.
  Status AppendSome(std::span<const std::string_view> parts) {
    std::array<struct iovec, kPartsMax> vector;
    size_t first = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      vector[i] = {const_cast<char*>(parts[i].data()), parts[i].size()};
    }
    while (true) {
      while (first < parts.size() && vector[first].iov_len == 0) ++first;
      if (first == parts.size()) return Status::Ok();
      const ssize_t wrote = Retry([&] {
        return ::pwritev(fd_.get(), vector.data() + first, static_cast<int>(parts.size() - first),
                         static_cast<off_t>(size_));
      });
      if (wrote < 0) return StatusFromErrno(errno, "write", path_);
      if (wrote == 0) return StatusFromErrno(EIO, "write", path_);
      size_ += static_cast<uint64_t>(wrote);
      for (auto left = static_cast<size_t>(wrote); left > 0;) {
        const size_t step = std::min(left, vector[first].iov_len);
        vector[first].iov_base = static_cast<char*>(vector[first].iov_base) + step;
        vector[first].iov_len -= step;
        left -= step;
        if (vector[first].iov_len == 0) ++first;
      }
    }
  }

  const std::string path_;
  const Descriptor fd_;
  uint64_t size_;
};

// flock belongs to the open file description: it also keeps a second instance in the same process out.
class PosixLock final : public FileLock {
 public:
  explicit PosixLock(int fd) : fd_(fd) {}

 private:
  const Descriptor fd_;
};

std::string_view KindOf(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  return S_ISFIFO(mode) ? "a FIFO" : "a device";  // a socket can't be opened
}

Status NoFile(const std::string& path, mode_t mode) {
  return Status(Code::kIoError, "io_error",
                path + ": is " + std::string(KindOf(mode)) + ", not a file: move it away");
}

std::string ReadPid(int fd) {
  char text[32];
  const ssize_t got = ::pread(fd, text, sizeof text, 0);
  std::string digits;
  for (ssize_t i = 0; i < got && text[i] >= '0' && text[i] <= '9'; ++i) digits.push_back(text[i]);
  return digits;
}

class PosixEnv final : public Env {
 public:
  Result<std::unique_ptr<File>> OpenAppend(const std::string& path) override {
    return Open(path, O_RDWR | O_CREAT, "rw");
  }
  Result<std::unique_ptr<File>> OpenRead(const std::string& path) override {
    return Open(path, O_RDONLY, "r");
  }

  Result<std::vector<std::string>> List(const std::string& dir) override {
    DIR* stream = ::opendir(dir.c_str());
    if (!stream) return StatusFromErrno(errno, "open directory", dir, "rx");
    std::vector<std::string> names;
    errno = 0;
    // The stream is this call's own.  NOLINTNEXTLINE(concurrency-mt-unsafe)
    while (const struct dirent* entry = ::readdir(stream)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    const int error = errno;
    ::closedir(stream);
    if (error != 0) return StatusFromErrno(error, "read directory", dir, "rx");
    std::sort(names.begin(), names.end());
    return names;
  }

  Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return StatusFromErrno(errno, "rename", from);
    return Status::Ok();
  }

  Status Remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return StatusFromErrno(errno, "remove", path);
    return Status::Ok();
  }

  Status MakeDirs(const std::string& dir) override {
    for (size_t at = 1; at <= dir.size(); ++at) {
      if (at != dir.size() && dir[at] != '/') continue;
      const std::string part = dir.substr(0, at);
      if (::mkdir(part.c_str(), 0755) == 0) {
        STEMEDB_RETURN_IF_ERROR(SyncDir(ParentOf(part)));
        continue;
      }
      int error = errno;
      struct stat info;
      if (::stat(part.c_str(), &info) == 0) {
        if (S_ISDIR(info.st_mode)) continue;
        return StatusFromErrno(ENOTDIR, "create directory", part, "rwx");
      }
      if (error == EEXIST) error = errno;  // a link that leads nowhere, or where we may not go
      return StatusFromErrno(error, "create directory", part, "rwx");
    }
    return Status::Ok();
  }

  Status SyncDir(const std::string& dir) override {
    const Descriptor fd(OpenRetrying(dir, O_RDONLY | O_DIRECTORY));
    if (fd.get() < 0) return StatusFromErrno(errno, "open directory", dir, "rx");
    if (::fsync(fd.get()) != 0) return StatusFromErrno(errno, "fsync directory", dir);
    return Status::Ok();
  }

  Result<uint64_t> FileSize(const std::string& path) override {
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) return StatusFromErrno(errno, "stat", path, "r");
    return static_cast<uint64_t>(info.st_size);
  }

  Result<uint64_t> FreeBytes(const std::string& dir) override {
    struct statvfs info;
    if (::statvfs(dir.c_str(), &info) != 0) return StatusFromErrno(errno, "statvfs", dir, "rx");
    return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  }

  Result<std::unique_ptr<FileLock>> LockDir(const std::string& dir) override {
    const std::string path = dir + "/LOCK";
    const int fd = OpenRetrying(path, O_RDWR | O_CREAT);
    if (fd < 0) return StatusFromErrno(errno, "open", path);
    auto lock = std::make_unique<PosixLock>(fd);
    if (Retry([&] { return ::flock(fd, LOCK_EX | LOCK_NB); }) != 0) {
      if (errno != EWOULDBLOCK) return StatusFromErrno(errno, "lock", path);
      const std::string pid = ReadPid(fd);
      return Status(Code::kConflict, "already_running",
                    "another instance" + (pid.empty() ? std::string() : " (pid " + pid + ")") +
                        " uses the data directory " + dir +
                        ": stop it first, or give this one a directory of its own");
    }
    STEMEDB_RETURN_IF_ERROR(WritePid(fd, path));
    return std::unique_ptr<FileLock>(std::move(lock));
  }

  Result<std::unique_ptr<FileLock>> LockDirToRead(const std::string& dir) override {
    const std::string path = dir + "/LOCK";
    const int fd = OpenRetrying(path, O_RDONLY);
    if (fd < 0 && errno == ENOENT) return std::unique_ptr<FileLock>();
    if (fd < 0) return StatusFromErrno(errno, "open", path, "r");
    auto lock = std::make_unique<PosixLock>(fd);
    if (Retry([&] { return ::flock(fd, LOCK_SH | LOCK_NB); }) == 0)
      return std::unique_ptr<FileLock>(std::move(lock));
    if (errno != EWOULDBLOCK) return StatusFromErrno(errno, "lock", path);
    const std::string pid = ReadPid(fd);
    return Status(Code::kConflict, "already_running",
                  "a server" + (pid.empty() ? std::string() : " (pid " + pid + ")") +
                      " uses the data directory " + dir);
  }

  Clock* clock() override { return Clock::System(); }

 private:
  static Result<std::unique_ptr<File>> Open(const std::string& path, int flags, std::string_view wanted) {
    const int fd = OpenRetrying(path, flags | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == EISDIR) return NoFile(path, S_IFDIR);
    if (fd < 0) return StatusFromErrno(errno, "open", path, wanted);
    struct stat info;
    if (::fstat(fd, &info) != 0) {
      const int error = errno;
      ::close(fd);
      return StatusFromErrno(error, "stat", path, wanted);
    }
    if (!S_ISREG(info.st_mode)) {
      ::close(fd);
      return NoFile(path, info.st_mode);
    }
    return std::unique_ptr<File>(std::make_unique<PosixFile>(path, fd, static_cast<uint64_t>(info.st_size)));
  }

  // The pid only helps people: on a full disk the lock holds without it.
  static Status WritePid(int fd, const std::string& path) {
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd, 0) != 0) return StatusFromErrno(errno, "truncate", path);
    if (::pwrite(fd, pid.data(), pid.size(), 0) < 0 && errno != ENOSPC)
      return StatusFromErrno(errno, "write", path);
    return Status::Ok();
  }
};

}  // namespace

Env* Env::Posix() {
  static PosixEnv env;
  return &env;
}

}  // namespace stemedb::env
