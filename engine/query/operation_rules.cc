// SPDX-License-Identifier: Apache-2.0
#include "query/operation_rules.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <set>

#include "query/aliases.h"

namespace stemedb::query {
namespace {

using model::Operation;
using model::OperationKind;
using model::SubjectKind;
using store::From;

constexpr size_t kChainMax = 100'000;  // supersessions or epochs followed to rule a circle out

Status Unknown(std::string_view reason, std::string detail) {
  return Status(Code::kNotFound, reason, std::move(detail));
}

Status Conflict(std::string_view reason, std::string detail) {
  return Status(Code::kConflict, reason, std::move(detail));
}

Status Circle(std::string detail) { return Conflict("would_close_circle", std::move(detail)); }

// A claim's record; kNotFound "unknown_assertion".
Result<store::Record> ClaimOf(const Hash256& id, store::Reader& reader) {
  const auto unknown = [&] {
    return Unknown("unknown_assertion", "there is no assertion with the id " + ToHex(id));
  };
  auto sequence = reader.Find(id);
  if (!sequence) return sequence.error();
  if (!sequence->has_value()) return unknown();
  auto record = reader.Get(**sequence);
  if (record && record->is_operation()) return unknown();
  return record;
}

// The first operation about the subject that `wanted` takes, from the oldest on.
Result<std::optional<store::OperationRow>> FirstAbout(
    const model::SubjectView& subject, store::Reader& reader,
    const std::function<bool(const model::OperationView&)>& wanted) {
  std::optional<store::OperationRow> found;
  STEMEDB_RETURN_IF_ERROR(
      reader.VisitOperations(subject, 0, UINT64_MAX, From::kOldest, [&](const store::OperationRow& row) {
        if (wanted(row.operation)) found = row;
        return !found.has_value();
      }));
  return found;
}

Status CheckVote(const Operation& vote, store::Reader& reader) {
  auto claim = ClaimOf(*vote.assertion_id, reader);
  if (!claim) return claim.error();
  if (!vote.timestamp_ms) return Status::Ok();
  const std::string_view agent = vote.agent_id ? AsView(*vote.agent_id) : AsView(model::kAnonymousAgent);
  auto earlier = reader.BallotOf(AsView(*vote.assertion_id), agent);
  if (!earlier) return earlier.error();
  if (!earlier->has_value() || (*earlier)->timestamp_ms <= *vote.timestamp_ms) return Status::Ok();
  return Conflict(
      "stale_vote",
      "the agent has voted on this assertion with a later timestamp; an earlier one changes nothing");
}

Status CheckSupersession(const Operation& operation, store::Reader& reader) {
  for (const Hash256& id : {*operation.assertion_id, operation.other_id}) {
    auto claim = ClaimOf(id, reader);
    if (!claim) return claim.error();
  }
  const auto replaced = [&](std::string_view id) {
    return FirstAbout({SubjectKind::kAssertion, id}, reader, [](const model::OperationView& view) {
      return view.kind() == OperationKind::kSupersession;
    });
  };
  std::string at(AsView(*operation.assertion_id));
  const std::string target = at;
  auto found = replaced(at);
  if (!found) return found.error();
  if (found->has_value()) {
    return Conflict("already_superseded",
                    "the assertion has been superseded already; supersede its replacement");
  }
  // Whatever replaces the replacement must not lead back.
  at = AsView(operation.other_id);
  for (size_t steps = 0; steps < kChainMax; ++steps) {
    if (at == target) return Circle("the replacement has been replaced, in the end, by the assertion itself");
    found = replaced(at);
    if (!found) return found.error();
    if (!found->has_value()) return Status::Ok();
    at = (*found)->operation.other_id();
  }
  return Circle("the chain of replacements is longer than " + std::to_string(kChainMax));
}

bool IsRetraction(const model::OperationView& view, bool cascade) {
  const bool retracts =
      view.kind() == OperationKind::kRetraction || (view.kind() == OperationKind::kSourceStatus &&
                                                    view.source_status() == model::SourceStatus::kRetracted);
  return retracts && (view.cascade() || !cascade);
}

Status CheckRetraction(const Operation& operation, store::Reader& reader) {
  if (operation.path.empty()) {
    if (operation.assertion_id) {
      auto claim = ClaimOf(*operation.assertion_id, reader);
      if (!claim) return claim.error();
    }
    const model::SubjectView subject =
        operation.assertion_id ? model::SubjectView{SubjectKind::kAssertion, AsView(*operation.assertion_id)}
                               : model::SubjectView{SubjectKind::kSource, operation.name};
    auto found = FirstAbout(subject, reader, [&](const model::OperationView& view) {
      return IsRetraction(view, operation.cascade);
    });
    if (!found) return found.error();
    if (!found->has_value()) return Status::Ok();
    return Conflict("already_retracted", "that has been retracted already");
  }
  std::vector<store::Row> rows;
  store::Scope scope;
  scope.concept_path = operation.path;
  scope.subtree = operation.subtree;
  auto more = reader.Scan(scope, 1, rows);
  if (!more) return more.error();
  return rows.empty() ? Unknown("unknown_concept",
                                "there are no claims at " + operation.path + (operation.subtree ? "/*" : ""))
                      : Status::Ok();
}

Status CheckEpoch(const Operation& operation, store::Reader& reader) {
  const auto is_epoch = [](const model::OperationView& view) { return view.kind() == OperationKind::kEpoch; };
  auto found = FirstAbout({SubjectKind::kEpoch, operation.name}, reader, is_epoch);
  if (!found) return found.error();
  if (found->has_value()) return Conflict("epoch_exists", "there is an epoch " + operation.name + " already");
  std::string at = operation.other_name;
  for (size_t steps = 0; steps < kChainMax && !at.empty(); ++steps) {
    if (at == operation.name) return Circle("the epoch would supersede itself, by way of others");
    found = FirstAbout({SubjectKind::kEpoch, at}, reader, is_epoch);
    if (!found) return found.error();
    at = found->has_value() && (*found)->operation.has_second_subject()
             ? std::string((*found)->operation.second_subject().name)
             : std::string();
  }
  return at.empty() ? Status::Ok()
                    : Circle("the chain of epochs is longer than " + std::to_string(kChainMax));
}

Status CheckSource(const Operation& operation, store::Reader& reader) {
  auto found =
      FirstAbout({SubjectKind::kSource, operation.name}, reader,
                 [](const model::OperationView& view) { return view.kind() == OperationKind::kSource; });
  if (!found) return found.error();
  const bool is_registration = operation.kind == OperationKind::kSource;
  if (is_registration && found->has_value())
    return Conflict("source_exists", "a source " + operation.name + " is registered already");
  if (is_registration) return Status::Ok();
  if (!found->has_value()) return Unknown("unknown_source", "no source " + operation.name + " is registered");
  auto retracted = FirstAbout({SubjectKind::kSource, operation.name}, reader,
                              [](const model::OperationView& view) { return IsRetraction(view, false); });
  if (!retracted) return retracted.error();
  if (!retracted->has_value()) return Status::Ok();
  return Conflict("already_retracted", "the source has been retracted, which is final; register another one");
}

Status CheckAlias(const Operation& operation, store::Reader& reader) {
  const uint64_t now = reader.sequence();
  auto target = ConceptOf(reader, now, operation.other_name);
  if (!target) return target.error();
  if (*target == operation.path)
    return Circle(operation.other_name + " stands, in the end, for " + operation.path + " itself");
  auto present = ConceptOf(reader, now, operation.path);
  if (!present) return present.error();
  if (*present == *target)
    return Conflict("alias_exists", operation.path + " stands for " + *target + " already");
  std::vector<std::string> along, others;  // those that stand for it come along
  STEMEDB_RETURN_IF_ERROR(AliasesOf(reader, now, operation.path, along));
  STEMEDB_RETURN_IF_ERROR(AliasesOf(reader, now, *target, others));
  if (others.size() + 1 + along.size() > kAliasesMax) {
    return Conflict("alias_limit", "a concept has at most " + std::to_string(kAliasesMax) +
                                       " aliases, those of its aliases included");
  }
  return Status::Ok();
}

Status NotYours(std::string_view what) {
  return Status(Code::kPermissionDenied, "not_yours",
                std::string(what) +
                    "; an agent retracts and supersedes its own assertions, all else is taken from the "
                    "server's own machine alone");
}

// Names are everybody's: who may give them another meaning is the operator's matter. A claim is its signers'.
Status CheckAgent(const Operation& operation, store::Reader& reader) {
  if (operation.kind == OperationKind::kVote) return Status::Ok();
  if (!operation.assertion_id) return NotYours("this changes what a name means for everybody");
  auto claim = ClaimOf(*operation.assertion_id, reader);
  if (!claim) return claim.error();
  const model::ClaimView view = claim->claim();
  for (size_t i = 0; i < view.signature_count(); ++i) {
    if (operation.agent_id &&
        view.signature(i).substr(0, sizeof(model::AgentId)) == AsView(*operation.agent_id))
      return Status::Ok();
  }
  return NotYours("the assertion isn't signed by this agent");
}

}  // namespace

bool DependsOnNames(OperationKind kind) {
  return kind != OperationKind::kVote && kind != OperationKind::kTrust;
}

Status CheckOperation(const Operation& operation, const Hash256& id, Authority authority,
                      store::Reader& reader) {
  auto repeat = reader.Find(id);
  if (!repeat) return repeat.error();
  if (repeat->has_value()) return Status::Ok();
  if (authority == Authority::kAgent) STEMEDB_RETURN_IF_ERROR(CheckAgent(operation, reader));
  switch (operation.kind) {
    case OperationKind::kVote:
      return CheckVote(operation, reader);
    case OperationKind::kSupersession:
      return CheckSupersession(operation, reader);
    case OperationKind::kRetraction:
      return CheckRetraction(operation, reader);
    case OperationKind::kEpoch:
      return CheckEpoch(operation, reader);
    case OperationKind::kSource:
    case OperationKind::kSourceStatus:
      return CheckSource(operation, reader);
    case OperationKind::kAlias:
      return CheckAlias(operation, reader);
    case OperationKind::kTrust:
      break;
  }
  return Status::Ok();
}

namespace {

// Gathers the claims that a retraction reaches, each once.
class Reached {
 public:
  Reached(store::Reader& reader, Standing& standing, size_t claims_max)
      : reader_(reader), standing_(standing), claims_max_(claims_max) {}

  // False: enough was looked at.
  Result<bool> Add(uint64_t sequence, bool cascaded) {
    if (seen_.contains(sequence)) return true;
    if (seen_.size() == claims_max_) {
      impact_.is_cut = true;
      return false;
    }
    seen_.insert(sequence);
    auto record = reader_.Get(sequence);
    if (!record) return record.error();
    store::Row row{record->claim().concept_path(), record->claim().predicate(), sequence, record->claim()};
    row.has_marks = false;
    auto since = standing_.RetractedSince(row);
    if (!since) return since.error();
    todo_.push_back(sequence);
    if (*since <= reader_.sequence()) return true;
    ++impact_.retracted;
    if (cascaded) ++impact_.cascaded;
    if (impact_.sample.size() < kSampleMax) {
      Hash256 id;
      std::copy_n(record->id().begin(), id.size(), id.begin());
      impact_.sample.push_back(id);
    }
    return true;
  }

  // Everything that rests on what was added.
  Status Cascade() {
    while (!todo_.empty()) {
      auto record = reader_.Get(todo_.front());
      todo_.pop_front();
      if (!record) return record.error();
      const std::string id(record->id());
      std::vector<uint64_t> resting;
      const size_t room = claims_max_ - seen_.size() + 1;
      STEMEDB_RETURN_IF_ERROR(
          reader_.VisitLinks(id, index::LinkKind::kDerivedFrom, 0, UINT64_MAX, [&](uint64_t sequence) {
            if (!seen_.contains(sequence)) resting.push_back(sequence);
            return resting.size() < room;
          }));
      for (const uint64_t sequence : resting) {
        auto added = Add(sequence, true);
        if (!added) return added.error();
        if (!*added) return Status::Ok();
      }
    }
    return Status::Ok();
  }

  Impact&& Take() { return std::move(impact_); }

 private:
  store::Reader& reader_;
  Standing& standing_;
  const size_t claims_max_;
  std::set<uint64_t> seen_;
  std::deque<uint64_t> todo_;
  Impact impact_;
};

}  // namespace

Result<Impact> ImpactOf(const Operation& operation, store::Reader& reader, Standing& standing,
                        size_t claims_max) {
  Reached reached(reader, standing, claims_max);
  std::vector<uint64_t> direct;
  bool is_cut = false;
  if (operation.assertion_id) {
    auto sequence = reader.Find(*operation.assertion_id);
    if (!sequence) return sequence.error();
    if (sequence->has_value()) direct.push_back(**sequence);
  } else if (!operation.path.empty()) {
    store::Scope scope;
    scope.concept_path = operation.path;
    scope.subtree = operation.subtree;
    scope.steps_max = claims_max;
    std::vector<store::Row> rows;
    auto more = reader.Scan(scope, claims_max, rows);
    if (!more) return more.error();
    is_cut = *more;
    for (const store::Row& row : rows) direct.push_back(row.sequence);
    std::sort(direct.begin(), direct.end());
  } else {
    STEMEDB_RETURN_IF_ERROR(
        reader.VisitLinks(operation.name, index::LinkKind::kSource, 0, UINT64_MAX, [&](uint64_t sequence) {
          direct.push_back(sequence);
          return direct.size() <= claims_max;
        }));
  }
  for (const uint64_t sequence : direct) {
    auto added = reached.Add(sequence, false);
    if (!added) return added.error();
    if (!*added) break;
  }
  if (operation.cascade) STEMEDB_RETURN_IF_ERROR(reached.Cascade());
  Impact impact = reached.Take();
  impact.is_cut = impact.is_cut || is_cut;
  return impact;
}

}  // namespace stemedb::query
