// SPDX-License-Identifier: Apache-2.0
// `stemedb script check` and `stemedb script test`: what a server does with scripts when it loads them,
// without one. The same sandbox, checks, self-checks and specs.
#pragma once

#include <string>
#include <vector>

namespace stemedb::tool {

// Prints what is wrong with each file, scripts (self-checked) and specs (read, not run), to stderr; also, as
// a warning, that a script has no spec beside it, or a spec no script. 0 or 1.
int CheckScripts(const std::vector<std::string>& files);

enum class TestOutput : unsigned char { kText, kJson };
enum class MissingSpec : unsigned char { kWarning, kFailure };
struct TestOptions {
  std::vector<std::string> paths;  // directories, scripts (with the specs beside them) or specs
  TestOutput output = TestOutput::kText;
  MissingSpec missing_spec = MissingSpec::kWarning;
};
// Runs the specs and self-checks, prints what doesn't hold and a summary to stdout. 0 or 1.
int TestScripts(const TestOptions& options);

}  // namespace stemedb::tool
