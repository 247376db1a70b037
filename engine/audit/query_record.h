// SPDX-License-Identifier: Apache-2.0
// QueryRecord: one question and what its answer rested on, as the trail keeps it; and the bytes of one entry
// of the trail. An answer is a function of the question, the lens, the sequence and the time, so these few
// hundred bytes say as much as the answer itself, which can be had again from them.
//
// An entry is a frame: u32 length of the payload, u32 CRC-32C of these four bytes and the payload, the
// payload. Integers are little-endian; those called varint are LEB128 without needless bytes; a text is its
// length as a varint, and its bytes, which are UTF-8. A payload is valid when, in this order,
//   1. its first byte is a kind that is known here: 1 query, 2 gap, 3 seal,
//   2. every field is there, in its range and not longer than its bound; times are of the years 0 to 9999,
//   3. every text is UTF-8,
//   4. nothing follows.
// What is valid is the one spelling of what it says: written again it gives the same bytes.
//
// The payload of a query:
//   kind 1, time i64, flags u8 (1 answered, 2 fell back, 4 has a moment, 8 has an agent, 16 stale), client
//   u8, address text, agent text if there is one, request_id text, endpoint text, code text unless answered,
//   duration varint, sequence varint and now i64 if there is a moment,
//   resolutions varint, candidates varint, assertions varint,
//   lenses varint, of each: name text, version text, SHA-256 32 bytes, generation varint,
//   answer's bytes varint and SHA-256 32 bytes if answered,
//   the question's bytes varint, and as many of them as are kept as a text,
//   claims varint, of each: sequence varint, resolution varint, lens u8, role u8, weight f64, share f64,
//   claims that are not told varint.
// Of a gap: kind 2, time i64, reason u8, from i64, to i64, queries varint, bytes varint.
// Of a seal, the last entry of a finished segment, 24 bytes behind the kind: entries u64, and the least and
// the greatest time in it, i64 each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"

namespace stemedb::audit {

// Where a request came from, as far as its sender can't choose.
enum class ClientKind : uint8_t { kLoopback, kProxied, kRemote };
std::string_view NameOf(ClientKind kind);

// What a claim was in an answer (query/account.h).
enum class Role : uint8_t { kListed, kWinner, kSupports, kOpposes };
std::string_view NameOf(Role role);

struct LensUsed {
  std::string_view name;
  std::string_view version;
  Hash256 sha256{};
  uint64_t generation = 0;
};

struct ClaimUsed {
  uint64_t sequence = 0;
  uint32_t resolution = 0;
  uint8_t lens = 0;
  Role role = Role::kListed;
  double weight = 0;
  double share = 0;
};

inline constexpr size_t kLensesUsedMax = 18;  // a comparison's 16 and more
inline constexpr size_t kClaimsUsedMax = 32;
inline constexpr size_t kQuestionBytesKept = 4096;
inline constexpr size_t kTextBytesMax = 160;  // of every other text

// Its texts are views: into what it was parsed from, or into what its writer holds until it is encoded.
struct QueryRecord {
  int64_t time_ms = 0;  // of the answer
  uint64_t duration_us = 0;
  ClientKind client = ClientKind::kRemote;
  std::string_view address;
  std::optional<std::string_view> agent;  // who the asker says it is; nothing proves it
  std::string_view request_id;
  std::string_view endpoint;
  bool answered = true;
  std::string_view code;  // of the failure
  bool fell_back = false;
  bool is_stale = false;  // a kept answer that says how old it is
  bool has_moment = false;
  uint64_t sequence = 0;
  int64_t now_ms = 0;
  uint64_t resolutions = 0;
  uint64_t candidates = 0;
  uint64_t assertions = 0;
  std::vector<LensUsed> lenses;
  uint64_t answer_bytes = 0;  // answered: its length and digest, before any compression
  Hash256 answer_sha256{};
  uint64_t question_bytes = 0;  // of the whole
  std::string_view question;  // its JSON, or its beginning when the whole was longer than kQuestionBytesKept
  std::vector<ClaimUsed> claims;
  uint64_t claims_not_told = 0;

  bool is_question_whole() const { return question.size() == question_bytes; }
};

// Queries that were asked and are not in the trail.
enum class GapReason : uint8_t {
  kBufferFull = 1,   // they came faster than they could be written
  kWriteFailed = 2,  // the disk refused them: full, or failing
  kUncleanStop = 3,  // the process before ended without a stop: how many were under way isn't known
  kFileLost = 4,     // somebody has taken away what was written
};
std::string_view NameOf(GapReason reason);

struct Gap {
  int64_t time_ms = 0;  // when it was written
  GapReason reason = GapReason::kBufferFull;
  int64_t from_ms = 0;
  int64_t to_ms = 0;
  uint64_t queries = 0;  // 0: nobody knows
  uint64_t bytes = 0;    // of a torn end that was cut off
};

struct Seal {
  uint64_t entries = 0;  // without the seal
  int64_t time_min_ms = 0;
  int64_t time_max_ms = 0;
};

using TrailEntry = std::variant<QueryRecord, Gap, Seal>;

inline constexpr size_t kFrameHeaderBytes = 8;
inline constexpr size_t kPayloadBytesMax = 16 << 10;
inline constexpr size_t kSealFrameBytes = kFrameHeaderBytes + 1 + 3 * 8;

// Appends a frame. Texts are cut to their bounds, between two characters; further lenses and claims are left
// out; bytes that aren't UTF-8 become question marks. No allocation when `out` has room for it.
void AppendFrame(std::string& out, const QueryRecord& record);
void AppendFrame(std::string& out, const Gap& gap);
void AppendFrame(std::string& out, const Seal& seal);

// The frame that `bytes` begin with, whole; empty when there is none: too few bytes, a length beyond the
// bound, or a checksum that doesn't hold.
std::string_view FrameAt(std::string_view bytes);
inline std::string_view PayloadOf(std::string_view frame) { return frame.substr(kFrameHeaderBytes); }
// The first frame of bytes that AppendFrame made.
inline std::string_view FirstFrame(std::string_view bytes) {
  return bytes.substr(0, kFrameHeaderBytes + LoadLittle<uint32_t>(bytes.data()));
}
// When the frame's entry was; of a frame that FrameAt found, whether or not its payload is valid. 0 for a
// seal.
int64_t TimeOf(std::string_view frame);
// The earliest moment that it speaks of: a gap's beginning; else the same.
int64_t EarliestOf(std::string_view frame);
// Whether it is a seal, which has no id.
bool IsSeal(std::string_view frame);

// kCorruption "trail_entry" when the payload isn't valid. What it gives borrows from the payload.
Status ParsePayload(std::string_view payload, TrailEntry& entry);

}  // namespace stemedb::audit
