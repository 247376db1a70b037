// SPDX-License-Identifier: Apache-2.0
// Touches: which places of the database the records that came in of late are about, so that whoever keeps
// what was read at one moment can tell at a later one that nothing of it has changed, without reading it
// again.
//
// A place is a concept and predicate, a concept, all below a path, a claim that operations name, or the id of
// a claim that may come. Of each
// the newest sequence that touched it is kept, in tables of fixed size in which places share slots: a place
// may look touched that wasn't, never the other way round.
//
// The commit thread writes, before the batch is handed to any reader; everybody reads, without a lock. So a
// reader whose view ends at a sequence finds every touch up to it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "model/operation.h"
#include "store/batch.h"

namespace stemedb::store {

// A place, shortened to a number; good for this process alone.
using Place = uint64_t;

// Of claims on one concept and predicate, on one concept, and below a path ("" for everything; as in Scope).
Place PlaceOfPair(std::string_view concept_path, std::string_view predicate);
Place PlaceOfConcept(std::string_view concept_path);
Place PlaceBelow(std::string_view concept_path);
// Of operations that name a claim: votes on it (kVotesOn), supersessions and retractions of it (kAssertion).
// `id_word` is ClaimWord of its id.
Place PlaceOfClaim(model::SubjectKind kind, uint64_t id_word);
// The first eight of the id's 32 bytes.
uint64_t ClaimWord(const uint8_t* id);

class Touches {
 public:
  // A slot takes eight bytes; `slots` is rounded up to a power of two. A quarter as many are for operations,
  // and another quarter for ids.
  explicit Touches(size_t slots);

  // Commit thread, in the order of the log: a few hashes, and one for each segment of a claim's path.
  void Note(const Batch& batch);

  // Any thread. Whether everything up to the sequence was noted; else the others have nothing to say.
  bool Knows(uint64_t sequence) const { return known_to_.load(std::memory_order_acquire) >= sequence; }
  // The newest touch by a claim, or by an operation, of the place, or of one that shares its slot.
  uint64_t NewestClaim(Place place) const { return claims_.At(place).load(std::memory_order_relaxed); }
  uint64_t NewestOperation(Place place) const {
    return operations_.At(place).load(std::memory_order_relaxed);
  }
  // The newest claim whose id has the word, as ClaimWord, or one that shares its slot.
  uint64_t NewestWithId(uint64_t id_word) const;

 private:
  struct Table {
    explicit Table(size_t slots) : mask(slots - 1), newest(new std::atomic<uint64_t>[slots]()) {}
    std::atomic<uint64_t>& At(Place place) const { return newest[place & mask]; }
    const size_t mask;
    const std::unique_ptr<std::atomic<uint64_t>[]> newest;
  };

  Table claims_;
  Table operations_;
  Table ids_;  // of their own: each claim has one, and would take the others' slots
  std::atomic<uint64_t> known_to_{0};
};

}  // namespace stemedb::store
