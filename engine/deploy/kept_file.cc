// SPDX-License-Identifier: Apache-2.0
#include "deploy/kept_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "env/env.h"

namespace stemedb::deploy {
namespace {

class OpenFile {
 public:
  explicit OpenFile(const std::string& path) {
    do {
      fd_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    } while (fd_ < 0 && errno == EINTR);
  }
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

std::string KindOf(const struct stat& info) {
  if (S_ISDIR(info.st_mode)) return "a directory";
  return S_ISFIFO(info.st_mode) ? "a FIFO" : "a device";  // a socket can't be opened
}

}  // namespace

Result<std::string> ReadKeptFile(const std::string& path, size_t bytes_max) {
  const OpenFile file(path);
  if (file.get() < 0) return env::StatusFromErrno(errno, "open", path, "r");
  struct stat info;
  if (::fstat(file.get(), &info) != 0) return env::StatusFromErrno(errno, "stat", path, "r");
  if (!S_ISREG(info.st_mode))
    return Status(Code::kIoError, "io_error", path + ": is " + KindOf(info) + ", not a file");
  if (static_cast<uint64_t>(info.st_size) > bytes_max)
    return Status(Code::kCorruption, "state_damaged", path + ": is too large");
  std::string text(static_cast<size_t>(info.st_size), '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return env::StatusFromErrno(errno, "read", path, "r");
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  text.resize(size);
  return text;
}

}  // namespace stemedb::deploy
