// SPDX-License-Identifier: Apache-2.0
// Any bytes as JSON to be put into canonical form. The canonical text is its own canonical form, so that the
// id made of it is stable; a cut of it is no whole text; and blanks around a text don't change its form.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "model/canonical.h"

namespace {

using namespace stemedb;
using namespace stemedb::model;

// RFC 8785 §3.2.1: no blanks between tokens.
bool HasBlankOutsideStrings(const std::string& json) {
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    if (in_string && json[i] == '\\') {
      ++i;
    } else if (json[i] == '"') {
      in_string = !in_string;
    } else if (!in_string && static_cast<unsigned char>(json[i]) <= ' ') {
      return true;
    }
  }
  return in_string;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string json(reinterpret_cast<const char*>(data), size);
  const auto canonical = CanonicalizeJson(json);
  if (!canonical) {
    STEMEDB_CHECK(canonical.error().code() == Code::kInvalidArgument);
    STEMEDB_CHECK(!canonical.error().message().empty());
    return 0;
  }
  const auto again = CanonicalizeJson(*canonical);
  STEMEDB_CHECK(again && *again == *canonical);
  STEMEDB_CHECK(IdOf(*again) == IdOf(*canonical));
  STEMEDB_CHECK(!HasBlankOutsideStrings(*canonical));
  const auto spaced = CanonicalizeJson("\t\n " + *canonical + " \r\n");
  STEMEDB_CHECK(spaced && *spaced == *canonical);
  const char last = canonical->back();
  if (last == '}' || last == ']' || last == '"') {
    STEMEDB_CHECK(!CanonicalizeJson(canonical->substr(0, canonical->size() - 1)));
  }
  return 0;
}
