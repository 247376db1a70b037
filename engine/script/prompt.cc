// SPDX-License-Identifier: Apache-2.0
// What can raise a Lua error runs below lua_cpcall: also handing over a text, for which memory may be
// wanting. The C functions that Lua calls keep their strings in the Impl, so that an error which unwinds them
// leaves nothing behind.
#include "script/prompt.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <lua.hpp>

#include "script/call_frame.h"
#include "script/embedded.h"
#include "script/instrument.h"
#include "script/lua_stack.h"
#include "script/matcher.h"
#include "script/prelude.h"
#include "script/reference.h"
#include "script/utf8.h"

namespace stemedb::script {
namespace {

constexpr size_t kMessageBytesMax = 16 << 10;
constexpr const char* kInput = "input";
constexpr double kFuel = 20'000;  // steps between two looks at the flag
constexpr const char* kInterrupted = "interrupted";
constexpr std::string_view kLuaOutOfMemory = "not enough memory";

Status InputFailed(std::string_view message) {
  return Status(Code::kInvalidArgument, "input_failed", CleanUtf8(message, kMessageBytesMax));
}

std::string_view View(lua_State* lua, int index) {
  size_t size = 0;
  const char* bytes = lua_tolstring(lua, index, &size);
  return bytes == nullptr ? std::string_view() : std::string_view(bytes, size);
}

}  // namespace

struct Prompt::Impl {
  PromptOptions options;
  CallFrame frame{};  // of no call: the sandbox's helpers look at it
  Matcher matcher;
  size_t memory_used = 0;
  size_t memory_max = 0;
  LuaStack stack;
  bool is_refused = false;   // a block, because of memory_max
  lua_State* lua = nullptr;  // null when it couldn't be made anew
  std::atomic<bool> is_interrupted{false};
  std::string answer;  // of the function that Lua called last
  std::string text;    // with steps (instrument.h)
  // What RunProtected is to do, and what it gave.
  const char* function = nullptr;
  const std::string_view* argument = nullptr;
  std::vector<std::string> list;

  ~Impl() {
    if (lua != nullptr) lua_close(lua);
  }

  static void* Allocate(void* impl, void* block, size_t old_size, size_t new_size);
  static int Build(lua_State* lua);
  static int RunProtected(lua_State* lua);
  static int Collect(lua_State* lua);
  static int Call(lua_State* lua);
  static int Compile(lua_State* lua);
  static int Refuel(lua_State* lua);
  static double Tick(CallFrame* frame);
  static int32_t Find(const char* text, uint32_t size, uint32_t from, const char* what, uint32_t what_size);
  static int32_t Match(CallFrame* frame, const char* text, uint32_t size, const char* pattern,
                       uint32_t pattern_size, uint32_t from);
  void FillFrame();
  // In place of the one that is there.
  Status OpenState();
  // LuaJIT doesn't collect when the allocator refuses, it gives up: so what earlier inputs left is swept
  // while there is room.
  void MakeRoom();
  // The failure of an input that filled the memory, after clearing up behind it.
  Status OutOfMemory();
  // Calls the registry's function `name` with `argument`, unless that is null, and gives the list that it
  // returns.
  Result<std::vector<std::string>> Run(const char* name, const std::string_view* argument);
};

void* Prompt::Impl::Allocate(void* impl, void* block, size_t old_size, size_t new_size) {
  auto* self = static_cast<Impl*>(impl);
  if (new_size == 0) {
    std::free(block);
    self->memory_used -= old_size;
    return nullptr;
  }
  const bool grows = new_size > old_size;
  if (grows && self->memory_used + (new_size - old_size) > self->memory_max) {
    self->is_refused = true;
    self->stack.ReadyForRefusal();
    return nullptr;
  }
  void* moved = std::realloc(block, new_size);
  if (moved != nullptr) {
    self->memory_used += new_size - old_size;
  } else {
    self->stack.ReadyForRefusal();
  }
  return moved;
}

// call(name, json): JSON, or nil and a message.
int Prompt::Impl::Call(lua_State* lua) {
  auto* self = static_cast<Impl*>(lua_touserdata(lua, lua_upvalueindex(1)));
  const auto found = self->options.functions.find(std::string(View(lua, 1)));
  bool has_failed = true;
  if (found == self->options.functions.end()) {
    self->answer = "there is no such function";
  } else if (auto answer = found->second(View(lua, 2))) {
    has_failed = false;
    self->answer = std::move(*answer);
  } else {
    self->answer = answer.error().message();
  }
  if (has_failed) lua_pushnil(lua);
  lua_pushlstring(lua, self->answer.data(), self->answer.size());
  return has_failed ? 2 : 1;
}

// compile(text): a function, or nil and a message. As it was typed first: the complaints are to be about
// that.
int Prompt::Impl::Compile(lua_State* lua) {
  auto* self = static_cast<Impl*>(lua_touserdata(lua, lua_upvalueindex(1)));
  const std::string_view typed = View(lua, 1);
  if (luaL_loadbufferx(lua, typed.data(), typed.size(), "=input", "t") != 0) {
    lua_pushnil(lua);
    lua_insert(lua, -2);
    return 2;
  }
  bool is_prepared = false;
  if (auto prepared = Instrument(kInput, typed)) {
    self->text = std::move(*prepared);
    is_prepared = true;
  } else {
    self->text = prepared.error().message();
  }
  if (!is_prepared) {
    lua_pushnil(lua);
    lua_pushlstring(lua, self->text.data(), self->text.size());
    return 2;
  }
  LoadChunk(lua, self->text, "=input");
  return 1;
}

// refuel(): steps to go on with, or nil: stop.
int Prompt::Impl::Refuel(lua_State* lua) {
  const auto* self = static_cast<const Impl*>(lua_touserdata(lua, lua_upvalueindex(1)));
  if (self->is_interrupted.load(std::memory_order_relaxed)) return 0;
  lua_pushnumber(lua, kFuel);
  return 1;
}

int32_t Prompt::Impl::Find(const char* text, uint32_t size, uint32_t from, const char* what,
                           uint32_t what_size) {
  const void* found = memmem(text + from, size - from, what, what_size);
  return found == nullptr ? -1 : static_cast<int32_t>(static_cast<const char*>(found) - text);
}

int32_t Prompt::Impl::Match(CallFrame* frame, const char* text, uint32_t size, const char* pattern,
                            uint32_t pattern_size, uint32_t from) {
  return static_cast<Impl*>(frame->state)
      ->matcher.Match({text, size}, {pattern, pattern_size}, from, frame->matched);
}

double Prompt::Impl::Tick(CallFrame* frame) {
  const auto* self = static_cast<const Impl*>(frame->state);
  return self->is_interrupted.load(std::memory_order_relaxed) ? -1 : kFuel;
}

// What the sandbox's functions call. Their time is not limited here, but they can be interrupted.
void Prompt::Impl::FillFrame() {
  frame.state = this;
  frame.tick = &Impl::Tick;
  frame.find = &Impl::Find;
  frame.match = &Impl::Match;
}

int Prompt::Impl::Build(lua_State* lua) {
  auto* self = static_cast<Impl*>(lua_touserdata(lua, 1));
  luaL_openlibs(lua);
  if (!self->stack.Learn(lua)) return luaL_error(lua, "%s", LuaStack::kUnknown);
  LoadChunk(lua, kPromptLua, "=prompt");
  lua_call(lua, 0, 1);
  const int build = lua_gettop(lua);
  RunPrelude(lua, &self->frame, nullptr, 7);  // adopt, run, param_values, ffi, safe, fields, link
  lua_pushvalue(lua, -4);
  lua_setfield(lua, LUA_REGISTRYINDEX, "stemedb.ffi");  // see the end of prelude.lua
  const int safe = lua_gettop(lua) - 2;
  lua_pushvalue(lua, build);
  lua_pushvalue(lua, safe);
  lua_pushvalue(lua, safe + 1);
  lua_pushlightuserdata(lua, self);
  lua_pushcclosure(lua, &Impl::Call, 1);
  lua_pushlightuserdata(lua, self);
  lua_pushcclosure(lua, &Impl::Compile, 1);
  lua_pushlightuserdata(lua, self);
  lua_pushcclosure(lua, &Impl::Refuel, 1);
  lua_pushvalue(lua, safe + 2);
  lua_createtable(lua, 0, 2);
  LoadChunk(lua, self->options.library, "=library");
  lua_setfield(lua, -2, "library");
  LoadChunk(lua, kApiLua, "=api");
  lua_setfield(lua, -2, "api");
  lua_call(lua, 7, 3);
  lua_setfield(lua, LUA_REGISTRYINDEX, "stemedb.names");
  lua_setfield(lua, LUA_REGISTRYINDEX, "stemedb.complete");
  lua_setfield(lua, LUA_REGISTRYINDEX, "stemedb.evaluate");
  return 0;
}

Status Prompt::Impl::OpenState() {
  if (lua != nullptr) lua_close(lua);
  stack = {};
  lua = lua_newstate(&Impl::Allocate, this);
  if (lua == nullptr) {
    return Status(Code::kResourceExhausted, "script_memory", "the system has no memory for a Lua state");
  }
  if (lua_cpcall(lua, &Impl::Build, this) == 0) return Status::Ok();
  Status failure(Code::kInternal, "prompt_failed", std::string(View(lua, -1)));
  lua_close(lua);
  lua = nullptr;
  return failure;
}

int Prompt::Impl::Collect(lua_State* lua) {
  lua_gc(lua, LUA_GCCOLLECT, 0);
  return 0;
}

void Prompt::Impl::MakeRoom() {
  if (lua == nullptr || memory_used < options.memory_bytes_max / 2) return;
  memory_max = SIZE_MAX;  // the call itself takes a few bytes
  lua_cpcall(lua, &Impl::Collect, nullptr);
  lua_settop(lua, 0);
  memory_max = options.memory_bytes_max;
}

Status Prompt::Impl::OutOfMemory() {
  const std::string cap = "out of memory (cap " + std::to_string(options.memory_bytes_max >> 20) + " MiB)";
  MakeRoom();
  if (memory_used < options.memory_bytes_max / 4 * 3) return InputFailed(cap);
  STEMEDB_RETURN_IF_ERROR(OpenState());
  return InputFailed(cap + ": the globals held most of it, so all of them are gone: keep less in them");
}

int Prompt::Impl::RunProtected(lua_State* lua) {
  auto* self = static_cast<Impl*>(lua_touserdata(lua, 1));
  lua_getfield(lua, LUA_REGISTRYINDEX, self->function);
  if (self->argument != nullptr) lua_pushlstring(lua, self->argument->data(), self->argument->size());
  lua_call(lua, self->argument != nullptr ? 1 : 0, 1);
  const int given = lua_gettop(lua);
  const auto size = static_cast<int>(lua_objlen(lua, given));
  for (int i = 1; i <= size; ++i) {
    lua_rawgeti(lua, given, i);
    self->list.emplace_back(View(lua, -1));
    lua_pop(lua, 1);
  }
  return 0;
}

Result<std::vector<std::string>> Prompt::Impl::Run(const char* name, const std::string_view* text_or_null) {
  if (lua == nullptr) STEMEDB_RETURN_IF_ERROR(OpenState());
  function = name;
  argument = text_or_null;
  list.clear();
  is_interrupted = is_refused = false;
  const int code = lua_cpcall(lua, &Impl::RunProtected, this);
  Status failure;
  if (code != 0) failure = InputFailed(lua_type(lua, -1) == LUA_TSTRING ? View(lua, -1) : "it failed");
  lua_settop(lua, 0);
  // Whatever the input caught and returned.
  if (is_interrupted) return Status(Code::kInvalidArgument, kInterrupted, kInterrupted);
  if (!failure.ok()) return failure;
  return std::move(list);
}

Prompt::Prompt(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Prompt::~Prompt() = default;

Result<std::unique_ptr<Prompt>> Prompt::Open(PromptOptions options) {
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  impl->memory_max = impl->options.memory_bytes_max;
  impl->FillFrame();
  STEMEDB_RETURN_IF_ERROR(impl->OpenState());
  return std::unique_ptr<Prompt>(new Prompt(std::move(impl)));
}

Result<Evaluation> Prompt::Evaluate(std::string_view text) {
  impl_->MakeRoom();
  auto list = impl_->Run("stemedb.evaluate", &text);
  Status failure;
  if (!list) failure = list.error();
  if (list && list->front() == "error") failure = InputFailed((*list)[1]);
  if (impl_->is_refused && failure.message().ends_with(kLuaOutOfMemory)) return impl_->OutOfMemory();
  if (!failure.ok()) return failure;
  Evaluation evaluation;
  if (list->front() == "incomplete") {
    evaluation.kind = Evaluation::Kind::kIncomplete;
    return evaluation;
  }
  for (size_t i = 1; i + 1 < list->size(); i += 2) {
    evaluation.values.push_back({CleanUtf8((*list)[i], SIZE_MAX), std::move((*list)[i + 1])});
  }
  return evaluation;
}

Completion Prompt::Complete(std::string_view text) {
  Completion completion;
  auto list = impl_->Run("stemedb.complete", &text);
  if (!list || list->empty()) return completion;
  completion.replaced_bytes = std::min<size_t>(std::strtoul(list->front().c_str(), nullptr, 10), text.size());
  completion.candidates.assign(list->begin() + 1, list->end());
  return completion;
}

std::vector<std::string> Prompt::Names() {
  auto list = impl_->Run("stemedb.names", nullptr);
  return list ? std::move(*list) : std::vector<std::string>();
}

void Prompt::Interrupt() { impl_->is_interrupted.store(true, std::memory_order_relaxed); }

}  // namespace stemedb::script
