// SPDX-License-Identifier: Apache-2.0
// How text gets into a log line without ending it: the escaping rules of both formats, apart from any output.
#pragma once

#include <string>
#include <string_view>

namespace stemedb::telemetry {

// A field's or message's text beyond this many bytes is cut, and "..." says so.
inline constexpr size_t kLogTextBytesMax = 2048;

// Appends `text` with control characters (C0, DEL, C1), U+2028, U+2029, the bidirectional overrides, and
// every byte that is not valid UTF-8, written as \n, \r, \t or \xNN for each byte. Nothing else changes.
void AppendVisible(std::string& out, std::string_view text);

// A field's value in the text format: as it is when it is one plain word, else in quotes with \" and \\.
void AppendLogValue(std::string& out, std::string_view text);

// The text as valid UTF-8 for JSON: each bad byte becomes U+FFFD. Cut like the others.
std::string ToValidUtf8(std::string_view text);

}  // namespace stemedb::telemetry
