// SPDX-License-Identifier: Apache-2.0
// The Lua that instrument.h puts into a script, and how it gets there. Its names begin with the byte 0x80,
// which no script can write: $f is the fuel, $t calls for more, $l gives the prelude a way to the fuel, $p
// gives what it is given.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace stemedb::script {

// What stands in the place of source[from, to).
struct Edit {
  size_t from = 0;
  size_t to = 0;
  std::string text;
};

// At the start of the script: $f, $t, and both handed to $l.
inline constexpr std::string_view kFuelPrefix =
    "local \x80"
    "f,\x80t=0,\x80t \x80l(function(n) \x80"
    "f=\x80"
    "f-n return \x80"
    "f end,function(n) \x80"
    "f=n end) ";

// A call as its argument isn't a tail call, and keeps its results. The prefix makes it, behind the other one.
inline constexpr std::string_view kPassOn = "\x80p";
inline constexpr std::string_view kPassOnPrefix = "local \x80p=function(...) return ... end ";

// A step that takes so much, an expression of Lua, from the fuel.
std::string StepText(const std::string& units);

// The source with the prefix and the edits in it, which don't overlap. Those at one place come in their
// order.
std::string Apply(std::string_view source, std::vector<Edit> edits);

}  // namespace stemedb::script
