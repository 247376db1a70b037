// SPDX-License-Identifier: Apache-2.0
#include "console/table.h"

#include <algorithm>

#include "console/text.h"

namespace stemedb::console {
namespace {

constexpr std::string_view kGap = "  ";

constexpr size_t kUsefulWidth = 8;  // a column that is cut to less says nothing
constexpr size_t kColumnsKept = 4;  // however narrow

struct Column {
  size_t index = 0;
  size_t width = 0;
  Align align = Align::kRight;
};
using Columns = std::vector<Column>;

size_t WidthOf(const Columns& columns) {
  size_t width = kGap.size() * (columns.size() - 1);
  for (const Column& column : columns) width += column.width;
  return width;
}

// Takes from the widest until all fit. False when one that had more is left with less than is useful.
bool Narrow(Columns& columns, size_t width) {
  const Columns before = columns;
  for (size_t total = WidthOf(columns); total > width; --total) {
    auto widest = std::max_element(columns.begin(), columns.end(),
                                   [](const Column& a, const Column& b) { return a.width < b.width; });
    if (widest->width <= 1) return false;
    --widest->width;
  }
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].width < std::min(before[i].width, kUsefulWidth)) return false;
  }
  return true;
}

std::string Line(std::string text, size_t width) { return Shorten(text, width) + "\n"; }

void TrimEnd(std::string& line) { line.erase(line.find_last_not_of(' ') + 1); }

// The cells as shown, and the columns that have any.
class Layout {
 public:
  Layout(const std::vector<std::string>& names, const std::vector<std::vector<Cell>>& rows);

  std::string Render(size_t width);

 private:
  bool IsConstant(const Column& column) const;
  // One row that doesn't fit: a line for each column.
  std::string Upright(size_t width) const;
  // Takes out what is the same in all rows; the line that says it once.
  std::string TakeConstants(size_t width);
  // Leaves columns out, the last first, until the rest is readable; the line that says so.
  std::string MakeFit(size_t width);
  std::string Rows() const;

  const std::vector<std::string>& names_;
  std::vector<std::vector<std::string>> texts_;
  Columns columns_;
};

Layout::Layout(const std::vector<std::string>& names, const std::vector<std::vector<Cell>>& rows)
    : names_(names), texts_(rows.size()) {
  for (size_t i = 0; i < rows.size(); ++i) {
    for (const Cell& cell : rows[i]) texts_[i].push_back(Visible(cell.text));
  }
  for (size_t c = 0; c < names.size(); ++c) {
    Column column{c, 0, Align::kRight};
    for (size_t i = 0; i < rows.size(); ++i) {
      column.width = std::max(column.width, console::WidthOf(texts_[i][c]));
      if (!rows[i][c].is_number && !rows[i][c].text.empty()) column.align = Align::kLeft;
    }
    if (column.width == 0) continue;
    column.width = std::max(column.width, console::WidthOf(names[c]));
    columns_.push_back(column);
  }
}

bool Layout::IsConstant(const Column& column) const {
  return std::all_of(texts_.begin(), texts_.end(),
                     [&](const auto& row) { return row[column.index] == texts_.front()[column.index]; });
}

std::string Layout::Upright(size_t width) const {
  size_t names_width = 0;
  for (const Column& column : columns_)
    names_width = std::max(names_width, console::WidthOf(names_[column.index]));
  std::string out;
  for (const Column& column : columns_) {
    out += Line(
        Fit(names_[column.index], names_width, Align::kLeft) + std::string(kGap) + texts_[0][column.index],
        width);
  }
  return out;
}

std::string Layout::TakeConstants(size_t width) {
  Columns kept;
  std::string said;
  for (const Column& column : columns_) {
    if (IsConstant(column)) {
      said += (said.empty() ? "" : ", ") + names_[column.index] + " " + texts_[0][column.index];
    } else {
      kept.push_back(column);
    }
  }
  if (kept.empty() || said.empty()) return "";
  columns_ = std::move(kept);
  return Line(said, width);
}

std::string Layout::MakeFit(size_t width) {
  std::string left_out;
  Columns fitting = columns_;
  while (!Narrow(fitting, width) && columns_.size() > kColumnsKept) {
    left_out.insert(0, (left_out.empty() ? "" : ", "));
    left_out.insert(0, names_[columns_.back().index]);
    columns_.pop_back();
    fitting = columns_;
  }
  columns_ = std::move(fitting);
  return left_out.empty() ? "" : Line("not shown: " + left_out, width);
}

std::string Layout::Rows() const {
  std::string out;
  const auto line = [&](auto text_of) {
    std::string one;
    for (const Column& column : columns_) {
      if (&column != &columns_.front()) one += kGap;
      one += Fit(text_of(column.index), column.width, column.align);
    }
    TrimEnd(one);
    out += one + "\n";
  };
  line([&](size_t c) -> const std::string& { return names_[c]; });
  for (const auto& row : texts_) line([&](size_t c) -> const std::string& { return row[c]; });
  return out;
}

std::string Layout::Render(size_t width) {
  if (columns_.empty()) return "";
  if (width == kUnlimited || WidthOf(columns_) <= width) return Rows();
  if (texts_.size() == 1) return Upright(width);
  const std::string constants = TakeConstants(width);
  const std::string left_out = MakeFit(width);
  return constants + Rows() + left_out;
}

}  // namespace

std::string Table::Render(size_t width) const { return Layout(columns_, rows_).Render(width); }

}  // namespace stemedb::console
