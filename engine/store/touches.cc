// SPDX-License-Identifier: Apache-2.0
// Everything below a path is found by the text that stands before it, up to a slash. Such texts are hashed
// segment by segment, each on top of the one before, so that all the places of a long path cost one reading.
#include "store/touches.h"

#include <algorithm>
#include <bit>
#include <string>

#include "base/bytes.h"
#include "base/keyed_hash.h"
#include "index/layout.h"

namespace stemedb::store {
namespace {

constexpr size_t kSlotsMin = 64;
constexpr uint64_t kEverything = 0x62656c6f77;  // what hashes of prefixes begin with

size_t SlotsOf(size_t wanted) { return std::bit_ceil(std::max(wanted, kSlotsMin)); }

const KeyedHash& Hash() { return KeyedHash::OfProcess(); }

// One segment on top of those before it.
uint64_t Extend(uint64_t before, std::string_view segment) { return Hash().Of(before ^ Hash().Of(segment)); }

// Calls visit(place) for each text that the path begins with and that ends in a slash.
template <typename Visit>
uint64_t ForEachPrefix(std::string_view path, Visit visit) {
  uint64_t place = kEverything;
  for (size_t slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/')) {
    place = Extend(place, path.substr(0, slash + 1));
    path.remove_prefix(slash + 1);
    visit(place);
  }
  return Extend(place, path);  // an empty rest is a text of its own, too
}

uint64_t OfConcept(std::string_view path) {
  return ForEachPrefix(path, [](uint64_t) {});
}

uint64_t PairOn(uint64_t of_concept, std::string_view predicate) { return Extend(~of_concept, predicate); }

}  // namespace

Place PlaceOfConcept(std::string_view concept_path) { return OfConcept(concept_path); }

Place PlaceOfPair(std::string_view concept_path, std::string_view predicate) {
  return PairOn(OfConcept(concept_path), predicate);
}

// What is below begins with the prefix, and the prefix ends in a slash or is empty.
Place PlaceBelow(std::string_view concept_path) {
  uint64_t place = kEverything;
  ForEachPrefix(index::SubtreePrefix(concept_path), [&](uint64_t longer) { place = longer; });
  return place;
}

Place PlaceOfClaim(model::SubjectKind kind, uint64_t id_word) {
  return Hash().Of(id_word ^ (uint64_t{static_cast<uint8_t>(kind)} << 56));
}

uint64_t ClaimWord(const uint8_t* id) { return LoadLittle<uint64_t>(id); }

Touches::Touches(size_t slots)
    : claims_(SlotsOf(slots)), operations_(SlotsOf(slots / 4)), ids_(SlotsOf(slots / 4)) {}

uint64_t Touches::NewestWithId(uint64_t id_word) const {
  return ids_.At(Hash().Of(id_word)).load(std::memory_order_relaxed);
}

void Touches::Note(const Batch& batch) {
  for (const Entry& entry : batch.entries) {
    const auto touch = [&](const Table& table, Place place) {
      table.At(place).store(entry.sequence, std::memory_order_relaxed);
    };
    if (entry.is_operation()) {
      const model::OperationView operation = entry.operation();
      const auto by_subject = [&](const model::SubjectView& subject) {
        if (subject.kind != model::SubjectKind::kVotesOn && subject.kind != model::SubjectKind::kAssertion)
          return;
        const uint64_t word = LoadLittle<uint64_t>(subject.name.data());
        touch(operations_, PlaceOfClaim(subject.kind, word));
      };
      by_subject(operation.subject());
      if (operation.has_second_subject()) by_subject(operation.second_subject());
      continue;
    }
    const model::ClaimView claim = entry.claim();
    touch(ids_, Hash().Of(ClaimWord(claim.id())));
    touch(claims_, kEverything);
    const uint64_t of_concept =
        ForEachPrefix(claim.concept_path(), [&](uint64_t prefix) { touch(claims_, prefix); });
    touch(claims_, of_concept);
    touch(claims_, PairOn(of_concept, claim.predicate()));
  }
  known_to_.store(batch.last(), std::memory_order_release);
}

}  // namespace stemedb::store
