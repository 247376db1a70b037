// SPDX-License-Identifier: Apache-2.0
// Everything that can raise a Lua error runs below lua_pcall: opening in OpenProtected, a call in
// RunProtected. What is outside uses only the calls of Lua's API that never raise. The C functions own
// nothing that needs a destructor when an error unwinds them.
#include "script/state.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <lua.hpp>
#include <utility>

#include "script/details.h"
#include "script/instrument.h"
#include "script/prelude.h"
#include "script/utf8.h"
#include "script/verdict_keys.h"
#include "script/weights.h"

namespace stemedb::script {
namespace {

// Stack slots that live as long as the state. kScriptTable is 1.
constexpr int kRun = 2;
constexpr int kDescribe = 3;
constexpr int kAnchor = 4;  // registry only: the ffi library
// Where OpenProtected leaves them for Open: far from what luaL_ref hands out.
constexpr int kRegistry = 1000;

// The text of Lua's own memory error; when it was caught and thrown again, behind a place.
constexpr std::string_view kLuaOutOfMemory = "not enough memory";

// What a place in front of a message may add to a text.
constexpr size_t kTextSlack = 1 << 10;
// The clock is looked at whenever so much memory has been handed out.
constexpr size_t kLookBytes = 256 << 10;
// A constructor with more constants than that makes a block that could be a text.
constexpr ptrdiff_t kConstantsLight = kTextLight / 8;

constexpr int kExplainBytesMax = 1024;
constexpr size_t kDetailsBytesMax = 16 << 10;

std::string Megabytes(size_t bytes) {
  return bytes >= (1u << 20) ? std::to_string(bytes >> 20) + " MiB" : std::to_string(bytes >> 10) + " KiB";
}

}  // namespace

// Lua's allocator, with a ceiling. Shrinking and freeing always work.
void* State::Allocate(void* memory, void* block, size_t old_size, size_t new_size) {
  auto* account = static_cast<Memory*>(memory);
  if (new_size == 0) {
    if (account->large.Has(block)) {
      account->large.Free(block);
    } else {
      std::free(block);
    }
    account->used -= old_size;
    return nullptr;
  }
  const bool refuses = new_size > old_size && Refuses(*account, block, old_size, new_size);
  void* moved = refuses ? nullptr : Resize(*account, block, old_size, new_size);
  if (moved != nullptr) {
    account->used += new_size - old_size;
  } else {
    account->stack.ReadyForRefusal();
  }
  return moved;
}

void* State::Resize(Memory& account, void* block, size_t old_size, size_t new_size) {
  LargeBlocks& large = account.large;
  if (large.Has(block)) {
    if (new_size > old_size) return large.Grow(block, old_size, new_size, account.budget) ? block : nullptr;
    large.Shrink(block, old_size, new_size);
    return block;
  }
  if (!account.running || new_size < LargeBlocks::kBytesMin || !large.HasRoom()) {
    return std::realloc(block, new_size);
  }
  void* made = large.Make(new_size, account.max, account.budget);
  if (made != nullptr && block != nullptr) {
    std::memcpy(made, block, std::min(old_size, new_size));
    std::free(block);
  }
  return made;
}

// Texts have a length limit, for how long an operator may take. The allocator isn't told what a block is for,
// but a fresh block is either a text or a part of a table, whose sizes are 24 × 2^k (hash), 8 × (2^k + 1)
// (array) or 8 × 2^k (the table of all texts). Lists that are made at once have other sizes: what gives
// thousands of results (prelude.lua, making_results), and a file with thousands of constants, raise the limit
// for texts, and so shrink the script's rations, beforehand.
bool State::Refuses(Memory& account, const void* block, size_t old_size, size_t new_size) {
  if (account.used + (new_size - old_size) > account.max) {
    account.refused = true;
    return true;
  }
  const size_t text_max = (account.frame != nullptr ? account.frame->text_bytes : kTextMax) + kTextSlack;
  if (account.running && block == nullptr && new_size > text_max) {
    const bool table = (new_size % 24 == 0 && std::has_single_bit(new_size / 24)) ||
                       std::has_single_bit(new_size) ||
                       (new_size % 8 == 0 && std::has_single_bit(new_size / 8 - 1));
    if (!table) {
      account.text_refused = true;
      return true;
    }
  }
  account.unseen += new_size - old_size;
  if (account.unseen < kLookBytes) return false;
  account.unseen = 0;
  return account.budget.IsOver();
}

double State::Tick(CallFrame* frame) {
  return static_cast<State*>(frame->state)->memory_.budget.Tick(frame->text_bytes);
}

namespace {
double Decay(double confidence, double age_ms, double half_life_days) {
  if (!(age_ms > 0)) return confidence;
  return EffectiveConfidence(confidence, static_cast<int64_t>(std::min(age_ms, 9e15)), half_life_days);
}

int32_t Find(const char* text, uint32_t size, uint32_t from, const char* what, uint32_t what_size) {
  const void* found = memmem(text + from, size - from, what, what_size);
  return found == nullptr ? -1 : static_cast<int32_t>(static_cast<const char*>(found) - text);
}
}  // namespace

int32_t State::Match(CallFrame* frame, const char* text, uint32_t size, const char* pattern,
                     uint32_t pattern_size, uint32_t from) {
  return static_cast<State*>(frame->state)
      ->matcher_.Match({text, size}, {pattern, pattern_size}, from, frame->matched);
}

// The text that is compiled in place of the script's own.
Result<std::string> State::Prepare(std::string_view source) const {
  auto prepared = Instrument(file_, source);
  if (prepared && options_.stopping == Stopping::kOffForBenchmarks) return std::string(source);
  return prepared;
}

Result<std::unique_ptr<State>> State::Open(const std::string& file, std::string_view source,
                                           const Options& options) {
  std::unique_ptr<State> state(new State());
  state->options_ = options;
  state->file_ = file;
  state->chunk_name_ = "@" + file;
  state->source_ = source;
  auto text = state->Prepare(source);
  if (!text) return text.error();
  state->text_ = std::move(text).value();
  CallFrame& frame = state->frame_;
  frame.state = state.get();
  frame.text_bytes = kTextLight;
  frame.tick = &State::Tick;
  frame.find = &Find;
  frame.decay = &Decay;
  frame.match = &State::Match;
  const auto separates = [](char c) { return c == ',' || c == ';'; };
  if (std::count_if(source.begin(), source.end(), separates) > kConstantsLight) frame.text_bytes = kTextMax;
  state->memory_.frame = &frame;
  state->lua_ = lua_newstate(&State::Allocate, &state->memory_);
  if (state->lua_ == nullptr) {
    return Status(Code::kResourceExhausted, "script_memory",
                  file + ": the system has no memory for a Lua state");
  }
  const int code = lua_cpcall(state->lua_, &State::OpenProtected, state.get());
  state->memory_.running = false;
  if (code != 0 || state->memory_.budget.stopped()) {
    const std::string error = state->TakeError(code);
    const Code kind = state->failure_ == Failure::kTime     ? Code::kDeadlineExceeded
                      : state->failure_ == Failure::kMemory ? Code::kResourceExhausted
                                                            : Code::kInvalidArgument;
    return Status(kind, "script_invalid", error);
  }
  for (int slot = kScriptTable; slot <= kDescribe; ++slot) {
    lua_rawgeti(state->lua_, LUA_REGISTRYINDEX, kRegistry + slot);
  }
  state->source_ = state->text_ = std::string();
  return state;
}

State::~State() {
  if (lua_ != nullptr) lua_close(lua_);
}

// Runs the prelude, then the script under it; leaves what the calls need in the registry. The cap begins
// where the script begins: the libraries leak when memory runs out while they are being opened.
int State::OpenProtected(lua_State* lua) {
  auto* state = static_cast<State*>(lua_touserdata(lua, 1));
  luaL_openlibs(lua);
  if (!state->memory_.stack.Learn(lua)) return luaL_error(lua, "%s", LuaStack::kUnknown);
  RunPrelude(lua, &state->frame_, &state->policy_frame_, 4);  // adopt, run, param_values, ffi
  lua_rawseti(lua, LUA_REGISTRYINDEX, kRegistry + kAnchor);
  const int adopt = lua_gettop(lua) - 2;
  state->memory_.max = state->options_.memory_bytes_max;

  lua_pushlightuserdata(lua, state);
  lua_pushvalue(lua, adopt + 1);
  lua_pushvalue(lua, adopt + 2);
  lua_pushcclosure(lua, &State::RunProtected, 3);
  lua_rawseti(lua, LUA_REGISTRYINDEX, kRegistry + kRun);
  lua_pushlightuserdata(lua, state);
  lua_pushcclosure(lua, &State::Describe, 1);
  lua_pushvalue(lua, -1);
  lua_rawseti(lua, LUA_REGISTRYINDEX, kRegistry + kDescribe);

  const int describe = lua_gettop(lua);
  const State::Options& options = state->options_;
  state->goes_on_ = options.load_time_ms_max == kInFirstRun;
  if (options.stopping == Stopping::kOn)
    state->memory_.budget.Start(state->goes_on_ ? options.time_ms_max : options.load_time_ms_max);
  const int64_t start_ns = ThreadCpuNs();
  // As it is written first: LuaJIT's complaints are to be about the author's text.
  const char* name = state->chunk_name_.c_str();
  LoadChunk(lua, state->source_, name);
  lua_pop(lua, 1);
  lua_pushvalue(lua, adopt);
  LoadChunk(lua, state->text_, name);
  // Hardly anything stops LuaJIT's parser: at its first step the script would be blamed for that time.
  if (state->memory_.budget.IsOver()) return luaL_error(lua, "compiled too late");
  state->is_compiled_ = state->memory_.running = true;
  if (lua_pcall(lua, 1, 1, describe) != 0) lua_error(lua);
  state->memory_.running = false;
  state->load_ns_ = ThreadCpuNs() - start_ns;
  lua_rawseti(lua, LUA_REGISTRYINDEX, kRegistry + kScriptTable);
  lua_gc(lua, LUA_GCCOLLECT, 0);
  return 0;
}

// Puts the script's file and line before an error that doesn't name them, and makes text of what isn't.
int State::Describe(lua_State* lua) {
  auto* state = static_cast<State*>(lua_touserdata(lua, lua_upvalueindex(1)));
  if (lua_type(lua, 1) != LUA_TSTRING) {
    lua_pushfstring(lua, "the script threw a %s; throw text: error(\"what is wrong\")",
                    luaL_typename(lua, 1));
    lua_replace(lua, 1);
  }
  const std::string_view text = WithoutOurPlace({lua_tostring(lua, 1), lua_objlen(lua, 1)});
  if (text.starts_with(state->file_)) {
    lua_settop(lua, 1);
    return 1;
  }
  lua_pushlstring(lua, text.data(), text.size());
  lua_replace(lua, 1);
  lua_Debug place;
  for (int level = 1; lua_getstack(lua, level, &place) != 0; ++level) {
    lua_getinfo(lua, "Sl", &place);
    if (state->chunk_name_ == place.source && place.currentline > 0) {
      lua_pushfstring(lua, "%s:%d: %s", state->file_.c_str(), place.currentline, lua_tostring(lua, 1));
      return 1;
    }
  }
  lua_settop(lua, 1);
  return 1;
}

// What the stopped script says, if it comes to that, is of no interest.
std::string State::StoppedError() const {
  const std::string time = std::to_string(memory_.budget.time_ms_max()) + " ms";
  if (!is_compiled_) {
    return file_ + ": takes too long to load: it couldn't be compiled within " + time + "; make it shorter";
  }
  std::string text = file_;
  if (frame_.stopped_line != 0) text += ":" + std::to_string(frame_.stopped_line);
  return text + ": stopped after " + time + ": a loop that doesn't end, or too much work for one call";
}

// The error on top of the stack, as text; sets failure_.
std::string State::TakeError(int code) {
  failure_ = Failure::kError;
  if (memory_.budget.stopped()) {
    failure_ = Failure::kTime;
    return StoppedError();
  }
  std::string text;
  const bool text_says_so = lua_type(lua_, -1) == LUA_TSTRING &&
                            std::string_view(lua_tostring(lua_, -1)).ends_with(kLuaOutOfMemory);
  if (code == LUA_ERRMEM || ((memory_.refused || memory_.text_refused) && text_says_so)) {
    failure_ = Failure::kMemory;
    text = "out of memory (cap " + Megabytes(options_.memory_bytes_max) + ")";
    if (!memory_.refused && memory_.text_refused) {
      text = frame_.text_bytes == kTextMax ? "a text would be longer than 64 KiB"
                                           : "a text of more than 16 KiB, and than the longest so far, can't "
                                             "be made by '..': table.concat can";
    }
  } else if (lua_type(lua_, -1) == LUA_TSTRING) {
    size_t size = 0;
    const char* bytes = lua_tolstring(lua_, -1, &size);
    text = CleanUtf8({bytes, size}, kExplainBytesMax);
  } else {
    text = "failed without a message";
  }
  if (text.compare(0, file_.size(), file_) != 0) text = file_ + ": " + text;
  return text;
}

// Only what differs from the last call is worth Lua's time.
void State::SetParams(int table) {
  if (params_set_ == params_->values) return;
  params_set_.clear();
  for (size_t i = 0; i < params_->values.size(); ++i) {
    const ParamValue& value = params_->values[i];
    const std::string& name = script_->params[i].name;
    lua_pushlstring(lua_, name.data(), name.size());
    if (const auto* flag = std::get_if<bool>(&value)) {
      lua_pushboolean(lua_, *flag ? 1 : 0);
    } else if (const auto* number = std::get_if<double>(&value)) {
      lua_pushnumber(lua_, *number);
    } else {
      const auto& text = std::get<std::string>(value);
      if (text.size() > frame_.text_bytes) frame_.text_bytes = kTextMax;
      lua_pushlstring(lua_, text.data(), text.size());
    }
    lua_rawset(lua_, table);
  }
  params_set_ = params_->values;
}

int State::RunProtected(lua_State* lua) {
  auto* state = static_cast<State*>(lua_touserdata(lua, lua_upvalueindex(1)));
  // LuaJIT doesn't collect when the allocator refuses, it gives up: so what earlier calls left is swept while
  // there is room. Lenses that keep little never get here.
  if (state->memory_.used > state->memory_.max / 4) lua_gc(lua, LUA_GCCOLLECT, 0);
  lua_pushvalue(lua, lua_upvalueindex(3));
  state->SetParams(1);
  lua_pushvalue(lua, lua_upvalueindex(2));
  lua_pushboolean(lua, state->notes_wanted_ == Notes::kWanted ? 1 : 0);
  lua_pushboolean(lua, state->reading_ == Reading::kThorough ? 1 : 0);
  lua_call(lua, 2, 4);  // explain, details, notes, the verdict when its keys are to be looked at
  static_assert(kDetailsStack >= kVerdictKeysStack);
  luaL_checkstack(lua, kDetailsStack, "details");
  const int said = lua_gettop(lua);
  state->TakeAnswer(said - 3, said - 2);
  if (state->notes_wanted_ == Notes::kWanted) state->TakeNotes(said - 1);
  if (lua_type(lua, said) == LUA_TTABLE) state->CheckKeys(said);
  return 0;
}

void State::TakeAnswer(int explain, int details) {
  explain_.clear();
  details_json_.clear();
  answer_error_.clear();
  notes_.clear();
  if (lua_type(lua_, explain) == LUA_TSTRING) {
    size_t size = 0;
    const char* text = lua_tolstring(lua_, explain, &size);
    AppendCleanUtf8(explain_, {text, size}, kExplainBytesMax);
  }
  if (lua_type(lua_, details) == LUA_TTABLE) {
    answer_error_ = AppendDetails(lua_, details, kDetailsBytesMax, memory_.budget, details_json_);
  }
}

// By candidate number; what isn't there has no note.
void State::TakeNotes(int notes) {
  if (lua_type(lua_, notes) != LUA_TTABLE) return;
  const uint32_t count = std::min(frame_.rows_count, kNotedCandidatesMax);
  for (uint32_t i = 0; i < count; ++i) {
    lua_rawgeti(lua_, notes, static_cast<int>(i) + 1);
    const int type = lua_type(lua_, -1);
    if (type == LUA_TSTRING) {
      size_t size = 0;
      const char* text = lua_tolstring(lua_, -1, &size);
      notes_.push_back({i, CleanUtf8({text, size}, kNoteBytesMax)});
    } else if (type != LUA_TNIL && answer_error_.empty()) {
      answer_error_ = "a note on claim " + std::to_string(i + 1) + " that is not a string";
    }
    lua_pop(lua_, 1);
  }
}

void State::CheckKeys(int said) {
  if (!answer_error_.empty()) return;
  answer_error_ =
      script_->kind == "policy"
          ? StrayKeyOfRateVerdict(lua_, said, memory_.budget)
          : StrayKeyOfVerdict(lua_, said, {frame_.values_count, frame_.rows_count}, reading_, memory_.budget);
}

Status State::Run(const ScriptInfo& script, const Params* params, Notes notes, Reading reading) {
  notes_wanted_ = notes;
  reading_ = reading;
  script_ = &script;
  params_ = params;
  failure_ = Failure::kNone;
  memory_.refused = memory_.text_refused = false;
  frame_.stopped_line = 0;
  const bool goes_on = std::exchange(goes_on_, false);
  if (options_.stopping == Stopping::kOn && !goes_on) memory_.budget.Start(options_.time_ms_max);
  lua_pushvalue(lua_, kRun);
  memory_.running = true;
  const int code = lua_pcall(lua_, 0, 0, kDescribe);
  memory_.running = false;
  if (code != 0 || memory_.budget.stopped()) return Status(Code::kInternal, "lens_failed", TakeError(code));
  if (answer_error_.empty()) return Status::Ok();
  failure_ = Failure::kError;
  const char* const returned = script.kind == "policy" ? ": limit returned " : ": resolve returned ";
  return Status(Code::kInternal, "lens_failed", file_ + returned + answer_error_);
}

}  // namespace stemedb::script
