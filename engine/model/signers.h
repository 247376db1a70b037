// SPDX-License-Identifier: Apache-2.0
// What claims and operations do alike with their signers. Internal to the room: the public doors are
// VerifySignatures, AppendClaimJson and AppendOperationJson.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "model/assertion.h"

namespace stemedb::model {

inline constexpr size_t kSignerBytes = sizeof(AgentId) + sizeof(Signature);  // in a record

// Checks every signature over domain + canonical_json. kUnauthenticated, reason "invalid_signature", when one
// does not hold; the message names which. `noun` is what it calls that which is signed.
Status VerifySigners(std::span<const SignedBy> signers, std::string_view noun, std::string_view domain,
                     std::string_view canonical_json);

// Appends the members that show a record's signers, each after a comma: `signature` for one, whose key the
// canonical text has as agent_id, `signatures` for more. `signers` are kSignerBytes for each.
void AppendSignersJson(std::string& out, std::string_view signers);

}  // namespace stemedb::model
