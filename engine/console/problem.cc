// SPDX-License-Identifier: Apache-2.0
#include "console/problem.h"

#include <simdjson.h>

namespace stemedb::console {
namespace {

using simdjson::dom::element;

std::string TextOf(element object, std::string_view name) {
  std::string_view text;
  return object[name].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

}  // namespace

Status ProblemStatus(std::string_view body, long http_status) {
  simdjson::dom::parser parser;
  element problem;
  const bool is_json = parser.parse(body.data(), body.size()).get(problem) == simdjson::SUCCESS;
  const std::string code = is_json ? TextOf(problem, "code") : "";
  if (code.empty()) {
    return Status(Code::kUnavailable, "http_" + std::to_string(http_status),
                  "the answer is HTTP status " + std::to_string(http_status) +
                      " and none of StemeDB's: is another program listening there?");
  }
  std::string message = code + ": " + TextOf(problem, "detail");
  simdjson::dom::array errors;
  if (problem["errors"].get(errors) == simdjson::SUCCESS) {
    for (const element error : errors) {
      const std::string pointer = TextOf(error, "pointer"), detail = TextOf(error, "detail");
      const std::string field = pointer.starts_with('/') ? pointer.substr(1) : pointer;
      if (message.find(detail) == std::string::npos) message += "\n  " + field + " " + detail;
    }
  }
  return Status(Code::kInvalidArgument, code, message);
}

std::string HealthLine(std::string_view health) {
  simdjson::dom::parser parser;
  element object;
  uint64_t assertions = 0, sequence = 0;
  if (parser.parse(health.data(), health.size()).get(object) != simdjson::SUCCESS ||
      object["assertion_count"].get(assertions) != simdjson::SUCCESS ||
      object["sequence"].get(sequence) != simdjson::SUCCESS) {
    return "";
  }
  return "version " + TextOf(object, "version") + ", " + std::to_string(assertions) +
         " assertions, up to sequence " + std::to_string(sequence);
}

}  // namespace stemedb::console
