// SPDX-License-Identifier: Apache-2.0
#include "query/watching.h"

#include <algorithm>

#include "index/layout.h"
#include "query/aliases.h"
#include "query/find_lens.h"

namespace stemedb::query {
namespace {

using model::OperationKind;
using model::SubjectKind;

// A claim's place; nothing for an id that nobody has made, or that is an operation's.
Status AddClaim(std::string_view id_bytes, store::Reader& reader, Concern& concern) {
  Hash256 id{};
  std::copy_n(id_bytes.begin(), std::min(id_bytes.size(), id.size()), id.begin());
  auto sequence = reader.Find(id);
  if (!sequence) return sequence.error();
  if (!sequence->has_value()) return Status::Ok();
  auto record = reader.Get(**sequence);
  if (!record) return record.error();
  if (!record->is_operation())
    concern.places.push_back({record->claim().concept_path(), record->claim().predicate()});
  return Status::Ok();
}

Status AddSubject(const model::SubjectView& subject, store::Reader& reader, Concern& concern) {
  switch (subject.kind) {
    case SubjectKind::kAssertion:
    case SubjectKind::kVotesOn:
    case SubjectKind::kReplacement:
      return AddClaim(subject.name, reader, concern);
    case SubjectKind::kPath:
    case SubjectKind::kAlias:
    case SubjectKind::kAliasTarget:
      concern.places.push_back({subject.name, {}});
      break;
    case SubjectKind::kSubtree:
      concern.places.push_back({subject.name, {}, true});
      break;
    case SubjectKind::kEpoch:
    case SubjectKind::kOldEpoch:
    case SubjectKind::kSource:
    case SubjectKind::kAgent:
      break;
  }
  return Status::Ok();
}

// A retracted source's claims stand anywhere, and so does what rests on what a cascade reaches.
bool ReachesAnywhere(const model::OperationView& operation) {
  switch (operation.kind()) {
    case OperationKind::kEpoch:
    case OperationKind::kSourceStatus:
    case OperationKind::kTrust:
      return true;
    case OperationKind::kRetraction:
      return operation.cascade() || operation.subject().kind == SubjectKind::kSource;
    case OperationKind::kVote:
    case OperationKind::kSupersession:
    case OperationKind::kSource:
    case OperationKind::kAlias:
      break;
  }
  return false;
}

// Whether the claim, by coming, may take others with it that rest on it and came before: when a cascade has
// reached it already, by its source or by what it rests on itself, they are retracted now; and trust in its
// agent bounds theirs.
Result<bool> TakesOthersAlong(const store::Record& record, store::Reader& reader) {
  const auto is_there = [&](SubjectKind kind) { return reader.NewestOperation(kind) != 0; };
  const bool may = is_there(SubjectKind::kSource) || is_there(SubjectKind::kAgent) ||
                   (record.claim().derived_from_count() > 0 &&
                    (is_there(SubjectKind::kAssertion) || is_there(SubjectKind::kPath) ||
                     is_there(SubjectKind::kSubtree)));
  if (!may) return false;
  bool has_any = false;
  STEMEDB_RETURN_IF_ERROR(
      reader.VisitLinks(record.id(), index::LinkKind::kDerivedFrom, 0, record.sequence, [&](uint64_t) {
        has_any = true;
        return false;
      }));
  return has_any;
}

}  // namespace

Status FindConcern(const store::Record& record, store::Reader& reader, Concern& concern) {
  concern.places.clear();
  concern.anywhere = concern.is_alias = false;
  if (!record.is_operation()) {
    concern.places.push_back({record.claim().concept_path(), record.claim().predicate()});
    auto takes_along = TakesOthersAlong(record, reader);
    if (!takes_along) return takes_along.error();
    concern.anywhere = *takes_along;
    return Status::Ok();
  }
  const model::OperationView operation = record.operation();
  concern.anywhere = ReachesAnywhere(operation);
  concern.is_alias = operation.kind() == OperationKind::kAlias;
  STEMEDB_RETURN_IF_ERROR(AddSubject(operation.subject(), reader, concern));
  if (operation.has_second_subject())
    STEMEDB_RETURN_IF_ERROR(AddSubject(operation.second_subject(), reader, concern));
  return Status::Ok();
}

bool Covers(const WatchedScope& scope, const Place& place) {
  if (!scope.predicate.empty() && !place.predicate.empty() && scope.predicate != place.predicate)
    return false;
  const std::string& path = scope.paths.front();
  if (scope.subtree) {
    if (index::IsBelow(place.concept_path, path)) return true;
    return place.subtree && (place.concept_path == path || index::IsBelow(path, place.concept_path));
  }
  return std::any_of(scope.paths.begin(), scope.paths.end(), [&](const std::string& watched) {
    return place.subtree ? index::IsBelow(watched, place.concept_path) : watched == place.concept_path;
  });
}

bool IsAbout(const Concern& concern, const WatchedScope& scope) {
  if (concern.places.empty()) return scope.is_everything();
  return std::any_of(concern.places.begin(), concern.places.end(),
                     [&](const Place& place) { return Covers(scope, place); });
}

std::string_view PathAbove(std::string_view concept_path) { return index::ParentOf(concept_path); }
std::string PrefixBelow(std::string_view concept_path) { return index::SubtreePrefix(concept_path); }

Status FindPaths(store::Reader& reader, uint64_t sequence_max, const std::string& path, WatchedScope& scope) {
  std::string concept_path = path;
  std::vector<std::string> paths;
  if (!scope.subtree && reader.NewestOperation(SubjectKind::kAlias) != 0)
    STEMEDB_RETURN_IF_ERROR(CoverAliases(reader, sequence_max, concept_path, paths));
  // The path itself stays watched whatever it stood for once.
  for (const std::string& own : {concept_path, path}) {
    if (std::find(paths.begin(), paths.end(), own) == paths.end()) paths.push_back(own);
  }
  scope.paths = std::move(paths);
  return Status::Ok();
}

Status CheckLens(const script::ScriptSet& scripts, const Question& question) {
  const auto lens = FindLens(scripts, question.lens);
  if (!lens) return lens.error();
  auto params = script::CheckParams(scripts.scripts()[static_cast<size_t>(*lens)], question.params);
  return params ? Status::Ok() : params.error();
}

}  // namespace stemedb::query
