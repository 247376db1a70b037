// SPDX-License-Identifier: Apache-2.0
// What console.lua asks C++ for: each function takes a JSON list of arguments and asks the backend.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "console/backend.h"
#include "script/prompt.h"

namespace stemedb::console {

// `backend` outlives the functions. `print` gets a value's JSON.
std::map<std::string, script::PromptFunction> FunctionsOf(Backend& backend,
                                                          std::function<void(const std::string& json)> print);

}  // namespace stemedb::console
