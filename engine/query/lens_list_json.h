// SPDX-License-Identifier: Apache-2.0
// The answer of GET /v1/lenses.
#pragma once

#include <string>

#include "script/lens.h"

namespace stemedb::query {

void AppendLensList(std::string& out, const script::ScriptSet& scripts);

}  // namespace stemedb::query
