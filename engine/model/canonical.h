// SPDX-License-Identifier: Apache-2.0
// Identity of an assertion. Canonical bytes = kDomain + the RFC 8785 (JCS) form of the claim's own fields;
// the id is their SHA-256; agents sign the same bytes. Test vectors: docs/identity.md and tests/unit/model/.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"
#include "model/assertion.h"

namespace stemedb::model {

inline constexpr std::string_view kDomain = "stemedb/assertion/v1\n";

// The JCS text of the claim's own fields (no domain prefix, no signatures, nothing that the server adds).
// `assertion.timestamp_ms` must be there.
void AppendCanonicalJson(std::string& out, const Assertion& assertion);

// SHA-256 of kDomain + canonical_json.
Hash256 IdOf(std::string_view canonical_json);

// Checks every signature over kDomain + canonical_json. kUnauthenticated, reason "invalid_signature", when
// one does not hold; the message names which.
Status VerifySignatures(const Assertion& assertion, std::string_view canonical_json);

// RFC 8785 form of any JSON text. kInvalidArgument on malformed JSON, a duplicate key, a lone surrogate, a
// number that does not survive as a double, or nesting deeper than `depth_max`.
Result<std::string> CanonicalizeJson(std::string_view json, int depth_max = 32);

}  // namespace stemedb::model
