// SPDX-License-Identifier: Apache-2.0
// Keys of the record store and of the index, as docs/index-layout.md explains them.
//
// A claim's place in the index is  PATH 00 PREDICATE 00 SEQUENCE  (sequence big-endian, 8 bytes), so that the
// claims of one question lie side by side in the order of the log, the predicates of a concept follow one
// another, and a subtree is one range. Paths and predicates hold no control characters, so 00 and 01 can't
// stand in them.
//
// LMDB's keys end at 511 bytes, a path may have 512. A path longer than kPathKeyBytesMax stands in a key as
//   its first kLongPathKept bytes, 01, and the first 32 hex digits of its SHA-256;
// a reader takes the whole path from the record. Prefixes up to kLongPathKept bytes still find it in place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stemedb::index {

inline constexpr size_t kPathKeyBytesMax = 320;
inline constexpr size_t kLongPathDigits = 32;
inline constexpr size_t kLongPathKept = kPathKeyBytesMax - 1 - kLongPathDigits;

// The path as it stands in keys.
void AppendPathKey(std::string& out, std::string_view concept_path);
// Whether the form in the key is not the path itself.
inline bool IsLongPathKey(std::string_view path_key) {
  return path_key.size() == kPathKeyBytesMax && path_key[kLongPathKept] == '\x01';
}

// PATH 00 PREDICATE 00, to which a sequence is appended.
void AppendClaimPrefix(std::string& out, std::string_view concept_path, std::string_view predicate);
void AppendSequence(std::string& out, uint64_t sequence);

struct ClaimKey {
  std::string_view path_key;
  std::string_view predicate;
  uint64_t sequence = 0;
};
// Nothing when the bytes are no such key.
std::optional<ClaimKey> ParseClaimKey(std::string_view key);

// The path one level up: drugs/a/b → drugs/a → drugs → "". fda://labels/x → fda://labels → fda:// → "".
std::string_view ParentOf(std::string_view concept_path);
// The child of `parent` that `path`, which lies below it, is or lies below.
std::string_view ChildOn(std::string_view path, std::string_view parent);
// What every path below this one begins with: drugs → drugs/, fda:// → fda://, "" → "".
std::string SubtreePrefix(std::string_view concept_path);
// Whether a path lies below another; everything lies below "". fda://x is not below the path "fda:".
bool IsBelow(std::string_view path, std::string_view ancestor);
// The smallest string above every string that begins with `prefix`; empty when there is none.
std::string AfterPrefix(std::string prefix);

}  // namespace stemedb::index
