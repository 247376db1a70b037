// SPDX-License-Identifier: Apache-2.0
// The command line of stemedb, the tool: which command, with what.
#pragma once

namespace stemedb::tool {

// Runs the command and gives the process's exit code: 0, 1 when something is wrong with what was looked at, 2
// when the command line is.
int Run(int argc, char** argv);

}  // namespace stemedb::tool
