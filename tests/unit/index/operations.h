// SPDX-License-Identifier: Apache-2.0
// Operations from a few words, encoded as the api room encodes them. Used by the tests of index, store and
// query.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "claims.h"
#include "model/operation.h"
#include "model/operation_record.h"

namespace stemedb::testing {

inline EncodedClaim Encode(const model::Operation& operation) {
  std::string canonical;
  model::AppendCanonicalJson(canonical, operation);
  const Hash256 id = model::IdOf(operation.kind, canonical);
  return {id, model::EncodeOperation(operation, canonical, id)};
}

// Number 0 is the anonymous agent.
inline std::optional<model::AgentId> Agent(uint8_t number) {
  if (number == 0) return {};
  model::AgentId agent{};
  agent[31] = number;
  return agent;
}

// Two of the same with different times are two operations.
inline model::Operation OfKind(model::OperationKind kind, int64_t timestamp_ms) {
  model::Operation operation;
  operation.kind = kind;
  operation.timestamp_ms = timestamp_ms;
  return operation;
}

inline model::Operation Vote(const Hash256& claim, double weight, uint8_t agent = 0,
                             int64_t timestamp_ms = kTestNow) {
  model::Operation vote = OfKind(model::OperationKind::kVote, timestamp_ms);
  vote.assertion_id = claim;
  vote.number = weight;
  vote.agent_id = Agent(agent);
  return vote;
}

inline model::Operation Supersession(const Hash256& target, const Hash256& replacement,
                                     int64_t timestamp_ms = kTestNow) {
  model::Operation supersession = OfKind(model::OperationKind::kSupersession, timestamp_ms);
  supersession.assertion_id = target;
  supersession.other_id = replacement;
  return supersession;
}

enum class Cascade { kNo, kYes };

inline model::Operation RetractionOf(const Hash256& claim, Cascade cascade = Cascade::kNo,
                                     int64_t timestamp_ms = kTestNow) {
  model::Operation retraction = OfKind(model::OperationKind::kRetraction, timestamp_ms);
  retraction.assertion_id = claim;
  retraction.cascade = cascade == Cascade::kYes;
  return retraction;
}

inline model::Operation RetractionAt(std::string path, Cascade cascade = Cascade::kNo,
                                     int64_t timestamp_ms = kTestNow) {
  model::Operation retraction = OfKind(model::OperationKind::kRetraction, timestamp_ms);
  retraction.path = std::move(path);
  retraction.cascade = cascade == Cascade::kYes;
  return retraction;
}

inline model::Operation RetractionBelow(std::string path, Cascade cascade = Cascade::kNo,
                                        int64_t timestamp_ms = kTestNow) {
  model::Operation retraction = RetractionAt(std::move(path), cascade, timestamp_ms);
  retraction.subtree = true;
  return retraction;
}

inline model::Operation RetractionFrom(std::string source, Cascade cascade = Cascade::kNo,
                                       int64_t timestamp_ms = kTestNow) {
  model::Operation retraction = OfKind(model::OperationKind::kRetraction, timestamp_ms);
  retraction.name = std::move(source);
  retraction.cascade = cascade == Cascade::kYes;
  return retraction;
}

inline model::Operation Epoch(std::string name, std::string supersedes = "",
                              int64_t timestamp_ms = kTestNow) {
  model::Operation epoch = OfKind(model::OperationKind::kEpoch, timestamp_ms);
  epoch.name = std::move(name);
  epoch.other_name = std::move(supersedes);
  return epoch;
}

inline model::Operation Registration(std::string source, int64_t timestamp_ms = kTestNow) {
  model::Operation registration = OfKind(model::OperationKind::kSource, timestamp_ms);
  registration.name = std::move(source);
  return registration;
}

inline model::Operation ChangeOfStatus(std::string source, model::SourceStatus status,
                                       int64_t timestamp_ms = kTestNow) {
  model::Operation change = OfKind(model::OperationKind::kSourceStatus, timestamp_ms);
  change.name = std::move(source);
  change.source_status = status;
  return change;
}

inline model::Operation Alias(std::string path, std::string stands_for, int64_t timestamp_ms = kTestNow) {
  model::Operation alias = OfKind(model::OperationKind::kAlias, timestamp_ms);
  alias.path = std::move(path);
  alias.other_name = std::move(stands_for);
  return alias;
}

// The agent's number isn't 0.
inline model::Operation Trust(uint8_t agent, double trust, int64_t timestamp_ms = kTestNow) {
  model::Operation statement = OfKind(model::OperationKind::kTrust, timestamp_ms);
  statement.other_id = *Agent(agent);
  statement.number = trust;
  return statement;
}

// The votes on one claim, found from scratch: of each agent the one with the latest time, of several with the
// same time the one with the greatest id.
class Ballots {
 public:
  struct Ballot {
    int64_t timestamp_ms = 0;
    Hash256 id{};
    uint64_t thousandths = 0;
  };

  // In any order.
  void Add(const model::Operation& vote) {
    const Ballot ballot{*vote.timestamp_ms, Encode(vote).id, static_cast<uint64_t>(vote.number * 1000 + 0.5)};
    const auto known = latest_.find(vote.agent_id);
    if (known != latest_.end() &&
        std::tie(known->second.timestamp_ms, known->second.id) > std::tie(ballot.timestamp_ms, ballot.id))
      return;
    latest_[vote.agent_id] = ballot;
  }
  std::optional<Ballot> Of(const std::optional<model::AgentId>& agent) const {
    const auto known = latest_.find(agent);
    return known == latest_.end() ? std::nullopt : std::optional(known->second);
  }
  // How many agents have voted, and their weights in thousandths.
  std::pair<uint64_t, uint64_t> Sum() const {
    std::pair<uint64_t, uint64_t> sum;
    for (const auto& [agent, ballot] : latest_) ++sum.first, sum.second += ballot.thousandths;
    return sum;
  }

 private:
  std::map<std::optional<model::AgentId>, Ballot> latest_;
};

}  // namespace stemedb::testing
