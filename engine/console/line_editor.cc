// SPDX-License-Identifier: Apache-2.0
#include "console/line_editor.h"

#include <histedit.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "console/interrupt.h"
#include "console/text.h"

namespace stemedb::console {
namespace {

constexpr int kHistoryMax = 1000;
constexpr size_t kCandidatesShown = 200;

std::string CommonPrefix(const std::vector<std::string>& words) {
  std::string prefix = words.front();
  for (const std::string& word : words) {
    const auto differs = std::mismatch(prefix.begin(), prefix.end(), word.begin(), word.end()).first;
    prefix.erase(differs, prefix.end());
  }
  while (!prefix.empty() && (static_cast<unsigned char>(prefix.back()) & 0xC0) == 0x80) prefix.pop_back();
  return prefix;
}

}  // namespace

struct LineEditor::Impl {
  LineEditorOptions options;
  EditLine* editor = nullptr;
  History* history = nullptr;
  const char* prompt = "";
  std::string before;

  static char* PromptOf(EditLine* editor);
  static unsigned char OnTab(EditLine* editor, int key);
  unsigned char Complete();
  void List(const std::vector<std::string>& candidates);
};

char* LineEditor::Impl::PromptOf(EditLine* editor) {
  Impl* self = nullptr;
  el_get(editor, EL_CLIENTDATA, &self);
  return const_cast<char*>(self->prompt);
}

unsigned char LineEditor::Impl::OnTab(EditLine* editor, int /*key*/) {
  Impl* self = nullptr;
  el_get(editor, EL_CLIENTDATA, &self);
  return self->Complete();
}

unsigned char LineEditor::Impl::Complete() {
  const LineInfo* line = el_line(editor);
  const std::string text = before + std::string(line->buffer, line->cursor);
  const script::Completion completion = options.complete(text);
  if (completion.candidates.empty()) return CC_REFRESH_BEEP;
  const std::string common = CommonPrefix(completion.candidates);
  if (common.size() > completion.replaced_bytes) {
    // What stands there already is the candidates' beginning.
    el_insertstr(editor, common.substr(completion.replaced_bytes).c_str());
    return CC_REFRESH;
  }
  if (completion.candidates.size() < 2) return CC_REFRESH;
  List(completion.candidates);
  return CC_REDISPLAY;
}

void LineEditor::Impl::List(const std::vector<std::string>& candidates) {
  size_t width = 0;
  const size_t count = std::min(candidates.size(), kCandidatesShown);
  for (size_t i = 0; i < count; ++i) width = std::max(width, WidthOf(Visible(candidates[i])) + 2);
  int columns = 80;
  el_get(editor, EL_GETTC, "co", &columns);
  const size_t per_line = std::max<size_t>(1, static_cast<size_t>(std::max(columns, 1)) / width);
  std::fputc('\n', stdout);
  for (size_t i = 0; i < count; ++i) {
    const bool is_last = (i + 1) % per_line == 0 || i + 1 == count;
    const std::string shown = Visible(candidates[i]);
    std::fprintf(stdout, "%s%s", is_last ? shown.c_str() : Fit(shown, width, Align::kLeft).c_str(), is_last ? "\n" : "");
  }
  if (count < candidates.size()) std::fprintf(stdout, "and %zu more\n", candidates.size() - count);
  std::fflush(stdout);
}

LineEditor::LineEditor(LineEditorOptions options) : impl_(std::make_unique<Impl>()) {
  Impl& impl = *impl_;
  impl.options = std::move(options);
  impl.editor = el_init("stemedb", stdin, stdout, stderr);
  impl.history = history_init();
  HistEvent event;
  history(impl.history, &event, H_SETSIZE, kHistoryMax);
  history(impl.history, &event, H_SETUNIQUE, 1);
  if (!impl.options.history_path.empty()) history(impl.history, &event, H_LOAD, impl.options.history_path.c_str());
  el_set(impl.editor, EL_CLIENTDATA, impl_.get());
  el_set(impl.editor, EL_PROMPT, &Impl::PromptOf);
  el_set(impl.editor, EL_EDITOR, "emacs");
  el_set(impl.editor, EL_HIST, history, impl.history);
  el_set(impl.editor, EL_ADDFN, "stemedb-complete", "complete what stands before the cursor", &Impl::OnTab);
  el_set(impl.editor, EL_BIND, "^I", "stemedb-complete", nullptr);
  el_set(impl.editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  el_source(impl.editor, nullptr);  // ~/.editrc
}

LineEditor::~LineEditor() {
  history_end(impl_->history);
  el_end(impl_->editor);
}

LineEditor::Line LineEditor::Read(const char* prompt, std::string_view before) {
  Impl& impl = *impl_;
  impl.prompt = prompt;
  impl.before = before;
  el_resize(impl.editor);  // the window may have changed since
  int count = 0;
  const char* text = el_gets(impl.editor, &count);
  if (text != nullptr && count > 0) {
    std::string line(text, static_cast<size_t>(count));
    while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
    return {Ending::kLine, std::move(line)};
  }
  if (!Interrupts::flag()) return {};
  Interrupts::Clear();
  el_reset(impl.editor);
  return {Ending::kInterrupted, ""};
}

void LineEditor::Remember(const std::string& input) {
  HistEvent event;
  history(impl_->history, &event, H_ENTER, input.c_str());
  const std::string& path = impl_->options.history_path;
  if (path.empty()) return;
  const mode_t mask = ::umask(0077);
  history(impl_->history, &event, H_SAVE, path.c_str());
  ::umask(mask);
}

std::string HistoryPath() {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  std::filesystem::path directory;
  if (state != nullptr && *state == '/') {
    directory = state;
  } else if (home != nullptr && *home == '/') {
    directory = std::filesystem::path(home) / ".local" / "state";
  } else {
    return "";
  }
  directory /= "stemedb";
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  return error ? std::string() : (directory / "history").string();
}

}  // namespace stemedb::console
