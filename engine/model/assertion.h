// SPDX-License-Identifier: Apache-2.0
// Assertion: one immutable claim, as a value. What its fields mean and may hold is in docs/openapi.yaml
// (Claim); this header fixes their C++ shape and their limits. Parsing is in claim_parser.h, identity in
// canonical.h, the stored form in claim_record.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace stemedb::model {

using AgentId = std::array<uint8_t, 32>;  // an Ed25519 public key; all zero is the anonymous agent
using Signature = std::array<uint8_t, 64>;

inline constexpr AgentId kAnonymousAgent{};

inline constexpr size_t kConceptPathBytesMax = 512;
inline constexpr size_t kPredicateBytesMax = 128;
inline constexpr size_t kValueBytesMax = 64 * 1024;
inline constexpr size_t kMetadataBytesMax = 4 * 1024;
inline constexpr size_t kSourceIdBytesMax = 512;
inline constexpr size_t kSourceUrlBytesMax = 2 * 1024;
inline constexpr size_t kSourceHashBytesMax = 256;
inline constexpr size_t kEpochBytesMax = 128;
inline constexpr size_t kDerivedFromMax = 256;
inline constexpr size_t kSignaturesMax = 16;

// The tier of authority is the number: 0 binds most.
enum class SourceClass : uint8_t { kRegulatory, kClinical, kObservational, kExpert, kCommunity, kAnecdotal };
inline constexpr size_t kSourceClassCount = 6;
std::string_view NameOf(SourceClass source_class);
std::optional<SourceClass> SourceClassOf(std::string_view name);

enum class Lifecycle : uint8_t { kProposed, kUnderReview, kApproved, kDeprecated, kRejected };
std::string_view NameOf(Lifecycle lifecycle);
std::optional<Lifecycle> LifecycleOf(std::string_view name);

struct Value {
  enum class Kind : uint8_t { kText, kNumber, kBoolean, kReference };
  Kind kind = Kind::kText;
  double number = 0;  // kNumber; kBoolean as 0 or 1
  std::string text;   // kText, kReference
};

struct Source {
  std::string id;                           // empty when absent
  std::optional<SourceClass> source_class;  // absent counts as anecdotal
  std::string hash;                         // empty when absent
  std::string url;                          // empty when absent
};

struct SignedBy {
  AgentId agent_id{};
  Signature signature{};
};

// What an agent says, and who signed it. Absent stays absent: a default is never written in, since it would
// change the identity.
struct Assertion {
  std::string concept_path;
  std::string predicate;
  Value value;
  double confidence = 0;
  std::optional<AgentId> agent_id;  // absent: the anonymous agent
  std::optional<Source> source;
  std::optional<Lifecycle> lifecycle;  // absent counts as proposed
  std::optional<Hash256> parent;
  std::vector<Hash256> derived_from;  // empty counts as absent
  std::string epoch;                  // an epoch's id or name; empty when absent
  std::optional<int64_t>
      timestamp_ms;  // the parser leaves it absent when the text was; the server fills it in
  std::optional<int64_t> valid_from_ms;
  std::optional<int64_t> valid_to_ms;
  std::string metadata_json;         // canonical (JCS) text of the object; empty when absent
  std::vector<SignedBy> signatures;  // the first is the primary one; empty when unsigned
};

}  // namespace stemedb::model
