// SPDX-License-Identifier: Apache-2.0
#include "console/console.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "console/interrupt.h"
#include "console/line_editor.h"
#include "console/local.h"
#include "console/remote.h"
#include "console/text.h"

namespace stemedb::console {
namespace {

constexpr const char* kPrompt = "stemedb> ";
constexpr const char* kContinued = "    ...> ";

bool IsSet(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

bool IsTerminal(int descriptor) { return ::isatty(descriptor) == 1; }

// What was typed on several lines, as one that the editor can bring back.
std::string OneLine(std::string input) {
  if (input.find("--") != std::string::npos || input.find("[[") != std::string::npos) return input;
  for (char& c : input) {
    if (c == '\n') c = ' ';
  }
  return input;
}

// Gathers lines until they are an input.
class Input {
 public:
  explicit Input(Session& session) : session_(session) {}

  void Add(std::string_view line) {
    if (!text_.empty()) text_ += '\n';
    text_ += line;
    if (text_.find_first_not_of(" \t\n") == std::string::npos) return text_.clear();
    const auto outcome = session_.Run(text_);
    if (outcome == Session::Outcome::kIncomplete) return;
    has_failed_ = has_failed_ || outcome == Session::Outcome::kFailed;
    last_ = std::move(text_);
    text_.clear();
  }
  bool is_open() const { return !text_.empty(); }
  const std::string& text() const { return text_; }
  void Drop() { text_.clear(); }
  void EndHere() {
    if (!is_open()) return;
    session_.Complain("the last expression has no end: " + text_);
    has_failed_ = true;
    text_.clear();
  }
  std::string TakeLast() { return std::exchange(last_, {}); }
  bool has_failed() const { return has_failed_; }

 private:
  Session& session_;
  std::string text_, last_;
  bool has_failed_ = false;
};

void Converse(Session& session, Backend& backend) {
  std::printf("%s\nhelp() lists the functions; Ctrl-D leaves\n", Visible(backend.Banner()).c_str());
  LineEditor editor({HistoryPath(), [&](std::string_view text) { return session.Complete(text); }});
  Input input(session);
  while (true) {
    const std::string before = input.is_open() ? input.text() + "\n" : "";
    const LineEditor::Line line = editor.Read(input.is_open() ? kContinued : kPrompt, before);
    if (line.ending == LineEditor::Ending::kEnd) break;
    if (line.ending == LineEditor::Ending::kInterrupted) {
      std::printf("^C\n");
      input.Drop();
      continue;
    }
    input.Add(line.text);
    if (const std::string last = input.TakeLast(); !last.empty()) editor.Remember(OneLine(last));
  }
  std::printf("\n");
}

int RunPiped(Session& session) {
  Input input(session);
  std::string line;
  while (!Interrupts::flag() && std::getline(std::cin, line)) {
    if (line.ends_with('\r')) line.pop_back();
    input.Add(line);
  }
  input.EndHere();
  return input.has_failed() || Interrupts::flag() ? 1 : 0;
}

int RunExpressions(Session& session, const std::vector<std::string>& expressions) {
  Input input(session);
  for (const std::string& expression : expressions) {
    input.Add(expression);
    input.EndHere();
  }
  return input.has_failed() ? 1 : 0;
}

Result<std::unique_ptr<Backend>> OpenBackend(const ConsoleOptions& options) {
  if (!options.data_dir.empty()) return OpenLocal({options.data_dir, options.lenses_dir});
  return OpenRemote({.url = options.url,
                     .api_key = options.api_key,
                     .interrupted = &Interrupts::flag(),
                     .shows_progress = IsTerminal(STDERR_FILENO)});
}

}  // namespace

int RunConsole(const ConsoleOptions& options) {
  UseUtf8();
  auto backend = OpenBackend(options);
  if (!backend) {
    std::fprintf(stderr, "stemedb console: %s\n", Visible(backend.error().message()).c_str());
    return 1;
  }
  const Color color = IsTerminal(STDERR_FILENO) && !IsSet("NO_COLOR") ? Color::kErrors : Color::kNone;
  auto session = Session::Open(**backend, {options.form, color, options.width});
  if (!session) {
    std::fprintf(stderr, "stemedb console: %s\n", std::string(session.error().message()).c_str());
    return 1;
  }
  const Interrupts interrupts(&(*session)->prompt());
  if (!options.expressions.empty()) return RunExpressions(**session, options.expressions);
  if (!IsTerminal(STDIN_FILENO) || !IsTerminal(STDOUT_FILENO)) return RunPiped(**session);
  Converse(**session, **backend);
  return 0;
}

}  // namespace stemedb::console
