// SPDX-License-Identifier: Apache-2.0
// What follows from a history of claims and operations at a moment, found from scratch at each question by
// the plainest means: lists that are searched from end to end, and sets that grow until they don't. It knows
// nothing of indexes, caches and snapshots, and uses nothing of engine/query.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "../index/operations.h"

namespace stemedb::testing {

using Said = std::variant<model::Assertion, model::Operation>;

inline EncodedClaim Encode(const Said& said) {
  return std::visit([](const auto& one) { return Encode(one); }, said);
}

class KnowledgeReference {
 public:
  struct Entry {
    uint64_t sequence = 0;
    Said what;
    Hash256 id{};
    const model::Assertion* claim() const { return std::get_if<model::Assertion>(&what); }
    const model::Operation* operation() const { return std::get_if<model::Operation>(&what); }
  };
  struct Standing {
    std::string status = "active";
    bool epoch_superseded = false;
    double trust = 0.5;
    double derived_trust = 0.5;
    uint64_t votes = 0;
    uint64_t vote_thousandths = 0;
  };
  struct Cover {
    std::string concept_path;
    std::vector<std::string> aliases;  // in byte order
    bool is_circle = false;
  };

  // In the order of the log.
  void Add(uint64_t sequence, Said what) {
    const Hash256 id = Encode(what).id;
    places_.emplace(id, entries_.size());
    entries_.push_back({sequence, std::move(what), id});
  }
  const std::vector<Entry>& entries() const { return entries_; }
  uint64_t newest() const { return entries_.empty() ? 0 : entries_.back().sequence; }
  bool Has(const Hash256& id) const { return Find(id, UINT64_MAX) != nullptr; }

  // Of every claim that was there at the moment, by its sequence.
  std::map<uint64_t, Standing> At(uint64_t moment) const {
    std::map<uint64_t, Standing> standings;
    std::set<Hash256> retracted, reached;  // by an operation of their own; by a cascade
    for (const Entry& entry : entries_) {
      if (entry.claim() == nullptr || entry.sequence > moment) continue;
      if (IsRetractedItself(entry, moment, false)) retracted.insert(entry.id);
      if (IsRetractedItself(entry, moment, true)) reached.insert(entry.id);
    }
    GrowByCascades(reached, moment);
    const auto trusts = TrustsAt(moment);
    for (const Entry& entry : entries_) {
      if (entry.claim() == nullptr || entry.sequence > moment) continue;
      Standing& standing = standings[entry.sequence];
      if (IsSuperseded(entry.id, moment)) standing.status = "superseded";
      if (retracted.contains(entry.id) || reached.contains(entry.id)) standing.status = "retracted";
      standing.epoch_superseded = IsOldEpoch(entry.claim()->epoch, moment);
      standing.trust = TrustOf(trusts, *entry.claim());
      standing.derived_trust = LeastTrust(trusts, entry, moment);
      std::tie(standing.votes, standing.vote_thousandths) = VotesOn(entry.id, moment);
    }
    return standings;
  }

  // The concept that a path stands for, and all other paths that stand for it.
  Cover CoverOf(const std::string& path, uint64_t moment) const {
    const auto aliases = AliasesAt(moment);
    Cover cover;
    cover.concept_path = Follow(aliases, path, cover.is_circle);
    for (const auto& [alias, target] : aliases) {
      bool is_circle = false;
      if (alias != cover.concept_path && Follow(aliases, alias, is_circle) == cover.concept_path &&
          !is_circle)
        cover.aliases.push_back(alias);
    }
    return cover;
  }

  // Whether the operation names the claim itself, its path, its source; as of the operation's sequence.
  static bool Retracts(const model::Operation& operation, uint64_t sequence, const Entry& entry) {
    const model::Assertion& claim = *entry.claim();
    const std::string source = claim.source ? claim.source->id : "";
    if (operation.kind == model::OperationKind::kSourceStatus)
      return operation.source_status == model::SourceStatus::kRetracted && source == operation.name;
    if (operation.kind != model::OperationKind::kRetraction) return false;
    if (operation.assertion_id) return *operation.assertion_id == entry.id;
    if (operation.path.empty()) return !source.empty() && source == operation.name;
    if (sequence < entry.sequence) return false;  // about the claims that were there
    return operation.subtree ? IsBelow(claim.concept_path, operation.path)
                             : claim.concept_path == operation.path;
  }

  // Why the operation doesn't make sense at the end of the history; empty when it does.
  std::string Refusal(const model::Operation& operation) const {
    using model::OperationKind;
    if (Has(Encode(operation).id)) return "";
    switch (operation.kind) {
      case OperationKind::kVote:
        return RefusalOfVote(operation);
      case OperationKind::kSupersession:
        return RefusalOfSupersession(operation);
      case OperationKind::kRetraction:
        return RefusalOfRetraction(operation);
      case OperationKind::kEpoch:
        return RefusalOfEpoch(operation);
      case OperationKind::kSource:
        return IsRegistered(operation.name) ? "source_exists" : "";
      case OperationKind::kSourceStatus:
        if (!IsRegistered(operation.name)) return "unknown_source";
        return IsRetractedSource(operation.name, false) ? "already_retracted" : "";
      case OperationKind::kAlias:
        return RefusalOfAlias(operation);
      case OperationKind::kTrust:
        break;
    }
    return "";
  }

  static bool IsBelow(const std::string& path, const std::string& above) {
    const auto way = WayUp(path);
    return std::find(way.begin(), way.end(), above) != way.end();
  }
  // Every path above: fda://a/b → fda://a, fda://
  static std::vector<std::string> WayUp(const std::string& path) {
    const size_t scheme = path.find("://");
    const size_t start = scheme == std::string::npos ? 0 : scheme + 3;
    std::vector<std::string> way;
    if (start > 0 && path.size() > start) way.push_back(path.substr(0, start));
    for (size_t slash = path.find('/', start); slash != std::string::npos; slash = path.find('/', slash + 1))
      way.push_back(path.substr(0, slash));
    return way;
  }

 private:
  const Entry* Find(const Hash256& id, uint64_t moment) const {
    const auto place = places_.find(id);
    if (place == places_.end() || entries_[place->second].sequence > moment) return nullptr;
    return &entries_[place->second];
  }
  const Entry* FindClaim(const Hash256& id, uint64_t moment) const {
    const Entry* entry = Find(id, moment);
    return entry != nullptr && entry->claim() != nullptr ? entry : nullptr;
  }
  template <typename Visit>
  void ForEach(model::OperationKind kind, uint64_t moment, Visit visit) const {
    for (const Entry& entry : entries_) {
      const model::Operation* operation = entry.operation();
      if (operation != nullptr && operation->kind == kind && entry.sequence <= moment) visit(*operation);
    }
  }

  bool IsRetractedItself(const Entry& claim, uint64_t moment, bool by_a_cascade) const {
    return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      const model::Operation* operation = entry.operation();
      return operation != nullptr && entry.sequence <= moment && (operation->cascade || !by_a_cascade) &&
             Retracts(*operation, entry.sequence, claim);
    });
  }
  // All that is derived from what is in it.
  void GrowByCascades(std::set<Hash256>& reached, uint64_t moment) const {
    for (bool grows = true; grows;) {
      grows = false;
      for (const Entry& entry : entries_) {
        const model::Assertion* claim = entry.claim();
        if (claim == nullptr || entry.sequence > moment || reached.contains(entry.id)) continue;
        const bool rests = std::any_of(claim->derived_from.begin(), claim->derived_from.end(),
                                       [&](const Hash256& id) { return reached.contains(id); });
        if (!rests) continue;
        reached.insert(entry.id);
        grows = true;
      }
    }
  }
  bool IsSuperseded(const Hash256& id, uint64_t moment) const {
    bool is_superseded = false;
    ForEach(model::OperationKind::kSupersession, moment, [&](const model::Operation& operation) {
      is_superseded = is_superseded || operation.assertion_id == id;
    });
    return is_superseded;
  }
  bool IsOldEpoch(const std::string& epoch, uint64_t moment) const {
    bool is_old = false;
    ForEach(model::OperationKind::kEpoch, moment, [&](const model::Operation& operation) {
      is_old = is_old || (!epoch.empty() && operation.other_name == epoch);
    });
    return is_old;
  }
  using Trusts = std::map<model::AgentId, double>;
  Trusts TrustsAt(uint64_t moment) const {
    Trusts trusts;
    ForEach(model::OperationKind::kTrust, moment,
            [&](const model::Operation& operation) { trusts[operation.other_id] = operation.number; });
    return trusts;
  }
  static double TrustOf(const Trusts& trusts, const model::Assertion& claim) {
    const auto known = claim.agent_id ? trusts.find(*claim.agent_id) : trusts.end();
    return known == trusts.end() ? 0.5 : known->second;
  }
  double LeastTrust(const Trusts& trusts, const Entry& entry, uint64_t moment) const {
    double least = 1;
    std::set<Hash256> seen;
    std::vector<const Entry*> todo{&entry};
    while (!todo.empty()) {
      const Entry& next = *todo.back();
      todo.pop_back();
      if (!seen.insert(next.id).second) continue;
      least = std::min(least, TrustOf(trusts, *next.claim()));
      for (const Hash256& id : next.claim()->derived_from) {
        if (const Entry* above = FindClaim(id, moment)) todo.push_back(above);
      }
    }
    return least;
  }
  std::pair<uint64_t, uint64_t> VotesOn(const Hash256& id, uint64_t moment) const {
    Ballots ballots;
    ForEach(model::OperationKind::kVote, moment, [&](const model::Operation& vote) {
      if (vote.assertion_id == id) ballots.Add(vote);
    });
    return ballots.Sum();
  }

  std::map<std::string, std::string> AliasesAt(uint64_t moment) const {
    std::map<std::string, std::string> aliases;
    ForEach(model::OperationKind::kAlias, moment,
            [&](const model::Operation& operation) { aliases[operation.path] = operation.other_name; });
    std::erase_if(aliases, [](const auto& alias) { return alias.first == alias.second; });  // taken back
    return aliases;
  }
  static std::string Follow(const std::map<std::string, std::string>& aliases, std::string path,
                            bool& is_circle) {
    is_circle = false;
    for (size_t steps = 0; aliases.contains(path); ++steps) {
      is_circle = steps > aliases.size();
      if (is_circle) return path;
      path = aliases.at(path);
    }
    return path;
  }

  std::string RefusalOfVote(const model::Operation& vote) const {
    if (FindClaim(*vote.assertion_id, UINT64_MAX) == nullptr) return "unknown_assertion";
    bool is_stale = false;
    const std::pair when{*vote.timestamp_ms, Encode(vote).id};
    ForEach(model::OperationKind::kVote, UINT64_MAX, [&](const model::Operation& other) {
      if (other.assertion_id == vote.assertion_id && other.agent_id == vote.agent_id)
        is_stale = is_stale || std::pair{*other.timestamp_ms, Encode(other).id} > when;
    });
    return is_stale ? "stale_vote" : "";
  }
  std::string RefusalOfSupersession(const model::Operation& operation) const {
    for (const Hash256& id : {*operation.assertion_id, operation.other_id}) {
      if (FindClaim(id, UINT64_MAX) == nullptr) return "unknown_assertion";
    }
    if (IsSuperseded(*operation.assertion_id, UINT64_MAX)) return "already_superseded";
    std::set<Hash256> replacing{operation.other_id};  // what the replacement has been replaced by, in the end
    for (size_t before = 0; before != replacing.size();) {
      before = replacing.size();
      ForEach(model::OperationKind::kSupersession, UINT64_MAX, [&](const model::Operation& other) {
        if (replacing.contains(*other.assertion_id)) replacing.insert(other.other_id);
      });
    }
    return replacing.contains(*operation.assertion_id) ? "would_close_circle" : "";
  }
  std::string RefusalOfRetraction(const model::Operation& operation) const {
    if (!operation.path.empty()) {
      const bool is_there = std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
        return entry.claim() != nullptr && Retracts(operation, UINT64_MAX, entry);
      });
      return is_there ? "" : "unknown_concept";
    }
    if (!operation.assertion_id)
      return IsRetractedSource(operation.name, operation.cascade) ? "already_retracted" : "";
    if (FindClaim(*operation.assertion_id, UINT64_MAX) == nullptr) return "unknown_assertion";
    bool is_retracted = false;
    ForEach(model::OperationKind::kRetraction, UINT64_MAX, [&](const model::Operation& other) {
      is_retracted = is_retracted ||
                     (other.assertion_id == operation.assertion_id && (other.cascade || !operation.cascade));
    });
    return is_retracted ? "already_retracted" : "";
  }
  std::string RefusalOfEpoch(const model::Operation& operation) const {
    bool exists = false;
    std::set<std::string> superseded{operation.other_name};
    for (size_t before = 0; before != superseded.size();) {
      before = superseded.size();
      ForEach(model::OperationKind::kEpoch, UINT64_MAX, [&](const model::Operation& other) {
        exists = exists || other.name == operation.name;
        if (superseded.contains(other.name) && !other.other_name.empty()) superseded.insert(other.other_name);
      });
    }
    if (exists) return "epoch_exists";
    return superseded.contains(operation.name) ? "would_close_circle" : "";
  }
  std::string RefusalOfAlias(const model::Operation& operation) const {
    const auto aliases = AliasesAt(UINT64_MAX);
    if (operation.path == operation.other_name) return aliases.contains(operation.path) ? "" : "not_an_alias";
    bool is_circle = false;
    const std::string target = Follow(aliases, operation.other_name, is_circle);
    if (target == operation.path) return "would_close_circle";
    return target == Follow(aliases, operation.path, is_circle) ? "alias_exists" : "";
  }
  bool IsRegistered(const std::string& source) const {
    bool is_registered = false;
    ForEach(model::OperationKind::kSource, UINT64_MAX,
            [&](const model::Operation& other) { is_registered = is_registered || other.name == source; });
    return is_registered;
  }
  bool IsRetractedSource(const std::string& source, bool by_a_cascade) const {
    return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      const model::Operation* other = entry.operation();
      if (other == nullptr || other->name != source || (by_a_cascade && !other->cascade)) return false;
      return other->kind == model::OperationKind::kRetraction ||
             (other->kind == model::OperationKind::kSourceStatus &&
              other->source_status == model::SourceStatus::kRetracted);
    });
  }

  std::vector<Entry> entries_;
  std::map<Hash256, size_t> places_;  // in entries_
};

}  // namespace stemedb::testing
