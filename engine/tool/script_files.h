// SPDX-License-Identifier: Apache-2.0
// Scripts and specs as the command line names them.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "script/lens.h"

namespace stemedb::tool {

struct NamedFile {
  std::string path;         // as it is to be shown
  script::ScriptFile file;  // its base name and text
  bool is_spec = false;
};

Result<NamedFile> ReadNamed(const std::string& path);

// A directory's scripts and specs; or a file, and with a script its spec, with a spec its script.
Result<std::vector<NamedFile>> ReadPath(const std::string& path);

// Where a script's spec belongs, and a spec's script.
std::string OtherHalf(const NamedFile& named);

// "recency" of "recency.lua" and "recency_spec.lua".
std::string ScriptNameOf(const NamedFile& named);

}  // namespace stemedb::tool
