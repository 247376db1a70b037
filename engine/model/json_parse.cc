// SPDX-License-Identifier: Apache-2.0
#include "model/json_parse.h"

#include <string>

namespace stemedb::model {
namespace {

// Parsers that once read a huge document give its memory back.
constexpr size_t kBufferKeptMax = 4 * 1024 * 1024;

// With an exponent, simdjson reads the digits as a double.
std::string WithExponents(std::string_view json, const std::vector<size_t>& ends) {
  std::string out;
  size_t from = 0;
  for (size_t end : ends) {
    out.append(json.substr(from, end - from)).append("e0");
    from = end;
  }
  return out.append(json.substr(from));
}

}  // namespace

std::optional<JsonProblem> ParseJson(simdjson::dom::parser& parser, std::string_view json, size_t capacity,
                                     simdjson::dom::element& root) {
  if (parser.capacity() > kBufferKeptMax && json.size() <= kBufferKeptMax) parser = simdjson::dom::parser();
  const bool is_padded = capacity >= json.size() + simdjson::SIMDJSON_PADDING;
  auto error = parser.parse(json.data(), json.size(), !is_padded).get(root);
  if (error == simdjson::SUCCESS) return {};
  const JsonScan scan = ScanJson(json);
  if (scan.problem) return scan.problem;
  if (!scan.wide_integer_ends.empty())
    error = parser.parse(WithExponents(json, scan.wide_integer_ends)).get(root);
  if (error == simdjson::SUCCESS) return {};
  return JsonProblem{false, 0, "", simdjson::error_message(error)};
}

}  // namespace stemedb::model
