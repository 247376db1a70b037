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

constexpr uint64_t kLookedThroughMax = 1'000;  // new records, for whether one has been awaited

std::string_view IdOf(const model::ClaimView& claim) {
  return {reinterpret_cast<const char*>(claim.id()), sizeof(Hash256)};
}

std::string_view AgentOf(const model::ClaimView& claim) {
  return {reinterpret_cast<const char*>(claim.agent_id()), sizeof(model::AgentId)};
}

Hash256 IdFrom(std::string_view bytes) {
  Hash256 id{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), id.size()), id.begin());
  return id;
}

template <typename Map>
void ClearWhenFull(Map& map, size_t entries_max) {
  if (map.size() >= entries_max) map.clear();
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

void Standing::Begin(store::Reader& reader, uint64_t sequence_max, const Patience& patience) {
  reader_ = &reader;
  sequence_max_ = sequence_max;
  patience_ = patience;
  steps_ = 0;
  met_open_ = false;
  const auto newest = [&](SubjectKind kind) { return reader.NewestOperation(kind); };
  Stamp stamp;
  stamp.retractions = std::max({newest(SubjectKind::kAssertion), newest(SubjectKind::kPath),
                                newest(SubjectKind::kSubtree), newest(SubjectKind::kSource)});
  stamp.epochs = newest(SubjectKind::kOldEpoch);
  stamp.trust = newest(SubjectKind::kAgent);
  // Whatever else comes in about claims and sources changes nothing of what was found.
  stamp.named = std::max({newest(SubjectKind::kPath), newest(SubjectKind::kSubtree),
                          reader.NewestEffect(index::Effect::kSourceRetraction)});
  stamp.cascades = reader.NewestEffect(index::Effect::kCascade);
  if (stamp.named != stamp_.named) retractions_.clear();
  if (stamp.cascades != stamp_.cascades) ForgetLineages();
  if (HasAwaitedCome(reader)) {
    for (const uint64_t sequence : open_) cascades_.erase(sequence);
    open_.clear();
  }
  if (open_.empty()) {
    awaited_.clear();
    awaits_more_ = false;
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
}

// Without looking through very many: then it may have.
bool Standing::HasAwaitedCome(store::Reader& reader) const {
  if (open_.empty() || reader.sequence() == looked_at_) return false;
  if (awaits_more_ || reader.sequence() - looked_at_ > kLookedThroughMax) return true;
  for (uint64_t sequence = looked_at_ + 1; sequence <= reader.sequence(); ++sequence) {
    const auto record = reader.Get(sequence);
    if (!record || awaited_.contains(IdFrom(record->id()))) return true;
  }
  return false;
}

std::optional<std::vector<Hash256>> Standing::AwaitedIds(size_t ids_max) const {
  if (!met_open_) return std::vector<Hash256>();
  if (awaits_more_ || awaited_.size() > ids_max) return {};
  return std::vector<Hash256>(awaited_.begin(), awaited_.end());
}

size_t Standing::kept() const {
  return std::max({retractions_.size(), epochs_.size(), agents_.size(), cascades_.size(), trusts_.size(),
                   open_.size(), awaited_.size()});
}

void Standing::ForgetLineages() {
  cascades_.clear();
  trusts_.clear();
  open_.clear();
}

Result<const Standing::Retractions*> Standing::RetractionsOf(SubjectKind kind, std::string_view name) {
  std::string key(1, static_cast<char>(kind));
  key.append(name);
  const auto known = retractions_.find(key);
  if (known != retractions_.end()) return &known->second;
  Retractions found;
  STEMEDB_RETURN_IF_ERROR(reader_->VisitOperations(
      {kind, name}, 0, UINT64_MAX, From::kOldest, [&](const store::OperationRow& row) {
        if (row.operation.retracts()) found.emplace_back(row.sequence, row.operation.cascade());
        return true;
      }));
  ClearWhenFull(retractions_, kept_max_);
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
                                   } else if (row.operation.retracts()) {
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
  }
  if (!claim.source.empty() && reader_->NewestOperation(SubjectKind::kSource) != 0) {
    const auto retractions = RetractionsOf(SubjectKind::kSource, claim.source);
    if (!retractions) return retractions.error();
    for (const auto& [sequence, cascade] : **retractions) take(sequence, cascade);
  }
  return Status::Ok();
}

Result<std::optional<model::ClaimView>> Standing::Load(uint64_t sequence) {
  auto record = reader_->Get(sequence);
  if (!record) return record.error();
  if (record->is_operation()) return std::optional<model::ClaimView>();
  return std::optional<model::ClaimView>(record->claim());
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
  ClearWhenFull(agents_, kept_max_);
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
  ClearWhenFull(epochs_, kept_max_);
  epochs_.emplace(epoch, since);
  return since;
}

struct Standing::Visit {
  uint64_t sequence = 0;
  model::ClaimView claim;  // the whole record, which stays where it is
  uint64_t cascade = kNever;
  double least_trust = 1;
  size_t next = 0;  // of derived_from
  bool open = false;

  // It rests on what is above it from the moment that both are there.
  void RestOn(uint64_t above, uint64_t above_cascade) {
    if (above_cascade != kNever) cascade = std::min(cascade, std::max(above_cascade, above));
  }
};

Result<Standing::Visit> Standing::Enter(uint64_t sequence, const model::ClaimView& claim, Climbing climbing) {
  Visit visit;
  visit.sequence = sequence;
  visit.claim = claim;
  Final final;
  if (MayBeRetracted())
    STEMEDB_RETURN_IF_ERROR(
        OwnFinal({sequence, IdOf(claim), claim.concept_path(), claim.source_id()}, final));
  visit.cascade = final.cascade;
  if (climbing == Climbing::kForCascades) return visit;
  auto own = TrustOf(claim.anonymous() ? std::string_view() : AgentOf(claim));
  if (!own) return own.error();
  visit.least_trust = *own;
  return visit;
}

void Standing::Keep(const Visit& visit, Climbing climbing) {
  cascades_[visit.sequence] = visit.cascade;
  if (climbing == Climbing::kForTrustToo) trusts_[visit.sequence] = visit.least_trust;
  if (visit.open) open_.insert(visit.sequence);
}

void Standing::Await(const Hash256& id) {
  awaits_more_ = awaits_more_ || awaited_.size() >= kept_max_;
  if (!awaits_more_) awaited_.insert(id);
}

// Depth first, without recursion: a lineage may be as long as the log. What is found of it must stay until
// its end: without that the ways through it, which double where it forks, would each be gone.
Status Standing::Climb(uint64_t bottom, Climbing climbing) {
  if (cascades_.size() >= kept_max_ || trusts_.size() >= kept_max_) ForgetLineages();
  const auto is_known = [&](uint64_t sequence) {
    return cascades_.contains(sequence) && (climbing == Climbing::kForCascades || trusts_.contains(sequence));
  };
  const auto take = [&](Visit& below, uint64_t above, uint64_t cascade, double least_trust, bool open) {
    below.RestOn(above, cascade);
    below.open = below.open || open;
    if (above <= sequence_max_) below.least_trust = std::min(below.least_trust, least_trust);
    ++below.next;
  };
  const size_t steps_before = steps_;
  std::vector<Visit> path;
  const auto enter = [&](uint64_t sequence) -> Result<bool> {
    auto claim = Load(sequence);
    if (!claim) return claim.error();
    if (!claim->has_value()) return false;
    auto visit = Enter(sequence, **claim, climbing);
    if (!visit) return visit.error();
    path.push_back(*visit);
    return true;
  };
  if (auto entered = enter(bottom); !entered) return entered.error();
  while (!path.empty()) {
    Visit& visit = path.back();
    if (visit.next == visit.claim.derived_from_count()) {
      const Visit done = visit;
      Keep(done, climbing);
      path.pop_back();
      if (!path.empty()) take(path.back(), done.sequence, done.cascade, done.least_trust, done.open);
      continue;
    }
    STEMEDB_RETURN_IF_ERROR(patience_.Check());
    if (++steps_ > steps_max_) {
      return steps_before <= steps_max_ / 2 ? LineageTooLarge(IdFrom(IdOf(path.front().claim)))
                                            : LineageTooLarge();
    }
    const Hash256 id = IdFrom(visit.claim.derived_from(visit.next));
    const auto above = reader_->Find(id);
    if (!above) return above.error();
    if (!above->has_value()) {
      Await(id);
      visit.open = true;
      ++visit.next;
      continue;
    }
    const uint64_t sequence = **above;
    if (is_known(sequence)) {
      const double least_trust = climbing == Climbing::kForTrustToo ? trusts_[sequence] : 1;
      take(visit, sequence, cascades_[sequence], least_trust, open_.contains(sequence));
      continue;
    }
    auto entered = enter(sequence);
    if (!entered) return entered.error();
    if (!*entered) ++path.back().next;  // an operation's id: there will never be a claim with it
  }
  return Status::Ok();
}

Status Standing::LineageTooLarge() const {
  return Status(Code::kOutOfRange, kLineageTooLarge,
                "the claims of this question rest on more than " + std::to_string(steps_max_) +
                    " others that have to be looked at; ask for a narrower concept path");
}

Status Standing::LineageTooLarge(const Hash256& mostly) const {
  return Status(Code::kOutOfRange, kLineageTooLarge,
                "the claims of this question rest on more than " + std::to_string(steps_max_) +
                    " others that have to be looked at, most of them below the assertion " + ToHex(mostly) +
                    "; ask for a narrower concept path, or have that one retracted: what is retracted itself "
                    "isn't followed");
}

Result<uint64_t> Standing::CascadeOn(uint64_t sequence) {
  const auto known = cascades_.find(sequence);
  if (known != cascades_.end()) return known->second;
  STEMEDB_RETURN_IF_ERROR(Climb(sequence, Climbing::kForCascades));
  return cascades_[sequence];
}

Status Standing::OwnFinalOf(const store::Row& row, Final& final) {
  if (!MayBeRetracted()) return Status::Ok();
  Claim claim;
  claim.sequence = row.sequence;
  claim.has_operations = reader_->MayHaveOperations(row);
  if (claim.has_operations) claim.id = IdOf(row.claim);
  claim.path = row.concept_path;
  claim.source = row.claim.source_id();
  return OwnFinal(claim, final);
}

Result<Standing::Ends> Standing::EndsOf(const store::Row& row) {
  if (!MayBeRetracted()) return Ends();
  STEMEDB_RETURN_IF_ERROR(patience_.Check());
  Final final;
  STEMEDB_RETURN_IF_ERROR(OwnFinalOf(row, final));
  if (row.claim.derived_from_count() > 0) {
    if (!cascades_.contains(row.sequence))
      STEMEDB_RETURN_IF_ERROR(Climb(row.sequence, Climbing::kForCascades));
    final.retracted = std::min(final.retracted, cascades_[row.sequence]);
    met_open_ = met_open_ || open_.contains(row.sequence);
  }
  return Ends{final.retracted, final.superseded};
}

Result<bool> Standing::HasEndedByItself(const store::Row& row) {
  Final own;
  STEMEDB_RETURN_IF_ERROR(OwnFinalOf(row, own));
  return std::min(own.retracted, own.superseded) <= sequence_max_;
}

Result<ClaimStatus> Standing::StatusOf(const store::Row& row) {
  if (row.claim.derived_from_count() > 0) {
    // A retraction of its own is all that there is to know.
    Final own;
    STEMEDB_RETURN_IF_ERROR(OwnFinalOf(row, own));
    if (own.retracted <= sequence_max_) return ClaimStatus::kRetracted;
  }
  auto ends = EndsOf(row);
  return ends ? Result<ClaimStatus>(ends->StatusAt(sequence_max_)) : Result<ClaimStatus>(ends.error());
}

Result<uint64_t> Standing::RetractedSince(const store::Row& row) {
  auto ends = EndsOf(row);
  return ends ? Result<uint64_t>(ends->retracted) : Result<uint64_t>(ends.error());
}

// Goes up from claim to claim, each time to one from which the cascade came.
Result<std::optional<Standing::Cause>> Standing::CauseOf(const store::Row& row) {
  auto ends = EndsOf(row);
  if (!ends) return ends.error();
  if (ends->retracted > sequence_max_) return std::optional<Cause>();
  uint64_t at = row.sequence, since = ends->retracted;
  for (bool is_row = true;; is_row = false) {
    auto claim = Load(at);
    if (!claim) return claim.error();
    Final own;
    STEMEDB_RETURN_IF_ERROR(
        OwnFinal({at, IdOf(**claim), (*claim)->concept_path(), (*claim)->source_id()}, own));
    if ((is_row ? own.retracted : own.cascade) == since) return std::optional(Cause{since, at});
    uint64_t from = 0;
    for (size_t i = 0; from == 0 && i < (*claim)->derived_from_count(); ++i) {
      STEMEDB_RETURN_IF_ERROR(patience_.Check());
      if (++steps_ > steps_max_) return LineageTooLarge();
      const auto above = reader_->Find(IdFrom((*claim)->derived_from(i)));
      if (!above) return above.error();
      if (!above->has_value()) continue;
      auto record = Load(**above);
      if (!record) return record.error();
      if (!record->has_value()) continue;
      auto cascade = CascadeOn(**above);
      if (!cascade) return cascade.error();
      if (*cascade == kNever || std::max(*cascade, **above) != since) continue;
      from = **above;
      since = *cascade;
    }
    if (from == 0)
      return Status(Code::kInternal, "internal", "a claim is retracted, and nothing that it rests on is why");
    at = from;
  }
}

Result<ClaimStanding> Standing::Of(const store::Row& row) {
  ClaimStanding standing;
  if (!AnyOperation()) return standing;
  STEMEDB_RETURN_IF_ERROR(patience_.Check());
  const model::ClaimView& view = row.claim;
  if (has_votes_ && reader_->MayHaveVotes(row)) {
    STEMEDB_RETURN_IF_ERROR(patience_.CheckNow());  // the votes on the claim before may have been many
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
  STEMEDB_RETURN_IF_ERROR(OwnFinalOf(row, final));
  const bool climbs_for_trust = stamp_.trust != 0;
  if (rests && (MayBeRetracted() || climbs_for_trust)) {
    if (!cascades_.contains(row.sequence) || (climbs_for_trust && !trusts_.contains(row.sequence))) {
      STEMEDB_RETURN_IF_ERROR(
          Climb(row.sequence, climbs_for_trust ? Climbing::kForTrustToo : Climbing::kForCascades));
    }
    final.retracted = std::min(final.retracted, cascades_[row.sequence]);
    met_open_ = met_open_ || open_.contains(row.sequence);
    if (climbs_for_trust) standing.derived_trust = trusts_[row.sequence];
  }
  standing.status = Ends{final.retracted, final.superseded}.StatusAt(sequence_max_);
  return standing;
}

}  // namespace stemedb::query
