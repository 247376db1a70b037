// SPDX-License-Identifier: Apache-2.0
#include "console/table.h"

#include <algorithm>
#include <numeric>

#include "console/text.h"

namespace stemedb::console {
namespace {

constexpr std::string_view kGap = "  ";

struct Column {
  size_t index = 0;
  size_t width = 0;
  Align align = Align::kRight;
};

// Takes from the widest until all fit.
void Narrow(std::vector<Column>& columns, size_t width) {
  const size_t gaps = kGap.size() * (columns.size() - 1);
  const size_t room = width > gaps + columns.size() ? width - gaps : columns.size();
  size_t total = 0;
  for (const Column& column : columns) total += column.width;
  while (total > room) {
    auto widest = std::max_element(columns.begin(), columns.end(),
                                   [](const Column& a, const Column& b) { return a.width < b.width; });
    if (widest->width <= 1) break;
    --widest->width;
    --total;
  }
}

void TrimEnd(std::string& line) { line.erase(line.find_last_not_of(' ') + 1); }

}  // namespace

std::string Table::Render(size_t width) const {
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> texts(rows_.size());
  for (size_t i = 0; i < rows_.size(); ++i) {
    for (const Cell& cell : rows_[i]) texts[i].push_back(Visible(cell.text));
  }
  for (size_t c = 0; c < columns_.size(); ++c) {
    Column column{c, 0, Align::kRight};
    for (size_t i = 0; i < rows_.size(); ++i) {
      column.width = std::max(column.width, WidthOf(texts[i][c]));
      if (!rows_[i][c].is_number && !rows_[i][c].text.empty()) column.align = Align::kLeft;
    }
    if (column.width == 0) continue;
    column.width = std::max(column.width, WidthOf(columns_[c]));
    columns.push_back(column);
  }
  if (columns.empty()) return "";
  if (width != kUnlimited) Narrow(columns, width);
  std::string out;
  const auto line = [&](auto text_of) {
    std::string one;
    for (const Column& column : columns) {
      if (!one.empty() || &column != &columns.front()) one += kGap;
      one += Fit(text_of(column.index), column.width, column.align);
    }
    TrimEnd(one);
    out += one + "\n";
  };
  line([&](size_t c) -> const std::string& { return columns_[c]; });
  for (const auto& row : texts) line([&](size_t c) -> const std::string& { return row[c]; });
  return out;
}

}  // namespace stemedb::console
