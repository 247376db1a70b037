// SPDX-License-Identifier: Apache-2.0
// Values as people read them: tables that fit the width, accounts of explained answers, help.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace stemedb::console {

// `json` is a value's text, `view` how it is meant to be shown (console.lua); a view that doesn't fit the
// value is ignored. Ends in a line feed, unless it is empty.
std::string Show(std::string_view json, std::string_view view, size_t width);

}  // namespace stemedb::console
