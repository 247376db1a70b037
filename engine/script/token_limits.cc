// SPDX-License-Identifier: Apache-2.0
// Counts, from lj_parse.c of LuaJIT 2.1, what the parser's walks come to at most:
//   jmp_append      the list that it appends to: and, or, elseif, break, and gotos to a label behind them
//   gola_findlabel  all variables, labels and pending jumps of a block: goto and labels
//   gola_fixup      for each label of a block that ends, all that comes behind it: labels
//   var_lookup_     a name with every local variable of its function and of those around it: names
//   var_lookup_uv   of a name from further out, the upvalues of each function in between: names
//   fscope_uvmark   of such a name, the blocks around its variable: names
//
// A text that isn't Lua is counted somehow, and refused by LuaJIT.
#include "script/token_limits.h"

#include <algorithm>

#include "script/call_frame.h"

namespace stemedb::script {
namespace {

constexpr size_t kLocalsMax = 200;     // LuaJIT's own, for a function
constexpr uint64_t kUpvaluesMax = 60;  // likewise
// Names in the step (instrument.h) that each function, loop, label and goto gets.
constexpr uint64_t kNamesOfStep = 8;

enum class Kind : uint8_t { kFunction, kHead, kOther };  // kHead: of a while or for, before its do

struct Block {
  Kind kind;
  size_t locals;  // of its function, before it
};

struct Function {
  size_t locals = 0;   // that can be seen, in it alone
  size_t entries = 0;  // of the parser's stack: variables, labels, jumps
  size_t labels = 0;
  size_t jumps = 0;
};

class Counter {
 public:
  Counter(const std::string& file, const std::vector<Token>& tokens) : file_(file), tokens_(tokens) {}

  Status Run() {
    functions_.emplace_back();  // the main chunk
    for (at_ = 0; error_.ok() && Here().kind != TokenKind::kEnd; ++at_) Take();
    return error_;
  }

 private:
  const Token& Here() const { return tokens_[at_]; }
  const Token& After(size_t count) const { return tokens_[std::min(at_ + count, tokens_.size() - 1)]; }

  void Refuse(const std::string& what) {
    if (!error_.ok()) return;
    error_ = Status(Code::kInvalidArgument, "script_invalid",
                    file_ + ":" + std::to_string(Here().line) + ": " + what);
  }

  void Take() {
    // What is in the text from the start never comes by the allocator, which would shrink the rations for it.
    if (Here().text.size() > kTextLight) {
      return Refuse("a text or name of more than " + std::to_string(kTextLight >> 10) +
                    " KiB: put it together from shorter ones");
    }
    if (Here().kind == TokenKind::kKeyword) return Keyword();
    if (Here().kind == TokenKind::kName && !IsField()) return Names(1);
    if (Here().Is("::") && After(1).kind == TokenKind::kName && After(2).Is("::")) Label();
  }

  bool IsField() const { return at_ > 0 && (tokens_[at_ - 1].Is(".") || tokens_[at_ - 1].Is(":")); }

  void Keyword() {
    const std::string_view text = Here().text;
    if (text == "function") return OpenFunction();
    if (text == "while" || text == "for") return OpenLoop();
    if (text == "repeat") Names(kNamesOfStep);
    if (text == "repeat" || text == "if") return Open(Kind::kOther);
    if (text == "do") return Do();
    if (text == "end" || text == "until") return Close();
    if (text == "local") return Declare(After(1).Is("function") ? 1 : NamesFrom(1));
    if (text == "and" || text == "or" || text == "elseif") return Jump();
    if (text == "break") {
      ++functions_.back().entries;
      return Jump();
    }
    if (text == "goto") return Goto();
  }

  void Open(Kind kind) {
    blocks_.push_back({kind, functions_.back().locals});
    if (blocks_.size() <= kOpenBlocksMax) return;
    Refuse("more than " + std::to_string(kOpenBlocksMax) +
           " blocks one inside the other: make functions of some");
  }

  void OpenFunction() {
    Open(Kind::kFunction);
    functions_.emplace_back();
    size_t bracket = 1;  // behind the name, which has dots and a colon
    while (After(bracket).kind == TokenKind::kName || After(bracket).Is(".") || After(bracket).Is(":"))
      ++bracket;
    Declare(NamesFrom(bracket + 1));
    Names(kNamesOfStep);
  }

  // The loop's three hidden variables are counted as well.
  void OpenLoop() {
    Open(Kind::kHead);
    if (Here().text == "for") Declare(NamesFrom(1) + 3);
    Names(kNamesOfStep);
  }

  void Do() {
    if (!blocks_.empty() && blocks_.back().kind == Kind::kHead) {
      blocks_.back().kind = Kind::kOther;
    } else {
      Open(Kind::kOther);
    }
  }

  void Close() {
    if (blocks_.empty()) return;
    const size_t before = blocks_.back().kind == Kind::kFunction ? 0 : blocks_.back().locals;
    visible_ -= functions_.back().locals - before;
    functions_.back().locals = before;
    if (blocks_.back().kind == Kind::kFunction) functions_.pop_back();
    blocks_.pop_back();
  }

  // How many names, with commas between them, stand from here on.
  size_t NamesFrom(size_t ahead) const {
    size_t names = 0;
    while (After(ahead + 2 * names).kind == TokenKind::kName) {
      ++names;
      if (!After(ahead + 2 * names - 1).Is(",")) break;
    }
    return names;
  }

  void Declare(size_t names) {
    Function& function = functions_.back();
    const size_t more = std::min(names, kLocalsMax - function.locals);
    function.locals += more;
    visible_ += more;
    function.entries += names;
    CountNames(names * function.labels);
  }

  void Label() {
    CountNames(functions_.back().entries++);
    ++functions_.back().labels;
    Names(kNamesOfStep);
    Jump();
  }

  void Goto() {
    CountNames(functions_.back().entries++);
    Names(kNamesOfStep);
    Jump();
  }

  void Jump() {
    jump_steps_ += functions_.back().jumps++;
    if (jump_steps_ <= kJumpStepsMax) return;
    Refuse(
        "too many jumps (and, or, elseif, break, goto, labels), some 2,800 in one function: LuaJIT would "
        "take too long to compile them; make several functions, or a table, of it");
  }

  // Whether a name is one from further out isn't known here: it counts as such.
  void Names(uint64_t count) {
    const uint64_t outer = visible_ - functions_.back().locals;
    const uint64_t upvalues = (functions_.size() - 1) * std::min(outer, kUpvaluesMax);
    CountNames(count * (visible_ + upvalues + blocks_.size()));
  }
  void CountNames(uint64_t steps) {
    name_steps_ += steps;
    if (name_steps_ <= kNameStepsMax) return;
    Refuse(
        "too many names among too many local variables: LuaJIT would take too long to compile them; put "
        "functions beside one another, not inside, and values in a table");
  }

  const std::string& file_;
  const std::vector<Token>& tokens_;
  size_t at_ = 0;
  std::vector<Block> blocks_;
  std::vector<Function> functions_;
  uint64_t visible_ = 0;  // locals of all open functions
  uint64_t jump_steps_ = 0;
  uint64_t name_steps_ = 0;
  Status error_;
};

}  // namespace

Status CheckTokens(const std::string& file, const std::vector<Token>& tokens) {
  return Counter(file, tokens).Run();
}

}  // namespace stemedb::script
