// SPDX-License-Identifier: Apache-2.0
// Reads and checks a script's own description: kind, api, name, version, description, parameters, its
// function.
#pragma once

#include <string>

#include "base/status.h"
#include "script/lens.h"

struct lua_State;

namespace stemedb::script {

// `index` is the absolute stack index of the table that the script returned. Gives all of ScriptInfo but
// sha256 and source. kInvalidArgument "script_invalid" with the file and the field. Raises no Lua error.
Result<ScriptInfo> DescribeScript(lua_State* lua, int index, const std::string& file);

}  // namespace stemedb::script
