// SPDX-License-Identifier: Apache-2.0
// Reliance: which records that come later would change an answer about the newest moment. It holds by itself,
// without the rows that it was made from, and is never less than the truth: what it takes for a change may be
// none.
//
// An answer through a lens follows from
//   the claims of its scope       so it relies on their places: the pairs, concepts or the subtree;
//   votes, supersessions and      so it relies on each of those claims, or, of more than it names, on every
//   retractions of those claims   operation of that sort;
//   retractions by path, subtree  each of which may reach any claim: so it relies on there being no newer one
//   or source, epochs, trust      of that sort, if its claims have what the sort is about;
//   what the claims rest on       so it relies on there being no newer cascade nor statement of trust; and on
//                                 the ids that a lineage names and that may come yet, or, of more than
//                                 kAwaitedMax, on every record.
// What paths stand for is no part of it: aliases are followed for each question anew (question_key.h).
//
// A value; any thread may look at it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "query/plan.h"
#include "query/question.h"
#include "store/reader.h"
#include "store/touches.h"

namespace stemedb::query {

class Reliance {
 public:
  static constexpr size_t kClaimsMax = 4096;
  static constexpr size_t kAwaitedMax = 4096;

  // Of an answer to a question that covers these claims; `awaited` are Standing's AwaitedIds, at the answer's
  // end. Of more than `claims_max` claims none is named.
  static Reliance Of(const Question& question, const Viewpoint& viewpoint, const Covered& covered,
                     const std::optional<std::vector<Hash256>>& awaited, size_t claims_max = kClaimsMax);

  // Whether no record behind the sequence `after`, up to the end of the reader's view, may change the answer.
  // The reader is refreshed. Some ten nanoseconds, and, if votes or the like have come in since, two for each
  // claim.
  bool Holds(const store::Reader& reader, uint64_t after) const;

  size_t bytes() const {
    return (places_.capacity() + awaited_.capacity() + claims_.capacity()) * sizeof(uint64_t);
  }

 private:
  bool on_everything_ = false;
  uint32_t ways_ = 0;                 // on every operation that reaches claims in one of these ways
  std::vector<store::Place> places_;  // of claims
  std::vector<uint64_t> awaited_;     // ClaimWord of each id that may come
  std::vector<uint64_t> claims_;      // and of each claim that may be named
};

}  // namespace stemedb::query
