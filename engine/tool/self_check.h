// SPDX-License-Identifier: Apache-2.0
// The self-check that a server runs on a script before anybody may ask it (engine/deploy/rehearsal.h).
#pragma once

#include "base/status.h"
#include "script/lens.h"

namespace stemedb::tool {

// The lens's or the policy's. Fails as script::SelfCheck and script::SelfCheckPolicy do.
Status SelfCheck(const script::ScriptInfo& info);

}  // namespace stemedb::tool
