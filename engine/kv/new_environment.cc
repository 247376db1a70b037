// SPDX-License-Identifier: Apache-2.0
#include "kv/new_environment.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/path.h"

namespace stemedb::kv {
namespace {

// Without a lock file: nobody else knows of this name.
int MakeWhole(const std::string& file) {
  MDB_env* env = nullptr;
  int code = mdb_env_create(&env);
  if (code != 0) return code;
  code = mdb_env_open(env, file.c_str(), MDB_NOSUBDIR | MDB_NOLOCK, 0644);
  if (code == 0) code = mdb_env_sync(env, 1);
  mdb_env_close(env);
  return code;
}

}  // namespace

int SyncDirectory(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  const int code = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  return code;
}

int MakeDataFile(const std::string& data_file) {
  struct stat info;
  if (::stat(data_file.c_str(), &info) == 0 && info.st_size > 0) return 0;
  const std::string fresh = data_file + ".new";
  if (::unlink(fresh.c_str()) != 0 && errno != ENOENT) return errno;
  if (const int code = MakeWhole(fresh); code != 0) return code;
  if (::rename(fresh.c_str(), data_file.c_str()) != 0) return errno;
  return SyncDirectory(ParentOf(data_file));
}

}  // namespace stemedb::kv
