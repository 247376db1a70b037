// SPDX-License-Identifier: Apache-2.0
// Everything that can raise a Lua error runs below lua_pcall: opening in OpenProtected, a call in
// RunProtected. What is outside uses only the calls of Lua's API that never raise. The C functions own
// nothing that needs a destructor when an error unwinds them.
#include "script/state.h"

#include <cstdlib>
#include <lua.hpp>

#include "script/details.h"
#include "script/embedded.h"
#include "script/utf8.h"

namespace stemedb::script {
namespace {

// Stack slots that live as long as the state. kScriptTable is 1.
constexpr int kRun = 2;
constexpr int kDescribe = 3;
constexpr int kAnchor = 4;  // registry only: the ffi library
// Where OpenProtected leaves them for Open: far from what luaL_ref hands out.
constexpr int kRegistry = 1000;

// The text of Lua's own memory error, as it looks when it was caught and thrown again.
constexpr std::string_view kLuaOutOfMemory = "not enough memory";

constexpr int kExplainBytesMax = 1024;
constexpr size_t kDetailsBytesMax = 16 << 10;

std::string Megabytes(size_t bytes) {
  return bytes >= (1u << 20) ? std::to_string(bytes >> 20) + " MiB" : std::to_string(bytes >> 10) + " KiB";
}

void LoadTrusted(lua_State* lua, std::string_view source, const char* name) {
  if (luaL_loadbufferx(lua, source.data(), source.size(), name, "t") != 0) lua_error(lua);
}

// "prelude:12: text" without the place, which is of no use to who wrote the script.
std::string_view WithoutOurPlace(std::string_view text) {
  for (const std::string_view ours : {"prelude:", "steme:", "policy:"}) {
    if (!text.starts_with(ours)) continue;
    const size_t end = text.find(": ", ours.size());
    if (end != std::string_view::npos) return text.substr(end + 2);
  }
  return text;
}

}  // namespace

Result<std::string> PrepareSource(const std::string& file, std::string_view source) {
  if (source.find('\0') != std::string_view::npos ||
      (!source.empty() && source.front() == LUA_SIGNATURE[0])) {
    return Status(Code::kInvalidArgument, "script_invalid",
                  file + ": this is not Lua text (compiled chunks are not taken): give the source");
  }
  return std::string(source);
}

// Lua's allocator, with a ceiling. Shrinking and freeing always work.
void* State::Allocate(void* memory, void* block, size_t old_size, size_t new_size) {
  auto* account = static_cast<Memory*>(memory);
  if (new_size == 0) {
    std::free(block);
    account->used -= old_size;
    return nullptr;
  }
  if (new_size > old_size && account->used + (new_size - old_size) > account->max) {
    account->refused = true;
    return nullptr;
  }
  void* moved = std::realloc(block, new_size);
  if (moved != nullptr) account->used += new_size - old_size;
  return moved;
}

Result<std::unique_ptr<State>> State::Open(const std::string& file, std::string_view source,
                                           size_t memory_bytes_max) {
  auto text = PrepareSource(file, source);
  if (!text) return text.error();
  std::unique_ptr<State> state(new State());
  state->file_ = file;
  state->chunk_name_ = "@" + file;
  state->text_ = std::move(text).value();
  state->memory_cap_ = memory_bytes_max;
  state->lua_ = lua_newstate(&State::Allocate, &state->memory_);
  if (state->lua_ == nullptr) {
    return Status(Code::kResourceExhausted, "script_memory",
                  file + ": the system has no memory for a Lua state");
  }
  const int code = lua_cpcall(state->lua_, &State::OpenProtected, state.get());
  if (code != 0) return Status(Code::kInvalidArgument, "script_invalid", state->TakeError(code));
  for (int slot = kScriptTable; slot <= kDescribe; ++slot) {
    lua_rawgeti(state->lua_, LUA_REGISTRYINDEX, kRegistry + slot);
  }
  state->text_ = std::string();
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
  LoadTrusted(lua, kPreludeLua, "=prelude");
  lua_pushlightuserdata(lua, &state->frame_);
  LoadTrusted(lua, kStemeLua, "=steme");
  lua_pushlightuserdata(lua, &state->policy_frame_);
  LoadTrusted(lua, kPolicyLua, "=policy");
  lua_call(lua, 4, 4);  // adopt, run, param_values, ffi
  lua_rawseti(lua, LUA_REGISTRYINDEX, kRegistry + kAnchor);
  const int adopt = lua_gettop(lua) - 2;
  state->memory_.max = state->memory_cap_;

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
  lua_pushvalue(lua, adopt);
  if (luaL_loadbufferx(lua, state->text_.data(), state->text_.size(), state->chunk_name_.c_str(), "t") != 0) {
    lua_error(lua);
  }
  if (lua_pcall(lua, 1, 1, describe) != 0) lua_error(lua);
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

std::string State::TakeError(int code) {
  std::string text;
  const bool text_says_so = lua_type(lua_, -1) == LUA_TSTRING && lua_tostring(lua_, -1) == kLuaOutOfMemory;
  if (code == LUA_ERRMEM || (memory_.refused && text_says_so)) {
    text = "out of memory (cap " + Megabytes(memory_cap_) + ")";
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
  lua_call(lua, 0, 2);
  luaL_checkstack(lua, kDetailsStack, "details");
  state->TakeAnswer(lua_gettop(lua) - 1, lua_gettop(lua));
  return 0;
}

void State::TakeAnswer(int explain, int details) {
  explain_.clear();
  details_json_.clear();
  details_error_.clear();
  if (lua_type(lua_, explain) == LUA_TSTRING) {
    size_t size = 0;
    const char* text = lua_tolstring(lua_, explain, &size);
    AppendCleanUtf8(explain_, {text, size}, kExplainBytesMax);
  }
  if (lua_type(lua_, details) == LUA_TTABLE) {
    details_error_ = AppendDetails(lua_, details, kDetailsBytesMax, details_json_);
  }
}

Status State::Run(const ScriptInfo& script, const Params* params) {
  script_ = &script;
  params_ = params;
  memory_.refused = false;
  lua_pushvalue(lua_, kRun);
  const int code = lua_pcall(lua_, 0, 0, kDescribe);
  if (code != 0) return Status(Code::kInternal, "lens_failed", TakeError(code));
  if (!details_error_.empty()) {
    return Status(Code::kInternal, "lens_failed", file_ + ": resolve returned " + details_error_);
  }
  return Status::Ok();
}

}  // namespace stemedb::script
