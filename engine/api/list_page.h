// SPDX-License-Identifier: Apache-2.0
// The query string of a list: ?limit=&cursor=.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "http/problem.h"
#include "query/question.h"

namespace stemedb::api {

inline constexpr size_t kListLimitMax = 1'000;

struct ListPage {
  Status status;  // ok, or kInvalidArgument "invalid_request"
  std::vector<http::FieldError> errors;
  std::string cursor;  // as it came; empty: from the beginning
  size_t limit = query::kLimitDefault;
};
ListPage ReadListPage(std::string_view query, size_t cursor_bytes_max);

// The same of a list that goes back along the log: its cursor is the sequence below which it goes on, and
// becomes `before`, which is left alone when there is none.
ListPage ReadLogPage(std::string_view query, uint64_t& before);

}  // namespace stemedb::api
