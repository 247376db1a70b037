// SPDX-License-Identifier: Apache-2.0
#include "script/fuel_text.h"

#include <algorithm>

namespace stemedb::script {

std::string StepText(const std::string& units) {
  return " \x80"
         "f=\x80"
         "f-" +
         units +
         " if \x80"
         "f<0 then \x80t() end ";
}

std::string Apply(std::string_view source, std::vector<Edit> edits) {
  std::stable_sort(edits.begin(), edits.end(), [](const Edit& a, const Edit& b) { return a.from < b.from; });
  std::string text(kFuelPrefix);
  text.reserve(kFuelPrefix.size() + source.size() + edits.size() * 40);
  size_t done = 0;
  for (const Edit& edit : edits) {
    text += source.substr(done, edit.from - done);
    text += edit.text;
    done = edit.to;
  }
  text += source.substr(done);
  return text;
}

}  // namespace stemedb::script
