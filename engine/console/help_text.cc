// SPDX-License-Identifier: Apache-2.0
#include "console/help_text.h"

#include <algorithm>

#include "console/text.h"

namespace stemedb::console {
namespace {

using simdjson::dom::array;

constexpr size_t kProseWidth = 100;

// Breaks between words; each line behind `indent`.
std::string Wrapped(std::string_view text, std::string_view indent, size_t width) {
  std::string out, line(indent);
  bool is_empty = true;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    const std::string word = Visible(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!is_empty && WidthOf(line) + 1 + WidthOf(word) > width) {
      out += line + "\n";
      line = indent;
      is_empty = true;
    }
    line += (is_empty ? "" : " ") + word;
    is_empty = false;
  }
  return out + line + "\n";
}

std::string HeadOf(element entry, const std::string& prefix) {
  return prefix + (Has(entry, "signature") ? TextOf(entry, "signature") : TextOf(entry, "name"));
}

std::string ShowEntry(element help, size_t width) {
  const element entry = Member(help, "entry");
  const size_t prose = std::min(width, kProseWidth);
  std::string out = Visible(HeadOf(entry, TextOf(help, "prefix")));
  if (Has(entry, "type")) out += ": " + Visible(TextOf(entry, "type"));
  out += "\n" + Wrapped(TextOf(entry, "meaning"), "  ", prose);
  out += Wrapped("when: " + TextOf(help, "when"), "  ", prose);
  if (Has(entry, "example")) out += "  " + Visible("example: " + TextOf(entry, "example")) + "\n";
  return out;
}

std::string ShowSection(element section, size_t width) {
  const size_t prose = std::min(width, kProseWidth);
  std::string out = Wrapped(TextOf(section, "title") + " (" + TextOf(section, "when") + ")", "", prose);
  array entries;
  if (Member(section, "entries").get(entries) != simdjson::SUCCESS) return out;
  for (const element entry : entries) {
    out += Visible("  " + HeadOf(entry, TextOf(section, "prefix"))) + "\n";
    out += Wrapped(TextOf(entry, "meaning"), "      ", prose);
  }
  return out;
}

}  // namespace

std::string ShowHelp(element help, size_t width) {
  if (Has(help, "entry")) return ShowEntry(help, width);
  if (!Member(help, "section").is_object()) return "";
  std::string out = ShowSection(Member(help, "section"), width);
  array sections;
  if (Member(help, "sections").get(sections) != simdjson::SUCCESS) return out;
  std::string names;
  for (const element section : sections) names += (names.empty() ? "" : ", ") + TextOf(section, "id");
  return out +
         Wrapped("The script API, by help(\"name\"): " + names +
                     "; one name of it as well, such as "
                     "help(\"steme.leader\").",
                 "", std::min(width, kProseWidth)) +
         "Ctrl-C ends what is running, Ctrl-D the console.\n";
}

}  // namespace stemedb::console
