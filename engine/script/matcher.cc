// SPDX-License-Identifier: Apache-2.0
// RE2's time is linear in the text, times the size of the compiled pattern in the worst case: so it is that
// product which is bounded.
#include "script/matcher.h"

#include <re2/re2.h>

#include <array>
#include <cstdio>
#include <map>
#include <string>

namespace stemedb::script {
namespace {

constexpr size_t kPatternBytesMax = 512;
constexpr size_t kPatternsMax = 8;  // their memory isn't in the script's account
constexpr int64_t kPatternMemoryMax = 256 << 10;
constexpr size_t kWorkMax = 4 << 20;  // bytes of text × instructions of the pattern

int Fail(MatchResult& out, const std::string& what) {
  std::snprintf(out.error, sizeof out.error, "%s", what.c_str());
  return -1;
}

RE2::Options Options() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemoryMax);
  return options;
}

}  // namespace

struct Matcher::Impl {
  std::map<std::string, std::unique_ptr<RE2>, std::less<>> patterns;

  const RE2& Get(std::string_view pattern) {
    if (const auto found = patterns.find(pattern); found != patterns.end()) return *found->second;
    // Whoever uses more patterns than this makes them up as it goes; no order of throwing out would be right.
    if (patterns.size() == kPatternsMax) patterns.clear();
    const re2::StringPiece text(pattern.data(), pattern.size());
    return *patterns.emplace(std::string(pattern), std::make_unique<RE2>(text, Options())).first->second;
  }
};

Matcher::Matcher() = default;
Matcher::~Matcher() = default;

int Matcher::Match(std::string_view text, std::string_view pattern, uint32_t from, MatchResult& out) noexcept
    try {
  if (pattern.size() > kPatternBytesMax) return Fail(out, "is longer than 512 bytes");
  if (!impl_) impl_ = std::make_unique<Impl>();
  const RE2& compiled = impl_->Get(pattern);
  if (!compiled.ok()) return Fail(out, compiled.error());
  const int groups = compiled.NumberOfCapturingGroups() + 1;
  if (groups > static_cast<int>(kMatchGroupsMax))
    return Fail(out, "has more than 8 groups: use (?:…) for those that needn't be kept");
  if (static_cast<size_t>(compiled.ProgramSize()) * text.size() > kWorkMax) {
    return Fail(out, "is too large for a text of " + std::to_string(text.size()) +
                         " bytes: simplify it, or cut the text");
  }
  std::array<re2::StringPiece, kMatchGroupsMax> found;
  const re2::StringPiece subject(text.data(), text.size());
  if (!compiled.Match(subject, from, text.size(), RE2::UNANCHORED, found.data(), groups)) return 0;
  for (int i = 0; i < groups; ++i) {
    const auto& group = found[static_cast<size_t>(i)];
    out.starts[i] = group.data() == nullptr ? -1 : static_cast<int32_t>(group.data() - text.data());
    out.sizes[i] = static_cast<int32_t>(group.size());
  }
  return groups;
} catch (...) {
  return Fail(out, "can't be compiled: there is no memory");
}

}  // namespace stemedb::script
