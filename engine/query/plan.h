// SPDX-License-Identifier: Apache-2.0
// Plan: the moment a question is about, and the claims it covers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "query/candidates.h"
#include "query/question.h"
#include "query/standing.h"
#include "store/reader.h"

namespace stemedb::query {

// Where a question stands on the recorded axis, and how it weighs.
struct Viewpoint {
  uint64_t sequence_max = 0;
  uint64_t sequence_min = 0;  // from `since`
  Weighing weighing;          // now_ms is the question's time
  // The concept that the question's path stands for at that moment, and the other paths that stand for it
  // too.
  std::string concept_path;
  std::vector<std::string> aliases;
};

// `clock_now_ms` is the question's time unless as_of names another. The reader must be refreshed.
// kOutOfRange "as_of_in_future".
Result<Viewpoint> ViewpointOf(const Question& question, store::Reader& reader, int64_t clock_now_ms);

inline constexpr std::string_view kTooManyRows = "too_many_rows";

// Whether the question's filters take the claim: those that nothing said later changes. Its path, its
// predicate, when it was recorded and its status are others' matter.
bool Wanted(const Question& question, const model::ClaimView& claim);

// The claims that a question covers.
struct Covered {
  std::vector<store::Row> rows;
  std::vector<ClaimStanding> standings;  // beside rows; empty: of each the same as of any claim
  std::vector<store::Row> passed_over;   // would be covered but for their status; in no order
  bool unread = false;                   // no row was read, since no claim can have the status
};

// The rows that the question covers, ordered by (concept path, predicate, sequence); those of aliases have
// the concept's path, which is the viewpoint's. `standing` has begun at its moment. kOutOfRange kTooManyRows
// when more rows than that are looked at, wanted or not, on all paths together; "lineage_too_large";
// kUnavailable kHandOverReason when the standing's patience ends.
Status CollectRows(const Question& question, const Viewpoint& viewpoint, size_t rows_max,
                   store::Reader& reader, Standing& standing, Covered& covered);

// A page of claims, newest first.
struct Listing {
  std::vector<uint64_t> sequences;
  uint64_t next_before = 0;  // where it goes on: below this sequence; 0 at the end
};
struct ListingBounds {
  // The claims of one (concept, predicate) pair, under all its names, are gone through from the newest on.
  // Any other scope of at most so many claims is read whole; of a larger one the records are gone through
  // from the newest on. At most steps_max of them for a page, which then may stay short.
  size_t scan_max = 100'000;
  size_t steps_max = 100'000;
};
// The page that the question asks for, without reading more than it has to. kOutOfRange "lineage_too_large",
// kUnavailable kHandOverReason.
Status ListNewest(const Question& question, const Viewpoint& viewpoint, const ListingBounds& bounds,
                  store::Reader& reader, Standing& standing, Listing& listing);
// The same from all rows of the question.
void ListRows(const Question& question, const std::vector<store::Row>& rows, Listing& listing);

}  // namespace stemedb::query
