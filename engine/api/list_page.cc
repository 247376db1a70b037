// SPDX-License-Identifier: Apache-2.0
#include "api/list_page.h"

#include <charconv>

#include "http/router.h"

namespace stemedb::api {
namespace {

// Empty, or what is wrong.
std::string SetField(ListPage& page, std::string_view name, std::string value, size_t cursor_bytes_max) {
  if (name == "limit") {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), page.limit);
    const bool is_whole = error == std::errc() && end == value.data() + value.size();
    if (is_whole && page.limit >= 1 && page.limit <= kListLimitMax) return "";
    return "must be a whole number from 1 to " + std::to_string(kListLimitMax);
  }
  if (name != "cursor") return "unknown parameter; allowed are cursor, limit";
  if (value.empty() || value.size() > cursor_bytes_max) return "must be the next_cursor of an earlier page";
  page.cursor = std::move(value);
  return "";
}

}  // namespace

ListPage ReadListPage(std::string_view query, size_t cursor_bytes_max) {
  ListPage page;
  auto params = http::ParseQuery(query);
  if (!params) {
    page.status = params.error();
    return page;
  }
  for (auto& [name, value] : *params) {
    std::string fault = SetField(page, name, std::move(value), cursor_bytes_max);
    if (fault.empty()) continue;
    page.status = Status(Code::kInvalidArgument, "invalid_request", std::string(name) + " " + fault);
    page.errors.push_back({std::string(name), std::move(fault)});
    break;
  }
  return page;
}

ListPage ReadLogPage(std::string_view query, uint64_t& before) {
  constexpr size_t kDigitsMax = 20;
  ListPage page = ReadListPage(query, kDigitsMax);
  if (!page.status.ok() || page.cursor.empty()) return page;
  const char* end = page.cursor.data() + page.cursor.size();
  const auto [stop, error] = std::from_chars(page.cursor.data(), end, before);
  if (error == std::errc() && stop == end) return page;
  page.errors.push_back({"cursor", "must be the next_cursor of an earlier page"});
  page.status = Status(Code::kInvalidArgument, "invalid_request", "cursor " + page.errors.back().detail);
  return page;
}

}  // namespace stemedb::api
