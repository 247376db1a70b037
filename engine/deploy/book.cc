// SPDX-License-Identifier: Apache-2.0
#include "deploy/book.h"

#include <algorithm>

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

Version* ScriptRecord::Find(const Hash256& sha256) {
  const auto found = std::find_if(versions.begin(), versions.end(),
                                  [&](const Version& version) { return version.info.sha256 == sha256; });
  return found == versions.end() ? nullptr : &*found;
}

const Version* ScriptRecord::Before(const std::optional<Hash256>& live) const {
  auto at = versions.size();
  if (live) {
    while (at > 0 && versions[at - 1].info.sha256 != *live) --at;
    if (at > 0) --at;
  }
  return at == 0 ? nullptr : &versions[at - 1];
}

const Version* ScriptRecord::Proven(const Hash256& sha256, const std::optional<Hash256>& other) const {
  const auto found = std::find_if(versions.rbegin(), versions.rend(), [&](const Version& version) {
    return version.is_proven && version.info.sha256 != sha256 && version.info.sha256 != other;
  });
  return found == versions.rend() ? nullptr : &*found;
}

void ScriptRecord::Add(const script::ScriptInfo& info, int64_t time_ms, Cause cause) {
  Version* known = Find(info.sha256);
  const bool is_proven = cause == Cause::kStart || (known != nullptr && known->is_proven);
  if (known != nullptr && (cause == Cause::kRollback || cause == Cause::kAutoRollback)) {
    // It keeps its place, so that the next rollback goes further back.
    *known = {info, time_ms, cause, is_proven};
    return;
  }
  if (known != nullptr)
    std::erase_if(versions, [&](const Version& version) { return version.info.sha256 == info.sha256; });
  versions.push_back({info, time_ms, cause, is_proven});
  if (versions.size() > kVersionsMax) versions.pop_front();
}

void Book::Add(GenerationRecord record) {
  generations.push_back(std::move(record));
  if (generations.size() > kGenerationsMax) generations.pop_front();
}

void Book::Trim(const script::ScriptSet& live) {
  size_t idle = 0;
  for (auto at = scripts.begin(); at != scripts.end();) {
    const bool is_known = live.Find(at->first) >= 0 || at->second.acted.script.has_value();
    at = !is_known && ++idle > kNotLiveMax ? scripts.erase(at) : std::next(at);
  }
}

}  // namespace stemedb::deploy
