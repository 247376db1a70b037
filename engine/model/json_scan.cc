// SPDX-License-Identifier: Apache-2.0
#include "model/json_scan.h"

#include <simdjson.h>

#include <cmath>
#include <cstdlib>

#include "base/json_writer.h"
#include "model/json_form.h"

namespace stemedb::model {
namespace {

// Deeper than any document that is accepted, and shallow enough for the stack.
constexpr int kScanDepthMax = 128;
constexpr size_t kPointerBytesMax = 512;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

class Scanner {
 public:
  explicit Scanner(std::string_view json) : json_(json) {}

  bool Value(int depth);
  bool Array(int depth, std::vector<std::string_view>* items, size_t items_max);
  // Only blanks may follow.
  bool End();

  const std::optional<JsonProblem>& problem() const { return problem_; }
  const std::vector<size_t>& wide_integer_ends() const { return wide_integer_ends_; }

 private:
  char Peek() const { return at_ < json_.size() ? json_[at_] : '\0'; }
  bool Take(char c);
  void SkipBlanks();
  bool Object(int depth);
  bool String(std::string* out);
  bool Escape();
  bool Hex4(unsigned& out);
  bool Number();
  void CheckNumber(size_t from, bool is_integer);
  bool Digits();
  bool Literal(std::string_view word);
  bool Fail(std::string detail);
  void Note(size_t offset, std::string detail);

  std::string_view json_;
  size_t at_ = 0;
  std::string pointer_;
  std::optional<JsonProblem> problem_;
  std::vector<size_t> wide_integer_ends_;
};

bool Scanner::Fail(std::string detail) {
  if (at_ >= json_.size()) detail = "the document ends too early";
  problem_ = JsonProblem{false, at_, "", std::move(detail)};
  return false;
}

void Scanner::Note(size_t offset, std::string detail) {
  if (!problem_) problem_ = JsonProblem{true, offset, pointer_, std::move(detail)};
}

bool Scanner::Take(char c) {
  if (at_ >= json_.size() || json_[at_] != c) return false;
  ++at_;
  return true;
}

void Scanner::SkipBlanks() {
  while (at_ < json_.size() &&
         (json_[at_] == ' ' || json_[at_] == '\t' || json_[at_] == '\n' || json_[at_] == '\r'))
    ++at_;
}

bool Scanner::End() {
  SkipBlanks();
  return at_ == json_.size() || Fail("something follows the end of the document");
}

bool Scanner::Value(int depth) {
  SkipBlanks();
  switch (Peek()) {
    case '{':
      return Object(depth + 1);
    case '[':
      return Array(depth + 1, nullptr, 0);
    case '"':
      return String(nullptr);
    case 't':
      return Literal("true");
    case 'f':
      return Literal("false");
    case 'n':
      return Literal("null");
    default:
      return Number();
  }
}

bool Scanner::Array(int depth, std::vector<std::string_view>* items, size_t items_max) {
  if (depth > kScanDepthMax) return Fail("is nested too deep");
  SkipBlanks();
  if (!Take('[')) return Fail("an array is expected here");
  SkipBlanks();
  if (Take(']')) return true;
  const size_t size = pointer_.size();
  for (size_t index = 0;; ++index) {
    SkipBlanks();
    const size_t from = at_;
    if (pointer_.size() < kPointerBytesMax) pointer_.append("/").append(std::to_string(index));
    if (!Value(depth)) return false;
    pointer_.resize(size);
    if (items != nullptr) items->push_back(json_.substr(from, at_ - from));
    if (items != nullptr && items->size() > items_max) return true;
    SkipBlanks();
    if (Take(']')) return true;
    if (!Take(',')) return Fail("',' or ']' is expected here");
  }
}

bool Scanner::Object(int depth) {
  if (depth > kScanDepthMax) return Fail("is nested too deep");
  ++at_;
  SkipBlanks();
  if (Take('}')) return true;
  const size_t size = pointer_.size();
  for (;;) {
    SkipBlanks();
    if (Peek() != '"') return Fail("a key in double quotes is expected here");
    std::string key;
    if (!String(&key)) return false;
    SkipBlanks();
    if (!Take(':')) return Fail("':' is expected here");
    if (pointer_.size() + key.size() < kPointerBytesMax) AppendPointer(pointer_, key);
    if (!Value(depth)) return false;
    pointer_.resize(size);
    SkipBlanks();
    if (Take('}')) return true;
    if (!Take(',')) return Fail("',' or '}' is expected here");
  }
}

// `out` gets the text between the quotes as written: good enough for a pointer.
bool Scanner::String(std::string* out) {
  const size_t from = ++at_;
  while (at_ < json_.size() && json_[at_] != '"') {
    if (static_cast<unsigned char>(json_[at_]) < 0x20)
      return Fail("control characters in strings must be escaped");
    if (!Take('\\')) {
      ++at_;
    } else if (!Escape()) {
      return false;
    }
  }
  if (out != nullptr) *out = json_.substr(from, at_ - from);
  return Take('"') || Fail("");
}

bool Scanner::Hex4(unsigned& out) {
  out = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    const char c = Peek();
    const int digit = IsDigit(c)             ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return Fail("four hex digits are expected after \\u");
    out = out * 16 + static_cast<unsigned>(digit);
  }
  return true;
}

bool Scanner::Escape() {
  const size_t from = at_ - 1;
  const char c = Peek();
  if (c == '\0' || std::string_view("\"\\/bfnrtu").find(c) == std::string_view::npos)
    return Fail("no such escape in JSON");
  ++at_;
  if (c != 'u') return true;
  unsigned unit = 0;
  if (!Hex4(unit)) return false;
  if (unit < 0xD800 || unit > 0xDFFF) return true;
  unsigned low = 0;
  if (unit < 0xDC00 && json_.substr(at_, 2) == "\\u") {
    const size_t back = at_;
    at_ += 2;
    if (!Hex4(low)) return false;
    if (low >= 0xDC00 && low <= 0xDFFF) return true;
    at_ = back;  // the second escape may begin a pair of its own
  }
  Note(from, "holds a lone surrogate (byte " + std::to_string(from) +
                 "), which is no character; send valid Unicode");
  return true;
}

bool Scanner::Digits() {
  if (!IsDigit(Peek())) return Fail("a digit is expected here");
  while (IsDigit(Peek())) ++at_;
  return true;
}

bool Scanner::Number() {
  const size_t from = at_;
  if (Peek() != '-' && !IsDigit(Peek())) return Fail("a value is expected here");
  Take('-');
  if (!Take('0') && !Digits()) return false;
  if (IsDigit(Peek())) return Fail("a number must not begin with 0");
  const size_t integer_end = at_;
  if (Take('.') && !Digits()) return false;
  if (Peek() == 'e' || Peek() == 'E') {
    ++at_;
    if (Peek() == '+' || Peek() == '-') ++at_;
    if (!Digits()) return false;
  }
  CheckNumber(from, integer_end == at_);
  return true;
}

// The same rule as ReadNumber's, for any number of digits.
void Scanner::CheckNumber(size_t from, bool is_integer) {
  const std::string text(json_.substr(from, at_ - from));
  const double value = std::strtod(text.c_str(), nullptr);
  bool survives = std::isfinite(value);
  if (survives && is_integer && std::fabs(value) > static_cast<double>(kSafeIntegerMax)) {
    std::string canonical;
    AppendJsonNumber(canonical, value);
    survives = canonical == text;
    if (survives && std::fabs(value) >= 0x1p63) wide_integer_ends_.push_back(at_);
  }
  if (!survives) Note(from, "the number " + text.substr(0, 40) + " " + std::string(kNumberHint));
}

bool Scanner::Literal(std::string_view word) {
  if (json_.substr(at_, word.size()) != word) return Fail("a value is expected here");
  at_ += word.size();
  return true;
}

}  // namespace

JsonScan ScanJson(std::string_view json) {
  Scanner scanner(json);
  if (!scanner.Value(0) || !scanner.End()) return {scanner.problem(), {}};
  // The walk doesn't look at UTF-8; simdjson says whether, but not where.
  if (!simdjson::validate_utf8(json.data(), json.size())) {
    size_t good = 0, bad = json.size();  // the longest valid front ends in [good, bad)
    while (bad - good > 1) {
      const size_t middle = good + (bad - good) / 2;
      size_t cut = middle;  // a cut inside a character is no error of the text
      while (cut > good && middle - cut < 4 && (static_cast<unsigned char>(json[cut]) & 0xC0) == 0x80) --cut;
      (simdjson::validate_utf8(json.data(), cut) ? good : bad) = middle;
    }
    return {JsonProblem{false, good, "", "the text is not valid UTF-8"}, {}};
  }
  return {scanner.problem(), scanner.wide_integer_ends()};
}

std::optional<std::vector<std::string_view>> SplitJsonArray(std::string_view json, size_t items_max) {
  Scanner scanner(json);
  std::vector<std::string_view> items;
  if (!scanner.Array(1, &items, items_max)) return {};
  if (items.size() <= items_max && !scanner.End()) return {};
  return items;
}

}  // namespace stemedb::model
