// SPDX-License-Identifier: Apache-2.0
// A signature that is present and wrong is refused before anything else is looked at: an unsigned claim may
// be taken, a forged one never.
#include "api/claim_intake.h"

#include <string>

#include "api/peer.h"
#include "base/json_writer.h"
#include "model/canonical.h"
#include "model/claim_record.h"

namespace stemedb::api {
Status UnsignedClaimsFault(const Backend& backend, const http::Request& request) {
  if (backend.unsigned_claims == UnsignedClaims::kRefused) {
    return Status(
        Code::kUnauthenticated, "signature_required",
        "this server takes nothing unsigned; sign what you say with an Ed25519 key and send agent_id and "
        "signature");
  }
  if (!request.peer_is_loopback || CameThroughProxy(request)) {
    return Status(
        Code::kPermissionDenied, "unsigned_not_allowed",
        "unsigned claims and operations are taken from the server's own machine only, and not through a "
        "proxy; sign what you say");
  }
  if (CameFromForeignPage(backend, request)) {
    return Status(
        Code::kPermissionDenied, "unsigned_not_allowed",
        "unsigned claims and operations are not taken from web pages of this origin; sign what you say, or "
        "name the origin in STEMEDB_ALLOWED_ORIGINS");
  }
  return Status::Ok();
}

Intake Admit(model::ParsedClaim&& parsed, const Status& unsigned_fault, int64_t now_ms) {
  Intake intake;
  intake.status = std::move(parsed.status);
  for (model::FieldError& error : parsed.errors) {
    intake.errors.push_back({std::move(error.pointer), std::move(error.detail)});
  }
  if (!intake.status.ok()) return intake;
  model::Assertion& assertion = parsed.assertion;
  const bool is_signed = !assertion.signatures.empty();
  if (!is_signed && !unsigned_fault.ok()) {
    intake.status = unsigned_fault;
    return intake;
  }
  if (!assertion.timestamp_ms) assertion.timestamp_ms = now_ms;
  std::string canonical;
  model::AppendCanonicalJson(canonical, assertion);
  if (is_signed) intake.status = model::VerifySignatures(assertion, canonical);
  if (!intake.status.ok()) return intake;
  if (is_signed) intake.signer = assertion.signatures.front().agent_id;
  intake.claim.id = model::IdOf(canonical);
  intake.claim.record = model::EncodeClaim(assertion, canonical, intake.claim.id);
  return intake;
}

}  // namespace stemedb::api
