// SPDX-License-Identifier: Apache-2.0
// What to do about a message of the script room's or Lua's.
#pragma once

#include <string>
#include <string_view>

namespace stemedb::tool {

// Empty when there is nothing to say that the message doesn't.
std::string AdviceOn(std::string_view message);

}  // namespace stemedb::tool
