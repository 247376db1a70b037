// SPDX-License-Identifier: Apache-2.0
#include "deploy/book.h"

#include <algorithm>
#include <utility>

namespace stemedb::deploy {

std::string_view NameOf(Cause cause) {
  switch (cause) {
    case Cause::kStart:
      return "start";
    case Cause::kFile:
      return "file";
    case Cause::kReload:
      return "reload";
    case Cause::kRollback:
      return "rollback";
    case Cause::kAutoRollback:
      return "auto_rollback";
  }
  return "";
}

const Version* ScriptRecord::Find(const Hash256& sha256) const {
  const auto found = std::find_if(versions.begin(), versions.end(),
                                  [&](const Version& version) { return version.info->sha256 == sha256; });
  return found == versions.end() ? nullptr : &*found;
}

const Version* ScriptRecord::Before(const std::optional<Hash256>& live) const {
  auto at = versions.size();
  if (live) {
    while (at > 0 && versions[at - 1].info->sha256 != *live) --at;
    if (at > 0) --at;
  }
  return at == 0 ? nullptr : &versions[at - 1];
}

const Version* ScriptRecord::Proven(const Hash256& sha256, const std::optional<Hash256>& other) const {
  const auto found = std::find_if(versions.rbegin(), versions.rend(), [&](const Version& version) {
    return version.is_proven && version.info->sha256 != sha256 && version.info->sha256 != other;
  });
  return found == versions.rend() ? nullptr : &*found;
}

void ScriptRecord::Add(const script::ScriptInfo& info, int64_t time_ms, Cause cause,
                       const std::optional<Hash256>& before) {
  Version* known = Find(info.sha256);
  const bool is_proven = known != nullptr && known->is_proven;
  Version added{std::make_shared<const script::ScriptInfo>(info), time_ms, cause, is_proven};
  if (known != nullptr && (cause == Cause::kRollback || cause == Cause::kAutoRollback)) {
    // It keeps its place, so that the next rollback goes further back.
    *known = std::move(added);
    return;
  }
  // What was gone back to is the version before the new one, and not what was rolled back from.
  const auto last = std::find_if(versions.begin(), versions.end(),
                                 [&](const Version& version) { return version.info->sha256 == before; });
  if (last != versions.end()) std::rotate(last, last + 1, versions.end());
  if (known != nullptr)
    std::erase_if(versions, [&](const Version& version) { return version.info->sha256 == info.sha256; });
  versions.push_back(std::move(added));
  if (versions.size() > kVersionsMax) versions.pop_front();
}

void Book::Add(GenerationRecord record) {
  generations.push_back(std::move(record));
  if (generations.size() > kGenerationsMax) generations.pop_front();
}

void Book::Trim(const script::ScriptSet& live) {
  std::vector<std::pair<int64_t, std::string>> idle;  // oldest first
  for (const auto& [name, record] : scripts) {
    if (live.Find(name) < 0 && !record.acted.script) idle.emplace_back(record.last_outcome_ms, name);
  }
  if (idle.size() <= kNotLiveMax) return;
  std::sort(idle.begin(), idle.end());
  idle.resize(idle.size() - kNotLiveMax);
  for (const auto& [time_ms, name] : idle) scripts.erase(name);
}

}  // namespace stemedb::deploy
