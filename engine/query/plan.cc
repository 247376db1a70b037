// SPDX-License-Identifier: Apache-2.0
#include "query/plan.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

#include "base/time.h"
#include "query/aliases.h"
#include "script/weights.h"

namespace stemedb::query {

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

// Whether a claim that rests on others is left out, as far as can be told without these. So whoever retracts
// a claim whose lineage is too large gets rid of it.
Result<bool> IsPassedOver(const Question& question, const store::Row& row, Standing& standing) {
  if (question.status != StatusFilter::kActive || row.claim.derived_from_count() == 0) return false;
  return standing.HasEndedByItself(row);
}

// Collects the rows of one path after the other.
class Collecting {
 public:
  // What is asked of each claim: a listing shows its status alone, and needn't count its votes.
  enum class Asks : uint8_t { kStanding, kStatus };

  Collecting(const Question& question, Asks asks, size_t rows_max, store::Reader& reader, Standing& standing,
             Covered& covered)
      : question_(question),
        asks_(asks),
        rows_max_(rows_max),
        reader_(reader),
        standing_(standing),
        covered_(covered) {}

  // Appends the rows that the question wants, with what is to be said of them.
  Status Append(store::Scope scope) {
    std::vector<store::Row>& rows = covered_.rows;
    const size_t before = rows.size(), left = rows_max_ - looked_at_;
    scope.steps_max = left;
    scope.looked_at = &looked_at_;
    auto more = reader_.Scan(scope, left, rows);
    if (!more) return more.error();
    if (*more || looked_at_ > rows_max_) return TooManyRows(rows_max_);
    const bool any_operation = standing_.AnyOperation();
    size_t kept = before;
    for (size_t i = before; i < rows.size(); ++i) {
      STEMEDB_RETURN_IF_ERROR(standing_.CheckPatience());
      if (!Wanted(question_, rows[i].claim)) continue;
      if (any_operation) {
        auto passed_over = IsPassedOver(question_, rows[i], standing_);
        if (!passed_over) return passed_over.error();
        if (*passed_over) {
          covered_.passed_over.push_back(rows[i]);
          continue;
        }
        auto status = Judge(rows[i]);
        if (!status) return status.error();
        if (!WantsStatus(question_, *status)) {
          covered_.passed_over.push_back(rows[i]);
          continue;
        }
        if (asks_ == Asks::kStanding) covered_.standings.push_back(found_);
      }
      rows[kept++] = rows[i];
    }
    rows.resize(kept);
    return Status::Ok();
  }

 private:
  Result<ClaimStatus> Judge(const store::Row& row) {
    if (asks_ == Asks::kStatus) return standing_.StatusOf(row);
    auto found = standing_.Of(row);
    if (!found) return found.error();
    found_ = *found;
    return found_.status;
  }

  const Question& question_;
  const Asks asks_;
  const size_t rows_max_;
  size_t looked_at_ = 0;  // on all paths together
  store::Reader& reader_;
  Standing& standing_;
  Covered& covered_;
  ClaimStanding found_;  // of the claim that was judged last
};

// Rows of aliases become rows of the concept, once they are judged by their own path.
void MergeAliases(const std::string& concept_path, Covered& covered) {
  std::vector<size_t> order(covered.rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const store::Row &left = covered.rows[a], &right = covered.rows[b];
    return std::tie(left.predicate, left.sequence) < std::tie(right.predicate, right.sequence);
  });
  Covered merged;
  merged.passed_over = std::move(covered.passed_over);
  for (const size_t at : order) {
    merged.rows.push_back(covered.rows[at]);
    merged.rows.back().concept_path = concept_path;
    if (!covered.standings.empty()) merged.standings.push_back(covered.standings[at]);
  }
  covered = std::move(merged);
}

Status CollectAll(const Question& question, const Viewpoint& viewpoint, Collecting::Asks asks,
                  size_t rows_max, store::Reader& reader, Standing& standing, Covered& covered) {
  covered.rows.clear();
  covered.standings.clear();
  covered.passed_over.clear();
  covered.unread = !standing.AnyOperation() && !WantsStatus(question, ClaimStatus::kActive);
  if (covered.unread) return Status::Ok();
  Collecting collecting(question, asks, rows_max, reader, standing, covered);
  store::Scope scope = ScopeOf(question, viewpoint, rows_max);
  STEMEDB_RETURN_IF_ERROR(collecting.Append(scope));
  for (const std::string& alias : viewpoint.aliases) {
    scope.concept_path = alias;
    STEMEDB_RETURN_IF_ERROR(collecting.Append(scope));
  }
  if (!viewpoint.aliases.empty()) MergeAliases(viewpoint.concept_path, covered);
  return Status::Ok();
}

}  // namespace

Status CollectRows(const Question& question, const Viewpoint& viewpoint, size_t rows_max,
                   store::Reader& reader, Standing& standing, Covered& covered) {
  return CollectAll(question, viewpoint, Collecting::Asks::kStanding, rows_max, reader, standing, covered);
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

namespace {

// A way back in time: the claims of one path, or all that were recorded.
struct Trail {
  store::Scope scope;
  std::set<std::string_view> paths;  // what is wanted of all that were recorded; empty: everything
  std::deque<uint64_t> found;        // wanted, and not listed yet; the newest first
  uint64_t looked_from = 0;          // everything from here on was looked at; 0: everything

  // What comes next here is below it.
  uint64_t bound() const { return found.empty() ? looked_from : found.front() + 1; }
};

// Looks on until `wanted` claims are found, or `steps` looked at, which is at least one. How many were.
Result<size_t> LookAlong(const Question& question, size_t wanted, size_t steps, store::Reader& reader,
                         Standing& standing, Trail& trail) {
  trail.scope.sequence_max = trail.looked_from - 1;
  trail.scope.steps_max = steps;
  size_t looked = 0;
  Status failure;
  auto looked_from = reader.ScanNewest(trail.scope, [&](const store::Row& row) {
    ++looked;
    if (!trail.paths.empty() && !trail.paths.contains(row.concept_path)) return true;
    if (!Wanted(question, row.claim)) return true;
    auto passed_over = IsPassedOver(question, row, standing);
    if (!passed_over) failure = passed_over.error();
    if (!failure.ok()) return false;
    if (*passed_over) return true;
    auto status = standing.StatusOf(row);
    if (!status) failure = status.error();
    if (!failure.ok()) return false;
    if (WantsStatus(question, *status)) trail.found.push_back(row.sequence);
    return trail.found.size() < wanted;
  });
  if (!looked_from) return looked_from.error();
  if (!failure.ok()) return failure;
  trail.looked_from = *looked_from;
  const bool ran_out = trail.found.size() < wanted && *looked_from != 0;
  return ran_out ? steps : looked;  // of all records, others than those of the scope count as well
}

constexpr size_t kStepsBetweenLooks = 4'096;  // at the clock

// Merges the trails, which begin at one sequence. Each is followed no further than the page needs it: it is
// always the turn of the one that may hold the next claim.
Status ListAlong(const Question& question, std::vector<Trail> trails, size_t steps_max, store::Reader& reader,
                 Standing& standing, Listing& listing) {
  const uint64_t begin = trails.front().looked_from;
  const size_t wanted = question.limit / trails.size() + 1;  // of one trail: one more shows the next page
  const size_t steps_at_once = steps_max / (2 * trails.size() - 1);  // half is left when each has begun
  size_t left = steps_max;
  std::vector<Trail*> heap;
  for (Trail& trail : trails) heap.push_back(&trail);
  const auto is_later = [](const Trail* a, const Trail* b) { return a->bound() < b->bound(); };
  for (;; std::push_heap(heap.begin(), heap.end(), is_later)) {
    std::pop_heap(heap.begin(), heap.end(), is_later);
    Trail& next = *heap.back();
    if (next.bound() == 0) return Status::Ok();
    if (!next.found.empty()) {
      if (listing.sequences.size() == question.limit) {
        listing.next_before = listing.sequences.back();
        return Status::Ok();
      }
      listing.sequences.push_back(next.found.front());
      next.found.pop_front();
      continue;
    }
    // However narrow the bound, a page gets further than the one before it.
    if (left == 0 && next.bound() < begin) {
      listing.next_before = next.bound();
      if (!listing.sequences.empty())
        listing.next_before = std::min(listing.next_before, listing.sequences.back());
      return Status::Ok();
    }
    STEMEDB_RETURN_IF_ERROR(standing.CheckPatienceNow());
    const size_t steps = std::max<size_t>(1, std::min({left, steps_at_once, kStepsBetweenLooks}));
    auto looked = LookAlong(question, wanted, steps, reader, standing, next);
    if (!looked) return looked.error();
    left -= std::min(left, *looked);
  }
}

// Whether reading all rows may be the shortest way. Each count has all in it that isn't indexed yet, so those
// of several paths say little together.
Result<bool> MayBeSmall(store::Scope scope, const Viewpoint& viewpoint, size_t scan_max,
                        store::Reader& reader) {
  auto count = reader.CountAtMost(scope);
  for (size_t i = 0; count && *count <= scan_max && i < viewpoint.aliases.size(); ++i) {
    scope.concept_path = viewpoint.aliases[i];
    count = reader.CountAtMost(scope);
  }
  return count ? Result<bool>(*count <= scan_max) : count.error();
}

}  // namespace

Status ListNewest(const Question& question, const Viewpoint& viewpoint, const ListingBounds& bounds,
                  store::Reader& reader, Standing& standing, Listing& listing) {
  listing.next_before = 0;
  listing.sequences.clear();
  const uint64_t before = question.before_sequence.value_or(UINT64_MAX);
  if (question.limit == 0 || before == 0) return Status::Ok();
  Trail trail;
  trail.scope = ScopeOf(question, viewpoint, bounds.steps_max);
  const bool is_one_pair = !question.subtree && !question.predicate.empty();
  if (!is_one_pair) {
    auto may_be_small = MayBeSmall(trail.scope, viewpoint, bounds.scan_max, reader);
    if (!may_be_small) return may_be_small.error();
    if (*may_be_small) {
      Covered covered;
      const size_t rows_max = viewpoint.aliases.empty() ? SIZE_MAX : bounds.scan_max;
      const Status collected =
          CollectAll(question, viewpoint, Collecting::Asks::kStatus, rows_max, reader, standing, covered);
      if (collected.ok()) ListRows(question, covered.rows, listing);
      if (collected.reason() != kTooManyRows) return collected;
    }
  }
  trail.looked_from = before > viewpoint.sequence_max ? viewpoint.sequence_max + 1 : before;
  std::vector<Trail> trails{trail};
  if (is_one_pair) {
    for (const std::string& alias : viewpoint.aliases) {
      trails.push_back(trail);
      trails.back().scope.concept_path = alias;
    }
  } else if (!viewpoint.aliases.empty()) {
    trails.front().scope.concept_path = {};
    trails.front().scope.subtree = true;
    trails.front().paths = {viewpoint.aliases.begin(), viewpoint.aliases.end()};
    trails.front().paths.insert(viewpoint.concept_path);
  }
  return ListAlong(question, std::move(trails), bounds.steps_max, reader, standing, listing);
}

}  // namespace stemedb::query
