// SPDX-License-Identifier: Apache-2.0
// RFC 8785 (JCS) text of parsed JSON: the one place that knows how keys are ordered and which numbers
// survive. Internal to the room: the public door is CanonicalizeJson.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>
#include <vector>

namespace stemedb::model {

// Nesting of objects and arrays in a whole document.
inline constexpr int kJsonDepthMax = 32;

inline constexpr std::string_view kNumberHint = "does not survive as an IEEE double; send it as a string";

// Every integer up to here in magnitude is a double: 2^53.
inline constexpr int64_t kSafeIntegerMax = int64_t{1} << 53;

// Whether `a` comes before `b` when both are compared as UTF-16 code units. Both must be valid UTF-8.
bool Utf16Less(std::string_view a, std::string_view b);

// Appends "/" and `key` as RFC 6901 writes it (~0 for '~', ~1 for '/').
void AppendPointer(std::string& pointer, std::string_view key);

// The value of a JSON number; -0 becomes 0. False when it is an integer that does not survive: beyond 2^53 in
// magnitude, and written back as other digits than it came (9007199254740993 would come back as …992). What
// survives is taken, or the canonical text of 1e17, which is 100000000000000000, could not be sent.
[[nodiscard]] bool ReadNumber(simdjson::dom::element element, double& out);

// Appends canonical text. One object for each document: it gathers where and why it failed.
class JsonForm {
 public:
  JsonForm(std::string& out, int depth_max) : out_(out), depth_max_(depth_max) {}

  // False on a duplicate key, a number that does not survive, or nesting deeper than the bound; then
  // pointer() and detail() say where and why, and the output is unfinished.
  [[nodiscard]] bool Append(simdjson::dom::element element) { return Append(element, 0); }

  const std::string& pointer() const { return pointer_; }
  const std::string& detail() const { return detail_; }

 private:
  bool Append(simdjson::dom::element element, int depth);
  bool AppendArray(simdjson::dom::array array, int depth);
  bool AppendObject(simdjson::dom::object object, int depth);
  bool Fail(std::string detail);

  std::string& out_;
  const int depth_max_;
  std::string pointer_;
  std::string detail_;
};

}  // namespace stemedb::model
