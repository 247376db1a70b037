// SPDX-License-Identifier: Apache-2.0
// Changes: what came into the log behind a question's `since`, up to its moment, and concerns the claims that
// it covers without being one of them: operations, and claims on which some of them rested before they were
// there. Each with the claims whose status it has changed. So whoever has the answer of `since`, applies the
// changes in their order and puts the claims recorded since over that, has the answer of the moment.
//
// They are found in one of two ways, whichever looks at less:
//   by the claims  of a question that covers no more claims than the window has records, or only a few: what
//                  was said about their ids, paths, sources, epochs and agents is looked up in the index
//   along the log  of any other: every record of the window is looked at. Whether a claim names an epoch, or
//                  is an agent's whose trust has changed, would take looking at all claims; so these are told
//                  whether or not
// It is the claims and records up to the question's moment that decide which; so the same question has the
// same changes for ever.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/json_writer.h"
#include "base/status.h"
#include "query/answer_bound.h"
#include "query/plan.h"
#include "query/question.h"
#include "query/standing.h"
#include "store/reader.h"

namespace stemedb::query {

// A claim of the question's, and what became of it. Nothing stands where its path isn't the question's.
struct ChangedClaim {
  Hash256 id{};
  uint64_t sequence = 0;
  std::optional<ClaimStatus> from, to;
};

struct Change {
  uint64_t sequence = 0;             // of the record
  std::vector<ChangedClaim> claims;  // recorded before it, each once
  bool is_cut = false;               // it may have changed further ones
  // By an alias: paths that stand for the question's concept from here on, and that do no more.
  std::vector<std::string> joined, left;
};

struct ChangesPage {
  std::vector<Change> changes;  // in the order of the log
  bool has_more = false;
  uint64_t next_after = 0;  // if it has: it goes on behind this sequence
};

struct ChangesBounds {
  // Scopes of more than scan_max claims are gone through along the log, and of that steps_max records for a
  // page. For what operations reach by paths, all of a page together takes scan_max steps along their index.
  ListingBounds listing;
  size_t few = 1'000;  // a scope of so many claims is never gone through along the log
  // Along the log: claims that are looked at for what one operation reaches; in all of a page so many, or as
  // many as the window has records.
  size_t reach_max = 1'000;
  size_t claims_of_change_max = 1'000;
  size_t claims_of_page_max = 20'000;  // the page ends behind the change that reaches it
  size_t lineage_max = 500'000;        // claims that others rest on, whose agents are asked about
};

// A page of at most question.limit changes behind question.changes_after, of a question with `since`.
// `standing` has begun at the viewpoint. kOutOfRange kLineageTooLarge, "too_many_aliases"; kUnavailable
// kHandOverReason when the standing's patience ends.
Status FindChanges(const Question& question, const Viewpoint& viewpoint, const ChangesBounds& bounds,
                   store::Reader& reader, Standing& standing, ChangesPage& page);

// The list of an answer, docs/http-api.md. kOutOfRange "answer_too_large", and as FindChanges.
Status AppendChanges(std::string& out, JsonWriter& json, const ChangesPage& page, const Viewpoint& viewpoint,
                     store::Reader& reader, Standing& standing, const AnswerBound& bound);

}  // namespace stemedb::query
