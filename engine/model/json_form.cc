// SPDX-License-Identifier: Apache-2.0
#include "model/json_form.h"

#include <algorithm>

#include "base/json_writer.h"

namespace stemedb::model {
namespace {

bool KeepsItsDigits(double value, const std::string& digits) {
  std::string text;
  AppendJsonNumber(text, value);
  return text == digits;
}

}  // namespace

// UTF-8 order and UTF-16 order differ in one thing: characters beyond the BMP (lead byte F0..F4) are
// surrogates D800..DFFF in UTF-16, and so come before U+E000..U+FFFF (lead byte EE, EF). Continuation bytes
// are below C0.
bool Utf16Less(std::string_view a, std::string_view b) {
  const auto [at_a, at_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (at_b == b.end()) return false;
  if (at_a == a.end()) return true;
  const auto x = static_cast<unsigned char>(*at_a), y = static_cast<unsigned char>(*at_b);
  if (x >= 0xEE && y >= 0xEE && (x >= 0xF0) != (y >= 0xF0)) return x > y;
  return x < y;
}

void AppendPointer(std::string& pointer, std::string_view key) {
  pointer.push_back('/');
  for (char c : key) {
    if (c == '~') {
      pointer.append("~0");
    } else if (c == '/') {
      pointer.append("~1");
    } else {
      pointer.push_back(c);
    }
  }
}

bool ReadNumber(simdjson::dom::element element, double& out) {
  using simdjson::dom::element_type;
  if (element.type() == element_type::DOUBLE) {
    out = element.get_double().value_unsafe();
    if (out == 0) out = 0;  // drops the sign of -0
    return true;
  }
  if (element.type() == element_type::UINT64) {
    const uint64_t integer = element.get_uint64().value_unsafe();
    out = static_cast<double>(integer);
    return KeepsItsDigits(out, std::to_string(integer));
  }
  const int64_t integer = element.get_int64().value_unsafe();
  out = static_cast<double>(integer);
  if (integer >= -kSafeIntegerMax && integer <= kSafeIntegerMax) return true;
  return KeepsItsDigits(out, std::to_string(integer));
}

bool JsonForm::Fail(std::string detail) {
  detail_ = std::move(detail);
  return false;
}

bool JsonForm::Append(simdjson::dom::element element, int depth) {
  using simdjson::dom::element_type;
  switch (element.type()) {
    case element_type::OBJECT:
      return AppendObject(element.get_object().value_unsafe(), depth + 1);
    case element_type::ARRAY:
      return AppendArray(element.get_array().value_unsafe(), depth + 1);
    case element_type::STRING:
      AppendJsonString(out_, element.get_string().value_unsafe());
      return true;
    case element_type::BOOL:
      out_.append(element.get_bool().value_unsafe() ? "true" : "false");
      return true;
    case element_type::NULL_VALUE:
      out_.append("null");
      return true;
    default:
      break;
  }
  double number = 0;
  if (!ReadNumber(element, number)) return Fail("this integer beyond 2^53 " + std::string(kNumberHint));
  AppendJsonNumber(out_, number);
  return true;
}

bool JsonForm::AppendArray(simdjson::dom::array array, int depth) {
  if (depth > depth_max_) return Fail("is nested deeper than " + std::to_string(depth_max_) + " levels");
  out_.push_back('[');
  size_t index = 0;
  for (simdjson::dom::element item : array) {
    if (index > 0) out_.push_back(',');
    const size_t size = pointer_.size();
    pointer_.append("/").append(std::to_string(index++));
    if (!Append(item, depth)) return false;
    pointer_.resize(size);
  }
  out_.push_back(']');
  return true;
}

bool JsonForm::AppendObject(simdjson::dom::object object, int depth) {
  if (depth > depth_max_) return Fail("is nested deeper than " + std::to_string(depth_max_) + " levels");
  std::vector<simdjson::dom::key_value_pair> members(object.begin(), object.end());
  std::sort(members.begin(), members.end(),
            [](const auto& a, const auto& b) { return Utf16Less(a.key, b.key); });
  out_.push_back('{');
  for (size_t i = 0; i < members.size(); ++i) {
    const size_t size = pointer_.size();
    AppendPointer(pointer_, members[i].key);
    if (i > 0) {
      if (members[i].key == members[i - 1].key) return Fail("the key stands twice in its object");
      out_.push_back(',');
    }
    AppendJsonString(out_, members[i].key);
    out_.push_back(':');
    if (!Append(members[i].value, depth)) return false;
    pointer_.resize(size);
  }
  out_.push_back('}');
  return true;
}

}  // namespace stemedb::model
