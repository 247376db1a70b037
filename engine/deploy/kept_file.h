// SPDX-License-Identifier: Apache-2.0
// Reading what was kept. Like scripts (script/script_files.h) it is taken from regular files and nothing
// else: a FIFO or a device in the place of one is refused, never waited for. Env opens what it is told to, as
// the log's own directory needs no more.
#pragma once

#include <cstddef>
#include <string>

#include "base/status.h"

namespace stemedb::deploy {

// The text of a regular file, links followed. The failures of env::Env::OpenRead; kIoError "io_error" for
// what is no regular file; kCorruption "state_damaged" beyond `bytes_max`. The message names the path. Any
// thread.
Result<std::string> ReadKeptFile(const std::string& path, size_t bytes_max);

}  // namespace stemedb::deploy
