// SPDX-License-Identifier: Apache-2.0
// The first moment of an LMDB file. LMDB writes the two meta pages of a new one in place and doesn't sync
// them before the first commit: a power loss in between may leave a file that isn't one, at which every later
// start would end. So a new file is made under another name and takes its own when it is whole and on disk.
#pragma once

#include <string>

namespace stemedb::kv {

// Makes `data_file` when it is missing or empty. What a crash left under the other name (`data_file`.new) is
// made again. 0, or errno's or LMDB's code. Not for two processes at once on one directory.
int MakeDataFile(const std::string& data_file);

// Makes the directory's entries durable. 0 or errno's code.
int SyncDirectory(const std::string& directory);

}  // namespace stemedb::kv
