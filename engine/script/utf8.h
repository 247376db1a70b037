// SPDX-License-Identifier: Apache-2.0
// Text that scripts make goes into JSON answers, so it has to be valid UTF-8 and bounded. A script cuts
// strings by bytes and can break a character by accident: that is mended, not refused, since the fault comes
// with the data.
#pragma once

#include <string>
#include <string_view>

namespace stemedb::script {

// Appends `text` with every invalid byte as U+FFFD, cut at a character's border with "…" when the result
// would be longer than `bytes_max` (at least 3).
void AppendCleanUtf8(std::string& out, std::string_view text, size_t bytes_max);
std::string CleanUtf8(std::string_view text, size_t bytes_max);

}  // namespace stemedb::script
