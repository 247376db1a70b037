// SPDX-License-Identifier: Apache-2.0
#include "script/counting_loop.h"

#include <algorithm>
#include <string>

namespace stemedb::script {
namespace {

size_t Start(std::string_view source, std::string_view piece) {
  return static_cast<size_t>(piece.data() - source.data());
}
size_t End(std::string_view source, std::string_view piece) { return Start(source, piece) + piece.size(); }

bool IsWhole(const Token& token) {
  return token.kind == TokenKind::kNumber && token.text.size() <= 9 &&
         std::all_of(token.text.begin(), token.text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<CountingLoop> CountingLoopAt(std::string_view source, const std::vector<Token>& tokens,
                                           size_t at) {
  const auto after = [&](size_t count) -> const Token& {
    return tokens[std::min(at + count, tokens.size() - 1)];
  };
  const size_t name = after(5).Is("#") ? 6 : 5;
  const bool counts = after(1).kind == TokenKind::kName && after(2).Is("=") && IsWhole(after(3)) &&
                      after(4).Is(",") && after(name).kind == TokenKind::kName && after(name + 1).Is("do") &&
                      after(name + 1).line == after(0).line;
  if (!counts) return std::nullopt;
  const size_t limit = Start(source, after(5).text);
  CountingLoop loop;
  loop.keyword = &after(0);
  loop.start = &after(3);
  loop.limit = source.substr(limit, End(source, after(name).text) - limit);
  return loop;
}

void Stretch(const CountingLoop& loop, std::string_view source, unsigned passes, unsigned weight,
             std::vector<Edit>& edits) {
  std::string head = " do local \x80n=" + std::string(loop.limit) + (loop.counts_length() ? "" : "+0") +
                     " for \x80"
                     "c=" +
                     std::string(loop.start->text) + ",\x80n," + std::to_string(passes) +
                     " do local \x80m=\x80"
                     "c+" +
                     std::to_string(passes - 1) + " if \x80m>\x80n then \x80m=\x80n end";
  head += StepText(
      "(\x80m-\x80"
      "c+1)*" +
      std::to_string(weight));
  const size_t keyword = Start(source, loop.keyword->text);
  edits.push_back({keyword, keyword, std::move(head)});
  edits.push_back({Start(source, loop.start->text), End(source, loop.start->text),
                   "\x80"
                   "c"});
  edits.push_back({Start(source, loop.limit), End(source, loop.limit), "\x80m"});
  const size_t end = End(source, loop.end->text);
  edits.push_back({end, end, " end end "});
}

}  // namespace stemedb::script
