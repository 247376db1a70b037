// SPDX-License-Identifier: Apache-2.0
// Provenance: where a claim comes from, what rests on it, and what was said about it; sources; and the log as
// a feed. All as JSON, of the reader's view. A list that is longer than its bound says so.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/json_writer.h"
#include "base/status.h"
#include "query/patience.h"
#include "query/standing.h"
#include "store/reader.h"

namespace stemedb::query {

inline constexpr size_t kTraceListMax = 100;  // of a trace: for each relation, and for each kind of subject

// What others know of a claim: writes further members of its trace, given its sequence.
using TraceMore = std::function<void(JsonWriter& json, uint64_t sequence)>;

// `standing` has begun at the end of the view; `more` may be empty. kNotFound "unknown_assertion".
Status AppendTrace(std::string& out, const Hash256& id, store::Reader& reader, Standing& standing,
                   const TraceMore& more = {});

// Whether a source is registered under the id; claims may name it all the same.
Result<bool> IsRegisteredSource(std::string_view id, store::Reader& reader);
// A registered source with its status and content. kNotFound "unknown_source".
Status AppendSource(std::string& out, std::string_view id, store::Reader& reader);
// Registered sources without their content, in the order of their ids, after `after`; `limit` of them, or 4
// MiB. kUnavailable kHandOverReason.
Status AppendSources(std::string& out, std::string_view after, size_t limit, store::Reader& reader,
                     Patience patience = {});

// Claims and operations, the newest first, below the sequence `before`; `limit` of them, or 4 MiB.
// kOutOfRange "lineage_too_large", kUnavailable kHandOverReason.
Status AppendFeed(std::string& out, uint64_t before, size_t limit, store::Reader& reader, Standing& standing);

}  // namespace stemedb::query
