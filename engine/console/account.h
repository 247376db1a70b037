// SPDX-License-Identifier: Apache-2.0
// An explained answer as a readable account. Internal to the room.
#pragma once

#include <string>

#include "console/values.h"

namespace stemedb::console {

// For each resolution: who won and why, each value with weight and share, each claim with what it came with
// and what the lens made of it.
std::string ShowAccount(element answer, size_t width);

}  // namespace stemedb::console
