// SPDX-License-Identifier: Apache-2.0
// Archive: a database at rest, for reading alone. It changes no byte of the directories, and keeps servers
// from starting on them as long as it is open. What the log holds above the checkpoint is read into memory,
// so that nothing acknowledged is missing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "env/env.h"
#include "store/reader.h"

namespace stemedb::store {

struct ArchiveOptions {
  env::Env* env = nullptr;  // outlives the archive
  std::string wal_dir;
  std::string db_dir;
};

class Archive {
 public:
  // kConflict "already_running" while a server has the directories; kNotFound "no_database" when there is
  // none, or when only a server's start can make its index; kCorruption as Store::Open.
  static Result<std::unique_ptr<Archive>> Open(const ArchiveOptions& options);
  virtual ~Archive() = default;

  // Must be destroyed before the archive.
  virtual std::unique_ptr<Reader> NewReader() = 0;
  // How many records came from the log alone.
  virtual uint64_t records_from_log() const = 0;
};

}  // namespace stemedb::store
