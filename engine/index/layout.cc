// SPDX-License-Identifier: Apache-2.0
#include "index/layout.h"

#include "base/bytes.h"
#include "crypto/sha256.h"

namespace stemedb::index {

void AppendPathKey(std::string& out, std::string_view concept_path) {
  if (concept_path.size() <= kPathKeyBytesMax) {
    out.append(concept_path);
    return;
  }
  out.append(concept_path.substr(0, kLongPathKept));
  out.push_back('\x01');
  const Hash256 digest = crypto::Sha256::Of(concept_path);
  AppendHex(out, std::span(digest).first(kLongPathDigits / 2));
}

void AppendClaimPrefix(std::string& out, std::string_view concept_path, std::string_view predicate) {
  AppendPathKey(out, concept_path);
  out.push_back('\0');
  out.append(predicate);
  out.push_back('\0');
}

void AppendSequence(std::string& out, uint64_t sequence) {
  char bytes[8];
  StoreBig64(bytes, sequence);
  out.append(bytes, sizeof bytes);
}

std::optional<ClaimKey> ParseClaimKey(std::string_view key) {
  constexpr size_t kSequenceBytes = 8;
  if (key.size() < kSequenceBytes + 2) return {};
  const std::string_view names = key.substr(0, key.size() - kSequenceBytes);
  const size_t first = names.find('\0');
  if (names.back() != '\0' || first == names.size() - 1) return {};
  return ClaimKey{names.substr(0, first), names.substr(first + 1, names.size() - first - 2),
                  LoadBig64(key.data() + names.size())};
}

std::string_view ParentOf(std::string_view concept_path) {
  if (concept_path.ends_with("://")) return {};
  const size_t slash = concept_path.rfind('/');
  if (slash == std::string_view::npos) return {};
  const std::string_view with_slash = concept_path.substr(0, slash + 1);
  return with_slash.ends_with("://") ? with_slash : with_slash.substr(0, slash);
}

std::string_view ChildOn(std::string_view path, std::string_view parent) {
  std::string_view child = path;
  for (std::string_view up = ParentOf(child); up.size() > parent.size(); up = ParentOf(child)) child = up;
  return child;
}

std::string SubtreePrefix(std::string_view concept_path) {
  std::string prefix(concept_path);
  if (!prefix.empty() && !concept_path.ends_with("://")) prefix.push_back('/');
  return prefix;
}

bool IsBelow(std::string_view path, std::string_view ancestor) {
  if (ancestor.empty()) return true;
  if (!path.starts_with(ancestor)) return false;
  const std::string_view rest = path.substr(ancestor.size());
  if (ancestor.ends_with("://")) return !rest.empty();
  return rest.size() > 1 && rest[0] == '/' && rest[1] != '/';
}

std::string AfterPrefix(std::string prefix) {
  while (!prefix.empty() && static_cast<uint8_t>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<uint8_t>(prefix.back()) + 1);
  return prefix;
}

}  // namespace stemedb::index
