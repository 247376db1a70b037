// SPDX-License-Identifier: Apache-2.0
#include "model/signers.h"

#include "base/bytes.h"
#include "crypto/ed25519.h"

namespace stemedb::model {
namespace {

Status NotSignedBy(const SignedBy& signer, size_t number, size_t count, std::string_view noun,
                   std::string_view domain) {
  const std::string what(noun), line(domain.substr(0, domain.size() - 1));  // without its line feed
  return Status(Code::kUnauthenticated, "invalid_signature",
                "signature " + std::to_string(number) + " of " + std::to_string(count) +
                    " is not by the key " + ToHex(signer.agent_id) + " over this " + what +
                    "'s canonical bytes; sign \"" + line + "\\n\" followed by the RFC 8785 form of the " +
                    what + " without its signatures");
}

}  // namespace

Status VerifySigners(std::span<const SignedBy> signers, std::string_view noun, std::string_view domain,
                     std::string_view canonical_json) {
  for (size_t i = 0; i < signers.size(); ++i) {
    if (crypto::Verify(signers[i].agent_id, {domain, canonical_json}, signers[i].signature)) continue;
    return NotSignedBy(signers[i], i + 1, signers.size(), noun, domain);
  }
  return Status::Ok();
}

void AppendSignersJson(std::string& out, std::string_view signers) {
  const size_t count = signers.size() / kSignerBytes;
  if (count == 1) {
    out.append(",\"signature\":\"");
    AppendHex(out, AsBytes(signers.substr(sizeof(AgentId))));
    out.push_back('"');
  } else if (count > 1) {
    out.append(",\"signatures\":[");
    for (size_t i = 0; i < count; ++i) {
      const std::string_view signer = signers.substr(i * kSignerBytes, kSignerBytes);
      out.append(i == 0 ? "{\"agent_id\":\"" : ",{\"agent_id\":\"");
      AppendHex(out, AsBytes(signer.substr(0, sizeof(AgentId))));
      out.append("\",\"signature\":\"");
      AppendHex(out, AsBytes(signer.substr(sizeof(AgentId))));
      out.append("\"}");
    }
    out.push_back(']');
  }
}

}  // namespace stemedb::model
