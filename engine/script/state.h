// SPDX-License-Identifier: Apache-2.0
// State: one Lua state with one script in it. Its memory is capped, its time is limited, its world is what
// the prelude lets the script see. Owned by one thread. After a failed call a state must be thrown away: the
// script may have broken off anywhere.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "script/budget.h"
#include "script/call_frame.h"
#include "script/large_blocks.h"
#include "script/lens.h"
#include "script/lua_stack.h"
#include "script/matcher.h"
#include "script/policy_frame.h"

struct lua_State;

namespace stemedb::script {

class State {
 public:
  // Opening takes its time from the first Run's: both together have time_ms_max. For states that are made
  // while somebody waits for an answer.
  static constexpr int64_t kInFirstRun = 0;
  struct Options {
    size_t memory_bytes_max = 32u << 20;
    int64_t time_ms_max = 50;        // for each Run
    int64_t load_time_ms_max = 100;  // for Open, or kInFirstRun
    Stopping stopping = Stopping::kOn;
  };
  // Rewrites, compiles and runs the script's chunk. The failures are "script_invalid" with file and line:
  // kDeadlineExceeded when its time was over, kResourceExhausted when its memory was, else kInvalidArgument.
  static Result<std::unique_ptr<State>> Open(const std::string& file, std::string_view source,
                                             const Options& options);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // To be filled in before Run.
  CallFrame& frame() { return frame_; }
  PolicyFrame& policy_frame() { return policy_frame_; }

  // Calls resolve, or a policy's function, which leaves its verdict in policy_frame(). Afterwards
  // frame().slots, explain() and details_json() hold what it said.
  // kInternal "lens_failed" with file and line; failure() then says of what kind.
  Status Run(const ScriptInfo& script, const Params* params, Notes notes, Reading reading);
  Failure failure() const { return failure_; }
  // The processor time that the script's own text took to compile and run in Open.
  int64_t load_ns() const { return load_ns_; }
  std::string& explain() { return explain_; }
  std::string& details_json() { return details_json_; }
  std::vector<Note>& notes() { return notes_; }

  // The table that the script returned is at this index of the Lua stack.
  static constexpr int kScriptTable = 1;
  lua_State* lua() { return lua_; }
  // Room above the cap for C++ code that reads the state outside a protected call, where running out would be
  // fatal.
  void LiftCap(size_t bytes) { memory_.max += bytes; }

 private:
  struct Memory {
    size_t used = 0;
    size_t max = SIZE_MAX;
    size_t unseen = 0;          // handed out since the clock was looked at
    bool refused = false;       // a block, because of the cap
    bool text_refused = false;  // a block, because it would be too long a text
    bool running = false;       // the script's own code may ask, not the compiler
    Budget budget;
    LargeBlocks large;
    const CallFrame* frame = nullptr;
    LuaStack stack;
  };

  State() = default;
  static void* Allocate(void* memory, void* block, size_t old_size, size_t new_size);
  static int OpenProtected(lua_State* lua);
  static int RunProtected(lua_State* lua);
  static int Describe(lua_State* lua);
  static double Tick(CallFrame* frame);
  static int32_t Match(CallFrame* frame, const char* text, uint32_t size, const char* pattern,
                       uint32_t pattern_size, uint32_t from);
  Result<std::string> Prepare(std::string_view source) const;
  void SetParams(int table);
  void TakeAnswer(int explain, int details);
  void TakeNotes(int notes);
  void CheckKeys(int said);
  std::string TakeError(int code);
  std::string StoppedError() const;
  static void* Resize(Memory& account, void* block, size_t old_size, size_t new_size);
  static bool Refuses(Memory& account, const void* block, size_t old_size, size_t new_size);

  Options options_;
  std::string file_;
  std::string chunk_name_;
  std::string source_;  // as written, and
  std::string text_;    // with fuel steps in it; only while opening
  Memory memory_;
  lua_State* lua_ = nullptr;
  CallFrame frame_{};
  PolicyFrame policy_frame_{};
  Matcher matcher_;
  Failure failure_ = Failure::kNone;
  int64_t load_ns_ = 0;
  bool is_compiled_ = false;            // from here on it is the script itself that takes time
  bool goes_on_ = false;                // the next Run's time began with Open
  const ScriptInfo* script_ = nullptr;  // of the running call
  const Params* params_ = nullptr;
  std::vector<ParamValue> params_set_;  // what the script's params table holds
  std::string explain_;
  std::string details_json_;
  std::string answer_error_;  // what is wrong with details, notes or keys
  Notes notes_wanted_ = Notes::kNone;
  Reading reading_ = Reading::kDefault;
  std::vector<Note> notes_;
};

}  // namespace stemedb::script
