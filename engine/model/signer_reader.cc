// SPDX-License-Identifier: Apache-2.0
// A signature may stand in three places: `signature` with `agent_id`, the list `signatures`, and the request
// headers. They are joined into one list whose first signer is the primary one. That signer's key is part of
// what is signed, so it becomes the agent_id when the body left it out. Places that contradict each other are
// refused: choosing one silently would let a proxy or a bug change who speaks.
#include "model/signer_reader.h"

#include <algorithm>

namespace stemedb::model {

std::optional<AgentId> SignerReader::KeyOf(std::string_view hex, Name name, std::string_view what) {
  AgentId key;
  if (FromHex(hex, key) && key != kAnonymousAgent) return key;
  fields_.Complain(
      name, Code::kUnauthenticated, "invalid_signature",
      std::string(what) + "must be an Ed25519 public key: 64 lower-case hex digits, not all zero");
  return {};
}

std::optional<Signature> SignerReader::SignatureOf(std::string_view hex, Name name, std::string_view what) {
  Signature signature;
  if (FromHex(hex, signature)) return signature;
  fields_.Complain(name, Code::kUnauthenticated, "invalid_signature",
                   std::string(what) + "must be an Ed25519 signature: 128 lower-case hex digits");
  return {};
}

void SignerReader::ReadAgentId(Name name, Element element) {
  if (const auto text = fields_.TextOf(name, element)) agent_id_ = KeyOf(*text, name, "");
}

void SignerReader::ReadSignature(Name name, Element element) {
  if (const auto text = fields_.TextOf(name, element)) signature_ = SignatureOf(*text, name, "");
}

void SignerReader::ReadSignatures(Name name, Element element) {
  simdjson::dom::array array;
  if (element.get(array) != simdjson::SUCCESS || array.size() == 0) {
    return fields_.Complain(
        name, "must be a list of {\"agent_id\":…,\"signature\":…}; leave it out when there are none");
  }
  if (array.size() > kSignaturesMax) {
    return fields_.Complain(name, "holds " + std::to_string(array.size()) + " signatures; the limit is " +
                                      std::to_string(kSignaturesMax));
  }
  size_t index = 0;
  for (Element item : array) ReadSigner(std::string(name) + "/" + std::to_string(index++), item);
}

void SignerReader::ReadSigner(Name name, Element element) {
  simdjson::dom::object object;
  std::string_view agent_hex, signature_hex;
  // Two members, both found: so there is neither a third nor a duplicate.
  if (element.get(object) != simdjson::SUCCESS || object.size() != 2 ||
      object.at_key("agent_id").get(agent_hex) != simdjson::SUCCESS ||
      object.at_key("signature").get(signature_hex) != simdjson::SUCCESS) {
    return fields_.Complain(name,
                            "must be {\"agent_id\":\"64 hex digits\",\"signature\":\"128 hex digits\"}");
  }
  const std::string at(name);
  const auto agent = KeyOf(agent_hex, at + "/agent_id", "");
  const auto signature = SignatureOf(signature_hex, at + "/signature", "");
  if (!agent || !signature) return;
  const auto same = [&](const SignedBy& other) { return other.agent_id == *agent; };
  if (std::any_of(signers_.begin(), signers_.end(), same)) {
    return fields_.Complain(at + "/agent_id", "has signed already; each agent signs once");
  }
  signers_.push_back({*agent, *signature});
}

void SignerReader::Join(const HeaderSignature& header, Naming naming) {
  if (fields_.has_faults()) return;  // the places can't be compared while one of them is wrong
  if (!signers_.empty()) {
    if (agent_id_ && *agent_id_ != signers_.front().agent_id) {
      return fields_.Complain(
          "agent_id", "is not the first signer's key; the primary signer is " + TheNoun() + "'s agent");
    }
    if (signature_ && *signature_ != signers_.front().signature) {
      return fields_.Complain("signature", "differs from the first of signatures; give one of them");
    }
    agent_id_ = signers_.front().agent_id;
  }
  JoinHeader(header, naming);
  if (fields_.has_faults()) return;
  if (signers_.empty() && signature_) {
    if (!agent_id_)
      return fields_.Complain("agent_id", "is required beside a signature: the signer's public key");
    signers_.push_back({*agent_id_, *signature_});
  }
  if (signers_.empty() && agent_id_ && naming == Naming::kBySignature) {
    fields_.Complain(
        "agent_id", Code::kUnauthenticated, "missing_signature",
        "names an agent, but " + TheNoun() + " carries no signature; sign it, or leave agent_id out");
  }
}

void SignerReader::JoinHeader(const HeaderSignature& header, Naming naming) {
  const bool is_signed = !header.signature.empty() || signature_ || !signers_.empty();
  if (!is_signed && naming == Naming::kBySignature) {
    // A proxy that drops one of the two headers must not turn a signed claim into an anonymous one.
    if (header.agent_id.empty() || agent_id_) return;
    return fields_.Complain("", Code::kUnauthenticated, "missing_signature",
                            "the header X-Agent-Id names an agent, but " + TheNoun() +
                                " carries no signature; sign it, or leave the header out");
  }
  if (!header.agent_id.empty()) {
    const auto key = KeyOf(header.agent_id, "", "the header X-Agent-Id ");
    if (!key) return;
    if (agent_id_ && *agent_id_ != *key) {
      return fields_.Complain("agent_id",
                              "differs from the header X-Agent-Id; both name " + TheNoun() + "'s agent");
    }
    agent_id_ = key;
  }
  if (header.signature.empty()) return;
  const auto signature = SignatureOf(header.signature, "", "the header X-Agent-Signature ");
  if (!signature) return;
  const bool differs =
      !signers_.empty() ? signers_.front().signature != *signature : signature_ && *signature_ != *signature;
  if (differs) {
    return fields_.Complain(
        "", "the header X-Agent-Signature differs from the signature in the body; give one of them");
  }
  signature_ = signature;
}

}  // namespace stemedb::model
