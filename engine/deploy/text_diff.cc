// SPDX-License-Identifier: Apache-2.0
// Myers' greedy algorithm (1986, "An O(ND) Difference Algorithm"), after the common beginning and end are cut
// off. It remembers one row for each edit, so memory is the square of the edits: hence the bound.
#include "deploy/text_diff.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace stemedb::deploy {
namespace {

constexpr int kEditsMax = 1000;
constexpr size_t kContext = 3;

using Lines = std::vector<std::string_view>;

// Each with its line feed, if it has one.
Lines Split(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const size_t line_feed = text.find('\n');
    const size_t size = line_feed == std::string_view::npos ? text.size() : line_feed + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

enum class Edit : uint8_t { kKeep, kDelete, kInsert };
using Script = std::vector<Edit>;

Script Replace(size_t before, size_t after) {
  Script script(before, Edit::kDelete);
  script.insert(script.end(), after, Edit::kInsert);
  return script;
}

// furthest[d][k + d]: how far diagonal k (x - y) was followed with d edits.
Script Shortest(const Lines& a, const Lines& b) {
  const auto n = static_cast<int>(a.size()), m = static_cast<int>(b.size());
  std::vector<std::vector<int>> furthest;
  const auto at = [&](int d, int k) { return furthest[static_cast<size_t>(d)][static_cast<size_t>(k + d)]; };
  // Whether step d came to diagonal k by an insertion (from k + 1) and not by a deletion (from k - 1).
  const auto inserted = [&](int d, int k) {
    return k == -d || (k != d && at(d - 1, k - 1) < at(d - 1, k + 1));
  };
  int d = 0;
  for (bool done = false; !done; ++d) {
    if (d > kEditsMax) return Replace(a.size(), b.size());
    furthest.emplace_back(static_cast<size_t>(2 * d + 1), -1);
    for (int k = -d; k <= d && !done; k += 2) {
      int x = d == 0 ? 0 : inserted(d, k) ? at(d - 1, k + 1) : at(d - 1, k - 1) + 1;
      const auto equal = [&] {
        return x < n && x - k < m && x - k >= 0 && a[static_cast<size_t>(x)] == b[static_cast<size_t>(x - k)];
      };
      while (equal()) ++x;
      furthest.back()[static_cast<size_t>(k + d)] = x;
      done = x >= n && x - k >= m;
    }
  }
  Script script;
  int x = n, k = n - m;
  for (--d; d >= 0; --d) {
    const bool insertion = d > 0 && inserted(d, k);
    const int from = d == 0 ? 0 : insertion ? at(d - 1, k + 1) : at(d - 1, k - 1) + 1;
    for (; x > from; --x) script.push_back(Edit::kKeep);
    if (d == 0) break;
    script.push_back(insertion ? Edit::kInsert : Edit::kDelete);
    if (insertion) {
      ++k;
    } else {
      --k, --x;
    }
  }
  std::reverse(script.begin(), script.end());
  return script;
}

std::string Range(size_t first, size_t count) {
  const size_t shown = count == 0 ? first : first + 1;
  return count == 1 ? std::to_string(shown) : std::to_string(shown) + "," + std::to_string(count);
}

void AppendLine(std::string& out, char sign, std::string_view line) {
  out += sign;
  out += line;
  if (!line.ends_with('\n')) out += "\n\\ No newline at end of file\n";
}

// Writes hunks: runs of edits with their context, joined where the contexts meet.
std::string Write(const Lines& a, const Lines& b, const Script& script) {
  std::string out;
  for (size_t i = 0, x = 0, y = 0; i < script.size();) {
    if (script[i] == Edit::kKeep) {
      ++i, ++x, ++y;
      continue;
    }
    const size_t lead = std::min({kContext, x, y});
    size_t end = i, kept = 0;
    for (size_t j = i; j < script.size() && kept <= 2 * kContext; ++j) {
      kept = script[j] == Edit::kKeep ? kept + 1 : 0;
      if (kept == 0) end = j + 1;
    }
    size_t tail = 0;
    while (tail < kContext && end + tail < script.size()) ++tail;
    std::string body;
    for (size_t l = lead; l > 0; --l) AppendLine(body, ' ', a[x - l]);
    const size_t x0 = x - lead, y0 = y - lead;
    for (; i < end + tail; ++i) {
      if (script[i] == Edit::kInsert) {
        AppendLine(body, '+', b[y++]);
      } else {
        AppendLine(body, script[i] == Edit::kKeep ? ' ' : '-', a[x]);
        y += script[i] == Edit::kKeep ? 1 : 0;
        ++x;
      }
    }
    out += "@@ -" + Range(x0, x - x0) + " +" + Range(y0, y - y0) + " @@\n" + body;
  }
  return out;
}

}  // namespace

std::string UnifiedDiff(std::string_view before, std::string_view after, std::string_view before_name,
                        std::string_view after_name) {
  if (before == after) return "";
  const Lines a = Split(before), b = Split(after);
  const size_t common = std::min(a.size(), b.size());
  size_t head = 0, tail = 0;
  while (head < common && a[head] == b[head]) ++head;
  while (tail < common - head && a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) ++tail;
  const auto middle = [&](const Lines& lines) {
    return Lines(lines.begin() + static_cast<std::ptrdiff_t>(head),
                 lines.end() - static_cast<std::ptrdiff_t>(tail));
  };
  Script script(head, Edit::kKeep);
  const Script edits = Shortest(middle(a), middle(b));
  script.insert(script.end(), edits.begin(), edits.end());
  script.insert(script.end(), tail, Edit::kKeep);
  std::string out = "--- ";
  out.append(before_name).append("\n+++ ").append(after_name).append("\n");
  return out + Write(a, b, script);
}

}  // namespace stemedb::deploy
