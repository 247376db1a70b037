// SPDX-License-Identifier: Apache-2.0
// Text on a terminal. What is shown was written by others: control characters, which could send escape
// sequences, and characters without a look of their own (direction marks, zero-width ones) are escaped.
// Widths are in columns, by wcwidth: call UseUtf8 once before.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace stemedb::console {

inline constexpr size_t kUnlimited = static_cast<size_t>(-1);

// Sets the process's character locale to the environment's if that is UTF-8, else to C.UTF-8.
void UseUtf8();

// As shown: one line, controls as \n, \t, \x1b, \u{202e}; bytes that are no UTF-8 as \xff.
std::string Visible(std::string_view text);

// Columns that visible text takes.
size_t WidthOf(std::string_view text);

// Visible text in at most `width` columns, with "…" at the end when something is cut off.
std::string Shorten(std::string_view text, size_t width);
// The same from the other side: the text's end, behind "…".
std::string ShortenFront(std::string_view text, size_t width);

enum class Align : unsigned char { kLeft, kRight };
// Visible text, shortened or filled up with blanks to exactly `width` columns.
std::string Fit(std::string_view text, size_t width, Align align);

}  // namespace stemedb::console
