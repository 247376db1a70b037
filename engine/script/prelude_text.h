// SPDX-License-Identifier: Apache-2.0
// The text of prelude.lua with this process's secret in it: field names that no script can know.
#pragma once

#include <string>

namespace stemedb::script {

// Made once. Any thread.
const std::string& PreludeText();

}  // namespace stemedb::script
