// SPDX-License-Identifier: Apache-2.0
// No parser: a stack of open blocks is enough to know what a `do`, an `end` or an `until` belongs to, and two
// neighbouring tokens tell where a statement may begin (behind the end of an expression a name always begins
// a new one).
//
// Which step pays for an operator: the last one in front of it that has certainly been passed when it runs.
// So a step inside a branch is forgotten at the branch's end, and what follows is paid by the step before the
// branch. Steps before labels make that true for jumps back as well: a goto pays once more for all that its
// label's step pays for.
#include "script/instrument.h"

#include <algorithm>
#include <map>
#include <vector>

#include "script/call_frame.h"
#include "script/lexer.h"

namespace stemedb::script {
namespace {

constexpr std::string_view kPrefix =
    "local \x80"
    "f,\x80t=0,\x80t \x80l(function(n) \x80"
    "f=\x80"
    "f-n return \x80"
    "f end,function(n) \x80"
    "f=n end) ";

// Between statements another step is put in when this much has gathered.
constexpr unsigned kNewStepAt = 8 * 64;

constexpr unsigned kStep = 2;
constexpr unsigned kDear = 8;
constexpr unsigned kJoin = 4;
constexpr unsigned kCompare = 1;

// A loop that counts up by one to a plain limit pays for so many passes at once that they cost about this
// much: a step in each pass costs a short body 5 to 10 percent of its time. No more than one statement may
// cost (kStepWeightMax), so ticks come hardly later for it.
constexpr unsigned kStretch = kStepWeightMax;
constexpr unsigned kPassesMin = 16;  // of a stretch; with fewer it doesn't pay
// Each takes six of the 200 local variables that a function may have.
constexpr int kStretchedMax = 4;  // one inside the other

struct Step {
  size_t offset = 0;
  unsigned weight = kStep;
  std::string_view label;  // of a goto: pays for that label's steps too
  size_t stretched = 0;    // a loop's number + 1: that loop pays in stretches, if it may
};

// for NAME = START, LIMIT do … end, where START is a whole number, and LIMIT a name or its length.
struct CountingLoop {
  const Token* keyword = nullptr;
  const Token* start = nullptr;
  std::string_view limit;
  const Token* end = nullptr;  // null until it is known
  bool is_left = false;  // by a break, which would leave the stretch alone, or a return: then it is short
  bool too_deep = false;
};

enum class Block : uint8_t { kFunction, kWhileHead, kForHead, kLoop, kRepeat, kUntil, kBranch };

struct Open {
  Block block;
  size_t base;            // the step that pays when the block is entered
  size_t step;            // the step that pays now
  bool iterates = false;  // a for that calls an iterator
  size_t counting = 0;    // a loop's number + 1
};

bool EndsExpression(const Token& token) {
  switch (token.kind) {
    case TokenKind::kName:
    case TokenKind::kNumber:
    case TokenKind::kString:
      return true;
    case TokenKind::kKeyword:
      return token.text == "end" || token.text == "nil" || token.text == "true" || token.text == "false";
    case TokenKind::kSymbol:
      return token.text == ")" || token.text == "]" || token.text == "}" || token.text == "...";
    case TokenKind::kEnd:
      return false;
  }
  return false;
}

bool StartsStatement(const Token& token) {
  if (token.kind == TokenKind::kName) return true;
  if (token.kind != TokenKind::kKeyword) return false;
  for (const char* word : {"local", "if", "for", "while", "repeat", "return", "goto"}) {
    if (token.text == word) return true;
  }
  return false;
}

class Instrumenter {
 public:
  Instrumenter(const std::string& file, std::string_view source, const std::vector<Token>& tokens)
      : file_(file), source_(source), tokens_(tokens) {}

  Result<std::string> Run() {
    RefuseLongTokens();
    blocks_.push_back({Block::kFunction, 0, NewStep(0)});
    for (at_ = 0; error_.ok() && Here().kind != TokenKind::kEnd; ++at_) Take();
    if (error_.ok() && blocks_.size() != 1) EndUntils();
    if (error_.ok() && blocks_.size() != 1) Refuse("a block that never ends: an 'end' is missing");
    if (!error_.ok()) return error_;
    return Write();
  }

 private:
  const Token& Here() const { return tokens_[at_]; }
  const Token& After(size_t count) const { return tokens_[std::min(at_ + count, tokens_.size() - 1)]; }
  // The token before; at the start one that ends nothing.
  const Token& Before() const { return at_ == 0 ? tokens_.back() : tokens_[at_ - 1]; }
  size_t Start(const Token& token) const { return static_cast<size_t>(token.text.data() - source_.data()); }
  size_t End(const Token& token) const { return Start(token) + token.text.size(); }

  void Refuse(const std::string& what) {
    if (!error_.ok()) return;
    error_ = Status(Code::kInvalidArgument, "script_invalid",
                    file_ + ":" + std::to_string(Here().line) + ": " + what);
  }

  size_t NewStep(size_t offset, unsigned weight = kStep) {
    steps_.push_back({offset, weight, {}});
    return steps_.size() - 1;
  }

  // What is in the text from the start never comes by the allocator, which would shrink the rations for it.
  void RefuseLongTokens() {
    for (at_ = 0; Here().kind != TokenKind::kEnd && error_.ok(); ++at_) {
      if (Here().text.size() <= kTextLight) continue;
      Refuse("a text or name of more than " + std::to_string(kTextLight >> 10) +
             " KiB: put it together from shorter ones");
    }
  }

  void Take() {
    if (EndsUntil()) EndUntils();
    if (StartsStatement(Here()) && MayStartHere()) Gathered();
    switch (Here().kind) {
      case TokenKind::kKeyword:
        return Keyword();
      case TokenKind::kSymbol:
        return Symbol();
      case TokenKind::kString:
        if (EndsExpression(Before())) Costs(kDear);  // f "text"
        return;
      default:
        return;
    }
  }

  // A keyword that starts statements does so wherever it stands; a name only behind the end of another one.
  bool MayStartHere() const { return Here().kind == TokenKind::kKeyword || EndsExpression(Before()); }

  void Gathered() {
    Open& open = blocks_.back();
    if (open.block == Block::kForHead || open.block == Block::kWhileHead) return;
    if (steps_[open.step].weight > kNewStepAt) open.step = NewStep(Start(Here()));
  }

  void Costs(unsigned weight) {
    Pay(blocks_.back().step, weight);
    // The condition of a loop runs once more than its body.
    const Block block = blocks_.back().block;
    if ((block == Block::kWhileHead || block == Block::kUntil) && blocks_.size() > 1) {
      Pay(blocks_[blocks_.size() - 2].step, weight);
    }
  }

  void Pay(size_t step, unsigned weight) {
    steps_[step].weight += weight;
    if (steps_[step].weight > kStepWeightMax) {
      Refuse("more than " + std::to_string(kStepWeightMax / kDear) +
             " operators and calls without a statement in between: split it into functions");
    }
  }

  void Symbol() {
    const std::string_view text = Here().text;
    if (text == "::") return Label();
    const bool binary = EndsExpression(Before());
    if (text == "(" || text == "{") {
      if (binary) Costs(kDear);  // a call
      return;
    }
    if (text == "...") return Costs(kDear);
    unsigned weight = 0;
    if (text == "<" || text == ">" || text == "<=" || text == ">=") weight = kCompare;
    if (text == "..") weight = kJoin;
    if (text == "+" || text == "-" || text == "*" || text == "/" || text == "%" || text == "^")
      weight = kDear;
    const bool literal =
        After(1).kind == TokenKind::kNumber && (!binary || Before().kind == TokenKind::kNumber);
    if (weight != 0 && !literal) Costs(weight);
  }

  // ::name::
  void Label() {
    if (After(1).kind != TokenKind::kName || !After(2).Is("::")) return;
    blocks_.back().step = NewStep(Start(Here()));
    labels_[After(1).text].push_back(blocks_.back().step);
    at_ += 2;
  }

  void Keyword() {
    const std::string_view text = Here().text;
    if (text == "function") return Function();
    if (text == "while") return Push(Block::kWhileHead, NewStep(0));
    if (text == "for") return For();
    if (text == "break" || text == "return") return LeaveLoop();
    if (text == "repeat") return Push(Block::kRepeat, NewStep(End(Here())));
    if (text == "if") return Push(Block::kBranch, blocks_.back().step);
    if (text == "do") return Do();
    if (text == "elseif" || text == "else") {
      blocks_.back().step = blocks_.back().base;
      return;
    }
    if (text == "end") return Close();
    if (text == "until") return Until();
    if (text == "goto") return Goto();
  }

  void For() {
    const CountingLoop loop = CountingLoopHere();
    // Its numbers may be texts, which are read.
    const bool counts_length = loop.keyword != nullptr && loop.limit.front() == '#';
    const bool has_literals = After(3).kind == TokenKind::kNumber && After(5).kind == TokenKind::kNumber &&
                              After(4).Is(",") && After(6).Is("do");
    if (After(2).Is("=") && !counts_length && !has_literals) Costs(3 * kDear);
    Push(Block::kForHead, blocks_.back().step);
    blocks_.back().iterates = !After(2).Is("=");
    if (loop.keyword == nullptr) return;
    loops_.push_back(loop);
    blocks_.back().counting = loops_.size();
  }

  // Without a keyword when it isn't one. On one line, so that errors of the limit keep theirs.
  CountingLoop CountingLoopHere() const {
    CountingLoop loop;
    const bool is_length = After(5).Is("#");
    const size_t name = is_length ? 6 : 5;
    const bool counts = After(1).kind == TokenKind::kName && After(2).Is("=") && IsWhole(After(3)) &&
                        After(4).Is(",") && After(name).kind == TokenKind::kName &&
                        After(name + 1).Is("do") && After(name + 1).line == Here().line;
    if (!counts) return loop;
    loop.keyword = &Here();
    loop.start = &After(3);
    loop.limit = source_.substr(Start(After(5)), End(After(name)) - Start(After(5)));
    const auto stretched =
        std::count_if(blocks_.begin(), blocks_.end(), [](const Open& open) { return open.counting != 0; });
    loop.too_deep = stretched >= kStretchedMax;
    return loop;
  }

  static bool IsWhole(const Token& token) {
    return token.kind == TokenKind::kNumber && token.text.size() <= 9 &&
           std::all_of(token.text.begin(), token.text.end(), [](char c) { return c >= '0' && c <= '9'; });
  }

  void LeaveLoop() {
    for (auto open = blocks_.rbegin(); open != blocks_.rend(); ++open) {
      if (open->block == Block::kBranch) continue;
      if (open->block == Block::kLoop && open->counting != 0) loops_[open->counting - 1].is_left = true;
      return;
    }
  }

  void Push(Block block, size_t step) { blocks_.push_back({block, step, step}); }

  // Behind the parameters, which hold names, commas and dots only.
  void Function() {
    while (!Here().Is(")") && Here().kind != TokenKind::kEnd) ++at_;
    if (Here().kind == TokenKind::kEnd) return Refuse("a function without parameters in brackets: write ()");
    Push(Block::kFunction, NewStep(End(Here())));
  }

  void Do() {
    Open& open = blocks_.back();
    if (open.block == Block::kWhileHead) {
      steps_[open.step].offset = End(Here());
      open.block = Block::kLoop;
    } else if (open.block == Block::kForHead) {
      open.block = Block::kLoop;
      open.base = open.step =
          NewStep(End(Here()), open.iterates ? kStep + kDear : kStep);  // an iterator is called
      steps_[open.step].stretched = open.counting;
    } else {
      Push(Block::kBranch, open.step);
    }
  }

  void Close() {
    const Block block = blocks_.back().block;
    const bool closes = block == Block::kFunction || block == Block::kLoop || block == Block::kBranch;
    if (!closes || blocks_.size() == 1) return Refuse("an 'end' without a block that it ends");
    if (blocks_.back().counting != 0) loops_[blocks_.back().counting - 1].end = &Here();
    blocks_.pop_back();
  }

  void Until() {
    if (blocks_.back().block != Block::kRepeat) return Refuse("an 'until' without a 'repeat'");
    blocks_.back().block = Block::kUntil;
    blocks_.back().step = blocks_.back().base;
  }

  // Whether the condition behind an until is over; too late is only dearer.
  bool EndsUntil() const {
    if (blocks_.back().block != Block::kUntil) return false;
    if (Here().kind == TokenKind::kName) return EndsExpression(Before());
    if (Here().Is(";") || Here().Is("::")) return true;
    if (Here().kind != TokenKind::kKeyword) return false;
    for (const char* word : {"and", "or", "not", "nil", "true", "false"}) {
      if (Here().text == word) return false;
    }
    return Here().text != "function" || EndsExpression(Before());
  }
  void EndUntils() {
    while (blocks_.back().block == Block::kUntil) blocks_.pop_back();
  }

  // LuaJIT takes goto for a name where no name follows, or where a statement can't begin.
  void Goto() {
    const Token& before = Before();
    bool statement = at_ == 0 || EndsExpression(before) || before.Is(";") || before.Is("::");
    for (const char* word : {"then", "else", "do", "repeat"}) statement = statement || before.Is(word);
    if (!statement || After(1).kind != TokenKind::kName) {
      return Refuse("'goto' is used as a name: call it something else");
    }
    steps_[NewStep(Start(Here()))].label = After(1).text;
  }

  unsigned Weight(const Step& step) const {
    unsigned weight = step.weight;
    if (const auto found = labels_.find(step.label); found != labels_.end()) {
      unsigned most = 0;
      for (const size_t label : found->second) most = std::max(most, steps_[label].weight);
      weight += most;
    }
    return weight;
  }

  // What stands in the place of source[from, to).
  struct Edit {
    size_t from, to;
    std::string text;
  };

  std::string Write() const {
    std::vector<Edit> edits;
    for (const Step& step : steps_) {
      const unsigned weight = Weight(step);
      const unsigned passes = kStretch / weight;
      if (step.stretched != 0 && passes >= kPassesMin && MayStretch(loops_[step.stretched - 1])) {
        Stretch(loops_[step.stretched - 1], passes, weight, edits);
      } else {
        edits.push_back({step.offset, step.offset, Pay(std::to_string(weight))});
      }
    }
    std::stable_sort(edits.begin(), edits.end(),
                     [](const Edit& a, const Edit& b) { return a.from < b.from; });
    std::string text(kPrefix);
    text.reserve(kPrefix.size() + source_.size() + edits.size() * 40);
    size_t done = 0;
    for (const Edit& edit : edits) {
      text += source_.substr(done, edit.from - done);
      text += edit.text;
      done = edit.to;
    }
    text += source_.substr(done);
    return text;
  }

  static std::string Pay(const std::string& weight) {
    return " \x80"
           "f=\x80"
           "f-" +
           weight +
           " if \x80"
           "f<0 then \x80t() end ";
  }

  static bool MayStretch(const CountingLoop& loop) {
    return loop.end != nullptr && !loop.is_left && !loop.too_deep;
  }

  // Two loops: over the stretches, each of which pays, and over the passes of one. N is the limit, C the
  // first pass of the stretch, M its last.
  void Stretch(const CountingLoop& loop, unsigned passes, unsigned weight, std::vector<Edit>& edits) const {
    std::string head = " do local \x80n=" + std::string(loop.limit) +
                       (loop.limit.front() == '#' ? "" : "+0") +
                       " for \x80"
                       "c=" +
                       std::string(loop.start->text) + ",\x80n," + std::to_string(passes) +
                       " do local \x80m=\x80"
                       "c+" +
                       std::to_string(passes - 1) + " if \x80m>\x80n then \x80m=\x80n end";
    head +=
        Pay("(\x80m-\x80"
            "c+1)*" +
            std::to_string(weight));
    edits.push_back({Start(*loop.keyword), Start(*loop.keyword), std::move(head)});
    edits.push_back({Start(*loop.start), End(*loop.start),
                     "\x80"
                     "c"});
    const size_t limit = static_cast<size_t>(loop.limit.data() - source_.data());
    edits.push_back({limit, limit + loop.limit.size(), "\x80m"});
    edits.push_back({End(*loop.end), End(*loop.end), " end end "});
  }

  const std::string& file_;
  std::string_view source_;
  const std::vector<Token>& tokens_;
  size_t at_ = 0;
  std::vector<Open> blocks_;
  std::vector<Step> steps_;
  std::vector<CountingLoop> loops_;
  std::map<std::string_view, std::vector<size_t>> labels_;
  Status error_;
};

}  // namespace

Result<std::string> Instrument(const std::string& file, std::string_view source) {
  const auto tokens = Tokenise(file, source);
  if (!tokens) return tokens.error();
  return Instrumenter(file, source, *tokens).Run();
}

}  // namespace stemedb::script
