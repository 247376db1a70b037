// SPDX-License-Identifier: Apache-2.0
// Plan: the moment a question is about, and the claims it covers.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "query/candidates.h"
#include "query/question.h"
#include "store/reader.h"

namespace stemedb::query {

// Where a question stands on the recorded axis, and how it weighs.
struct Viewpoint {
  uint64_t sequence_max = 0;
  uint64_t sequence_min = 0;  // from `since`
  Weighing weighing;          // now_ms is the question's time
};

// `clock_now_ms` is the question's time unless as_of names another. The reader must be refreshed.
// kOutOfRange "as_of_in_future".
Result<Viewpoint> ViewpointOf(const Question& question, store::Reader& reader, int64_t clock_now_ms);

// Appends the rows that the question covers, ordered by (concept path, predicate, sequence). kOutOfRange
// "too_many_rows".
Status CollectRows(const Question& question, const Viewpoint& viewpoint, size_t rows_max,
                   store::Reader& reader, std::vector<store::Row>& rows);

}  // namespace stemedb::query
