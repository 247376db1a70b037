// SPDX-License-Identifier: Apache-2.0
// The list of requests that are wrong, hostile or odd but right, and what the RFCs and our limits say to
// each.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace stemedb::http::test {

enum class After { kCloses, kStays };

struct Case {
  std::string name;
  std::string rfc;  // number and section of what is broken or used; "ours" where no RFC decides
  std::string bytes;
  std::vector<int> statuses;
  After after = After::kCloses;
};

void PrintTo(const Case& c, std::ostream* out);

std::vector<Case> RequestLines();
std::vector<Case> Targets();
std::vector<Case> Fields();
std::vector<Case> Lengths();
std::vector<Case> Codings();

}  // namespace stemedb::http::test
