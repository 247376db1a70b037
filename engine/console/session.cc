// SPDX-License-Identifier: Apache-2.0
#include "console/session.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "console/embedded.h"
#include "console/functions.h"
#include "console/interrupt.h"
#include "console/show.h"
#include "console/text.h"

namespace stemedb::console {
namespace {

size_t WidthNow(size_t wanted) {
  if (wanted > 0) return wanted;
  struct winsize size {};
  const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
  if (is_terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return is_terminal ? 80 : kUnlimited;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::Open(Backend& backend, const SessionOptions& options) {
  std::unique_ptr<Session> session(new Session(options));
  script::PromptOptions prompt;
  prompt.library = kConsoleLua;
  prompt.functions =
      FunctionsOf(backend, [self = session.get()](const std::string& json) { self->Print(json, ""); });
  auto opened = script::Prompt::Open(std::move(prompt));
  if (!opened) return opened.error();
  session->prompt_ = std::move(*opened);
  return session;
}

void Session::Print(const std::string& json, const std::string& view) const {
  const std::string text =
      options_.form == OutputForm::kJson ? json + "\n" : Show(json, view, WidthNow(options_.width));
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void Session::Complain(std::string_view message) const {
  std::string text;
  while (!message.empty()) {
    const size_t end = std::min(message.find('\n'), message.size());
    text += Visible(message.substr(0, end)) + "\n";
    message.remove_prefix(std::min(end + 1, message.size()));
  }
  const bool is_red = options_.color == Color::kErrors;
  std::fprintf(stderr, "%serror: %s%s", is_red ? "\x1b[31m" : "", text.c_str(), is_red ? "\x1b[0m" : "");
}

Session::Outcome Session::Run(std::string_view text) {
  Interrupts::Clear();
  auto evaluation = prompt_->Evaluate(text);
  if (!evaluation) {
    Complain(evaluation.error().message());
    return Outcome::kFailed;
  }
  if (evaluation->kind == script::Evaluation::Kind::kIncomplete) return Outcome::kIncomplete;
  for (const script::Shown& value : evaluation->values) Print(value.json, value.view);
  return Outcome::kDone;
}

}  // namespace stemedb::console
