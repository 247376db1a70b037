// SPDX-License-Identifier: Apache-2.0
// Table: rows of cells that fit the width they are shown in. Columns whose cells are all numbers stand to the
// right. Where the width isn't enough, the widest columns are shortened first, and each shortened cell ends in
// "…".
#pragma once

#include <string>
#include <vector>

namespace stemedb::console {

struct Cell {
  std::string text;  // as it is to be read: made visible (text.h) here
  bool is_number = false;
};

class Table {
 public:
  explicit Table(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns.
  void Add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }

  // Lines that end in '\n', no wider than `width` columns (as far as two blanks and one column for each cell
  // leave it possible). Columns that are empty throughout are left out.
  std::string Render(size_t width) const;

 private:
  std::vector<std::string> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace stemedb::console
