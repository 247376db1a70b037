// SPDX-License-Identifier: Apache-2.0
// Lua's messages name a line and quote what they stumbled over; the description's name a field. Both are
// looked up in the source, so that the place can be marked.
#include "tool/diagnostic.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "console/text.h"
#include "tool/advice.h"

namespace stemedb::tool {
namespace {

using console::Visible;
using console::WidthOf;

constexpr std::string_view kIndent = "    ";
// Of a source line, in columns: all that is shown, and how much of it stands before the place.
constexpr size_t kLineWidth = 156;
constexpr size_t kBeforeWidth = 60;
constexpr size_t kTabWidth = 8;  // at most

std::string_view LineOf(std::string_view source, size_t number) {
  for (size_t i = 1; i < number; ++i) {
    const size_t end = source.find('\n');
    if (end == std::string_view::npos) return {};
    source.remove_prefix(end + 1);
  }
  source = source.substr(0, source.find('\n'));
  return source.substr(0, source.size() - (source.ends_with('\r') ? 1 : 0));
}

bool IsWordByte(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Where the word stands in the line, not as a part of a longer one; npos when it doesn't.
size_t FindWord(std::string_view line, std::string_view word) {
  for (size_t at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
    const bool begins = at == 0 || !IsWordByte(word.front()) || !IsWordByte(line[at - 1]);
    const size_t end = at + word.size();
    const bool ends = end == line.size() || !IsWordByte(word.back()) || !IsWordByte(line[end]);
    if (begins && ends) return at;
  }
  return std::string_view::npos;
}

// The last text between single quotes: what the message is about.
std::string_view LastQuoted(std::string_view message) {
  const size_t end = message.rfind('\'');
  if (end == std::string_view::npos || end == 0) return {};
  const size_t from = message.rfind('\'', end - 1);
  return from == std::string_view::npos ? std::string_view() : message.substr(from + 1, end - from - 1);
}

void Mark(Diagnostic& diagnostic) {
  const std::string_view line = diagnostic.source_line;
  const size_t first = line.find_first_not_of(" \t");
  if (first == std::string_view::npos) return;
  const std::string_view quoted = LastQuoted(diagnostic.message);
  const size_t at = quoted.empty() ? std::string_view::npos : FindWord(line, quoted);
  diagnostic.column = (at == std::string_view::npos ? first : at) + 1;
  diagnostic.length = at == std::string_view::npos ? 1 : quoted.size();
}

// "params.floor.default must be …" is about the field `default` behind `floor`; "kind is 'x'" about `kind`.
void FindField(Diagnostic& diagnostic, std::string_view source) {
  const std::string_view message = diagnostic.message;
  const std::string_view path = message.substr(0, message.find(' '));
  size_t from = 0;
  std::string_view rest = path, last;
  while (!rest.empty()) {
    const size_t dot = std::min(rest.find('.'), rest.size());
    last = rest.substr(0, dot);
    rest.remove_prefix(std::min(dot + 1, rest.size()));
    if (last.empty() || !std::all_of(last.begin(), last.end(), IsWordByte)) return;
    size_t at = from;
    while (true) {
      at = source.find(last, at);
      if (at == std::string_view::npos) break;
      const size_t after = source.find_first_not_of(" \t", at + last.size());
      const bool is_field = (at == 0 || !IsWordByte(source[at - 1])) && after != std::string_view::npos &&
                            source[after] == '=' && source.substr(after, 2) != "==";
      if (is_field) break;
      ++at;
    }
    if (at == std::string_view::npos) break;  // the part that is there is marked
    from = at;
    diagnostic.length = last.size();
    diagnostic.line = 1 + static_cast<size_t>(
                              std::count(source.begin(), source.begin() + static_cast<ptrdiff_t>(at), '\n'));
    const size_t line_start = source.rfind('\n', at);
    diagnostic.column = at - (line_start == std::string_view::npos ? 0 : line_start + 1) + 1;
  }
  if (diagnostic.line > 0) diagnostic.source_line = LineOf(source, diagnostic.line);
}

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// The line that the message begins with, which is taken off; 0 when there is none.
size_t TakeLine(std::string_view& message) {
  size_t digits = 0;
  while (digits < message.size() && std::isdigit(static_cast<unsigned char>(message[digits])) != 0) ++digits;
  if (digits == 0 || digits > 7 || message.substr(digits, 2) != ": ") return 0;
  const size_t line = std::stoul(std::string(message.substr(0, digits)));
  message.remove_prefix(digits + 2);
  return line;
}

// As terminals may have it. Tabs stay tabs, so that a mark stands below whatever the terminal makes of them.
std::string Shown(std::string_view text) {
  std::string out;
  size_t tab = 0;
  for (; (tab = text.find('\t')) != std::string_view::npos; text.remove_prefix(tab + 1))
    out += Visible(text.substr(0, tab)) + '\t';
  return out + Visible(text);
}

// As wide as the shown text, and blank.
std::string Blank(std::string_view shown) {
  std::string out;
  size_t tab = 0;
  for (; (tab = shown.find('\t')) != std::string_view::npos; shown.remove_prefix(tab + 1))
    out += std::string(WidthOf(shown.substr(0, tab)), ' ') + '\t';
  return out + std::string(WidthOf(shown), ' ');
}

size_t WidthWithTabs(const std::string& shown) {
  return WidthOf(shown) + kTabWidth * static_cast<size_t>(std::count(shown.begin(), shown.end(), '\t'));
}

// The source line, or of a long one the surroundings of the place, and a mark below it.
std::string Excerpt(const Diagnostic& diagnostic) {
  const std::string_view line = diagnostic.source_line;
  const size_t at = diagnostic.column - 1;
  std::string before = Shown(line.substr(0, at)), rest = Shown(line.substr(at));
  if (WidthWithTabs(before) + WidthWithTabs(rest) > kLineWidth) {
    std::replace(before.begin(), before.end(), '\t', ' ');
    std::replace(rest.begin(), rest.end(), '\t', ' ');
    before = console::ShortenFront(before, kBeforeWidth);
    rest = console::Shorten(rest, kLineWidth - WidthOf(before));
  }
  const size_t marked = std::min(WidthOf(Shown(line.substr(at, diagnostic.length))), WidthOf(rest));
  return std::string(kIndent) + before + rest + "\n" + std::string(kIndent) + Blank(before) + "^" +
         std::string(std::max<size_t>(marked, 1) - 1, '~') + "\n";
}

}  // namespace

Diagnostic Diagnose(const std::string& path, std::string_view message, std::string_view source) {
  Diagnostic diagnostic;
  diagnostic.path = path;
  for (const std::string_view name : {std::string_view(path), BaseName(path)}) {
    if (!message.starts_with(name) || message.substr(name.size(), 1) != ":") continue;
    message.remove_prefix(name.size() + 1);
    diagnostic.line = TakeLine(message);
    if (message.starts_with(' ')) message.remove_prefix(1);
    break;
  }
  diagnostic.message = message;
  if (diagnostic.line > 0) {
    diagnostic.source_line = LineOf(source, diagnostic.line);
    Mark(diagnostic);
  } else {
    FindField(diagnostic, source);
  }
  diagnostic.help = AdviceOn(diagnostic.message);
  return diagnostic;
}

std::string Format(const Diagnostic& diagnostic) {
  std::string out = Visible(diagnostic.path);
  if (diagnostic.line > 0) out += ":" + std::to_string(diagnostic.line);
  out += ": error: " + Visible(diagnostic.message) + "\n";
  if (diagnostic.column > 0) out += Excerpt(diagnostic);
  if (!diagnostic.help.empty()) out += "help: " + diagnostic.help + "\n";
  return out;
}

}  // namespace stemedb::tool
