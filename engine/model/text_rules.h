// SPDX-License-Identifier: Apache-2.0
// What names may look like, in one place for claims, queries, aliases and every other record. Each function
// answers with an empty string when the text is fine, else with what is wrong and how to mend it, for people.
#pragma once

#include <string>
#include <string_view>

namespace stemedb::model {

// 1..bytes_max bytes of UTF-8 without control characters (C0, DEL, C1).
std::string NameFault(std::string_view text, size_t bytes_max);

// A name of at most 512 bytes: segments divided by '/', none empty, with an optional "scheme://" in front;
// the last segment may not be '*', which asks for a subtree in queries.
std::string ConceptPathFault(std::string_view path);

}  // namespace stemedb::model
