// SPDX-License-Identifier: Apache-2.0
// Diagnostic: what the script room says of a file, as compilers say it:
//
//   lenses/oldest.lua:3: error: '}' expected near 'resolve'
//       resolve = function(ctx, candidates)
//       ^~~~~~~
//   help: a comma is missing at the end of the line before
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace stemedb::tool {

struct Diagnostic {
  std::string path;
  size_t line = 0;    // from 1; 0: the file as a whole
  size_t column = 0;  // from 1, in bytes; 0: the whole line
  size_t length = 1;  // of what is marked, in bytes
  std::string message;
  std::string help;  // empty: none is known
  std::string source_line;
};

// `message` begins with the file's base name, and mostly with its line, as Status has it; `source` is the
// file's text.
Diagnostic Diagnose(const std::string& path, std::string_view message, std::string_view source);

// The lines, ending in '\n', as a terminal may have them: what the file and the message hold is escaped
// (console/text.h), and of a long source line only the surroundings of the place are shown.
std::string Format(const Diagnostic& diagnostic);

}  // namespace stemedb::tool
