// SPDX-License-Identifier: Apache-2.0
// Reading the trail: a page of it, newest first, or one entry. A segment at a time, and for one page no more
// segments than a bound in bytes allows: a page may stay short, and its cursor goes on where it stopped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/query_record.h"
#include "audit/trail_segment.h"
#include "base/json_writer.h"
#include "base/status.h"
#include "env/env.h"

namespace stemedb::audit {

// What a page is to have. Gaps of the wanted time are on every page, whatever else is wanted.
struct TrailFilter {
  std::optional<std::string> agent;
  std::optional<std::string> lens;          // one of those that were asked
  std::optional<std::string> concept_path;  // as it was asked for; with /* behind it, or *: and all below
  std::optional<uint64_t> claim;            // sequence of one that contributed, as far as the record tells
  std::optional<int64_t> from_ms;           // from then on
  std::optional<int64_t> to_ms;             // before then
};

struct TrailPage {
  TrailFilter filter;
  size_t limit = 100;
  uint64_t before = UINT64_MAX;         // ids below
  uint64_t scan_bytes_max = 32u << 20;  // of segments; one is read in any case
};

// Appends {"entries":[…],"next_cursor":"…"?}. Entries that make no sense, or whose segment can't be read, are
// told of as gaps, and so is what is missing between two segments. `segments` are of one moment, oldest
// first; what has been removed since is left out.
void AppendTrailPage(std::string& out, env::Env& env, const std::vector<SegmentInfo>& segments,
                     const TrailPage& page);

// One entry as it stands in the trail.
struct StoredEntry {
  std::string segment;  // its bytes, which `entry` borrows; so it is moved and not copied
  TrailEntry entry;

  StoredEntry() = default;
  StoredEntry(StoredEntry&&) = default;
  StoredEntry& operator=(StoredEntry&&) = default;
};
// kNotFound "unknown_query": never written, not kept any more, or not to be read.
Result<StoredEntry> ReadTrailEntry(env::Env& env, const std::vector<SegmentInfo>& segments, uint64_t id);

// The members of an entry, into an object that the caller has begun.
void WriteEntry(JsonWriter& json, uint64_t id, const TrailEntry& entry);

}  // namespace stemedb::audit
