// SPDX-License-Identifier: Apache-2.0
// The command line of stemedb-api: a flag for each setting, and a few that ask for something else than to
// serve.
#pragma once

#include <optional>
#include <string>

#include "base/status.h"
#include "server/settings.h"

namespace stemedb::server {

struct Invocation {
  Config config;
  std::string port_file;  // empty: none
};

// What the command line came to: an invocation to serve with, or an exit code, everything having been
// printed.
struct ParsedCommandLine {
  std::optional<Invocation> invocation;
  int exit_code = 0;
};

// Reads the environment as well. A fault is printed to stderr as one line.
ParsedCommandLine ParseCommandLine(int argc, char** argv);

}  // namespace stemedb::server
