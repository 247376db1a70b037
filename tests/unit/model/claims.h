// SPDX-License-Identifier: Apache-2.0
// What the tests of this room share: claims as text, parsed and made canonical, and claims made at random.
#pragma once

#include <random>
#include <string>
#include <string_view>

#include "crypto/ed25519.h"
#include "model/canonical.h"
#include "model/claim_parser.h"
#include "model/claim_record.h"

namespace stemedb::model {

inline ParsedClaim Parse(std::string_view json, const HeaderSignature& header = {}) {
  static ClaimParser parser;
  return parser.ParseClaim(json, json.size(), header);
}

inline std::string CanonicalOf(const Assertion& claim) {
  std::string out;
  AppendCanonicalJson(out, claim);
  return out;
}

// A smallest claim whose member `name` is `json` (any text), or which lacks it when `json` is empty.
inline std::string ClaimWith(std::string_view name, std::string_view json) {
  const std::pair<std::string_view, std::string_view> members[] = {
      {"concept_path", "\"a/b\""},
      {"predicate", "\"p\""},
      {"value", "1"},
      {"confidence", "0.5"},
      {"timestamp", "\"2026-02-11T10:00:00.000Z\""}};
  std::string out = "{";
  const auto add = [&out](std::string_view key, std::string_view text) {
    out.append(out.size() > 1 ? ",\"" : "\"").append(key).append("\":").append(text);
  };
  for (const auto& [key, text] : members) {
    if (key != name) add(key, text);
  }
  if (!json.empty()) add(name, json);
  return out + "}";
}

inline crypto::KeyPair TestKey(uint8_t number) {
  const std::array<uint8_t, 32> seed = {number, 1, 2, 3};
  return *crypto::KeyPair::FromSeed(seed);
}

// A valid claim with every optional field there or not, at random; signed by 0..3 agents.
inline Assertion RandomClaim(std::mt19937_64& random) {
  const auto below = [&random](uint64_t n) { return random() % n; };
  const auto name = [&below] {
    static constexpr std::string_view kParts[] = {"a", "Z", "0", " ", "\"", "\\", "é",
                                                  "€", "😀", "-", "{", "}",  ":"};
    std::string text = "n";
    for (uint64_t i = below(12); i > 0; --i) text += kParts[below(std::size(kParts))];
    return text;
  };
  const auto hash = [&random] {
    Hash256 id;
    for (uint8_t& byte : id) byte = static_cast<uint8_t>(random());
    return id;
  };
  Assertion claim;
  claim.concept_path = name() + "/" + name();
  claim.predicate = name();
  claim.value.kind = static_cast<Value::Kind>(below(4));
  if (claim.value.kind == Value::Kind::kNumber)
    claim.value.number = static_cast<double>(below(1'000'000)) / 64 - 5000;
  if (claim.value.kind == Value::Kind::kBoolean) claim.value.number = static_cast<double>(below(2));
  if (claim.value.kind == Value::Kind::kText)
    claim.value.text = below(4) == 0 ? std::string() : name() + "\n\x01" + name();
  if (claim.value.kind == Value::Kind::kReference) claim.value.text = "ref://" + name();
  claim.confidence = static_cast<double>(below(1001)) / 1000;
  if (below(2) == 0) claim.source = Source{name(), {}, "", ""};
  if (claim.source && below(2) == 0) claim.source->source_class = static_cast<SourceClass>(below(6));
  if (claim.source && below(2) == 0) claim.source->hash = name(), claim.source->url = "https://" + name();
  if (below(2) == 0) claim.lifecycle = static_cast<Lifecycle>(below(5));
  if (below(2) == 0) claim.parent = hash();
  for (uint64_t i = below(4); i > 0; --i) claim.derived_from.push_back(hash());
  if (below(2) == 0) claim.epoch = name();
  claim.timestamp_ms = static_cast<int64_t>(below(4'000'000'000'000));
  if (below(2) == 0) claim.valid_from_ms = static_cast<int64_t>(below(1'000'000'000'000));
  if (below(2) == 0) claim.valid_to_ms = static_cast<int64_t>(below(1'000'000'000'000)) + 1'000'000'000'000;
  if (below(2) == 0)
    claim.metadata_json = R"({"a":[1,{"b":null}],"z":")" + std::string(below(40), 'x') + "\"}";
  const uint64_t signers = below(4);
  if (signers > 0) claim.agent_id = TestKey(1).public_key();
  const std::string canonical = CanonicalOf(claim);
  for (uint8_t i = 1; i <= signers; ++i) {
    claim.signatures.push_back({TestKey(i).public_key(), TestKey(i).Sign({kDomain, canonical})});
  }
  return claim;
}

inline std::mt19937_64 PrintedRandom() {
  const unsigned seed = std::random_device{}();
  std::printf("random seed %u\n", seed);
  return std::mt19937_64(seed);
}

}  // namespace stemedb::model
