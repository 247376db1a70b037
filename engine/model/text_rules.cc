// SPDX-License-Identifier: Apache-2.0
// Control characters are refused since they make two names look alike and break logs; nothing else of Unicode
// is.
#include "model/text_rules.h"

#include <simdjson.h>

#include "model/assertion.h"

namespace stemedb::model {
namespace {

bool HasControl(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7F) return true;
    // C1, U+0080..U+009F, is C2 80..C2 9F; U+00A0 and above go on from C2 A0.
    if (c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) return true;
  }
  return false;
}

bool IsScheme(std::string_view text) {
  if (text.empty() || text[0] < 'a' || text[0] > 'z') return false;
  for (char c : text) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '.' || c == '-';
    if (!fits) return false;
  }
  return true;
}

}  // namespace

std::string NameFault(std::string_view text, size_t bytes_max) {
  if (text.empty()) return "must not be empty";
  if (text.size() > bytes_max) {
    return "is " + std::to_string(text.size()) + " bytes long; the limit is " + std::to_string(bytes_max);
  }
  if (!simdjson::validate_utf8(text.data(), text.size())) return "is not valid UTF-8";
  if (HasControl(text)) return "must not hold control characters";
  return {};
}

std::string ConceptPathFault(std::string_view path) {
  std::string fault = NameFault(path, kConceptPathBytesMax);
  if (!fault.empty()) return fault;
  const size_t slash = path.find('/');
  if (slash != std::string_view::npos && slash > 0 && path[slash - 1] == ':' &&
      path.substr(slash, 2) == "//") {
    if (!IsScheme(path.substr(0, slash - 1))) {
      return "has a scheme that is not a lower-case letter followed by a-z, 0-9, '+', '.' or '-'";
    }
    path.remove_prefix(slash + 2);
    if (path.empty()) return "has nothing after its scheme";
  }
  if (path.front() == '/') return "has an empty segment: leave out the leading or doubled '/'";
  if (path.back() == '/') return "must not end with '/'";
  if (path.find("//") != std::string_view::npos) return "has an empty segment: write a single '/'";
  if (path == "*" || path.ends_with("/*"))
    return "must not end with the segment '*', which asks for a subtree in queries";
  return {};
}

}  // namespace stemedb::model
