// SPDX-License-Identifier: Apache-2.0
// Files are opened without waiting (O_NONBLOCK matters for FIFOs alone), looked at as what they turned out to
// be, and read up to a bound.
#include "script/script_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace stemedb::script {
namespace {

std::string ErrorText(int error) { return std::generic_category().message(error); }

int64_t Nanoseconds(const timespec& time) {
  return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

FileSignature SignatureOf(const struct stat& info) {
  return {static_cast<uint64_t>(info.st_dev), static_cast<uint64_t>(info.st_ino),
          static_cast<uint64_t>(info.st_size), Nanoseconds(info.st_mtim), Nanoseconds(info.st_ctim)};
}

Status Unreadable(const std::string& path, const std::string& why) {
  return Status(Code::kIoError, "script_unreadable", path + ": " + why);
}

Status Changing(const std::string& path) {
  return Status(Code::kUnavailable, "script_changing", path + ": is being changed");
}

std::string KindOf(const struct stat& info) {
  if (S_ISDIR(info.st_mode)) return "a directory";
  if (S_ISFIFO(info.st_mode)) return "a FIFO";
  if (S_ISSOCK(info.st_mode)) return "a socket";
  return "a device";
}

class OpenFile {
 public:
  explicit OpenFile(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

Result<std::string> ReadBounded(int fd, const std::string& path) {
  std::string text(kScriptBytesMax + 1, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unreadable(path, "can't be read: " + ErrorText(errno));
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > kScriptBytesMax) {
    return Status(Code::kTooLarge, "script_invalid", path + ": larger than 256 KiB: is it a script?");
  }
  text.resize(size);
  text.shrink_to_fit();
  return text;
}

}  // namespace

bool IsSpecFile(std::string_view name) {
  return name.size() > kSpecEnding.size() && name.ends_with(kSpecEnding);
}

std::string ScriptNameOf(std::string_view file_name) {
  const std::string_view ending = IsSpecFile(file_name) ? kSpecEnding : kScriptEnding;
  return std::string(file_name.substr(0, file_name.size() - std::min(ending.size(), file_name.size())));
}

Result<std::vector<ListedFile>> ListScriptFiles(const std::string& directory) {
  DIR* stream = ::opendir(directory.c_str());
  if (stream == nullptr) {
    return Status(errno == ENOENT ? Code::kNotFound : Code::kIoError, "scripts_unreadable",
                  directory + ": " + ErrorText(errno) + ": give the directory with the scripts");
  }
  std::vector<ListedFile> files;
  Status failure;
  errno = 0;
  // The stream is this call's own.  NOLINTNEXTLINE(concurrency-mt-unsafe)
  while (const struct dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    struct stat info;
    if (name.size() > kScriptEnding.size() && name.ends_with(kScriptEnding) && name.front() != '.' &&
        ::fstatat(::dirfd(stream), entry->d_name, &info, 0) == 0) {
      files.push_back({std::string(name), SignatureOf(info)});
    }
    errno = 0;
    if (files.size() <= 2 * kScriptsMax) continue;
    failure =
        Status(Code::kTooLarge, "script_invalid", directory + ": more than 256 scripts with their specs");
    break;
  }
  if (errno != 0) {
    failure = Status(Code::kIoError, "scripts_unreadable", directory + ": " + ErrorText(errno));
  }
  ::closedir(stream);
  if (!failure.ok()) return failure;
  std::sort(files.begin(), files.end(),
            [](const ListedFile& a, const ListedFile& b) { return a.name < b.name; });
  return files;
}

Result<FileText> ReadScriptFile(const std::string& path) {
  const OpenFile file(path);
  if (file.get() < 0 && errno == ENOENT) return Changing(path);
  if (file.get() < 0) return Unreadable(path, "can't be opened: " + ErrorText(errno));
  struct stat before, after;
  if (::fstat(file.get(), &before) != 0) return Unreadable(path, ErrorText(errno));
  if (!S_ISREG(before.st_mode)) {
    return Unreadable(path,
                      "is " + KindOf(before) + ", not a file: move it out of the directory of the scripts");
  }
  auto text = ReadBounded(file.get(), path);
  if (!text) return text.error();
  if (::fstat(file.get(), &after) != 0) return Unreadable(path, ErrorText(errno));
  FileText read{std::move(*text), SignatureOf(before)};
  if (read.signature != SignatureOf(after)) return Changing(path);
  return read;
}

}  // namespace stemedb::script
