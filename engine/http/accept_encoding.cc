// SPDX-License-Identifier: Apache-2.0
// Weights are read as thousandths, which is all the precision that a qvalue has.
#include "http/accept_encoding.h"

#include <algorithm>

#include "http/ascii.h"

namespace stemedb::http {
namespace {

// qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ); -1 for anything else.
int ParseWeight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return -1;
  if (text.size() > 1 && text[1] != '.') return -1;
  int weight = (text[0] - '0') * 1000, scale = 100;
  for (char c : text.substr(std::min<size_t>(2, text.size()))) {
    if (c < '0' || c > '9') return -1;
    weight += (c - '0') * scale;
    scale /= 10;
  }
  return weight <= 1000 ? weight : -1;
}

// The weight of "coding" or "coding;q=0.5"; 1000 without one, -1 when it can't be read.
int WeightOf(std::string_view element) {
  size_t semicolon = element.find(';');
  if (semicolon == std::string_view::npos) return 1000;
  std::string_view parameter = Trim(element.substr(semicolon + 1));
  if (parameter.size() < 2 || (parameter[0] != 'q' && parameter[0] != 'Q') || parameter[1] != '=') return -1;
  return ParseWeight(parameter.substr(2));
}

}  // namespace

bool AcceptsGzip(std::string_view field) {
  int gzip = -1, identity = -1, any = -1;
  ForEachElement(field, [&](std::string_view element) {
    std::string_view coding = Trim(element.substr(0, element.find(';')));
    int weight = WeightOf(element);
    if (EqualsIgnoringCase(coding, "gzip") || EqualsIgnoringCase(coding, "x-gzip")) {
      gzip = std::max(gzip, weight);
    } else if (EqualsIgnoringCase(coding, "identity")) {
      identity = weight;
    } else if (coding == "*") {
      any = weight;
    }
  });
  if (gzip < 0) gzip = any;
  return gzip > 0 && gzip >= identity;
}

}  // namespace stemedb::http
