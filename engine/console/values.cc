// SPDX-License-Identifier: Apache-2.0
#include "console/values.h"

#include <cstdio>

namespace stemedb::console {

element Member(element object, std::string_view name) {
  element found;
  if (object.is_object() && object[name].get(found) == simdjson::SUCCESS) return found;
  static simdjson::dom::parser nothing;
  static const element null = nothing.parse(std::string_view("null"));
  return null;
}

bool Has(element object, std::string_view name) { return !Member(object, name).is_null(); }

std::string TextOf(element value) {
  std::string_view text;
  if (value.is_null()) return "";
  if (value.get(text) == simdjson::SUCCESS) return std::string(text);
  simdjson::dom::object object;
  if (value.get(object) == simdjson::SUCCESS && object.size() == 1 && object["ref"].get(text) == simdjson::SUCCESS) {
    return "→ " + std::string(text);
  }
  return simdjson::minify(value);
}

std::string TextOf(element object, std::string_view name) { return TextOf(Member(object, name)); }

double NumberOf(element object, std::string_view name) {
  double number = 0;
  const element value = Member(object, name);
  return value.is_number() && value.get(number) == simdjson::SUCCESS ? number : 0;
}

std::string Rounded(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", number);
  return text;
}

Cell CellOf(element value) { return {TextOf(value), value.is_number()}; }
Cell CellOf(element object, std::string_view name) { return CellOf(Member(object, name)); }

Cell RoundedCell(element object, std::string_view name) {
  return Has(object, name) ? Cell{Rounded(NumberOf(object, name)), true} : Cell{};
}

std::string ShortHash(std::string_view hex) { return std::string(hex.substr(0, 12)); }

std::string ShortTime(std::string_view time) {
  std::string text(time);
  if (text.size() < 20 || text[10] != 'T' || text.back() != 'Z') return text;
  text[10] = ' ';
  text.pop_back();
  if (text.ends_with(".000")) text.resize(text.size() - 4);
  return text;
}

}  // namespace stemedb::console
