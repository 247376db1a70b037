// SPDX-License-Identifier: Apache-2.0
// The intake of claims, up to the store's door: who may speak unsigned, the server's clock where a claim has
// no time, signatures, identity, and the bytes to be stored. The same for a single claim and for each item of
// a batch.
#pragma once

#include <optional>
#include <vector>

#include "api/backend.h"
#include "base/status.h"
#include "http/problem.h"
#include "model/claim_parser.h"
#include "store/store.h"

namespace stemedb::api {

// Why unsigned claims, or an unsigned operation, in this request must be refused; ok when they are taken.
// They are taken from this machine only, and neither through a proxy nor from a web page of an origin that
// the operator hasn't named.
Status UnsignedClaimsFault(const Backend& backend, const http::Request& request);

// A claim as the client sent it, after parsing.
struct Intake {
  Status status;                         // ok, or why the claim was refused
  std::vector<http::FieldError> errors;  // with pointers into the claim
  store::PreparedRecord claim;           // when ok
  std::optional<model::AgentId> signer;  // the primary one, whose signature is right; when ok and signed
};

// Takes the parsed claim apart. `unsigned_fault` is UnsignedClaimsFault's answer; `now_ms` is the time of a
// claim that has none.
Intake Admit(model::ParsedClaim&& parsed, const Status& unsigned_fault, int64_t now_ms);

}  // namespace stemedb::api
