// SPDX-License-Identifier: Apache-2.0
// stemedb: the tool.
#include "tool/command_line.h"

int main(int argc, char** argv) { return stemedb::tool::Run(argc, argv); }
