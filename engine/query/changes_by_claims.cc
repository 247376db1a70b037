// SPDX-License-Identifier: Apache-2.0
// Changes by the claims: the index is asked what was said about each of their names. Standing tells from
// which record on a claim is retracted or superseded, however many steps of a cascade that took; so those
// records need no looking for.
#include <algorithm>
#include <map>
#include <unordered_set>
#include <utility>

#include "index/layout.h"
#include "query/change_finder.h"

namespace stemedb::query {
namespace {

using model::SubjectKind;
using store::From;

constexpr size_t kAliasesOfPageMax = 64;  // each takes looking at all of the concept's paths

// By name, the sequence of the oldest claim there.
using Oldest = std::map<std::string_view, uint64_t, std::less<>>;

void Note(Oldest& oldest, std::string_view name, uint64_t sequence) {
  const auto [at, is_new] = oldest.emplace(name, sequence);
  if (!is_new) at->second = std::min(at->second, sequence);
}

std::string_view IdOf(const model::ClaimView& claim) {
  return {reinterpret_cast<const char*>(claim.id()), sizeof(Hash256)};
}

std::string AgentOf(const model::ClaimView& claim) {
  return {reinterpret_cast<const char*>(claim.agent_id()), sizeof(model::AgentId)};
}

}  // namespace

Result<bool> ChangeFinder::CollectClaims() {
  const uint64_t few = std::max<uint64_t>(to_ - since_, bounds_.few);
  const size_t rows_max = std::min<uint64_t>(few, bounds_.listing.scan_max);
  size_t looked_at = 0;  // on all paths together
  for (const std::string& path : scope_.paths) {
    if (Status patience = standing_.CheckPatienceNow(); !patience.ok()) return patience;
    const store::Scope scope{.concept_path = path,
                             .subtree = scope_.subtree,
                             .predicate = scope_.predicate,
                             .sequence_max = to_,
                             .steps_max = bounds_.listing.scan_max - looked_at,
                             .looked_at = &looked_at};
    auto more = reader_.Scan(scope, rows_max - std::min(rows_max, rows_.size()), rows_);
    if (!more) return more.error();
    if (!*more) continue;
    rows_.clear();
    return false;
  }
  std::erase_if(rows_, [&](const store::Row& row) { return !Wanted(question_, row.claim); });
  return true;
}

Status ChangeFinder::ByClaims() {
  STEMEDB_RETURN_IF_ERROR(FindAliases());
  STEMEDB_RETURN_IF_ERROR(FindAboutClaims());
  STEMEDB_RETURN_IF_ERROR(FindAboutNames());
  return TellByClaims();
}

// One after the other, since each may bring in paths about which there are others.
Status ChangeFinder::FindAliases() {
  if (question_.subtree || reader_.NewestOperation(SubjectKind::kAlias) <= after_) return Status::Ok();
  const std::set<std::string> paths = paths_;
  uint64_t at = after_;
  while (steps_.size() < kAliasesOfPageMax) {
    STEMEDB_RETURN_IF_ERROR(standing_.CheckPatienceNow());
    auto next = NextAlias(at);
    if (!next) return next.error();
    if (*next == 0) break;
    at = *next;
    first_.Offer(at);
    STEMEDB_RETURN_IF_ERROR(StepOver(at, steps_.emplace_back()));
  }
  if (steps_.size() == kAliasesOfPageMax) first_.EndAt(at);
  paths_ = paths;
  return Status::Ok();
}

// The next one that has one of paths_ for its alias or its target; 0: none that the page may hold.
Result<uint64_t> ChangeFinder::NextAlias(uint64_t at) {
  uint64_t next = 0;
  for (const std::string& path : paths_) {
    for (const SubjectKind kind : {SubjectKind::kAlias, SubjectKind::kAliasTarget}) {
      const uint64_t max = next == 0 ? first_.max() : next;
      STEMEDB_RETURN_IF_ERROR(reader_.VisitOperations({kind, path}, at + 1, max, From::kOldest,
                                                      [&](const store::OperationRow& row) {
                                                        next = row.sequence;
                                                        return false;
                                                      }));
    }
  }
  return next;
}

// That a source was registered changes nothing.
Status ChangeFinder::FindAbout(const model::SubjectView& subject, uint64_t above) {
  return reader_.VisitOperations(subject, std::max(after_, above) + 1, first_.max(), From::kOldest,
                                 [&](const store::OperationRow& row) {
                                   if (row.operation.kind() != model::OperationKind::kSource)
                                     first_.Offer(row.sequence);
                                   return row.sequence < first_.max();
                                 });
}

Status ChangeFinder::FindAboutClaims() {
  ends_.reserve(rows_.size());
  for (const store::Row& row : rows_) {
    STEMEDB_RETURN_IF_ERROR(standing_.CheckPatience());
    auto ends = standing_.EndsOf(row);
    if (!ends) return ends.error();
    ends_.push_back(*ends);
    for (const uint64_t end : {ends->retracted, ends->superseded}) {
      if (end > after_ && end > row.sequence) first_.Offer(end);
    }
    const std::string_view id = IdOf(row.claim);
    if (reader_.MayHaveVotes(row)) STEMEDB_RETURN_IF_ERROR(FindAbout({SubjectKind::kVotesOn, id}));
    if (reader_.MayHaveOperations(row)) STEMEDB_RETURN_IF_ERROR(FindAbout({SubjectKind::kAssertion, id}));
    STEMEDB_RETURN_IF_ERROR(FindAbout({SubjectKind::kReplacement, id}));
  }
  return Status::Ok();
}

Status ChangeFinder::FindAboutNames() {
  Oldest paths, above;
  std::set<std::string_view> sources, epochs;
  std::set<std::string> agents;
  const bool may_concern_agents = reader_.NewestOperation(SubjectKind::kAgent) > after_;
  for (const store::Row& row : rows_) {
    Note(paths, row.concept_path, row.sequence);
    if (!row.claim.source_id().empty()) sources.insert(row.claim.source_id());
    if (!row.claim.epoch().empty()) epochs.insert(row.claim.epoch());
    if (may_concern_agents && !row.claim.anonymous()) agents.insert(AgentOf(row.claim));
  }
  for (const auto& [path, oldest] : paths) {
    for (std::string_view at = index::ParentOf(path); !at.empty(); at = index::ParentOf(at))
      Note(above, at, oldest);
  }
  if (may_concern_agents) STEMEDB_RETURN_IF_ERROR(AddLineageAgents(agents));
  // A path's retraction is about the claims that were there.
  for (const auto& [path, oldest] : paths)
    STEMEDB_RETURN_IF_ERROR(FindAbout({SubjectKind::kPath, path}, oldest));
  for (const auto& [path, oldest] : above)
    STEMEDB_RETURN_IF_ERROR(FindAbout({SubjectKind::kSubtree, path}, oldest));
  for (const std::string_view source : sources)
    STEMEDB_RETURN_IF_ERROR(FindAbout({SubjectKind::kSource, source}));
  for (const std::string_view epoch : epochs) {
    STEMEDB_RETURN_IF_ERROR(FindAbout({SubjectKind::kEpoch, epoch}));
    STEMEDB_RETURN_IF_ERROR(FindAbout({SubjectKind::kOldEpoch, epoch}));
  }
  for (const std::string& agent : agents) STEMEDB_RETURN_IF_ERROR(FindAbout({SubjectKind::kAgent, agent}));
  return Status::Ok();
}

// Of all that the claims are derived from: a claim is trusted no more than these are.
Status ChangeFinder::AddLineageAgents(std::set<std::string>& agents) {
  std::unordered_set<uint64_t> seen;
  std::vector<uint64_t> todo;
  for (const store::Row& row : rows_) {
    if (row.claim.derived_from_count() > 0) todo.push_back(row.sequence);
  }
  while (!todo.empty()) {
    STEMEDB_RETURN_IF_ERROR(standing_.CheckPatience());
    auto record = reader_.Get(todo.back());
    if (!record) return record.error();
    todo.pop_back();
    if (record->is_operation()) continue;
    const model::ClaimView claim = record->claim();
    if (!claim.anonymous()) agents.insert(AgentOf(claim));
    for (size_t i = 0; i < claim.derived_from_count(); ++i) {
      Hash256 id{};
      std::copy_n(claim.derived_from(i).begin(), id.size(), id.begin());
      auto sequence = reader_.Find(id);
      if (!sequence) return sequence.error();
      if (sequence->has_value() && **sequence <= to_ && seen.insert(**sequence).second)
        todo.push_back(**sequence);
    }
    if (seen.size() <= bounds_.lineage_max) continue;
    return Status(Code::kOutOfRange, kLineageTooLarge,
                  "the claims of this question rest on more than " + std::to_string(bounds_.lineage_max) +
                      " others that have to be looked at; ask for a narrower concept path");
  }
  return Status::Ok();
}

Status ChangeFinder::TellByClaims() {
  // Since when another status holds, and the claim's place in rows_.
  std::vector<std::pair<uint64_t, size_t>> ended;
  for (size_t i = 0; i < rows_.size(); ++i) {
    for (const uint64_t end : {ends_[i].retracted, ends_[i].superseded}) {
      if (end > after_ && end <= first_.max()) ended.emplace_back(end, i);
    }
  }
  std::sort(ended.begin(), ended.end());
  auto step = steps_.begin();
  for (const uint64_t sequence : first_.sequences()) {
    if (is_full()) {
      EndAfter(page_.changes.back().sequence);
      return Status::Ok();
    }
    Change change;
    change.sequence = sequence;
    if (step != steps_.end() && step->sequence == sequence) {
      for (size_t i = 0; i < rows_.size(); ++i) TellPath(rows_[i], ends_[i], *step, change);
      change.joined = std::move(step->joined);
      change.left = std::move(step->left);
      paths_ = std::move(step->paths);
      ++step;
    }
    for (auto at = std::lower_bound(ended.begin(), ended.end(), std::pair(sequence, size_t{0}));
         at != ended.end() && at->first == sequence; ++at)
      TellStatus(rows_[at->second], ends_[at->second], change);
    // A claim is told of only for what it has done to others.
    if (change.claims.empty()) {
      auto record = reader_.Get(sequence);
      if (!record) return record.error();
      if (!record->is_operation()) continue;
    }
    Put(std::move(change));
  }
  if (first_.is_cut()) EndAfter(first_.max());
  return Status::Ok();
}

}  // namespace stemedb::query
