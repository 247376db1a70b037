// SPDX-License-Identifier: Apache-2.0
// LineEditor: reads lines from a terminal with editing, history and completion (libedit).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "script/prompt.h"

namespace stemedb::console {

struct LineEditorOptions {
  std::string history_path;  // empty: none is kept
  // What may stand behind the text, which is all up to the cursor.
  std::function<script::Completion(std::string_view text)> complete;
};

class LineEditor {
 public:
  enum class Ending : unsigned char { kLine, kInterrupted, kEnd };
  struct Line {
    Ending ending = Ending::kEnd;
    std::string text;  // without the line feed
  };

  explicit LineEditor(LineEditorOptions options);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // `before` are the lines of the same input that were read already, for completion.
  Line Read(const char* prompt, std::string_view before);
  // Remembers an input and writes the history's file, readable by its owner alone.
  void Remember(const std::string& input);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// $XDG_STATE_HOME/stemedb/history or ~/.local/state/stemedb/history; makes the directories. Empty when there
// is no place for it.
std::string HistoryPath();

}  // namespace stemedb::console
