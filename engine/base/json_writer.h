// SPDX-License-Identifier: Apache-2.0
// JSON as text, appended to a string. Numbers and strings are spelled as RFC 8785 (JCS) spells them, so that
// what the server says and what an agent signs read alike.
//
// Own code rather than a library: answers are spliced from stored canonical text, which library writers can't
// do without parsing it again, and JCS asks for ECMAScript's number form, which none of them has.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace stemedb {

// A quoted JSON string: escapes only what RFC 8785 §3.2.2.2 escapes. `text` must be valid UTF-8.
void AppendJsonString(std::string& out, std::string_view text);

// ECMAScript's Number::toString (RFC 8785 §3.2.2.3): 1e+21, 0.1, 1e-7, 100; -0 is 0. `value` must be finite.
void AppendJsonNumber(std::string& out, double value);

// Writes one document. It keeps the commas; the caller keeps the order and the balance of begin and end.
//   JsonWriter w(out); w.BeginObject(); w.Key("id"); w.String(id); w.EndObject();
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void BeginObject() { Open('{'); }
  void EndObject() { Close('}'); }
  void BeginArray() { Open('['); }
  void EndArray() { Close(']'); }
  // `name` must need no escaping.
  void Key(std::string_view name);
  void String(std::string_view text);
  // Lower-case hex in quotes.
  void Hex(std::span<const uint8_t> bytes);
  void Number(double value);
  void Integer(int64_t value);
  void Unsigned(uint64_t value);
  void Bool(bool value);
  void Null();
  // RFC 3339 in quotes.
  void Time(int64_t time_ms);
  // Text that is already JSON.
  void Raw(std::string_view json);
  // "name": value, the common pair.
  void Field(std::string_view name, std::string_view text) { Key(name), String(text); }

 private:
  void Open(char c);
  void Close(char c);
  void Separate();

  std::string& out_;
  bool first_ = true;  // nothing stands before the next item at this level
};

}  // namespace stemedb
