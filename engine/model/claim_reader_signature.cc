// SPDX-License-Identifier: Apache-2.0
// A signature may stand in three places: `signature` with `agent_id`, the list `signatures`, and the request
// headers. They are joined into one list whose first signer is the primary one. That signer's key is part of
// what is signed, so it becomes the claim's agent_id when the body left it out. Places that contradict each
// other are refused: choosing one silently would let a proxy or a bug change who speaks.
#include <algorithm>

#include "model/claim_reader.h"

namespace stemedb::model {

std::optional<AgentId> ClaimReader::KeyOf(std::string_view hex, Name name, std::string_view what) {
  AgentId key;
  if (FromHex(hex, key) && key != kAnonymousAgent) return key;
  Complain(name, Code::kUnauthenticated, "invalid_signature",
           std::string(what) + "must be an Ed25519 public key: 64 lower-case hex digits, not all zero");
  return {};
}

std::optional<Signature> ClaimReader::SignatureOf(std::string_view hex, Name name, std::string_view what) {
  Signature signature;
  if (FromHex(hex, signature)) return signature;
  Complain(name, Code::kUnauthenticated, "invalid_signature",
           std::string(what) + "must be an Ed25519 signature: 128 lower-case hex digits");
  return {};
}

void ClaimReader::ReadAgentId(Name name, Element element) {
  if (const auto text = TextOf(name, element)) claim_.agent_id = KeyOf(*text, name, "");
}

void ClaimReader::ReadSignature(Name name, Element element) {
  if (const auto text = TextOf(name, element)) signature_ = SignatureOf(*text, name, "");
}

void ClaimReader::ReadSignatures(Name name, Element element) {
  simdjson::dom::array array;
  if (element.get(array) != simdjson::SUCCESS || array.size() == 0) {
    return Complain(name,
                    "must be a list of {\"agent_id\":…,\"signature\":…}; leave it out when there are none");
  }
  if (array.size() > kSignaturesMax) {
    return Complain(name, "holds " + std::to_string(array.size()) + " signatures; the limit is " +
                              std::to_string(kSignaturesMax));
  }
  size_t index = 0;
  for (Element item : array) ReadSigner(std::string(name) + "/" + std::to_string(index++), item);
}

void ClaimReader::ReadSigner(Name name, Element element) {
  simdjson::dom::object object;
  std::string_view agent_hex, signature_hex;
  // Two members, both found: so there is neither a third nor a duplicate.
  if (element.get(object) != simdjson::SUCCESS || object.size() != 2 ||
      object.at_key("agent_id").get(agent_hex) != simdjson::SUCCESS ||
      object.at_key("signature").get(signature_hex) != simdjson::SUCCESS) {
    return Complain(name, "must be {\"agent_id\":\"64 hex digits\",\"signature\":\"128 hex digits\"}");
  }
  const std::string at(name);
  const auto agent = KeyOf(agent_hex, at + "/agent_id", "");
  const auto signature = SignatureOf(signature_hex, at + "/signature", "");
  if (!agent || !signature) return;
  const auto same = [&](const SignedBy& other) { return other.agent_id == *agent; };
  if (std::any_of(claim_.signatures.begin(), claim_.signatures.end(), same)) {
    return Complain(at + "/agent_id", "has signed already; each agent signs once");
  }
  claim_.signatures.push_back({*agent, *signature});
}

void ClaimReader::JoinSignatures(const HeaderSignature& header) {
  if (code_ != Code::kOk) return;  // the places can't be compared while one of them is wrong
  std::vector<SignedBy>& signers = claim_.signatures;
  if (!signers.empty()) {
    if (claim_.agent_id && *claim_.agent_id != signers.front().agent_id) {
      return Complain("agent_id", "is not the first signer's key; the primary signer is the claim's agent");
    }
    if (signature_ && *signature_ != signers.front().signature) {
      return Complain("signature", "differs from the first of signatures; give one of them");
    }
    claim_.agent_id = signers.front().agent_id;
  }
  JoinHeader(header);
  if (code_ != Code::kOk) return;
  if (signers.empty() && signature_) {
    if (!claim_.agent_id)
      return Complain("agent_id", "is required beside a signature: the signer's public key");
    signers.push_back({*claim_.agent_id, *signature_});
  }
  if (signers.empty() && claim_.agent_id) {
    Complain("agent_id", Code::kUnauthenticated, "missing_signature",
             "names an agent, but the claim carries no signature; sign it, or leave agent_id out");
  }
}

void ClaimReader::JoinHeader(const HeaderSignature& header) {
  const bool is_signed = !header.signature.empty() || signature_ || !claim_.signatures.empty();
  if (!is_signed) {
    // A proxy that drops one of the two headers must not turn a signed claim into an anonymous one.
    if (header.agent_id.empty() || claim_.agent_id) return;
    return Complain(
        "", Code::kUnauthenticated, "missing_signature",
        "the header X-Agent-Id names an agent, but the claim carries no signature; sign it, or leave "
        "the header out");
  }
  if (!header.agent_id.empty()) {
    const auto key = KeyOf(header.agent_id, "", "the header X-Agent-Id ");
    if (!key) return;
    if (claim_.agent_id && *claim_.agent_id != *key) {
      return Complain("agent_id", "differs from the header X-Agent-Id; both name the claim's agent");
    }
    claim_.agent_id = key;
  }
  if (header.signature.empty()) return;
  const auto signature = SignatureOf(header.signature, "", "the header X-Agent-Signature ");
  if (!signature) return;
  const bool differs = !claim_.signatures.empty() ? claim_.signatures.front().signature != *signature
                                                  : signature_ && *signature_ != *signature;
  if (differs)
    return Complain("",
                    "the header X-Agent-Signature differs from the signature in the body; give one of them");
  signature_ = signature;
}

}  // namespace stemedb::model
