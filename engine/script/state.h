// SPDX-License-Identifier: Apache-2.0
// State: one Lua state with one script in it. Its memory is capped, its world is what the prelude lets the
// script see. Owned by one thread. After a failed call a state must be thrown away: the script may have
// broken off anywhere.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "script/call_frame.h"
#include "script/lens.h"
#include "script/policy_frame.h"

struct lua_State;

namespace stemedb::script {

// The last stage before the compiler: gives the text that is compiled in place of the script's own. Today it
// only refuses what isn't Lua text; budgets will put their counters in here, token by token and line by line.
Result<std::string> PrepareSource(const std::string& file, std::string_view source);

class State {
 public:
  // Compiles and runs the script's chunk. The failures are kInvalidArgument "script_invalid" with file and
  // line.
  static Result<std::unique_ptr<State>> Open(const std::string& file, std::string_view source,
                                             size_t memory_bytes_max);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // To be filled in before Run.
  CallFrame& frame() { return frame_; }
  PolicyFrame& policy_frame() { return policy_frame_; }

  // Calls resolve, or a policy's function, which leaves its verdict in policy_frame(). Afterwards
  // frame().slots, explain() and details_json() hold what it said. kInternal "lens_failed" with file and
  // line.
  Status Run(const ScriptInfo& script, const Params* params);
  std::string& explain() { return explain_; }
  std::string& details_json() { return details_json_; }

  // The table that the script returned is at this index of the Lua stack.
  static constexpr int kScriptTable = 1;
  lua_State* lua() { return lua_; }
  // Room above the cap for C++ code that reads the state outside a protected call, where running out would be
  // fatal.
  void LiftCap(size_t bytes) { memory_.max += bytes; }
  size_t memory_bytes() const { return memory_.used; }

 private:
  struct Memory {
    size_t used = 0;
    size_t max = SIZE_MAX;
    bool refused = false;
  };

  State() = default;
  static void* Allocate(void* memory, void* block, size_t old_size, size_t new_size);
  static int OpenProtected(lua_State* lua);
  static int RunProtected(lua_State* lua);
  static int Describe(lua_State* lua);
  void SetParams(int table);
  void TakeAnswer(int explain, int details);
  std::string TakeError(int code);

  std::string file_;
  std::string chunk_name_;
  std::string text_;  // prepared source; only while opening
  Memory memory_;
  size_t memory_cap_ = 0;  // what memory_.max becomes once the prelude is loaded
  lua_State* lua_ = nullptr;
  CallFrame frame_{};
  PolicyFrame policy_frame_{};
  const ScriptInfo* script_ = nullptr;  // of the running call
  const Params* params_ = nullptr;
  std::vector<ParamValue> params_set_;  // what the script's params table holds
  std::string explain_;
  std::string details_json_;
  std::string details_error_;
};

}  // namespace stemedb::script
