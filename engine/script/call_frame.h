// SPDX-License-Identifier: Apache-2.0
// CallFrame: the memory that C++ and the trusted prelude share, one for each script state. C++ fills in the
// question, the prelude reads it in place and writes the lens's answer back. prelude.lua declares the same
// layout; the static_asserts below keep the two in step.
#pragma once

#include <cstddef>
#include <cstdint>

#include "script/candidate.h"

namespace stemedb::script {

// What a lens said about all candidates (slot 0) or about one tier (slots 1 to 6). Already checked by the
// prelude.
struct JudgementSlot {
  double confidence;      // NaN: the lens leaves it to the default rule
  double conflict_score;  // the same
  double* weights;        // values_count of them, valid when has_weights
  int32_t winner;         // index into the rows, or -1
  int32_t agreement;      // an Agreement, or -1
  int32_t tier;
  int32_t has_weights;
};

inline constexpr uint32_t kSlots = 7;

// Where a pattern's match lies in the text: the whole of it, then its groups. A group that took no part
// starts at -1.
inline constexpr uint32_t kMatchGroupsMax = 9;
struct MatchResult {
  int32_t starts[kMatchGroupsMax];
  int32_t sizes[kMatchGroupsMax];
  char error[184];
};

// Texts of a script end at 64 KiB, like values. The longer one it has, the more an operator may cost.
inline constexpr uint32_t kTextLight = 16 << 10;
inline constexpr uint32_t kTextMax = 64 << 10;

struct CallFrame {
  const Candidate* rows;
  const uint32_t* first_claims;  // by value: the first row that claims it
  double* voices;                // by value; count_voices fills it in
  double now_ms;
  uint32_t rows_count;
  uint32_t values_count;
  uint32_t voices_count;
  uint32_t call;  // number of this call: a candidate of another call is refused
  uint32_t layers_count;
  uint32_t declined;         // the lens returned nil and a reason
  const char* concept_path;  // what the question is about; null for a policy
  const char* predicate;
  uint32_t concept_path_size;
  uint32_t predicate_size;
  // Called from compiled Lua; must neither throw nor touch the Lua state.
  void (*hex)(const uint8_t* id, char* out);
  int (*compare_ids)(const uint8_t* a, const uint8_t* b);
  void (*count_voices)(CallFrame* frame);
  // From here on set once, when the state is opened: scripts use these while they are loaded, too.
  double (*decay)(double confidence, double age_ms, double half_life_days);
  double (*tick)(CallFrame* frame);  // fuel to go on with, or -1: stop
  // Place of the first `what` in text at `from` or later, or -1. Linear.
  int32_t (*find)(const char* text, uint32_t size, uint32_t from, const char* what, uint32_t what_size);
  int32_t (*match)(CallFrame* frame, const char* text, uint32_t size, const char* pattern,
                   uint32_t pattern_size, uint32_t from);
  // What somebody will have meant who wrote `name` where there are the known ones, separated by blanks
  // (near_name.h); the bytes that it took of `out`.
  uint32_t (*hint)(const char* name, uint32_t size, const char* known, uint32_t known_size, char* out,
                   uint32_t out_size);
  void* state;            // the State that this is a part of
  uint32_t text_bytes;    // the longest text that the script may have had; at least kTextLight
  uint32_t stopped_line;  // of the script, when it was stopped; 0 when not known
  uint32_t read_now;      // the script has looked at the clock during this call
  uint32_t padding;
  JudgementSlot slots[kSlots];
  MatchResult matched;
};

static_assert(sizeof(JudgementSlot) == 40 && offsetof(CallFrame, call) == 44,
              "keep the prelude's cdef in step");
static_assert(sizeof(MatchResult) == 256 && offsetof(CallFrame, slots) == 168 &&
                  sizeof(CallFrame) == 168 + 40 * kSlots + 256,
              "keep the prelude's cdef in step");

}  // namespace stemedb::script
