// SPDX-License-Identifier: Apache-2.0
// Any bytes as a claim, as a batch and as JSON. What is accepted must keep its identity: the canonical text
// is its own canonical form, parses back to itself, and the stored record gives back what went in.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/check.h"
#include "model/canonical.h"
#include "model/claim_parser.h"
#include "model/claim_record.h"

namespace {

using namespace stemedb;
using namespace stemedb::model;

void CheckRecord(const Assertion& claim, const std::string& canonical) {
  const std::string record = EncodeClaim(claim, canonical, IdOf(canonical));
  const auto view = ClaimView::OfRecord(record);
  STEMEDB_CHECK(view && view->canonical_json() == canonical && view->concept_path() == claim.concept_path);
  STEMEDB_CHECK(view->value_text() == claim.value.text && view->predicate() == claim.predicate);
  std::string shown;
  AppendClaimJson(shown, *view, 1, 0, "active");
  STEMEDB_CHECK(CanonicalizeJson(shown).has_value());
}

void CheckClaim(ClaimParser& parser, ParsedClaim parsed) {
  if (!parsed.status.ok()) {
    STEMEDB_CHECK(!parsed.status.message().empty());
    return;
  }
  STEMEDB_CHECK(parsed.errors.empty());
  if (!parsed.assertion.timestamp_ms) parsed.assertion.timestamp_ms = 0;
  std::string canonical;
  AppendCanonicalJson(canonical, parsed.assertion);
  const auto sorted = CanonicalizeJson(canonical);
  STEMEDB_CHECK(sorted && *sorted == canonical);
  std::string body = canonical;
  if (!parsed.assertion.signatures.empty()) {
    body.back() = ',';
    body += "\"signature\":\"" + ToHex(parsed.assertion.signatures[0].signature) + "\"}";
  }
  const ParsedClaim again = parser.ParseClaim(body, body.size(), {});
  std::string twice;
  STEMEDB_CHECK(again.status.ok());
  AppendCanonicalJson(twice, again.assertion);
  STEMEDB_CHECK(twice == canonical && IdOf(twice) == IdOf(canonical));
  CheckRecord(parsed.assertion, canonical);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static ClaimParser parser;
  const std::string json(reinterpret_cast<const char*>(data), size);
  CheckClaim(parser, parser.ParseClaim(json, json.size(), {}));
  if (auto items = parser.ParseArray(json, json.size(), 64)) {
    STEMEDB_CHECK(items->size() <= 64);
    for (ParsedClaim& item : *items) CheckClaim(parser, std::move(item));
  }
  // Bytes from a disk.
  if (const auto view = ClaimView::OfRecord(json)) {
    std::string shown;
    AppendClaimJson(shown, *view, 1, 0, "active");
    AppendValueJson(shown, *view);
  }
  return 0;
}
