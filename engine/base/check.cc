// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace stemedb {

void CheckFailed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "CHECK failed: %s (%s:%d). This is a bug in StemeDB, please report it.\n", expression,
               file, line);
  std::abort();
}

}  // namespace stemedb
