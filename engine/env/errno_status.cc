// SPDX-License-Identifier: Apache-2.0
// errno for people: what failed, where, and for "Permission denied" who owns the thing and which mode is
// wanted.
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "env/env.h"

namespace stemedb::env {
namespace {

std::string UserName(uid_t uid) {
  std::array<char, 4096> buffer{};
  struct passwd entry;
  struct passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found) return found->pw_name;
  return std::to_string(uid);
}

std::string GroupName(gid_t gid) {
  std::array<char, 4096> buffer{};
  struct group entry;
  struct group* found = nullptr;
  if (getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found) == 0 && found) return found->gr_name;
  return std::to_string(gid);
}

std::string Octal(mode_t mode) {
  std::string digits = "0000";
  for (size_t i = 4; i-- > 0; mode >>= 3) digits[i] = static_cast<char>('0' + (mode & 7));
  return digits;
}

// What of the path can be looked at: the thing itself, else the nearest directory above it that can.
std::string NearestVisible(std::string path, struct stat& out) {
  while (::stat(path.c_str(), &out) != 0) {
    const size_t slash = path.find_last_of('/');
    if (slash == std::string::npos)
      path = ".";
    else
      path = slash == 0 ? "/" : path.substr(0, slash);
    if (path == "." || path == "/") return ::stat(path.c_str(), &out) == 0 ? path : std::string();
  }
  return path;
}

std::string DescribePermission(const std::string& path, std::string_view wanted) {
  std::string text = "Permission denied: " + path;
  struct stat info;
  const std::string seen = NearestVisible(path, info);
  if (!seen.empty()) {
    text += " (";
    if (seen != path) text += seen + " is ";
    text += "owned by " + UserName(info.st_uid) + ":" + GroupName(info.st_gid) + ", mode " +
            Octal(info.st_mode & 07777) + "; ";
  } else {
    text += " (";
  }
  text += "user " + UserName(::geteuid()) + " needs " + std::string(wanted) +
          "): correct it with chown or chmod, or check SELinux, AppArmor and the unit's ReadWritePaths";
  return text;
}

}  // namespace

Status StatusFromErrno(int error, std::string_view operation, const std::string& path,
                       std::string_view wanted) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return Status(Code::kResourceExhausted, "disk_full",
                    "No space left on device: " + path + " (" + std::string(operation) +
                        "): free space or enlarge the file system");
    case EACCES:
    case EPERM:
    case EROFS:
      return Status(Code::kPermissionDenied, "permission_denied",
                    error == EROFS ? "Permission denied: " + path + " is on a read-only file system"
                                   : DescribePermission(path, wanted));
    case ENOENT:
      return Status(Code::kNotFound, "no_such_file", "No such file or directory: " + path);
    default: {
      char text[128];
      return Status(Code::kIoError, "io_error",
                    std::string(operation) + " " + path + ": " + ::strerror_r(error, text, sizeof text));
    }
  }
}

}  // namespace stemedb::env
