// SPDX-License-Identifier: Apache-2.0
// The book: what the scripts thread knows of every script besides the live set, and what became of the last
// generations. Plain data, cheap to copy: texts are shared. What of it outlives the process is written by
// state_files.h.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "deploy/disk.h"
#include "deploy/outcome.h"
#include "deploy/shadow.h"
#include "script/lens.h"

namespace stemedb::deploy {

inline constexpr size_t kVersionsMax = 16;     // of each script, with their source
inline constexpr size_t kGenerationsMax = 32;  // without it
inline constexpr size_t kNotLiveMax = 64;      // scripts that are neither live nor on disk

// What made a generation.
enum class Cause : uint8_t { kStart, kFile, kReload, kRollback, kAutoRollback };
std::string_view NameOf(Cause cause);

using SharedInfo = std::shared_ptr<const script::ScriptInfo>;

struct Version {
  // info->generation: when it came, the last time it did. A version that was read back from disk and hasn't
  // been live since has no counts, and of the rest only name, file, version, SHA-256 and text.
  SharedInfo info;
  int64_t time_ms = 0;
  Cause cause = Cause::kStart;
  bool is_proven = false;  // it has come through a probation, or had nothing to go back to
};

// A version that waits for an operator's yes.
struct Held {
  SharedInfo info;
  int64_t since_ms = 0;
  ShadowReport shadow;  // not run: it waits since the start, or since before it
};

// An operator's yes to what waits of one script, kept while other scripts that must go in with it wait for
// theirs.
struct Yes {
  std::optional<Hash256> sha256;  // of the text; none: to the removal
};

// A new version is watched for a while: `before` comes back when it fails too often. `before` itself has been
// watched to the end, or had nothing before it: when one new version follows another within its probation, it
// is the one before both.
struct Probation {
  SharedInfo before;
  std::shared_ptr<script::ScriptCounts> counts;  // of the new version
  int64_t until_ns = 0;                          // monotonic
};

// A spec that held, and against which text.
struct PassedSpec {
  Hash256 script{};
  Hash256 spec{};
  bool operator==(const PassedSpec&) const = default;
};

struct ScriptRecord {
  DiskScript acted;                    // what was last acted upon; no files: nothing yet, or they are gone
  std::optional<Hash256> disk_sha256;  // of the text that was last read; none: there is no file
  std::deque<Version> versions;        // oldest first, each text once
  // Rolled back: this text, which is on disk, doesn't come back by itself.
  std::optional<Hash256> pinned_against;
  std::optional<Held> held;
  std::optional<Yes> yes;  // to what waits; not kept over a restart
  std::optional<Probation> probation;
  std::optional<Trouble> last_error;      // until a version goes in, or the file is as it should be
  std::optional<PassedSpec> passed_spec;  // the last one; it needn't be run again
  std::optional<Outcome> last_outcome;
  int64_t last_outcome_ms = 0;
  // The file asks for something else than what is live and was refused: in atomic mode it still counts.
  bool is_refused = false;
  // What is live was taken from what the last process left, not from the file.
  bool is_restored = false;

  // The file is gone, and the script stays live until an operator says yes to its removal.
  bool removal_waits() const { return last_outcome == Outcome::kHeld && !disk_sha256; }
  const Version* Find(const Hash256& sha256) const;
  Version* Find(const Hash256& sha256) { return const_cast<Version*>(std::as_const(*this).Find(sha256)); }
  // The newest text that isn't `live`, going back from it; null when there is none.
  const Version* Before(const std::optional<Hash256>& live) const;
  // The newest that is proven and neither of both; null when there is none.
  const Version* Proven(const Hash256& sha256, const std::optional<Hash256>& other) const;
  // Nothing is left to say of it: neither file nor versions.
  bool is_empty() const { return !acted.script && versions.empty(); }
  // Notes a version that has gone live in the place of `before`, if there was one. Forgets the oldest beyond
  // the bound.
  void Add(const script::ScriptInfo& info, int64_t time_ms, Cause cause,
           const std::optional<Hash256>& before = std::nullopt);
};

struct Change {
  std::string name;
  std::string before_version, after_version;  // empty: there was, or is, none
  std::optional<Hash256> before_sha256, after_sha256;
};

struct GenerationRecord {
  uint64_t generation = 0;
  int64_t time_ms = 0;
  Cause cause = Cause::kStart;
  Actor actor;
  std::vector<Change> changes;
};

struct Book {
  std::map<std::string, ScriptRecord, std::less<>> scripts;
  std::deque<GenerationRecord> generations;  // oldest first
  std::vector<Warning> warnings;             // of the directories; not kept over a restart

  void Add(GenerationRecord record);
  // Forgets scripts that are neither live nor on disk, with their versions, beyond kNotLiveMax: those that
  // went first.
  void Trim(const script::ScriptSet& live);
};

// What others see of it, all of one moment.
struct Shown {
  Book book;
  std::shared_ptr<const script::ScriptSet> live;
};

}  // namespace stemedb::deploy
