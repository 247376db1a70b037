// SPDX-License-Identifier: Apache-2.0
// LensRunner: fills the frame, calls the script, turns its answer into an Outcome. A state is made when a
// lens is first asked and thrown away when a call fails, so that nothing a broken script left behind can
// colour an answer.
#include <algorithm>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/scratch.h"
#include "script/judgement.h"
#include "script/lens.h"
#include "script/state.h"

namespace stemedb::script {
namespace {

// Scratch memory of the calling thread, grown to the largest call so far; calls don't nest. Thread-local,
// because CountVoices is called from compiled Lua with nothing but the frame.
struct Scratch {
  std::vector<uint32_t> first_claims;
  std::vector<double> voices;
  std::vector<double> weights;     // kSlots × values
  std::vector<uint32_t> starts;    // by value, + 1
  std::vector<uint32_t> by_value;  // voices of the rows, grouped by value
  std::vector<uint32_t> heard;     // by voice: the last value + 1 that it was counted for
  JudgeScratch judge;
};
thread_local Scratch scratch;

template <typename T>
void Grow(std::vector<T>& vector, size_t size) {
  if (vector.size() < size) vector.resize(size);
}

// After a giant call.
void TrimScratch() {
  ReleaseIfLarge(scratch.first_claims);
  ReleaseIfLarge(scratch.voices);
  ReleaseIfLarge(scratch.weights);
  ReleaseIfLarge(scratch.starts);
  ReleaseIfLarge(scratch.by_value);
  ReleaseIfLarge(scratch.heard);
  ReleaseIfLarge(scratch.judge.first_claims);
  ReleaseIfLarge(scratch.judge.weights);
}

void WriteHex(const uint8_t* id, char* out) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (size_t i = 0; i < sizeof(Hash256); ++i) {
    out[2 * i] = kDigits[id[i] >> 4];
    out[2 * i + 1] = kDigits[id[i] & 15];
  }
}

int CompareIds(const uint8_t* a, const uint8_t* b) { return std::memcmp(a, b, sizeof(Hash256)); }

// Distinct voices by value in O(rows + values + voices): rows grouped by value (counting sort), and for each
// voice the value for which it was heard last.
void CountVoices(CallFrame* frame) {
  Scratch& s = scratch;
  std::fill_n(s.starts.begin(), frame->values_count + 1, 0u);
  std::fill_n(s.heard.begin(), frame->voices_count, 0u);
  for (uint32_t i = 0; i < frame->rows_count; ++i) ++s.starts[frame->rows[i].value_index + 1];
  for (uint32_t v = 0; v < frame->values_count; ++v) s.starts[v + 1] += s.starts[v];
  for (uint32_t i = 0; i < frame->rows_count; ++i) {
    const Candidate& row = frame->rows[i];
    s.by_value[s.starts[row.value_index]++] = row.voice_index;
  }
  // starts[v] has moved on to the end of value v.
  for (uint32_t v = 0, i = 0; v < frame->values_count; ++v) {
    uint32_t voices = 0;
    for (; i < s.starts[v]; ++i) {
      uint32_t& last = s.heard[s.by_value[i]];
      if (last != v + 1) ++voices;
      last = v + 1;
    }
    frame->voices[v] = voices;
  }
}

void FillFrame(CallFrame& frame, const LensCall& call) {
  const size_t rows = call.candidates.size(), values = call.values_count, voices = call.voices_count;
  STEMEDB_CHECK(rows <= std::numeric_limits<int32_t>::max() && values <= rows && voices <= rows);
  Grow(scratch.first_claims, values);
  Grow(scratch.voices, values);
  Grow(scratch.weights, kSlots * values);
  Grow(scratch.starts, values + 1);
  Grow(scratch.by_value, rows);
  Grow(scratch.heard, voices);
  uint32_t seen = 0;
  for (size_t i = 0; i < rows; ++i) {
    const Candidate& row = call.candidates[i];
    STEMEDB_CHECK(row.value_index <= seen && row.value_index < values && row.voice_index < voices &&
                  row.tier <= 5);
    if (row.value_index == seen) scratch.first_claims[seen++] = static_cast<uint32_t>(i);
  }
  STEMEDB_CHECK(seen == values);
  frame.rows = call.candidates.data();
  frame.first_claims = scratch.first_claims.data();
  frame.voices = scratch.voices.data();
  frame.now_ms = static_cast<double>(call.now_ms);
  frame.rows_count = static_cast<uint32_t>(rows);
  frame.values_count = call.values_count;
  frame.voices_count = call.voices_count;
  // An empty view may have no address, and that would mean that nothing is asked about.
  frame.concept_path = call.concept_path.empty() ? "" : call.concept_path.data();
  frame.concept_path_size = static_cast<uint32_t>(call.concept_path.size());
  frame.predicate = call.predicate.empty() ? "" : call.predicate.data();
  frame.predicate_size = static_cast<uint32_t>(call.predicate.size());
  frame.read_now = 0;
  ++frame.call;
  frame.hex = &WriteHex;
  frame.compare_ids = &CompareIds;
  frame.count_voices = &CountVoices;
  for (uint32_t i = 0; i < kSlots; ++i) frame.slots[i].weights = scratch.weights.data() + i * values;
}

// A lens that gave nil and a reason: the claims are listed by the default rules, but there is no verdict.
JudgementSlot Declined() {
  JudgementSlot slot{};
  slot.winner = -1;
  slot.confidence = 0;
  slot.conflict_score = std::numeric_limits<double>::quiet_NaN();
  slot.agreement = static_cast<int32_t>(Agreement::kNone);
  return slot;
}

Outcome TakeOutcome(State& state) {
  const CallFrame& frame = state.frame();
  Outcome outcome;
  outcome.overall =
      Judge(frame, frame.declined != 0 ? Declined() : frame.slots[0], std::nullopt, scratch.judge);
  for (uint32_t i = 1; i <= frame.layers_count; ++i) {
    const auto tier = static_cast<uint8_t>(frame.slots[i].tier);
    outcome.layers.push_back({tier, Judge(frame, frame.slots[i], tier, scratch.judge)});
  }
  outcome.declined = frame.declined != 0;
  outcome.read_now = frame.read_now != 0;
  outcome.explain = state.explain();
  outcome.notes = std::move(state.notes());
  outcome.details_json = state.details_json();
  return outcome;
}

}  // namespace

struct LensRunner::Impl {
  Options options;
  std::vector<std::unique_ptr<State>> states;  // by script; null until asked
  std::vector<Params> defaults;                // by script
  Failure failure = Failure::kNone;
};

namespace {

Failure FailureOf(Code code) {
  if (code == Code::kDeadlineExceeded) return Failure::kTime;
  return code == Code::kResourceExhausted ? Failure::kMemory : Failure::kError;
}

}  // namespace

LensRunner::LensRunner(std::shared_ptr<const ScriptSet> scripts, Options options)
    : scripts_(std::move(scripts)), impl_(std::make_unique<Impl>()) {
  impl_->options = options;
  impl_->states.resize(scripts_->scripts().size());
  for (const auto& script : scripts_->scripts()) impl_->defaults.push_back(DefaultParams(script));
}

LensRunner::~LensRunner() = default;

Failure LensRunner::last_failure() const { return impl_->failure; }

void LensRunner::Use(std::shared_ptr<const ScriptSet> scripts) {
  if (scripts == scripts_) return;
  std::vector<std::unique_ptr<State>> states(scripts->scripts().size());
  impl_->defaults.clear();
  for (size_t i = 0; i < states.size(); ++i) {
    const ScriptInfo& script = scripts->scripts()[i];
    impl_->defaults.push_back(DefaultParams(script));
    const int old = scripts_->Find(script.name);
    if (old < 0) continue;
    const ScriptInfo& before = scripts_->scripts()[static_cast<size_t>(old)];
    if (before.sha256 == script.sha256 && before.file == script.file) {
      states[i] = std::move(impl_->states[static_cast<size_t>(old)]);
    }
  }
  impl_->states = std::move(states);
  scripts_ = std::move(scripts);
}

Result<Outcome> LensRunner::Resolve(int script, const LensCall& call) {
  STEMEDB_CHECK(script >= 0 && static_cast<size_t>(script) < impl_->states.size());
  impl_->failure = Failure::kNone;
  if (call.candidates.empty()) {
    Outcome nothing;
    nothing.explain = "no claims";
    return nothing;
  }
  const ScriptInfo& info = scripts_->scripts()[static_cast<size_t>(script)];
  const Params* params = call.params != nullptr ? call.params : &impl_->defaults[static_cast<size_t>(script)];
  STEMEDB_CHECK(params->values.size() == info.params.size());
  auto& state = impl_->states[static_cast<size_t>(script)];
  if (!state) {
    State::Options options;
    options.memory_bytes_max = impl_->options.memory_bytes_max;
    options.time_ms_max = impl_->options.time_ms_max;
    options.load_time_ms_max = impl_->options.load_time_ms_max.value_or(State::kInFirstRun);
    options.stopping = impl_->options.stopping;
    auto opened = State::Open(info.file, info.source, options);
    if (!opened) {
      impl_->failure = FailureOf(opened.error().code());
      return Status(Code::kInternal, "lens_failed", std::string(opened.error().message()));
    }
    state = std::move(opened).value();
  }
  FillFrame(state->frame(), call);
  if (Status status = state->Run(info, params, call.notes, call.reading); !status.ok()) {
    impl_->failure = state->failure();
    state.reset();
    TrimScratch();
    return status;
  }
  Outcome outcome = TakeOutcome(*state);
  TrimScratch();
  return outcome;
}

}  // namespace stemedb::script
