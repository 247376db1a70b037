// SPDX-License-Identifier: Apache-2.0
// What can become of a script whose file has changed, or that an operator asked about. The names are those of
// stemedb_script_reload_total{result}, of the admin API and of the log.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"

namespace stemedb::deploy {

enum class Outcome : uint8_t {
  kOk,              // the new version is live
  kUnchanged,       // the file says what is live already, or what was rolled back from
  kHeld,            // waits for an operator's yes, since answers would change; also a removal
  kRemoved,         // its file is gone, and so is it
  kRolledBack,      // an operator put an older version back
  kAutoRolledBack,  // the new version failed too often
  kFailedRead,      // the file is no file, or can't be read
  kFailedCompile,
  kFailedDescribe,  // metadata, parameters, or the name is taken
  kFailedSpec,
  kFailedCheck,    // it failed on the self-check's claims
  kFailedShadow,   // it failed on a question that the live version answered
  kFailedRemoval,  // the last lens stays
  kFailedAtomic,   // right by itself, but not all were (STEMEDB_SCRIPTS_ATOMIC)
  kFailedCalls,    // it fails too often, and stays: what was live before can't take its place, or fails too
};
inline constexpr std::array<std::string_view, 15> kOutcomeNames = {"ok",
                                                                   "unchanged",
                                                                   "held",
                                                                   "removed",
                                                                   "rolled_back",
                                                                   "auto_rolled_back",
                                                                   "failed_read",
                                                                   "failed_compile",
                                                                   "failed_describe",
                                                                   "failed_spec",
                                                                   "failed_check",
                                                                   "failed_shadow",
                                                                   "failed_removal",
                                                                   "failed_atomic",
                                                                   "failed_calls"};

inline std::string_view NameOf(Outcome outcome) { return kOutcomeNames[static_cast<size_t>(outcome)]; }
inline bool IsFailure(Outcome outcome) { return outcome >= Outcome::kFailedRead; }

// Who set something in motion.
struct Actor {
  std::string peer = "server";  // an address, "file" for a changed file, or "server"
  std::string name;             // who they say they are; empty: they don't
};

// The last thing that was wrong with a script: with its file, or (kFailedCalls) with calls of what is live.
struct Trouble {
  Outcome outcome = Outcome::kFailedRead;
  std::string file;  // empty when the message names none
  int line = 0;      // 0 likewise
  std::string detail;
  int64_t time_ms = 0;
  std::optional<Hash256> sha256;                              // of the text that was refused, or that failed
  std::optional<uint64_t> failures_of_minute = std::nullopt;  // of calls, up to when it is shown
};

// kNotFound "unknown_script".
Status UnknownScript(std::string_view name);

// The call that takes in what waits of a script, as messages name it: the text of this SHA-256, or without
// one a removal.
std::string AcceptingCall(std::string_view name, const std::optional<Hash256>& sha256);

// Takes "recency.lua:12: …" out of a message.
Trouble TroubleOf(Outcome outcome, std::string_view message, int64_t time_ms);

}  // namespace stemedb::deploy
