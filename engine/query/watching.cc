// SPDX-License-Identifier: Apache-2.0
#include "query/watching.h"

#include <algorithm>

#include "index/layout.h"
#include "query/aliases.h"

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

}  // namespace

Status FindConcern(const store::Record& record, store::Reader& reader, Concern& concern) {
  concern.places.clear();
  concern.anywhere = concern.is_alias = false;
  if (!record.is_operation()) {
    concern.places.push_back({record.claim().concept_path(), record.claim().predicate()});
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
  const script::ScriptInfo* lens = scripts.Get(question.lens);
  if (lens == nullptr || lens->kind != "lens") {
    std::string known;
    for (const script::ScriptInfo& script : scripts.scripts()) {
      if (script.kind == "lens") known += (known.empty() ? "" : ", ") + script.name;
    }
    return Status(Code::kNotFound, "unknown_lens",
                  "there is no lens '" + question.lens + "'; there are " + known);
  }
  auto params = script::CheckParams(*lens, question.params);
  return params ? Status::Ok() : params.error();
}

}  // namespace stemedb::query
