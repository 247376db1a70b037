// SPDX-License-Identifier: Apache-2.0
// The difference of two texts, line by line, as `diff -u` writes it.
#pragma once

#include <string>
#include <string_view>

namespace stemedb::deploy {

// Empty when they are equal. The shortest edit up to 1,000 changed lines; beyond that everything between the
// first and the last changed line counts as changed, which is true as well, and bounded.
std::string UnifiedDiff(std::string_view before, std::string_view after, std::string_view before_name,
                        std::string_view after_name);

}  // namespace stemedb::deploy
