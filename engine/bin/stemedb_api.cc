// SPDX-License-Identifier: Apache-2.0
// stemedb-api: the server.
#include "server/process.h"

int main(int argc, char** argv) {
  const stemedb::server::ParsedCommandLine parsed = stemedb::server::ParseCommandLine(argc, argv);
  return parsed.invocation ? stemedb::server::Serve(*parsed.invocation) : parsed.exit_code;
}
