// SPDX-License-Identifier: Apache-2.0
// One pass, one character of look-ahead more than LuaJIT needs. Where LuaJIT would report an error this may
// go on: the script is refused by LuaJIT's own words then. What must not happen is that LuaJIT sees code
// where this sees a text or a comment, or the other way round.
#include "script/lexer.h"

#include <algorithm>
#include <array>

namespace stemedb::script {
namespace {

constexpr std::array<std::string_view, 22> kKeywords = {
    "and", "break", "do",  "else", "elseif", "end",    "false",  "for",  "function", "goto",  "if",
    "in",  "local", "nil", "not",  "or",     "repeat", "return", "then", "true",     "until", "while"};
// Longest first.
constexpr std::array<std::string_view, 7> kLongSymbols = {"...", "..", "==", "~=", "<=", ">=", "::"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsIdent(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<uint8_t>(c) >= 0x80;
}
bool IsLineEnd(char c) { return c == '\n' || c == '\r'; }
bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

class Lexer {
 public:
  Lexer(const std::string& file, std::string_view source) : file_(file), source_(source) {}

  Result<std::vector<Token>> All() {
    CheckStart();
    while (error_.ok()) {
      SkipSpace();
      if (!error_.ok()) break;
      Token token = Next();
      if (!error_.ok()) break;
      tokens_.push_back(token);
      if (token.kind == TokenKind::kEnd) return std::move(tokens_);
    }
    return error_;
  }

 private:
  char At(size_t i) const { return i < source_.size() ? source_[i] : '\0'; }
  char Here() const { return At(at_); }
  bool AtEnd() const { return at_ >= source_.size(); }

  void Refuse(const std::string& what, uint32_t line) {
    if (!error_.ok()) return;
    error_ =
        Status(Code::kInvalidArgument, "script_invalid", file_ + ":" + std::to_string(line) + ": " + what);
  }

  void CheckStart() {
    if (source_.find('\0') != std::string_view::npos || source_.starts_with('\x1b')) {
      error_ = Status(Code::kInvalidArgument, "script_invalid",
                      file_ + ": this is not Lua text (compiled chunks are not taken): give the source");
    } else if (source_.starts_with("\xEF\xBB\xBF")) {
      Refuse("the text starts with a byte order mark: save it without", 1);
    } else if (source_.starts_with('#')) {
      Refuse("a first line with # is not taken: leave it out", 1);
    }
  }

  // One of \n, \r, \r\n, \n\r.
  void NewLine() {
    const char first = Here();
    ++at_;
    if (IsLineEnd(Here()) && Here() != first) ++at_;
    ++line_;
  }

  void SkipSpace() {
    while (!AtEnd()) {
      if (IsLineEnd(Here())) {
        NewLine();
      } else if (IsSpace(Here())) {
        ++at_;
      } else if (Here() == '-' && At(at_ + 1) == '-') {
        at_ += 2;
        SkipComment();
      } else {
        return;
      }
    }
  }

  void SkipComment() {
    if (Here() == '[') {
      if (const int level = LongLevel(); level >= 0) return SkipLong(level, "comment");
    }
    while (!AtEnd() && !IsLineEnd(Here())) ++at_;
  }

  // At '[': number of equal signs of a long bracket, -1 when it is just a '['. Moves nothing.
  int LongLevel() const {
    size_t i = at_ + 1;
    while (At(i) == '=') ++i;
    return At(i) == '[' ? static_cast<int>(i - at_ - 1) : -1;
  }

  void SkipLong(int level, const char* what) {
    const uint32_t start = line_;
    at_ += static_cast<size_t>(level) + 2;
    while (!AtEnd()) {
      if (IsLineEnd(Here())) {
        NewLine();
      } else if (Here() != ']') {
        ++at_;
      } else {
        size_t i = at_ + 1;
        while (At(i) == '=') ++i;
        const bool closes = At(i) == ']' && i - at_ - 1 == static_cast<size_t>(level);
        at_ = closes ? i + 1 : i;
        if (closes) return;
      }
    }
    Refuse(std::string("a long ") + what +
               " that never ends: close it with as many equal signs as it was opened with",
           start);
  }

  void SkipText() {
    const char quote = Here();
    const uint32_t start = line_;
    ++at_;
    while (!AtEnd() && Here() != quote && !IsLineEnd(Here())) {
      if (Here() != '\\') {
        ++at_;
        continue;
      }
      ++at_;
      if (Here() == 'z') {
        ++at_;
        while (!AtEnd() && IsSpace(Here())) IsLineEnd(Here()) ? NewLine() : static_cast<void>(++at_);
      } else if (IsLineEnd(Here())) {
        NewLine();
      } else {
        ++at_;
      }
    }
    if (Here() != quote || AtEnd())
      return Refuse("a text that never ends: close its quotes on the same line", start);
    ++at_;
  }

  // Signs belong to it behind e, or behind p when it is hexadecimal.
  void SkipNumber() {
    if (Here() == '.') ++at_;
    char exponent = 'e', before = Here();
    if (before == '0' && (At(at_ + 1) | 0x20) == 'x') exponent = 'p';
    while (IsIdent(Here()) || Here() == '.' ||
           ((Here() == '-' || Here() == '+') && (before | 0x20) == exponent)) {
      before = Here();
      ++at_;
    }
  }

  Token Next() {
    const size_t start = at_;
    Token token;
    token.line = line_;
    if (AtEnd()) return token;
    token.kind = Advance();
    at_ = std::min(at_, source_.size());
    token.text = source_.substr(start, at_ - start);
    if (token.kind == TokenKind::kString) return token;
    if (std::any_of(token.text.begin(), token.text.end(),
                    [](char c) { return static_cast<uint8_t>(c) >= 0x80; })) {
      Refuse("only ASCII is taken outside of texts and comments: write names with a-z, 0-9 and _",
             token.line);
    }
    if (token.kind == TokenKind::kName &&
        std::find(kKeywords.begin(), kKeywords.end(), token.text) != kKeywords.end()) {
      token.kind = TokenKind::kKeyword;
    }
    return token;
  }

  TokenKind Advance() {
    const char c = Here();
    if (IsDigit(c) || (c == '.' && IsDigit(At(at_ + 1)))) {
      SkipNumber();
      return TokenKind::kNumber;
    }
    if (IsIdent(c)) {
      while (IsIdent(Here())) ++at_;
      return TokenKind::kName;
    }
    if (c == '"' || c == '\'') {
      SkipText();
      return TokenKind::kString;
    }
    if (c == '[') {
      if (const int level = LongLevel(); level >= 0) {
        SkipLong(level, "text");
        return TokenKind::kString;
      }
    }
    for (const std::string_view symbol : kLongSymbols) {
      if (source_.substr(at_).starts_with(symbol)) {
        at_ += symbol.size();
        return TokenKind::kSymbol;
      }
    }
    ++at_;
    return TokenKind::kSymbol;
  }

  const std::string& file_;
  std::string_view source_;
  size_t at_ = 0;
  uint32_t line_ = 1;
  std::vector<Token> tokens_;
  Status error_;
};

}  // namespace

Result<std::vector<Token>> Tokenise(const std::string& file, std::string_view source) {
  return Lexer(file, source).All();
}

}  // namespace stemedb::script
