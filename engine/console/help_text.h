// SPDX-License-Identifier: Apache-2.0
// help()'s answers as text. Internal to the room.
#pragma once

#include <string>

#include "console/values.h"

namespace stemedb::console {

std::string ShowHelp(element help, size_t width);

}  // namespace stemedb::console
