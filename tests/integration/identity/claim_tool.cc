// SPDX-License-Identifier: Apache-2.0
// The engine's side of the identity test: reads one request for each line, answers one line for each, so that
// the script on the other side can compare with an implementation of its own.
//   claim <json>             -> ok <id> <canonical>   or   error <reason> <message>
//   json <json>              -> ok <canonical>        or   error …
//   number <16 hex digits>   -> ok <text of the double with these bits>
//   sign <seed> <text>       -> ok <public key> <signature over the domain and the text>
#include <iostream>
#include <string>

#include "base/json_writer.h"
#include "crypto/ed25519.h"
#include "model/canonical.h"
#include "model/claim_parser.h"
#include "model/claim_record.h"

namespace {

using stemedb::Result;
using stemedb::Status;

std::string Refused(const Status& status) {
  return "error " + std::string(status.reason()) + " " + std::string(status.message());
}

// The way of a claim through the engine: parsed, made canonical, verified, stored, and shown from what was
// stored.
std::string Claim(std::string_view json) {
  static stemedb::model::ClaimParser parser;
  const auto parsed = parser.ParseClaim(json, json.size(), {});
  if (!parsed.status.ok()) return Refused(parsed.status);
  if (!parsed.assertion.timestamp_ms) return "error no_timestamp";
  std::string canonical;
  stemedb::model::AppendCanonicalJson(canonical, parsed.assertion);
  const Status verified = stemedb::model::VerifySignatures(parsed.assertion, canonical);
  if (!verified.ok()) return Refused(verified);
  const auto record =
      stemedb::model::EncodeClaim(parsed.assertion, canonical, stemedb::model::IdOf(canonical));
  const auto view = stemedb::model::ClaimView::OfRecord(record);
  if (!view) return Refused(view.error());
  return "ok " + stemedb::ToHex({view->id(), 32}) + " " + std::string(view->canonical_json());
}

std::string Json(std::string_view json) {
  const auto canonical = stemedb::model::CanonicalizeJson(json);
  return canonical ? "ok " + *canonical : Refused(canonical.error());
}

std::string Number(std::string_view bits_hex) {
  uint8_t bits[8];
  if (!stemedb::FromHex(bits_hex, bits)) return "error bits";
  std::string text = "ok ";
  stemedb::AppendJsonNumber(text, std::bit_cast<double>(stemedb::LoadBig64(bits)));
  return text;
}

std::string Sign(std::string_view seed_and_text) {
  uint8_t seed[32];
  if (seed_and_text.size() < 65 || !stemedb::FromHex(seed_and_text.substr(0, 64), seed)) return "error seed";
  const auto key = stemedb::crypto::KeyPair::FromSeed(seed);
  if (!key) return Refused(key.error());
  const auto signature = key->Sign({stemedb::model::kDomain, seed_and_text.substr(65)});
  return "ok " + stemedb::ToHex(key->public_key()) + " " + stemedb::ToHex(signature);
}

std::string Answer(std::string_view line) {
  const size_t blank = line.find(' ');
  const std::string_view verb = line.substr(0, blank);
  const std::string_view rest = blank == std::string_view::npos ? "" : line.substr(blank + 1);
  if (verb == "claim") return Claim(rest);
  if (verb == "json") return Json(rest);
  if (verb == "number") return Number(rest);
  if (verb == "sign") return Sign(rest);
  return "error verb";
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) std::cout << Answer(line) << '\n';
}
