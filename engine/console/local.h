// SPDX-License-Identifier: Apache-2.0
// Local: answers from a data directory at rest, with the server's own engine and the lenses of a directory.
// Changes nothing in it; no server can start on it meanwhile.
#pragma once

#include <memory>
#include <string>

#include "console/backend.h"

namespace stemedb::console {

struct LocalOptions {
  std::string data_dir;  // with wal/ and db/ in it
  std::string lenses_dir;
};

// kConflict "already_running", kNotFound "no_database", and what else store::Archive and script::ScriptSet say.
Result<std::unique_ptr<Backend>> OpenLocal(const LocalOptions& options);

}  // namespace stemedb::console
