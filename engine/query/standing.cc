// SPDX-License-Identifier: Apache-2.0
#include "query/standing.h"

#include <algorithm>
#include <optional>

#include "index/layout.h"

namespace stemedb::query {
namespace {

using model::OperationKind;
using model::SubjectKind;
using store::From;

constexpr size_t kCachedMax = 100'000;  // entries of each cache; beyond, it begins anew

std::string_view IdOf(const model::ClaimView& claim) {
  return {reinterpret_cast<const char*>(claim.id()), sizeof(Hash256)};
}

std::string_view AgentOf(const model::ClaimView& claim) {
  return {reinterpret_cast<const char*>(claim.agent_id()), sizeof(model::AgentId)};
}

bool Retracts(const model::OperationView& operation) {
  return operation.kind() == OperationKind::kRetraction ||
         (operation.kind() == OperationKind::kSourceStatus &&
          operation.source_status() == model::SourceStatus::kRetracted);
}

template <typename Map>
void ClearWhenFull(Map& map) {
  if (map.size() > kCachedMax) map.clear();
}

}  // namespace

std::string_view NameOf(ClaimStatus status) {
  switch (status) {
    case ClaimStatus::kActive:
      break;
    case ClaimStatus::kSuperseded:
      return "superseded";
    case ClaimStatus::kRetracted:
      return "retracted";
  }
  return "active";
}

void Standing::Begin(store::Reader& reader, uint64_t sequence_max) {
  reader_ = &reader;
  sequence_max_ = sequence_max;
  steps_ = 0;
  const auto newest = [&](SubjectKind kind) { return reader.NewestOperation(kind); };
  Stamp stamp;
  stamp.retractions = std::max({newest(SubjectKind::kAssertion), newest(SubjectKind::kPath),
                                newest(SubjectKind::kSubtree), newest(SubjectKind::kSource)});
  stamp.epochs = newest(SubjectKind::kOldEpoch);
  stamp.trust = newest(SubjectKind::kAgent);
  if (stamp.retractions != stamp_.retractions) {
    retractions_.clear();
    cascades_.clear();
    open_.clear();
  }
  if (reader.sequence() != looked_at_) {
    for (const uint64_t sequence : open_) cascades_.erase(sequence);
    open_.clear();
  }
  looked_at_ = reader.sequence();
  if (stamp.epochs != stamp_.epochs) epochs_.clear();
  if (stamp.trust != stamp_.trust || sequence_max != trust_moment_) {
    agents_.clear();
    trusts_.clear();
  }
  has_votes_ = newest(SubjectKind::kVotesOn) != 0;
  trust_moment_ = sequence_max;
  stamp_ = stamp;
  ClearWhenFull(retractions_);
  ClearWhenFull(epochs_);
  ClearWhenFull(agents_);
  if (cascades_.size() > kCachedMax || trusts_.size() > kCachedMax) {
    cascades_.clear();
    trusts_.clear();
    open_.clear();
  }
}

Result<const Standing::Retractions*> Standing::RetractionsOf(SubjectKind kind, std::string_view name) {
  std::string key(1, static_cast<char>(kind));
  key.append(name);
  const auto known = retractions_.find(key);
  if (known != retractions_.end()) return &known->second;
  Retractions found;
  STEMEDB_RETURN_IF_ERROR(reader_->VisitOperations(
      {kind, name}, 0, UINT64_MAX, From::kOldest, [&](const store::OperationRow& row) {
        if (Retracts(row.operation)) found.emplace_back(row.sequence, row.operation.cascade());
        return true;
      }));
  return &retractions_.emplace(std::move(key), std::move(found)).first->second;
}

// What operations about the claim itself, its path and its source say; lineage aside.
Status Standing::OwnFinal(const Claim& claim, Final& final) {
  const auto take = [&](uint64_t sequence, bool cascade) {
    final.retracted = std::min(final.retracted, sequence);
    if (cascade) final.cascade = std::min(final.cascade, sequence);
  };
  if (claim.has_operations) {
    STEMEDB_RETURN_IF_ERROR(
        reader_->VisitOperations({SubjectKind::kAssertion, claim.id}, 0, UINT64_MAX, From::kOldest,
                                 [&](const store::OperationRow& row) {
                                   if (row.operation.kind() == OperationKind::kSupersession) {
                                     final.superseded = std::min(final.superseded, row.sequence);
                                   } else if (Retracts(row.operation)) {
                                     take(row.sequence, row.operation.cascade());
                                   }
                                   return true;
                                 }));
  }
  // A path's retraction is about the claims that were there.
  const auto by_path = [&](SubjectKind kind, std::string_view path) -> Status {
    if (reader_->NewestOperation(kind) <= claim.sequence) return Status::Ok();
    const auto retractions = RetractionsOf(kind, path);
    if (!retractions) return retractions.error();
    const Retractions& all = **retractions;
    auto next = std::upper_bound(all.begin(), all.end(), std::pair(claim.sequence, true));
    if (next != all.end()) take(next->first, false);
    next = std::find_if(next, all.end(), [](const auto& one) { return one.second; });
    if (next != all.end()) take(next->first, true);
    return Status::Ok();
  };
  STEMEDB_RETURN_IF_ERROR(by_path(SubjectKind::kPath, claim.path));
  if (reader_->NewestOperation(SubjectKind::kSubtree) > claim.sequence) {
    for (std::string_view above = index::ParentOf(claim.path); !above.empty(); above = index::ParentOf(above))
      STEMEDB_RETURN_IF_ERROR(by_path(SubjectKind::kSubtree, above));
    STEMEDB_RETURN_IF_ERROR(by_path(SubjectKind::kSubtree, {}));
  }
  if (!claim.source.empty() && reader_->NewestOperation(SubjectKind::kSource) != 0) {
    const auto retractions = RetractionsOf(SubjectKind::kSource, claim.source);
    if (!retractions) return retractions.error();
    for (const auto& [sequence, cascade] : **retractions) take(sequence, cascade);
  }
  return Status::Ok();
}

Result<std::optional<Standing::Claim>> Standing::Load(uint64_t sequence) {
  auto record = reader_->Get(sequence);
  if (!record) return record.error();
  if (record->is_operation()) return std::optional<Claim>();
  Claim claim;
  claim.sequence = sequence;
  claim.id = record->id();
  const model::ClaimView view = record->claim();
  claim.path = view.concept_path();
  claim.source = view.source_id();
  claim.agent = view.anonymous() ? std::string() : std::string(AgentOf(view));
  for (size_t i = 0; i < view.derived_from_count(); ++i)
    claim.derived_from.emplace_back(view.derived_from(i));
  return std::optional<Claim>(std::move(claim));
}

Result<double> Standing::TrustOf(std::string_view agent) {
  if (agent.empty() || stamp_.trust == 0) return kTrustAtStart;
  const auto known = agents_.find(std::string(agent));
  if (known != agents_.end()) return known->second;
  double trust = kTrustAtStart;
  STEMEDB_RETURN_IF_ERROR(reader_->VisitOperations({SubjectKind::kAgent, agent}, 0, sequence_max_,
                                                   From::kNewest, [&](const store::OperationRow& row) {
                                                     trust = row.operation.number();
                                                     return false;
                                                   }));
  agents_.emplace(agent, trust);
  return trust;
}

Result<uint64_t> Standing::EpochSupersededSince(std::string_view epoch) {
  if (epoch.empty() || stamp_.epochs == 0) return kNever;
  const auto known = epochs_.find(std::string(epoch));
  if (known != epochs_.end()) return known->second;
  uint64_t since = kNever;
  STEMEDB_RETURN_IF_ERROR(reader_->VisitOperations({SubjectKind::kOldEpoch, epoch}, 0, UINT64_MAX,
                                                   From::kOldest, [&](const store::OperationRow& row) {
                                                     since = row.sequence;
                                                     return false;
                                                   }));
  epochs_.emplace(epoch, since);
  return since;
}

// Depth first, without recursion: a lineage may be as long as the log.
Status Standing::Climb(Claim bottom, bool trust) {
  struct Visit {
    Claim claim;
    uint64_t cascade = kNever;
    double least_trust = 1;
    bool open = false;
    size_t next = 0;  // of derived_from
  };
  const auto is_known = [&](uint64_t sequence) {
    return cascades_.contains(sequence) && (!trust || trusts_.contains(sequence));
  };
  const auto begin = [&](Claim claim) -> Result<Visit> {
    Visit visit;
    Final final;
    if (MayBeRetracted()) STEMEDB_RETURN_IF_ERROR(OwnFinal(claim, final));
    visit.cascade = final.cascade;
    if (trust) {
      auto own = TrustOf(claim.agent);
      if (!own) return own.error();
      visit.least_trust = *own;
    }
    visit.claim = std::move(claim);
    return visit;
  };
  // What is below rests on what is above, from the moment that both are there.
  const auto take = [&](Visit& below, uint64_t above) {
    below.cascade =
        std::min(below.cascade, cascades_[above] == kNever ? kNever : std::max(cascades_[above], above));
    if (open_.contains(above)) below.open = true;
    if (trust && above <= sequence_max_) below.least_trust = std::min(below.least_trust, trusts_[above]);
  };

  std::vector<Visit> path;
  auto first = begin(std::move(bottom));
  if (!first) return first.error();
  path.push_back(std::move(*first));
  while (!path.empty()) {
    Visit& visit = path.back();
    if (visit.next == visit.claim.derived_from.size()) {
      const uint64_t sequence = visit.claim.sequence;
      cascades_[sequence] = visit.cascade;
      if (trust) trusts_[sequence] = visit.least_trust;
      if (visit.open) open_.insert(sequence);
      const bool open = visit.open;
      path.pop_back();
      if (open && !path.empty()) path.back().open = true;
      continue;
    }
    Hash256 id;
    std::copy_n(visit.claim.derived_from[visit.next].begin(), id.size(), id.begin());
    const auto above = reader_->Find(id);
    if (!above) return above.error();
    if (!above->has_value()) visit.open = true;
    if (!above->has_value() || is_known(**above)) {
      if (above->has_value()) take(visit, **above);
      ++visit.next;
      continue;
    }
    if (++steps_ > steps_max_) {
      return Status(Code::kOutOfRange, kLineageTooLarge,
                    "the claims of this question rest on more than " + std::to_string(steps_max_) +
                        " others that have to be looked at; ask for a narrower concept path");
    }
    auto claim = Load(**above);
    if (!claim) return claim.error();
    if (!claim->has_value()) {  // an operation's id: there will never be a claim with it
      ++visit.next;
      continue;
    }
    auto next = begin(std::move(**claim));
    if (!next) return next.error();
    path.push_back(std::move(*next));
  }
  return Status::Ok();
}

Result<uint64_t> Standing::RetractedSince(const store::Row& row) {
  if (!MayBeRetracted()) return kNever;
  auto claim = Load(row.sequence);
  if (!claim) return claim.error();
  if (!claim->has_value()) return kNever;
  Final final;
  STEMEDB_RETURN_IF_ERROR(OwnFinal(**claim, final));
  if (!(*claim)->derived_from.empty()) {
    if (!cascades_.contains(row.sequence)) STEMEDB_RETURN_IF_ERROR(Climb(std::move(**claim), false));
    final.retracted = std::min(final.retracted, cascades_[row.sequence]);
  }
  return final.retracted;
}

Result<ClaimStanding> Standing::Of(const store::Row& row) {
  ClaimStanding standing;
  if (!AnyOperation()) return standing;
  const model::ClaimView& view = row.claim;
  if (has_votes_ && reader_->MayHaveVotes(row)) {
    auto votes = reader_->VotesOn(IdOf(view), sequence_max_);
    if (!votes) return votes.error();
    standing.votes = votes->count;
    standing.vote_weight = votes->weight_sum();
  }
  auto epoch_since = EpochSupersededSince(view.epoch());
  if (!epoch_since) return epoch_since.error();
  standing.epoch_superseded = *epoch_since <= sequence_max_;
  const std::string_view agent = view.anonymous() ? std::string_view() : AgentOf(view);
  auto trust = TrustOf(agent);
  if (!trust) return trust.error();
  standing.trust = standing.derived_trust = *trust;

  const bool rests = view.derived_from_count() > 0;
  Final final;
  if (MayBeRetracted()) {
    Claim claim;
    claim.sequence = row.sequence;
    claim.has_operations = reader_->MayHaveOperations(row);
    if (claim.has_operations) claim.id = IdOf(view);
    claim.path = row.concept_path;
    claim.source = view.source_id();
    STEMEDB_RETURN_IF_ERROR(OwnFinal(claim, final));
  }
  const bool climbs_for_trust = stamp_.trust != 0;
  if (rests && (MayBeRetracted() || climbs_for_trust)) {
    if (!cascades_.contains(row.sequence) || (climbs_for_trust && !trusts_.contains(row.sequence))) {
      auto claim = Load(row.sequence);
      if (!claim) return claim.error();
      if (claim->has_value()) STEMEDB_RETURN_IF_ERROR(Climb(std::move(**claim), climbs_for_trust));
    }
    final.retracted = std::min(final.retracted, cascades_[row.sequence]);
    if (climbs_for_trust) standing.derived_trust = trusts_[row.sequence];
  }
  if (final.retracted <= sequence_max_) {
    standing.status = ClaimStatus::kRetracted;
  } else if (final.superseded <= sequence_max_) {
    standing.status = ClaimStatus::kSuperseded;
  }
  return standing;
}

}  // namespace stemedb::query
