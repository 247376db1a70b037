// SPDX-License-Identifier: Apache-2.0
#include "query/plan.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>
#include <tuple>

#include "base/time.h"
#include "query/aliases.h"
#include "script/weights.h"

namespace stemedb::query {
namespace {

Status InFuture(const std::string& newest) {
  return Status(Code::kOutOfRange, "as_of_in_future",
                "as_of lies in the future: an answer about it could not be repeated. The newest "
                "moment is " +
                    newest);
}

Result<uint64_t> SequenceOf(const Moment& moment, store::Reader& reader) {
  return moment.sequence ? Result<uint64_t>(*moment.sequence) : reader.SequenceAt(*moment.time_ms);
}

bool Wanted(const Question& question, const model::ClaimView& claim) {
  if (claim.confidence() < question.min_confidence) return false;
  if (question.valid_at_ms &&
      (*question.valid_at_ms < claim.valid_from_ms() || *question.valid_at_ms >= claim.valid_to_ms())) {
    return false;
  }
  if (question.lifecycle && claim.lifecycle() != *question.lifecycle) return false;
  if (question.source_class && claim.source_class() != *question.source_class) return false;
  if (question.agent_id &&
      std::memcmp(claim.agent_id(), question.agent_id->data(), question.agent_id->size()) != 0) {
    return false;
  }
  return question.epoch.empty() || claim.epoch() == question.epoch;
}

bool WantsStatus(const Question& question, ClaimStatus status) {
  switch (question.status) {
    case StatusFilter::kActive:
      return status == ClaimStatus::kActive;
    case StatusFilter::kSuperseded:
      return status == ClaimStatus::kSuperseded;
    case StatusFilter::kRetracted:
      return status == ClaimStatus::kRetracted;
    case StatusFilter::kAny:
      break;
  }
  return true;
}

// The path itself, or what it stands for; and all other paths that stand for that.
Status FollowAliases(const Question& question, store::Reader& reader, Viewpoint& viewpoint) {
  viewpoint.concept_path = question.concept_path;
  if (question.subtree || reader.NewestOperation(model::SubjectKind::kAlias) == 0) return Status::Ok();
  return CoverAliases(reader, viewpoint.sequence_max, viewpoint.concept_path, viewpoint.aliases);
}

}  // namespace

Result<Viewpoint> ViewpointOf(const Question& question, store::Reader& reader, int64_t clock_now_ms) {
  Viewpoint viewpoint;
  viewpoint.sequence_max = reader.sequence();
  viewpoint.weighing.now_ms = clock_now_ms;
  if (question.as_of) {
    if (question.as_of->sequence.value_or(0) > reader.sequence()) {
      return InFuture("sequence " + std::to_string(reader.sequence()));
    }
    if (question.as_of->time_ms.value_or(kTimeMin) > clock_now_ms) return InFuture(FormatTime(clock_now_ms));
    Moment as_of = *question.as_of;
    // A moment that isn't over yet would be answered otherwise the next time.
    if (as_of.time_ms) as_of.time_ms = reader.closed_time_ms(std::min(clock_now_ms, *as_of.time_ms + 1));
    auto sequence = SequenceOf(as_of, reader);
    if (!sequence) return sequence.error();
    viewpoint.sequence_max = *sequence;
    if (as_of.time_ms) {
      viewpoint.weighing.now_ms = *as_of.time_ms;
    } else if (*sequence == 0) {
      viewpoint.weighing.now_ms =
          0;  // before the first record there is no time of the log; 1970 stays what it is
    } else {
      auto record = reader.Get(*sequence);
      if (!record) return record.error();
      viewpoint.weighing.now_ms = record->recorded_at_ms;
    }
  }
  if (question.now_ms) {
    if (!question.before_sequence && *question.now_ms > clock_now_ms)
      return InFuture(FormatTime(clock_now_ms));
    viewpoint.weighing.now_ms = *question.now_ms;
  }
  if (question.since) {
    auto sequence = SequenceOf(*question.since, reader);
    if (!sequence) return sequence.error();
    viewpoint.sequence_min =
        *sequence == UINT64_MAX ? UINT64_MAX : *sequence + 1;  // nothing has that sequence
  }
  STEMEDB_RETURN_IF_ERROR(FollowAliases(question, reader, viewpoint));
  viewpoint.weighing.decays = question.decay.has_value();
  if (question.decay) viewpoint.weighing.half_life_days = *question.decay;
  viewpoint.weighing.class_multipliers = question.class_multipliers.value_or(script::kClassMultipliers);
  return viewpoint;
}

namespace {

store::Scope ScopeOf(const Question& question, const Viewpoint& viewpoint, size_t steps_max) {
  return {.concept_path = viewpoint.concept_path,
          .subtree = question.subtree,
          .predicate = question.predicate,
          .sequence_min = viewpoint.sequence_min,
          .sequence_max = viewpoint.sequence_max,
          .steps_max = steps_max};
}

Status TooManyRows(size_t rows_max) {
  return Status(Code::kOutOfRange, kTooManyRows,
                "the question looks at more than " + std::to_string(rows_max) +
                    " claims; ask for a narrower concept path, or for one concept path and predicate");
}

// Appends the rows of one path that the question wants, with what is to be said of them.
Status CollectPath(const Question& question, const store::Scope& scope, size_t rows_max,
                   store::Reader& reader, Standing& standing, Covered& covered) {
  std::vector<store::Row>& rows = covered.rows;
  const size_t before = rows.size();
  auto more = reader.Scan(scope, rows_max - std::min(rows_max, before), rows);
  if (!more) return more.error();
  if (*more) return TooManyRows(rows_max);
  const bool any_operation = standing.AnyOperation();
  size_t kept = before;
  for (size_t i = before; i < rows.size(); ++i) {
    if (!Wanted(question, rows[i].claim)) continue;
    if (any_operation) {
      auto found = standing.Of(rows[i]);
      if (!found) return found.error();
      if (!WantsStatus(question, found->status)) continue;
      covered.standings.push_back(*found);
    }
    rows[kept++] = rows[i];
  }
  rows.resize(kept);
  return Status::Ok();
}

// Rows of aliases become rows of the concept, once they are judged by their own path.
void MergeAliases(const std::string& concept_path, Covered& covered) {
  std::vector<size_t> order(covered.rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const store::Row &left = covered.rows[a], &right = covered.rows[b];
    return std::tie(left.predicate, left.sequence) < std::tie(right.predicate, right.sequence);
  });
  Covered merged;
  for (const size_t at : order) {
    merged.rows.push_back(covered.rows[at]);
    merged.rows.back().concept_path = concept_path;
    if (!covered.standings.empty()) merged.standings.push_back(covered.standings[at]);
  }
  covered = std::move(merged);
}

}  // namespace

Status CollectRows(const Question& question, const Viewpoint& viewpoint, size_t rows_max,
                   store::Reader& reader, Standing& standing, Covered& covered) {
  covered.rows.clear();
  covered.standings.clear();
  if (!standing.AnyOperation() && !WantsStatus(question, ClaimStatus::kActive)) return Status::Ok();
  store::Scope scope = ScopeOf(question, viewpoint, rows_max);
  STEMEDB_RETURN_IF_ERROR(CollectPath(question, scope, rows_max, reader, standing, covered));
  for (const std::string& alias : viewpoint.aliases) {
    scope.concept_path = alias;
    STEMEDB_RETURN_IF_ERROR(CollectPath(question, scope, rows_max, reader, standing, covered));
  }
  if (!viewpoint.aliases.empty()) MergeAliases(viewpoint.concept_path, covered);
  return Status::Ok();
}

void ListRows(const Question& question, const std::vector<store::Row>& rows, Listing& listing) {
  listing.next_before = 0;
  listing.sequences.clear();
  const uint64_t before = question.before_sequence.value_or(UINT64_MAX);
  for (const store::Row& row : rows) {
    if (row.sequence < before) listing.sequences.push_back(row.sequence);
  }
  const size_t shown = std::min(question.limit, listing.sequences.size());
  std::partial_sort(listing.sequences.begin(), listing.sequences.begin() + static_cast<ptrdiff_t>(shown),
                    listing.sequences.end(), std::greater<>());
  if (shown < listing.sequences.size() && shown > 0) listing.next_before = listing.sequences[shown - 1];
  listing.sequences.resize(shown);
}

Status ListNewest(const Question& question, const Viewpoint& viewpoint, const ListingBounds& bounds,
                  store::Reader& reader, Standing& standing, Listing& listing) {
  listing.next_before = 0;
  listing.sequences.clear();
  const uint64_t before = question.before_sequence.value_or(UINT64_MAX);
  if (question.limit == 0 || before == 0) return Status::Ok();
  store::Scope scope = ScopeOf(question, viewpoint, bounds.steps_max);
  const bool is_one_pair = !question.subtree && !question.predicate.empty();
  const auto count = is_one_pair ? Result<uint64_t>(UINT64_MAX) : reader.CountAtMost(scope);
  if (!count) return count.error();
  if (*count <= bounds.scan_max || !viewpoint.aliases.empty()) {
    Covered covered;
    const size_t rows_max = viewpoint.aliases.empty() ? SIZE_MAX : bounds.scan_max;
    STEMEDB_RETURN_IF_ERROR(CollectRows(question, viewpoint, rows_max, reader, standing, covered));
    ListRows(question, covered.rows, listing);
    return Status::Ok();
  }
  scope.sequence_max = std::min(scope.sequence_max, before - 1);
  Status failure;
  auto looked_from = reader.ScanNewest(scope, [&](const store::Row& row) {
    if (!Wanted(question, row.claim)) return true;
    auto found = standing.Of(row);
    if (!found) failure = found.error();
    if (!failure.ok()) return false;
    if (WantsStatus(question, found->status)) listing.sequences.push_back(row.sequence);
    return listing.sequences.size() <= question.limit;  // one more shows that there is a next page
  });
  if (!looked_from) return looked_from.error();
  STEMEDB_RETURN_IF_ERROR(failure);
  if (listing.sequences.size() > question.limit) {
    listing.sequences.pop_back();
    listing.next_before = listing.sequences.back();
  } else {
    listing.next_before = *looked_from;
  }
  return Status::Ok();
}

}  // namespace stemedb::query
