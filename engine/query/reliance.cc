// SPDX-License-Identifier: Apache-2.0
#include "query/reliance.h"

#include <algorithm>

#include "index/operation_index.h"
#include "model/operation.h"

namespace stemedb::query {
namespace {

using model::SubjectKind;

// The ways in which operations reach claims; standing.cc knows no others.
enum Way : uint32_t {
  kVote = 1,            // it votes on one claim,
  kNaming = 2,          // supersedes or retracts one,
  kPathRetraction = 4,  // retracts all claims of a path,
  kSubtreeRetraction = 8,
  kSourceRetraction = 16,
  kEpochsEnd = 32,  // ends the epoch of claims,
  kTrust = 64,      // says how far an agent's claims are trusted,
  kCascade = 128,   // or retracts what rests on claims
};

uint64_t NewestOf(Way way, const store::Reader& reader) {
  switch (way) {
    case kVote:
      return reader.NewestOperation(SubjectKind::kVotesOn);
    case kNaming:
      return reader.NewestOperation(SubjectKind::kAssertion);
    case kPathRetraction:
      return reader.NewestOperation(SubjectKind::kPath);
    case kSubtreeRetraction:
      return reader.NewestOperation(SubjectKind::kSubtree);
    case kSourceRetraction:
      return reader.NewestEffect(index::Effect::kSourceRetraction);
    case kEpochsEnd:
      return reader.NewestOperation(SubjectKind::kOldEpoch);
    case kTrust:
      return reader.NewestOperation(SubjectKind::kAgent);
    case kCascade:
      break;
  }
  return reader.NewestEffect(index::Effect::kCascade);
}

std::vector<store::Place> PlacesOf(const Question& question, const Viewpoint& viewpoint) {
  if (question.subtree) return {store::PlaceBelow(viewpoint.concept_path)};
  std::vector<store::Place> places;
  const auto add = [&](const std::string& path) {
    places.push_back(question.predicate.empty() ? store::PlaceOfConcept(path)
                                                : store::PlaceOfPair(path, question.predicate));
  };
  places.reserve(1 + viewpoint.aliases.size());
  add(viewpoint.concept_path);
  for (const std::string& alias : viewpoint.aliases) add(alias);
  return places;
}

}  // namespace

Reliance Reliance::Of(const Question& question, const Viewpoint& viewpoint, const Covered& covered,
                      const std::optional<std::vector<Hash256>>& awaited, size_t claims_max) {
  Reliance reliance;
  // Claims that weren't read can't be named.
  reliance.on_everything_ = !awaited || covered.unread;
  if (reliance.on_everything_) return reliance;
  reliance.places_ = PlacesOf(question, viewpoint);
  reliance.awaited_.reserve(awaited->size());
  for (const Hash256& id : *awaited) reliance.awaited_.push_back(store::ClaimWord(id.data()));
  const size_t claims = covered.rows.size() + covered.passed_over.size();
  if (claims == 0) return reliance;
  uint32_t& ways = reliance.ways_;
  ways = kPathRetraction | kSubtreeRetraction;
  const bool are_named = claims <= claims_max;
  if (are_named) {
    reliance.claims_.reserve(claims);
  } else {
    ways |= kVote | kNaming;
  }
  for (const auto* rows : {&covered.rows, &covered.passed_over}) {
    for (const store::Row& row : *rows) {
      if (are_named) reliance.claims_.push_back(store::ClaimWord(row.claim.id()));
      if (!row.claim.source_id().empty()) ways |= kSourceRetraction;
      if (!row.claim.epoch().empty()) ways |= kEpochsEnd;
      if (!row.claim.anonymous()) ways |= kTrust;
      if (row.claim.derived_from_count() > 0) ways |= kCascade | kTrust;
    }
  }
  return reliance;
}

bool Reliance::Holds(const store::Reader& reader, uint64_t after) const {
  if (reader.sequence() <= after) return true;
  const store::Touches* touches = reader.touches();
  if (on_everything_ || touches == nullptr || !touches->Knows(reader.sequence())) return false;
  for (uint32_t way = kVote; way <= kCascade; way *= 2) {
    if ((ways_ & way) != 0 && NewestOf(static_cast<Way>(way), reader) > after) return false;
  }
  const auto is_touched = [&](store::Place place) { return touches->NewestClaim(place) > after; };
  if (std::any_of(places_.begin(), places_.end(), is_touched)) return false;
  const auto has_come = [&](uint64_t word) { return touches->NewestWithId(word) > after; };
  if (std::any_of(awaited_.begin(), awaited_.end(), has_come)) return false;
  const auto is_spoken_of = [&](Way way, SubjectKind kind) {
    return NewestOf(way, reader) > after && std::any_of(claims_.begin(), claims_.end(), [&](uint64_t word) {
             return touches->NewestOperation(store::PlaceOfClaim(kind, word)) > after;
           });
  };
  return !is_spoken_of(kVote, SubjectKind::kVotesOn) && !is_spoken_of(kNaming, SubjectKind::kAssertion);
}

}  // namespace stemedb::query
