// SPDX-License-Identifier: Apache-2.0
// The console: expressions from a terminal, from a pipe or from the command line; see docs/console.md.
#pragma once

#include <string>
#include <vector>

#include "console/session.h"

namespace stemedb::console {

struct ConsoleOptions {
  std::string url = "http://127.0.0.1:18180";
  std::string api_key;
  std::string data_dir;  // not empty: this instead of the server
  std::string lenses_dir = "lenses";
  std::vector<std::string> expressions;  // empty: from stdin
  OutputForm form = OutputForm::kText;
  size_t width = 0;  // 0: the terminal's
};

// The process's exit code: 0, or 1 when something failed.
int RunConsole(const ConsoleOptions& options);

}  // namespace stemedb::console
