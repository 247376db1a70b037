// SPDX-License-Identifier: Apache-2.0
// Operation: whatever agents say that isn't a claim, but about claims and names: votes, supersessions,
// retractions, epochs, sources, aliases, trust. Immutable, signed and logged like claims; none changes a
// claim's bytes. What each does to answers is decided when a question is asked (query/standing.h).
//
// Identity: canonical bytes = DomainOf(kind) + the RFC 8785 form of the operation's own fields, the id is
// their SHA-256, agents sign the same bytes; docs/identity.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "model/assertion.h"

namespace stemedb::model {

// The numbers are stored.
enum class OperationKind : uint8_t {
  kVote = 1,
  kSupersession = 2,
  kRetraction = 3,
  kEpoch = 4,
  kSource = 5,        // registers a source
  kSourceStatus = 6,  // changes a registered one's status
  kAlias = 7,
  kTrust = 8,
};
inline constexpr uint8_t kOperationKindMax = 8;
// "vote", "supersession", … "source_status" …
std::string_view NameOf(OperationKind kind);
// As messages call one, behind "the" or "a signed": "vote" … "change of status", "statement of trust".
std::string_view NounOf(OperationKind kind);
// "stemedb/vote/v1\n" …
std::string_view DomainOf(OperationKind kind);

inline constexpr size_t kReasonBytesMax = 1024;
inline constexpr size_t kSourceTitleBytesMax = 1024;
inline constexpr size_t kSourceContentBytesMax = 1u << 20;

enum class SourceStatus : uint8_t { kActive, kUnderReview, kDeprecated, kRetracted };
std::string_view NameOf(SourceStatus status);
std::optional<SourceStatus> SourceStatusOf(std::string_view name);

// What an operation is about. Operations are found by their subjects.
enum class SubjectKind : char {
  kAssertion = 'a',    // name: the id's 32 bytes
  kVotesOn = 'v',      // likewise, of votes alone
  kReplacement = 'r',  // likewise, of a claim that replaces another
  kEpoch = 'e',        // an epoch's name
  kOldEpoch = 'o',     // the name of an epoch that another one supersedes
  kPath = 'p',         // a concept path
  kSubtree = 'b',      // all below a concept path: what stands before the asterisk, without its slash unless
                       // that belongs to "scheme://"
  kAlias = 'l',        // a concept path that stands for another
  kAliasTarget = 'q',  // a concept path that others stand for
  kSource = 's',       // a source's id
  kAgent = 't',        // the key's 32 bytes
};
struct Subject {
  SubjectKind kind{};
  std::string name;
  friend bool operator==(const Subject&, const Subject&) = default;
};

// One operation as a value: which members count follows from its kind.
//   kVote          assertion_id, number (the weight, 0..1)
//   kSupersession  assertion_id (the one that is replaced), other_id (the replacement), reason
//   kRetraction    one of assertion_id, path (with `subtree`: all below it), name (a source's id); cascade,
//                  reason
//   kEpoch         name, other_name (the epoch that it supersedes, or empty), detail (supersession_type)
//   kSource        name (its id), detail (title), source_class, url, hash, content
//   kSourceStatus  name, source_status, reason
//   kAlias         path (that stands for) other_name (a path; the same one: it is an alias no longer)
//   kTrust         other_id (whose trust: an agent's key), number (0..1), reason
struct Operation {
  OperationKind kind{};
  std::optional<AgentId> agent_id;  // absent: the anonymous agent
  std::optional<int64_t>
      timestamp_ms;  // the parser leaves it absent when the text was; the server fills it in
  std::optional<Hash256> assertion_id;
  Hash256 other_id{};
  double number = 0;
  std::string path;
  bool subtree = false;
  bool cascade = false;
  std::string name;
  std::string other_name;
  std::string detail;
  std::string reason;  // empty when absent
  std::optional<SourceClass> source_class;
  SourceStatus source_status = SourceStatus::kActive;
  std::string url;
  std::string hash;
  std::string content;
  std::vector<SignedBy> signatures;  // the first is the primary one; empty when unsigned
};

// The subjects under which it is found, one or two; the first is what it is about.
std::vector<Subject> SubjectsOf(const Operation& operation);

// The JCS text of its own fields. `timestamp_ms` must be there.
void AppendCanonicalJson(std::string& out, const Operation& operation);
Hash256 IdOf(OperationKind kind, std::string_view canonical_json);
// As for claims, canonical.h.
Status VerifySignatures(const Operation& operation, std::string_view canonical_json);

}  // namespace stemedb::model
