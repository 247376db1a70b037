// SPDX-License-Identifier: Apache-2.0
// Session: a prompt over a backend, and where its values and errors go. One thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "console/backend.h"
#include "script/prompt.h"

namespace stemedb::console {

enum class OutputForm : unsigned char { kText, kJson };
enum class Color : unsigned char { kNone, kErrors };

struct SessionOptions {
  OutputForm form = OutputForm::kText;
  Color color = Color::kNone;
  size_t width = 0;  // 0: the terminal's, or without bound where there is none
};

class Session {
 public:
  // `backend` outlives it.
  static Result<std::unique_ptr<Session>> Open(Backend& backend, const SessionOptions& options);

  enum class Outcome : unsigned char { kDone, kFailed, kIncomplete };
  // Evaluates, prints values to stdout and a failure to stderr.
  Outcome Run(std::string_view text);
  script::Completion Complete(std::string_view text) { return prompt_->Complete(text); }
  script::Prompt& prompt() { return *prompt_; }

  // "error: …" on stderr.
  void Complain(std::string_view message) const;

 private:
  explicit Session(const SessionOptions& options) : options_(options) {}
  void Print(const std::string& json, const std::string& view) const;

  const SessionOptions options_;
  std::unique_ptr<script::Prompt> prompt_;
};

}  // namespace stemedb::console
