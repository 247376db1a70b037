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

#include "script/counting_loop.h"
#include "script/fuel_text.h"
#include "script/lexer.h"
#include "script/token_limits.h"

namespace stemedb::script {
namespace {

// Between statements another step is put in when this much has gathered.
constexpr unsigned kNewStepAt = 8 * 64;

constexpr unsigned kStep = 2;
constexpr unsigned kDear = 8;
constexpr unsigned kJoin = 4;
constexpr unsigned kCompare = 1;

// A counting loop (counting_loop.h) pays for so many passes at once that they cost about this much. No more
// than one statement may cost (kStepWeightMax), so ticks come hardly later for it.
constexpr unsigned kStretch = kStepWeightMax;
constexpr unsigned kPassesMin = 16;  // of a stretch; with fewer it doesn't pay
constexpr int kStretchedMax = 4;     // one inside the other

struct Step {
  size_t offset = 0;
  unsigned weight = kStep;
  std::string_view label;  // of a goto: pays for that label's steps too
  size_t stretched = 0;    // a loop's number + 1: that loop pays in stretches, if it may
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
    PairBrackets();
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
    if (text == "return") KeepCaller();
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
    auto loop = CountingLoopAt(source_, tokens_, at_);
    // Its numbers may be texts, which are read.
    const bool counts_length = loop && loop->counts_length();
    const bool has_literals = After(3).kind == TokenKind::kNumber && After(5).kind == TokenKind::kNumber &&
                              After(4).Is(",") && After(6).Is("do");
    if (After(2).Is("=") && !counts_length && !has_literals) Costs(3 * kDear);
    Push(Block::kForHead, blocks_.back().step);
    blocks_.back().iterates = !After(2).Is("=");
    if (!loop) return;
    const auto around =
        std::count_if(blocks_.begin(), blocks_.end(), [](const Open& open) { return open.counting != 0; });
    loop->too_deep = around >= kStretchedMax;
    loops_.push_back(*loop);
    blocks_.back().counting = loops_.size();
  }

  void LeaveLoop() {
    for (auto open = blocks_.rbegin(); open != blocks_.rend(); ++open) {
      if (open->block == Block::kBranch) continue;
      if (open->block == Block::kLoop && open->counting != 0) loops_[open->counting - 1].is_left = true;
      return;
    }
  }

  // Of each "(" the token that closes it.
  void PairBrackets() {
    closing_.assign(tokens_.size(), tokens_.size() - 1);
    std::vector<size_t> open;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i].Is("(")) open.push_back(i);
      if (!tokens_[i].Is(")") || open.empty()) continue;
      closing_[open.back()] = i;
      open.pop_back();
    }
  }

  // return steme.NAME(…): as a tail call it would leave nothing of the script on the stack, and an error in
  // the helper no line to name.
  void KeepCaller() {
    const bool calls_helper = After(1).kind == TokenKind::kName && After(1).Is("steme") && After(2).Is(".") &&
                              After(3).kind == TokenKind::kName && After(4).Is("(");
    if (!calls_helper) return;
    const size_t closing = closing_[at_ + 4];
    if (tokens_[closing].kind == TokenKind::kEnd) return;
    const Token& behind = tokens_[closing + 1];
    bool is_all = behind.kind == TokenKind::kEnd || behind.Is(";");
    for (const char* word : {"end", "else", "elseif", "until"}) is_all = is_all || behind.Is(word);
    if (!is_all) return;
    // In brackets a call has one result.
    const bool has_several = After(3).Is("rule") || After(3).Is("match");
    passes_on_ = passes_on_ || has_several;
    const size_t from = Start(After(1)), to = End(tokens_[closing]);
    kept_.push_back({from, from, std::string(has_several ? kPassOn : "") + "("});
    kept_.push_back({to, to, ")"});
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

  // Of the labels of each name the dearest's.
  std::map<std::string_view, unsigned> WeightsOfLabels() const {
    std::map<std::string_view, unsigned> weights;
    for (const auto& [label, steps] : labels_) {
      unsigned& most = weights[label];
      for (const size_t step : steps) most = std::max(most, steps_[step].weight);
    }
    return weights;
  }

  std::string Write() const {
    const auto labels = WeightsOfLabels();
    std::vector<Edit> edits = kept_;
    if (passes_on_) edits.push_back({0, 0, std::string(kPassOnPrefix)});
    for (const Step& step : steps_) {
      const auto label = labels.find(step.label);
      const unsigned weight = step.weight + (label == labels.end() ? 0 : label->second);
      const unsigned passes = kStretch / weight;
      if (step.stretched != 0 && passes >= kPassesMin && loops_[step.stretched - 1].may_stretch()) {
        Stretch(loops_[step.stretched - 1], source_, passes, weight, edits);
      } else {
        edits.push_back({step.offset, step.offset, StepText(std::to_string(weight))});
      }
    }
    return Apply(source_, std::move(edits));
  }

  const std::string& file_;
  std::string_view source_;
  const std::vector<Token>& tokens_;
  size_t at_ = 0;
  std::vector<Open> blocks_;
  std::vector<Step> steps_;
  std::vector<CountingLoop> loops_;
  std::map<std::string_view, std::vector<size_t>> labels_;
  std::vector<size_t> closing_;  // by token
  std::vector<Edit> kept_;       // that make calls no tail calls
  bool passes_on_ = false;
  Status error_;
};

}  // namespace

Result<std::string> Instrument(const std::string& file, std::string_view source) {
  const auto tokens = Tokenise(file, source);
  if (!tokens) return tokens.error();
  STEMEDB_RETURN_IF_ERROR(CheckTokens(file, *tokens));
  return Instrumenter(file, source, *tokens).Run();
}

}  // namespace stemedb::script
