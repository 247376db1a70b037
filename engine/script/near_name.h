// SPDX-License-Identifier: Apache-2.0
// Of names, the one that somebody will have meant who wrote another.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace stemedb::script {

// The known name that differs least, by a letter in three at most (put in, left out, changed, or swapped with
// its neighbour), or that one is the beginning of the other; the first of several. Empty when none is near.
std::string_view NearName(std::string_view name, std::span<const std::string_view> known);

// "did you mean 'winner'?", or "there are a, b, c".
std::string HintAt(std::string_view name, std::span<const std::string_view> known);

}  // namespace stemedb::script
