// SPDX-License-Identifier: Apache-2.0
// Changes along the log: each record of the window is judged as it is for those who watch. Of what reaches
// claims by a path, a source or a cascade, as many claims are looked at as the window allows.
#include <algorithm>

#include "query/change_finder.h"
#include "query/reach.h"

namespace stemedb::query {
namespace {

using model::OperationKind;
using model::SubjectKind;

}  // namespace

Status ChangeFinder::AlongLog() {
  const uint64_t window = std::max<uint64_t>(to_ - since_, bounds_.reach_max);
  reach_left_ = std::min<uint64_t>(window, bounds_.listing.scan_max);
  path_steps_left_ = bounds_.listing.scan_max;
  // However narrow the bound, a page gets further than the one before it.
  size_t left = std::max<size_t>(1, bounds_.listing.steps_max);
  for (uint64_t at = after_ + 1; at <= to_; ++at, --left) {
    if (left == 0) {
      EndAfter(at - 1);
      return Status::Ok();
    }
    STEMEDB_RETURN_IF_ERROR(standing_.CheckPatience());
    auto record = reader_.Get(at);
    if (!record) return record.error();
    Change change;
    change.sequence = at;
    auto is_change = IsChange(*record, change);
    if (!is_change) return is_change.error();
    if (!*is_change) continue;
    if (is_full()) {
      EndAfter(page_.changes.back().sequence);
      return Status::Ok();
    }
    Put(std::move(change));
  }
  return Status::Ok();
}

Result<bool> ChangeFinder::IsChange(const store::Record& record, Change& change) {
  Status found = FindConcern(record, reader_, concern_);
  if (!found.ok()) return found;
  if (!record.is_operation()) return concern_.anywhere ? IsPremise(record, change) : Result<bool>(false);
  const model::OperationView operation = record.operation();
  // Paths come and go, also some that stand for the concept at neither end of the window.
  if (operation.kind() == OperationKind::kAlias) return IsAlias(operation, change);
  if (!concern_.anywhere && !IsAbout(concern_, scope_)) return false;
  switch (operation.kind()) {
    case OperationKind::kVote:
      return IsAboutOurs(operation.subject(), change);
    case OperationKind::kSupersession: {
      auto target = IsAboutOurs(operation.subject(), change);
      if (!target || *target) return target;
      return IsAboutOurs(operation.second_subject(), change);
    }
    case OperationKind::kRetraction:
    case OperationKind::kSourceStatus:
      return IsRetraction(operation, change);
    case OperationKind::kEpoch:
      return question_.epoch.empty() || operation.subject().name == question_.epoch ||
             (operation.has_second_subject() && operation.second_subject().name == question_.epoch);
    case OperationKind::kTrust:
      return true;
    case OperationKind::kSource:
    case OperationKind::kAlias:
      break;
  }
  return false;
}

Result<bool> ChangeFinder::IsAlias(const model::OperationView& operation, Change& change) {
  const auto is_ours = [&](std::string_view path) { return paths_.contains(std::string(path)); };
  if (question_.subtree) return false;
  if (!is_ours(operation.subject().name) && !is_ours(operation.second_subject().name)) return false;
  AliasStep step;
  Status stepped = StepOver(change.sequence, step);
  if (!stepped.ok()) return stepped;
  for (const std::string& path : scope_.paths) {
    const bool has_changed = std::binary_search(step.joined.begin(), step.joined.end(), path) ||
                             std::binary_search(step.left.begin(), step.left.end(), path);
    if (!has_changed) continue;
    size_t looked_at = 0;
    const store::Scope scope{.concept_path = path,
                             .predicate = scope_.predicate,
                             .sequence_max = change.sequence,
                             .steps_max = path_steps_left_,
                             .looked_at = &looked_at};
    std::vector<store::Row> rows;
    if (Status patience = standing_.CheckPatienceNow(); !patience.ok()) return patience;
    auto more = reader_.Scan(scope, std::min(bounds_.reach_max, reach_left_), rows);
    if (!more) return more.error();
    path_steps_left_ -= std::min(path_steps_left_, looked_at);
    reach_left_ -= std::min(reach_left_, rows.size());
    change.is_cut = change.is_cut || *more;
    for (const store::Row& row : rows) {
      if (!Wanted(question_, row.claim)) continue;
      auto ends = standing_.EndsOf(row);
      if (!ends) return ends.error();
      TellPath(row, *ends, step, change);
    }
  }
  change.joined = std::move(step.joined);
  change.left = std::move(step.left);
  return true;
}

// Also a source's change of status that retracts nothing: then it is about the source's claims alone.
Result<bool> ChangeFinder::IsRetraction(const model::OperationView& operation, Change& change) {
  const bool retracts = operation.kind() == OperationKind::kRetraction ||
                        operation.source_status() == model::SourceStatus::kRetracted;
  const bool is_by_path =
      operation.subject().kind == SubjectKind::kPath || operation.subject().kind == SubjectKind::kSubtree;
  Reach reach(reader_, {.claims_max = std::min(bounds_.reach_max, reach_left_),
                        .steps_max = path_steps_left_,
                        .sequence_max = to_,
                        .seconds_max = standing_.patience_left()});
  Status found = reach.AddNamed(operation.subject(), is_by_path ? change.sequence : to_);
  if (found.ok() && operation.cascade()) found = reach.AddResting();
  // What the time has cut isn't told: whoever has more tells it whole.
  if (found.ok()) found = standing_.CheckPatienceNow();
  if (!found.ok()) return found;
  path_steps_left_ -= std::min(path_steps_left_, reach.steps());
  reach_left_ -= std::min(reach_left_, reach.claims().size());
  bool is_change = reach.is_cut();
  for (size_t i = 0; i < reach.claims().size(); ++i) {
    auto part = PartOf(reach.claims()[i], change);
    if (!part) return part.error();
    // What rests on others is concerned if it goes with them.
    is_change = is_change || *part == Part::kChanged || (*part == Part::kNamed && i < reach.named());
  }
  change.is_cut = change.is_cut || (reach.is_cut() && retracts);
  return is_change;
}

// A claim that was retracted when it came takes with it what was derived from it before.
Result<bool> ChangeFinder::IsPremise(const store::Record& record, Change& change) {
  auto ends = standing_.EndsOf(store::RowOfRecord(record));
  if (!ends) return ends.error();
  if (ends->retracted > record.sequence) return false;
  Reach reach(reader_, {.claims_max = std::min(bounds_.reach_max, reach_left_) + 1,
                        .sequence_max = to_,
                        .seconds_max = standing_.patience_left()});
  reach.Add(record.sequence);
  Status found = reach.AddResting();
  if (found.ok()) found = standing_.CheckPatienceNow();
  if (!found.ok()) return found;
  reach_left_ -= std::min(reach_left_, reach.claims().size() - 1);
  for (size_t i = 1; i < reach.claims().size(); ++i) {
    auto part = PartOf(reach.claims()[i], change);
    if (!part) return part.error();
  }
  change.is_cut = change.is_cut || reach.is_cut();
  return change.is_cut || !change.claims.empty();
}

Result<bool> ChangeFinder::IsAboutOurs(const model::SubjectView& id, Change& change) {
  Hash256 hash{};
  std::copy_n(id.name.begin(), std::min(id.name.size(), hash.size()), hash.begin());
  auto sequence = reader_.Find(hash);
  if (!sequence) return sequence.error();
  if (!sequence->has_value()) return false;
  auto part = PartOf(**sequence, change);
  if (!part) return part.error();
  return *part != Part::kNotOurs;
}

Result<ChangeFinder::Part> ChangeFinder::PartOf(uint64_t sequence, Change& change) {
  if (sequence > to_) return Part::kNotOurs;
  auto record = reader_.Get(sequence);
  if (!record) return record.error();
  if (record->is_operation()) return Part::kNotOurs;
  const store::Row row = store::RowOfRecord(*record);
  if (!Covers(scope_, {row.concept_path, row.predicate}) || !Wanted(question_, row.claim))
    return Part::kNotOurs;
  auto ends = standing_.EndsOf(row);
  if (!ends) return ends.error();
  return TellStatus(row, *ends, change) ? Part::kChanged : Part::kNamed;
}

}  // namespace stemedb::query
