// SPDX-License-Identifier: Apache-2.0
// What the tests of operations share: bodies as text, parsed and made canonical, and operations made at
// random.
#pragma once

#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "claims.h"
#include "model/operation.h"
#include "model/operation_parser.h"
#include "model/operation_record.h"

namespace stemedb::model {

inline constexpr OperationKind kAllKinds[] = {
    OperationKind::kVote,   OperationKind::kSupersession, OperationKind::kRetraction, OperationKind::kEpoch,
    OperationKind::kSource, OperationKind::kSourceStatus, OperationKind::kAlias,      OperationKind::kTrust};

inline constexpr std::string_view kOneId = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
inline constexpr std::string_view kOtherId =
    "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

inline std::string Quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

inline ParsedOperation ParseOperation(OperationKind kind, std::string_view json,
                                      const HeaderSignature& header = {}, std::string_view source_id = {}) {
  static OperationParser parser;
  return parser.Parse(kind, json, json.size(), header, source_id);
}

inline std::string CanonicalOf(const Operation& operation) {
  std::string out;
  AppendCanonicalJson(out, operation);
  return out;
}

inline std::string RecordOf(const Operation& operation) {
  const std::string canonical = CanonicalOf(operation);
  return EncodeOperation(operation, canonical, IdOf(operation.kind, canonical));
}

using Members = std::vector<std::pair<std::string, std::string>>;

// The members of a smallest body, as name and JSON.
inline Members SmallestBody(OperationKind kind) {
  switch (kind) {
    case OperationKind::kVote:
      return {{"assertion_id", Quoted(kOneId)}, {"weight", "0.5"}};
    case OperationKind::kSupersession:
      return {{"target", Quoted(kOneId)}, {"replacement", Quoted(kOtherId)}};
    case OperationKind::kRetraction:
      return {{"assertion_id", Quoted(kOneId)}};
    case OperationKind::kEpoch:
      return {{"name", "\"e\""}};
    case OperationKind::kSource:
      return {{"id", "\"s\""}};
    case OperationKind::kSourceStatus:
      return {{"id", "\"s\""}, {"status", "\"retracted\""}};
    case OperationKind::kAlias:
      return {{"alias", "\"a/b\""}, {"concept_path", "\"c/d\""}};
    case OperationKind::kTrust:
      return {{"agent", Quoted(kOneId)}, {"trust", "0.5"}};
  }
  return {};
}

// A smallest body whose member `name` is `json` (any text), or which lacks it when `json` is empty.
inline std::string BodyWith(OperationKind kind, std::string_view name, std::string_view json) {
  std::string out = "{";
  const auto add = [&out](std::string_view key, std::string_view text) {
    out.append(out.size() > 1 ? ",\"" : "\"").append(key).append("\":").append(text);
  };
  Members members = SmallestBody(kind);
  members.emplace_back("timestamp", "\"2026-02-11T10:00:00.000Z\"");
  for (const auto& [key, text] : members) {
    if (key != name) add(key, text);
  }
  if (!json.empty()) add(name, json);
  return out + "}";
}

// Every field that a kind has, its optional ones too, each with JSON that is right beside the others; of a
// retraction's targets one alone.
inline Members LargestBody(OperationKind kind) {
  Members members = SmallestBody(kind);
  const auto add = [&members](std::string_view name, std::string_view json) {
    members.emplace_back(std::string(name), std::string(json));
  };
  if (kind == OperationKind::kRetraction) add("cascade", "true");
  if (kind == OperationKind::kEpoch) add("supersedes", "\"d\""), add("supersession_type", "\"replaces\"");
  if (kind == OperationKind::kSource) {
    add("class", "\"clinical\""), add("title", "\"A title\""), add("url", "\"https://example.org/\"");
    add("hash", "\"sha256:00\""), add("content", R"("line\nline")");
  }
  const bool has_reason = kind == OperationKind::kSupersession || kind == OperationKind::kRetraction ||
                          kind == OperationKind::kSourceStatus || kind == OperationKind::kTrust;
  if (has_reason) add("reason", "\"because\"");
  add("timestamp", "\"2026-02-11T10:00:00.000Z\"");
  return members;
}

inline std::string BodyOf(const Members& members) {
  std::string out = "{";
  for (const auto& [name, json] : members) {
    out.append(out.size() > 1 ? ",\"" : "\"").append(name).append("\":").append(json);
  }
  return out + "}";
}

// Its canonical text with its signatures, as a client would send it.
inline std::string SignedBody(const Operation& operation) {
  std::string body = CanonicalOf(operation);
  if (operation.signatures.empty()) return body;
  body.back() = ',';
  body += "\"signatures\":[";
  for (const SignedBy& signer : operation.signatures) {
    body += body.back() == '[' ? "{" : ",{";
    body +=
        R"("agent_id":")" + ToHex(signer.agent_id) + R"(","signature":")" + ToHex(signer.signature) + "\"}";
  }
  return body + "]}";
}

inline void SignBy(Operation& operation, uint8_t signers) {
  operation.signatures.clear();
  operation.agent_id.reset();
  if (signers > 0) operation.agent_id = TestKey(1).public_key();
  const std::string canonical = CanonicalOf(operation);
  for (uint8_t i = 1; i <= signers; ++i) {
    const crypto::KeyPair key = TestKey(i);
    operation.signatures.push_back({key.public_key(), key.Sign({DomainOf(operation.kind), canonical})});
  }
}

// A valid operation with every optional field there or not, at random; signed by 0..3 agents.
inline Operation RandomOperation(std::mt19937_64& random, OperationKind kind) {
  const auto below = [&random](uint64_t n) { return random() % n; };
  const auto name = [&below] {
    static constexpr std::string_view kParts[] = {"a", "Z", "0", " ", "\"", "\\", "é",
                                                  "€", "😀", "-", "{", "}",  ":"};
    std::string text = "n";
    for (uint64_t i = below(12); i > 0; --i) text += kParts[below(std::size(kParts))];
    return text;
  };
  const auto maybe = [&] { return below(2) == 0 ? name() : std::string(); };
  const auto hash = [&random] {
    Hash256 id;
    for (uint8_t& byte : id) byte = static_cast<uint8_t>(random());
    return id;
  };
  const auto fraction = [&below] { return static_cast<double>(below(1001)) / 1000; };
  Operation o;
  o.kind = kind;
  o.timestamp_ms = static_cast<int64_t>(below(4'000'000'000'000));
  switch (kind) {
    case OperationKind::kVote:
      o.assertion_id = hash(), o.number = fraction();
      break;
    case OperationKind::kSupersession:
      o.assertion_id = hash(), o.other_id = hash(), o.reason = maybe();
      break;
    case OperationKind::kRetraction:
      o.cascade = below(2) == 0, o.reason = maybe();
      switch (below(4)) {
        case 0:
          o.assertion_id = hash();
          break;
        case 1:
          o.name = name();
          break;
        case 2:
          o.path = "db://", o.subtree = true;
          break;
        default:
          o.path = name() + "/" + name(), o.subtree = below(2) == 0;
      }
      break;
    case OperationKind::kEpoch:
      o.name = name(), o.other_name = below(2) == 0 ? o.name + "x" : "";
      if (!o.other_name.empty() && below(2) == 0) o.detail = below(2) == 0 ? "corrects" : "expires";
      break;
    case OperationKind::kSource:
      o.name = name(), o.detail = maybe(), o.url = maybe(), o.hash = maybe();
      if (below(2) == 0) o.content = name() + "\n\x01\t" + std::string(below(3000), 'x');
      if (below(2) == 0) o.source_class = static_cast<SourceClass>(below(kSourceClassCount));
      break;
    case OperationKind::kSourceStatus:
      o.name = name(), o.source_status = static_cast<SourceStatus>(below(4)), o.reason = maybe();
      break;
    case OperationKind::kAlias:
      o.path = name() + "/" + name(), o.other_name = "db://" + name();
      break;
    case OperationKind::kTrust:
      o.other_id = hash(), o.number = fraction(), o.reason = maybe();
      break;
  }
  SignBy(o, static_cast<uint8_t>(below(4)));
  return o;
}

}  // namespace stemedb::model
