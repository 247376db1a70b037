// SPDX-License-Identifier: Apache-2.0
// StateFiles: what the next start must know of the scripts, in a directory of its own beside the log's:
//   state.json          with a SHA-256 over itself: which version of each script is live, what it was rolled
//                       back from, its last versions; and the last generations
//   versions/SHA.lua    the text of each of these versions, by its SHA-256
//
// Texts are on disk before state.json names them, and go after it has ceased to; state.json is replaced in
// one step. Whatever of it is damaged, gone or no file is said in the log and left out: it never keeps a
// server from starting. A directory where a file belongs is set aside when the file is written.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/status.h"
#include "deploy/book.h"
#include "env/env.h"
#include "script/lens.h"

namespace stemedb::deploy {

// A script as the last process left it. Of the record, what concerns files and probations is empty; `held` is
// apart, since its text is in the script's file alone.
struct SavedScript {
  ScriptRecord record;
  std::optional<Hash256> live;
  std::optional<Hash256> held;
  int64_t held_since_ms = 0;
};

struct SavedState {
  uint64_t generation = 0;  // 0: nothing was saved
  std::map<std::string, SavedScript, std::less<>> scripts;
  std::deque<GenerationRecord> generations;  // oldest first
};

// Used on one thread at a time.
class StateFiles {
 public:
  // `env` outlives it.
  StateFiles(env::Env& env, const std::string& directory)
      : env_(env),
        directory_(directory),
        state_path_(directory + "/state.json"),
        versions_directory_(directory + "/versions") {}
  StateFiles(const StateFiles&) = delete;
  StateFiles& operator=(const StateFiles&) = delete;

  // What the last process left; writes nothing.
  SavedState Read();
  // On disk when it returns ok, also what somebody has removed meanwhile. After a failure what was there
  // before is there still, and the next call tries again.
  Status Write(const Book& book, const script::ScriptSet& live);

 private:
  void TellThatStateIsMissing() const;
  void TellThatStateIsUnusable(const Status& why);
  std::string TextPath(const Hash256& sha256) const;
  void ReadVersions(const std::string& name, ScriptRecord& record, std::set<Hash256>& lost);
  void ListLeftovers(const std::set<Hash256>& lost);
  Result<std::set<Hash256>> ForgetMissingTexts();
  Status WriteVersions(const Book& book, std::set<Hash256>& wanted);
  bool IsOnDisk(const std::string& state) const;
  void RemoveUnwanted(const std::set<Hash256>& wanted);
  Status Replace(const std::string& path, const std::string& text);

  env::Env& env_;
  const std::string directory_;
  const std::string state_path_;
  const std::string versions_directory_;
  std::set<Hash256> texts_;          // whose files were whole and durable when they were last seen
  std::set<std::string> leftovers_;  // names of files that nobody needs
  std::string written_;              // what state.json said when it was last read or durably written
  bool is_damaged_ = false;          // state.json is to be set aside
};

}  // namespace stemedb::deploy
