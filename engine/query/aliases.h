// SPDX-License-Identifier: Apache-2.0
// Aliases: concept paths that stand for other ones. An alias may be given a new target; its latest one
// counts. One whose latest target is itself has been taken back: it is a path like others again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/reader.h"

namespace stemedb::query {

// Aliases that one concept may have, and steps from an alias to its concept.
inline constexpr size_t kAliasesMax = 256;
// Statements that name a concept or its aliases for a target, those that hold no longer included: what a
// question about it looks through.
inline constexpr size_t kAliasStatementsMax = 4'096;

// What the path stands for at a moment of the log; itself when it is no alias. kOutOfRange
// "too_many_aliases".
Result<std::string> ConceptOf(store::Reader& reader, uint64_t sequence_max, std::string_view path);

// All paths that stand for this one, in the end, in byte order; how many statements were looked at for them.
// kOutOfRange "too_many_aliases".
Result<size_t> AliasesOf(store::Reader& reader, uint64_t sequence_max, std::string_view path,
                         std::vector<std::string>& aliases);

// `path` becomes the concept that it stands for, `aliases` all other paths that stand for it, in byte order.
// kOutOfRange "too_many_aliases".
Status CoverAliases(store::Reader& reader, uint64_t sequence_max, std::string& path,
                    std::vector<std::string>& aliases);

}  // namespace stemedb::query
