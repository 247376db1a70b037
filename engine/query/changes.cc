// SPDX-License-Identifier: Apache-2.0
#include "query/changes.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "query/change_finder.h"

namespace stemedb::query {

using model::SubjectKind;

Status FindChanges(const Question& question, const Viewpoint& viewpoint, const ChangesBounds& bounds,
                   store::Reader& reader, Standing& standing, ChangesPage& page) {
  page = {};
  return ChangeFinder(question, viewpoint, bounds, reader, standing, page).Find();
}

// The viewpoint's sequence_min is the first one behind `since`.
ChangeFinder::ChangeFinder(const Question& question, const Viewpoint& viewpoint, const ChangesBounds& bounds,
                           store::Reader& reader, Standing& standing, ChangesPage& page)
    : question_(question),
      viewpoint_(viewpoint),
      bounds_(bounds),
      reader_(reader),
      standing_(standing),
      page_(page),
      since_(viewpoint.sequence_min == 0 ? 0 : viewpoint.sequence_min - 1),
      after_(std::max(since_, question.changes_after.value_or(0))),
      to_(viewpoint.sequence_max),
      first_(question.limit + 1, viewpoint.sequence_max) {}

Status ChangeFinder::Find() {
  if (after_ >= to_ || question_.limit == 0) return Status::Ok();
  STEMEDB_RETURN_IF_ERROR(FindScope());
  auto are_few = CollectClaims();
  if (!are_few) return are_few.error();
  return *are_few ? ByClaims() : AlongLog();
}

Status ChangeFinder::FindScope() {
  scope_.subtree = question_.subtree;
  scope_.predicate = question_.predicate;
  std::set<std::string> paths(viewpoint_.aliases.begin(), viewpoint_.aliases.end());
  paths.insert(viewpoint_.concept_path);
  paths_ = paths;
  if (!question_.subtree && reader_.NewestOperation(SubjectKind::kAlias) > since_) {
    auto before = PathsAt(since_);
    if (!before) return before.error();
    auto here = after_ == since_ ? before : PathsAt(after_);
    if (!here) return here.error();
    paths_ = std::move(*here);
    paths.merge(*before);
  }
  scope_.paths.assign(paths.begin(), paths.end());
  return Status::Ok();
}

Result<std::set<std::string>> ChangeFinder::PathsAt(uint64_t sequence) {
  WatchedScope found;
  Status status = FindPaths(reader_, sequence, question_.concept_path, found);
  if (!status.ok()) return status;
  return std::set<std::string>(found.paths.begin(), found.paths.end());
}

Status ChangeFinder::StepOver(uint64_t sequence, AliasStep& step) {
  auto paths = PathsAt(sequence);
  if (!paths) return paths.error();
  step.sequence = sequence;
  step.paths = std::move(*paths);
  std::set_difference(step.paths.begin(), step.paths.end(), paths_.begin(), paths_.end(),
                      std::back_inserter(step.joined));
  std::set_difference(paths_.begin(), paths_.end(), step.paths.begin(), step.paths.end(),
                      std::back_inserter(step.left));
  paths_ = step.paths;
  return Status::Ok();
}

bool ChangeFinder::TellStatus(const store::Row& row, const Ends& ends, Change& change) const {
  if (row.sequence >= change.sequence) return false;
  const ClaimStatus from = ends.StatusAt(change.sequence - 1), to = ends.StatusAt(change.sequence);
  if (from == to) return false;
  if (question_.subtree || paths_.contains(std::string(row.concept_path))) Tell(row, from, to, change);
  return true;
}

void ChangeFinder::TellPath(const store::Row& row, const Ends& ends, const AliasStep& step,
                            Change& change) const {
  if (row.sequence >= step.sequence) return;
  const auto is_in = [&](const std::vector<std::string>& paths) {
    return std::binary_search(paths.begin(), paths.end(), row.concept_path);
  };
  if (is_in(step.joined)) Tell(row, {}, ends.StatusAt(step.sequence), change);
  if (is_in(step.left)) Tell(row, ends.StatusAt(step.sequence), {}, change);
}

void ChangeFinder::Tell(const store::Row& row, std::optional<ClaimStatus> from, std::optional<ClaimStatus> to,
                        Change& change) const {
  if (change.claims.size() >= bounds_.claims_of_change_max) {
    change.is_cut = true;
    return;
  }
  ChangedClaim& claim = change.claims.emplace_back();
  std::copy_n(row.claim.id(), claim.id.size(), claim.id.begin());
  claim.sequence = row.sequence;
  claim.from = from;
  claim.to = to;
}

void ChangeFinder::Put(Change&& change) {
  std::sort(change.claims.begin(), change.claims.end(),
            [](const ChangedClaim& a, const ChangedClaim& b) { return a.sequence < b.sequence; });
  page_claims_ += change.claims.size();
  page_.changes.push_back(std::move(change));
}

}  // namespace stemedb::query
