// SPDX-License-Identifier: Apache-2.0
//
// Paths as text: nothing here looks at a file system.
#pragma once

#include <string>

namespace stemedb {

// The directory that holds what the path names: "." for a bare name, "/" for what lies in the root.
// Thread-safe.
inline std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace stemedb
