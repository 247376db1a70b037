// SPDX-License-Identifier: Apache-2.0
// STEMEDB_CHECK guards against programmers' errors, in every build. Bytes that come from disk, net or script
// are never CHECKed: they are answered with a Status.
#pragma once

namespace stemedb {
[[noreturn]] void CheckFailed(const char* expression, const char* file, int line);
}  // namespace stemedb

#define STEMEDB_CHECK(expression) \
  ((expression) ? static_cast<void>(0) : ::stemedb::CheckFailed(#expression, __FILE__, __LINE__))
