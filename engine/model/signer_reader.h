// SPDX-License-Identifier: Apache-2.0
// Who signs a claim or an operation, read from the three places where a signature may stand. Internal to the
// room.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "model/assertion.h"
#include "model/field_reader.h"

namespace stemedb::model {

// Whether an agent may be named by somebody who brings no signature of its.
enum class Naming : uint8_t { kBySignature, kFreely };

// Part of a reader, to which it complains, and which hands it the members that speak of signers.
class SignerReader {
 public:
  using Element = FieldReader::Element;
  using Name = FieldReader::Name;

  // `noun` is what messages call that which is signed. The primary signer's key goes into `agent_id`, all
  // signers go into `signers`.
  SignerReader(FieldReader& fields, std::string_view noun, std::optional<AgentId>& agent_id,
               std::vector<SignedBy>& signers)
      : fields_(fields), noun_(noun), agent_id_(agent_id), signers_(signers) {}

  void ReadAgentId(Name name, Element element);
  void ReadSignature(Name name, Element element);
  void ReadSignatures(Name name, Element element);
  // Once all members are read.
  void Join(const HeaderSignature& header, Naming naming = Naming::kBySignature);

 private:
  void ReadSigner(Name name, Element element);
  void JoinHeader(const HeaderSignature& header, Naming naming);
  std::optional<AgentId> KeyOf(std::string_view hex, Name name, std::string_view what);
  std::optional<Signature> SignatureOf(std::string_view hex, Name name, std::string_view what);
  // "the claim"
  std::string TheNoun() const { return "the " + std::string(noun_); }

  FieldReader& fields_;
  std::string_view noun_;
  std::optional<AgentId>& agent_id_;
  std::vector<SignedBy>& signers_;
  std::optional<Signature> signature_;  // of the body's `signature`, then of the header too
};

}  // namespace stemedb::model
