// SPDX-License-Identifier: Apache-2.0
#include "script/near_name.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

namespace stemedb::script {
namespace {

constexpr size_t kNameBytesMax = 64;
constexpr size_t kPartBytesMin = 3;  // of a beginning that says something

// With a place for the empty beginning in front; the two rows before are enough.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

bool IsPart(std::string_view name, std::string_view known) {
  return std::min(name.size(), known.size()) >= kPartBytesMin &&
         (known.starts_with(name) || name.starts_with(known));
}

}  // namespace

std::string_view NearName(std::string_view name, std::span<const std::string_view> known) {
  if (name.size() > kNameBytesMax) return {};
  std::string_view nearest;
  size_t least = std::numeric_limits<size_t>::max();
  for (const std::string_view one : known) {
    const size_t distance = IsPart(name, one) ? 1 : Distance(name, one);
    if (distance > std::max<size_t>(1, one.size() / 3) || distance >= least) continue;
    nearest = one;
    least = distance;
  }
  return nearest;
}

std::string HintAt(std::string_view name, std::span<const std::string_view> known) {
  if (const std::string_view near = NearName(name, known); !near.empty())
    return "did you mean '" + std::string(near) + "'?";
  std::string list;
  for (const std::string_view one : known) list.append(list.empty() ? "there are " : ", ").append(one);
  return list;
}

}  // namespace stemedb::script
