// SPDX-License-Identifier: Apache-2.0
#include "tool/advice.h"

#include <array>

namespace stemedb::tool {
namespace {

struct Advice {
  std::string_view part;  // of the message
  std::string_view help;
};

// The first that fits; the particular before the general.
constexpr std::array kAdvice = {
    Advice{"unfinished string", "close the quotes on the same line"},
    Advice{"unfinished long string", "close it with ]]"},
    Advice{"unfinished long comment", "close it with ]]"},
    Advice{"'end' expected", "a function, if, for or while has no 'end'"},
    Advice{"'}' expected", "an entry of a table is missing its comma, or the table its closing brace"},
    Advice{"')' expected", "a call or a bracket is not closed"},
    Advice{"'=' expected", "a statement is a call or an assignment; an assignment needs '='"},
    Advice{"'then' expected", "an if needs 'then' behind its condition"},
    Advice{"'do' expected", "a for or while needs 'do'"},
    Advice{"unexpected symbol", "nothing can stand here in Lua; look at the line before as well"},
    Advice{"malformed number", "a name can't begin with a digit"},
    Advice{"compiled chunks are not taken", "give Lua source as UTF-8 text"},
    Advice{"did you forget 'local'", "write 'local' before the name: a script has no globals of its own"},
    Advice{"can't change its arguments or globals", "copy what you need into a local table"},
    Advice{"'gsub' (a nil value)",
           "find the places with steme.find_all or string.find, and join the new text with table.concat"},
    Advice{"'gmatch' (a nil value)", "steme.find_all(text, pattern) gives all matches; patterns are RE2's"},
    Advice{"'match' (a nil value)", "write steme.match(text, pattern); patterns are RE2's, not Lua's"},
    Advice{"attempt to index global",
           "a script sees what docs/lua-api.md lists and nothing else: no os, io, require, ffi"},
    Advice{"attempt to call global",
           "a script sees what docs/lua-api.md lists and nothing else: no require, load, print"},
    Advice{"must return a table", "end the file with: return { kind = \"lens\", api = 1, … }"},
    Advice{"a candidate has no field", "docs/lua-api.md lists the fields of a candidate"},
    Advice{"ctx has no field", "docs/lua-api.md lists the fields of ctx"},
    Advice{"is named like its file", "rename the file or change the field, so that both are the same"},
    Advice{"out of memory", "build less at the top level: a script has 32 MiB"},
    Advice{"kind must be", "kind = \"lens\""},
    Advice{"api must be", "api = 1"},
    Advice{"version must be", "version = \"1.0.0\""},
    Advice{"description must be a text", "description = \"what it does, in one sentence\""},
    Advice{"name must be", "name = \"…\", as the file without .lua"},
    Advice{"resolve must be", "resolve = function(ctx, candidates) return { winner = 1 } end"},
    Advice{"is no known field", "docs/lua-api.md lists the fields of a spec's case"},
    Advice{"claim is missing", "claim = \"what holds, in words\""},
    Advice{"no cases in it", "return { { claim = \"…\", given = { … }, expect = { … } } }"},
};

}  // namespace

std::string AdviceOn(std::string_view message) {
  for (const Advice& advice : kAdvice) {
    if (message.find(advice.part) != std::string_view::npos) return std::string(advice.help);
  }
  return "";
}

}  // namespace stemedb::tool
