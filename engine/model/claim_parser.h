// SPDX-License-Identifier: Apache-2.0
// Reads assertions from JSON, in every dialect that clients may speak, and enforces every limit.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/assertion.h"

namespace stemedb::model {

// One wrong field: an RFC 6901 pointer into the client's document, and what is wrong with it and how to mend
// it.
struct FieldError {
  std::string pointer;
  std::string detail;
};

// Where a signature may also stand: the request headers X-Agent-Id and X-Agent-Signature (empty when absent).
struct HeaderSignature {
  std::string_view agent_id;
  std::string_view signature;
};

struct ParsedClaim {
  Status status;                   // ok, or why `assertion` must not be used (see ParseClaim)
  std::vector<FieldError> errors;  // every wrong field, when the document could be read at all
  Assertion assertion;
};

// One for each thread; keeps its buffers between calls.
//
// Statuses: kInvalidArgument "invalid_json" (not JSON; the message has the byte offset), "invalid_request" (a
// field is missing, unknown, of the wrong type or beyond its limit; see errors), kTooLarge "value_too_large",
// kUnauthenticated "missing_signature" (an agent_id without a signature) or "invalid_signature" (not 128 hex,
// or a key that is no key). Signatures are not verified here: see VerifySignatures.
class ClaimParser {
 public:
  ClaimParser();
  ~ClaimParser();
  ClaimParser(const ClaimParser&) = delete;
  ClaimParser& operator=(const ClaimParser&) = delete;

  // One assertion object. `json` need not be padded; it is not kept. Reading in place is faster when
  // `capacity` (bytes readable from json.data()) is at least json.size() + 64.
  ParsedClaim ParseClaim(std::string_view json, size_t capacity, const HeaderSignature& header);

  // A JSON array of assertion objects, in order. A document that can't be read at all, or holds more than
  // `items_max`, fails whole (kInvalidArgument; kTooLarge "batch_too_large").
  Result<std::vector<ParsedClaim>> ParseArray(std::string_view json, size_t capacity, size_t items_max);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stemedb::model
