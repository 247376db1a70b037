// SPDX-License-Identifier: Apache-2.0
// The lens that a question names.
#pragma once

#include <string_view>

#include "base/status.h"
#include "script/lens.h"

namespace stemedb::query {

// Its position in the set. kNotFound "unknown_lens": the message lists the lenses there are.
Result<int> FindLens(const script::ScriptSet& scripts, std::string_view name);

}  // namespace stemedb::query
