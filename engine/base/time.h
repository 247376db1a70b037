// SPDX-License-Identifier: Apache-2.0
// Times are milliseconds since the Unix epoch, UTC, in an int64_t; as text they are RFC 3339.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stemedb {

// The canonical form, always with three decimals and Z: 2026-02-11T10:00:00.000Z. Years 0000..9999.
std::string FormatTime(int64_t time_ms);
void AppendTime(std::string& out, int64_t time_ms);

// Reads RFC 3339: any offset, any number of decimals (cut, not rounded, to milliseconds), 'T' or 't' or a
// blank between date and time. Leap second 60 is read as the next second. Nothing on a malformed or
// impossible date.
std::optional<int64_t> ParseTime(std::string_view text);

// Whether the text is exactly what FormatTime gives for the moment it names.
bool IsCanonicalTime(std::string_view text);

// The range that FormatTime can write: years 0000 to 9999.
inline constexpr int64_t kTimeMin = -62167219200000;
inline constexpr int64_t kTimeMax = 253402300799999;

}  // namespace stemedb
