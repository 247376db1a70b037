// SPDX-License-Identifier: Apache-2.0
// Candidate: what a lens sees of one claim. The struct is read by Lua in place (LuaJIT FFI, inside the
// trusted prelude only), so its layout is fixed; text and ids are pointers into the log's or the index's own
// bytes and become Lua strings only when a script touches them.
//
// The query room fills an array of these for each question, in canonical order: newest timestamp first, equal
// timestamps by smaller id. The order does not depend on when a claim arrived, so sums come out the same to
// the last bit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stemedb::script {

struct Candidate {
  double confidence;            // as asserted
  double effective_confidence;  // after decay; the same as confidence when the question asks for none
  double weight;                // effective confidence × class multiplier
  double number;                // value when value_kind is number or boolean (0 or 1)
  double trust;                 // of the primary agent, 0..1
  double derived_trust;         // the least trust of all that the claim rests on, itself included
  double vote_weight;           // sum over the votes on it
  int64_t timestamp_ms;
  int64_t valid_from_ms;  // INT64_MIN when absent
  int64_t valid_to_ms;    // INT64_MAX when absent
  uint64_t sequence;
  const char* value_text;  // text and reference values
  const char* source_id;
  const char* epoch;
  const uint8_t* id;        // 32 bytes
  const uint8_t* agent_id;  // 32 bytes; zero for the anonymous agent
  uint32_t value_text_size;
  uint32_t source_id_size;
  uint32_t epoch_size;
  uint32_t value_index;  // equal values have equal numbers: 0, 1, … by first appearance
  uint32_t votes;        // how many agents have voted on it
  uint32_t voice_index;  // a voice is a distinct agent, or a distinct source of the anonymous agent: 0, 1, …
  uint8_t value_kind;    // 0 text, 1 number, 2 boolean, 3 reference
  uint8_t tier;          // 0 regulatory … 5 anecdotal
  uint8_t lifecycle;     // 0 proposed … 4 rejected
  uint8_t anonymous;     // 1 when the claim has no agent
  uint8_t epoch_superseded;  // 1 when its epoch has been superseded
  uint8_t padding[3];
};

static_assert(sizeof(void*) == 8 && sizeof(Candidate) == 8 * 16 + 4 * 6 + 8,
              "keep the prelude's cdef in step");

}  // namespace stemedb::script
