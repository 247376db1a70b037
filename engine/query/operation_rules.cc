// SPDX-License-Identifier: Apache-2.0
#include "query/operation_rules.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "query/aliases.h"
#include "query/reach.h"
#include "telemetry/stopwatch.h"

namespace stemedb::query {
namespace {

using model::Operation;
using model::OperationKind;
using model::SubjectKind;
using store::From;

Status Unknown(std::string_view reason, std::string detail) {
  return Status(Code::kNotFound, reason, std::move(detail));
}

Status Conflict(std::string_view reason, std::string detail) {
  return Status(Code::kConflict, reason, std::move(detail));
}

Status Circle(std::string detail) { return Conflict("would_close_circle", std::move(detail)); }

Status ChainTooLong(std::string_view links, size_t chain_max) {
  return Status(Code::kOutOfRange, kChainTooLong,
                "whether this would close a circle can't be told: it leads to a chain of more than " +
                    std::to_string(chain_max) + " " + std::string(links));
}

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

// The first operation about the subject that `wanted` takes, from the oldest on: nothing that comes later
// takes its place. That there is none is relied on.
Result<std::optional<store::OperationRow>> FirstAbout(
    const model::SubjectView& subject, store::Reader& reader, store::Judgement& judgement,
    const std::function<bool(const model::OperationView&)>& wanted) {
  std::optional<store::OperationRow> found;
  STEMEDB_RETURN_IF_ERROR(
      reader.VisitOperations(subject, 0, UINT64_MAX, From::kOldest, [&](const store::OperationRow& row) {
        if (wanted(row.operation)) found = row;
        return !found.has_value();
      }));
  if (!found) judgement.RelyOn(subject);
  return found;
}

Status CheckVote(const Operation& vote, const Hash256& id, store::Reader& reader) {
  auto claim = ClaimOf(*vote.assertion_id, reader);
  if (!claim) return claim.error();
  if (!vote.timestamp_ms) return Status::Ok();
  const std::string_view agent = vote.agent_id ? AsView(*vote.agent_id) : AsView(model::kAnonymousAgent);
  auto earlier = reader.BallotOf(AsView(*vote.assertion_id), agent);
  if (!earlier) return earlier.error();
  const index::Ballot ballot{.timestamp_ms = *vote.timestamp_ms, .weight = 0, .id = id};
  if (!earlier->has_value() || !index::OutdatedBy(ballot, **earlier)) return Status::Ok();
  return Conflict("stale_vote",
                  (*earlier)->timestamp_ms == *vote.timestamp_ms
                      ? "the agent has voted on this assertion with the same timestamp, and of two such "
                        "votes the one with the greater id counts; give a later one"
                      : "the agent has voted on this assertion with a later timestamp; an earlier one "
                        "changes nothing");
}

Status CheckSupersession(const Operation& operation, size_t chain_max, store::Reader& reader,
                         store::Judgement& judgement) {
  for (const Hash256& id : {*operation.assertion_id, operation.other_id}) {
    auto claim = ClaimOf(id, reader);
    if (!claim) return claim.error();
  }
  const auto replaced = [&](std::string_view id) {
    return FirstAbout({SubjectKind::kAssertion, id}, reader, judgement, [](const model::OperationView& view) {
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
  for (size_t steps = 0; steps < chain_max; ++steps) {
    if (at == target) return Circle("the replacement has been replaced, in the end, by the assertion itself");
    found = replaced(at);
    if (!found) return found.error();
    if (!found->has_value()) return Status::Ok();
    at = (*found)->operation.other_id();
  }
  return ChainTooLong("replacements", chain_max);
}

Status CheckRetraction(const Operation& operation, store::Reader& reader, store::Judgement& judgement) {
  if (operation.path.empty()) {
    if (operation.assertion_id) {
      auto claim = ClaimOf(*operation.assertion_id, reader);
      if (!claim) return claim.error();
    }
    const model::SubjectView subject =
        operation.assertion_id ? model::SubjectView{SubjectKind::kAssertion, AsView(*operation.assertion_id)}
                               : model::SubjectView{SubjectKind::kSource, operation.name};
    auto found = FirstAbout(subject, reader, judgement, [&](const model::OperationView& view) {
      return view.retracts() && (view.cascade() || !operation.cascade);
    });
    if (!found) return found.error();
    if (!found->has_value()) return Status::Ok();
    return Conflict("already_retracted", "that has been retracted already");
  }
  auto has_claims = reader.HasClaims(operation.path, operation.subtree);
  if (!has_claims) return has_claims.error();
  return *has_claims ? Status::Ok()
                     : Unknown("unknown_concept",
                               "there are no claims at " + operation.path + (operation.subtree ? "/*" : ""));
}

Status CheckEpoch(const Operation& operation, size_t chain_max, store::Reader& reader,
                  store::Judgement& judgement) {
  const auto is_epoch = [](const model::OperationView& view) { return view.kind() == OperationKind::kEpoch; };
  auto found = FirstAbout({SubjectKind::kEpoch, operation.name}, reader, judgement, is_epoch);
  if (!found) return found.error();
  if (found->has_value()) return Conflict("epoch_exists", "there is an epoch " + operation.name + " already");
  std::string at = operation.other_name;
  for (size_t steps = 0; steps < chain_max && !at.empty(); ++steps) {
    if (at == operation.name) return Circle("the epoch would supersede itself, by way of others");
    found = FirstAbout({SubjectKind::kEpoch, at}, reader, judgement, is_epoch);
    if (!found) return found.error();
    at = found->has_value() && (*found)->operation.has_second_subject()
             ? std::string((*found)->operation.second_subject().name)
             : std::string();
  }
  return at.empty() ? Status::Ok() : ChainTooLong("epochs", chain_max);
}

Status CheckSource(const Operation& operation, store::Reader& reader, store::Judgement& judgement) {
  auto found =
      FirstAbout({SubjectKind::kSource, operation.name}, reader, judgement,
                 [](const model::OperationView& view) { return view.kind() == OperationKind::kSource; });
  if (!found) return found.error();
  const bool is_registration = operation.kind == OperationKind::kSource;
  if (is_registration && found->has_value())
    return Conflict("source_exists", "a source " + operation.name + " is registered already");
  if (is_registration) return Status::Ok();
  if (!found->has_value()) return Unknown("unknown_source", "no source " + operation.name + " is registered");
  auto retracted = FirstAbout({SubjectKind::kSource, operation.name}, reader, judgement,
                              [](const model::OperationView& view) { return view.retracts(); });
  if (!retracted) return retracted.error();
  if (!retracted->has_value()) return Status::Ok();
  return Conflict("already_retracted", "the source has been retracted, which is final; register another one");
}

Status TooManyStatements() {
  return Conflict("alias_limit", "about a concept's aliases " + std::to_string(kAliasStatementsMax) +
                                     " statements are made at most, those that hold no longer included");
}

// Another alias changes a chain, or the number of those that stand for a concept, only where it gives one of
// these another target or is given one of them for its own.
void RelyOnAliases(std::string_view path, store::Judgement& judgement) {
  judgement.RelyOn({SubjectKind::kAlias, path});
  judgement.RelyOn({SubjectKind::kAliasTarget, path});
}

// Those that stand for it stay with it, and nothing comes to stand for what it didn't: no circle, and no
// concept with more aliases.
Status CheckTakenBackAlias(const std::string& path, store::Reader& reader, store::Judgement& judgement) {
  const uint64_t now = reader.sequence();
  auto present = ConceptOf(reader, now, path);
  if (!present) return present.error();
  if (*present == path) {
    return Conflict("not_an_alias", path + " stands for itself already: it is no alias, or was taken back");
  }
  std::vector<std::string> along;
  const auto about_along = AliasesOf(reader, now, path, along);
  if (!about_along) return about_along.error();
  if (*about_along + 1 > kAliasStatementsMax) return TooManyStatements();
  RelyOnAliases(path, judgement);
  for (const std::string& alias : along) RelyOnAliases(alias, judgement);
  return Status::Ok();
}

Status CheckAlias(const Operation& operation, store::Reader& reader, store::Judgement& judgement) {
  if (operation.path == operation.other_name) return CheckTakenBackAlias(operation.path, reader, judgement);
  const uint64_t now = reader.sequence();
  auto target = ConceptOf(reader, now, operation.other_name);
  if (!target) return target.error();
  if (*target == operation.path)
    return Circle(operation.other_name + " stands, in the end, for " + operation.path +
                  " itself; an alias is taken back by letting it stand for itself again");
  auto present = ConceptOf(reader, now, operation.path);
  if (!present) return present.error();
  if (*present == *target)
    return Conflict("alias_exists", operation.path + " stands for " + *target + " already");
  std::vector<std::string> along, others;  // those that stand for it come along
  const auto about_along = AliasesOf(reader, now, operation.path, along);
  if (!about_along) return about_along.error();
  const auto about_others = AliasesOf(reader, now, *target, others);
  if (!about_others) return about_others.error();
  if (others.size() + 1 + along.size() > kAliasesMax) {
    return Conflict("alias_limit", "a concept has at most " + std::to_string(kAliasesMax) +
                                       " aliases, those of its aliases included");
  }
  if (*about_others + 1 + *about_along > kAliasStatementsMax) return TooManyStatements();
  RelyOnAliases(operation.path, judgement);
  RelyOnAliases(*target, judgement);
  for (const std::string& path : along) RelyOnAliases(path, judgement);
  for (const std::string& path : others) RelyOnAliases(path, judgement);
  return Status::Ok();
}

Status NotYours(std::string message) {
  return Status(Code::kPermissionDenied, "not_yours", std::move(message));
}

bool IsOwn(const Operation& operation, const model::ClaimView& claim) {
  return operation.agent_id && !claim.anonymous() &&
         std::equal(operation.agent_id->begin(), operation.agent_id->end(), claim.agent_id());
}

}  // namespace

// Names are everybody's: who may give them another meaning is the operator's matter. A claim is its agent's:
// the list of signatures is no part of the id, so whoever is in it may have put itself there.
Status CheckAgent(const Operation& operation, store::Reader& reader) {
  constexpr std::string_view kRule =
      "; an agent retracts and supersedes its own assertions, all else is an operator's call";
  if (operation.kind == OperationKind::kVote) return Status::Ok();
  if (!operation.assertion_id) {
    const bool is_retraction = operation.kind == OperationKind::kRetraction;
    return NotYours((is_retraction
                         ? "this retracts by a name, which is everybody's: retract each of your own "
                           "assertions by its assertion_id"
                         : "this changes what a name means for everybody") +
                    std::string(kRule));
  }
  auto claim = ClaimOf(*operation.assertion_id, reader);
  if (!claim) return claim.error();
  if (IsOwn(operation, claim->claim())) return Status::Ok();
  return NotYours((operation.agent_id ? "the assertion is not this agent's" : "it names no agent") +
                  std::string(kRule));
}

Status CheckReach(const Operation& operation, const Impact& impact) {
  if (!operation.cascade || (impact.others == 0 && !impact.is_cut)) return Status::Ok();
  std::string fault = "the cascade reaches more assertions than were looked at, and some may be others'";
  if (impact.others > 0) {
    fault = "of the assertions that the cascade reaches " + std::string(impact.is_cut ? "at least " : "") +
            std::to_string(impact.others) + (impact.others == 1 ? " is" : " are") + " not this agent's";
  }
  return NotYours(fault + "; retract without cascade, or leave it to an operator");
}

bool DependsOnNames(OperationKind kind) {
  return kind != OperationKind::kVote && kind != OperationKind::kTrust;
}

Status CheckOperation(const Operation& operation, const Hash256& id, Authority authority,
                      store::Reader& reader, store::Judgement& judgement, size_t chain_max) {
  judgement = {reader.sequence(), {}};
  auto repeat = reader.Find(id);
  if (!repeat) return repeat.error();
  if (repeat->has_value()) return Status::Ok();
  if (authority == Authority::kAgent) STEMEDB_RETURN_IF_ERROR(CheckAgent(operation, reader));
  switch (operation.kind) {
    case OperationKind::kVote:
      return CheckVote(operation, id, reader);
    case OperationKind::kSupersession:
      return CheckSupersession(operation, chain_max, reader, judgement);
    case OperationKind::kRetraction:
      return CheckRetraction(operation, reader, judgement);
    case OperationKind::kEpoch:
      return CheckEpoch(operation, chain_max, reader, judgement);
    case OperationKind::kSource:
    case OperationKind::kSourceStatus:
      return CheckSource(operation, reader, judgement);
    case OperationKind::kAlias:
      return CheckAlias(operation, reader, judgement);
    case OperationKind::kTrust:
      break;
  }
  return Status::Ok();
}

// Half of the time is for finding out what is reached, so that there is some left to look at it. What each
// claim rests on is looked up in the same time.
Result<Impact> ImpactOf(const Operation& operation, store::Reader& reader, Standing& standing,
                        const ImpactBounds& bounds) {
  const telemetry::Stopwatch stopwatch;
  const model::Subject named = model::SubjectsOf(operation).front();
  Reach reach(reader, {.claims_max = bounds.claims_max,
                       .steps_max = bounds.claims_max,
                       .seconds_max = bounds.seconds_max / 2});
  STEMEDB_RETURN_IF_ERROR(reach.AddNamed({named.kind, named.name}, UINT64_MAX));
  if (operation.cascade) STEMEDB_RETURN_IF_ERROR(reach.AddResting());
  Impact impact;
  impact.is_cut = reach.is_cut();
  // Where the standing's own time ends first, somebody with more looks again.
  const bool is_handed_over = standing.patience_left() < bounds.seconds_max;
  standing.ShortenPatience(bounds.seconds_max - stopwatch.Seconds());
  for (size_t i = 0; i < reach.claims().size(); ++i) {
    Status time = standing.CheckPatienceNow();
    if (!time.ok() && is_handed_over) return time;
    if (!time.ok()) {
      impact.is_cut = true;
      break;
    }
    auto record = reader.Get(reach.claims()[i]);
    if (!record) return record.error();
    auto since = standing.RetractedSince(store::RowOfRecord(*record));
    if (!since && since.error().reason() == kHandOverReason && !is_handed_over) {
      impact.is_cut = true;
      break;
    }
    if (!since) return since.error();
    if (*since <= reader.sequence()) continue;
    ++impact.retracted;
    if (i >= reach.named()) ++impact.cascaded;
    if (!IsOwn(operation, record->claim())) ++impact.others;
    if (impact.sample.size() == kSampleMax) continue;
    Hash256 id;
    std::copy_n(record->id().begin(), id.size(), id.begin());
    impact.sample.push_back(id);
  }
  return impact;
}

}  // namespace stemedb::query
