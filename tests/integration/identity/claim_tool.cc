// SPDX-License-Identifier: Apache-2.0
// The engine's side of the identity test: reads one request for each line, answers one line for each, so that
// the script on the other side can compare with an implementation of its own.
//   claim <json>             -> ok <id> <canonical>   or   error <reason> <message>
//   json <json>              -> ok <canonical>        or   error …
//   number <16 hex digits>   -> ok <text of the double with these bits>
//   sign <seed> <text>       -> ok <public key> <signature over the domain and the text>
//   operation <kind> <json>  -> as claim
//   sign_operation <kind> <seed> <text>   -> as sign, with that kind's domain
#include <iostream>
#include <optional>
#include <string>

#include "base/json_writer.h"
#include "crypto/ed25519.h"
#include "model/canonical.h"
#include "model/claim_parser.h"
#include "model/claim_record.h"
#include "model/operation_parser.h"
#include "model/operation_record.h"

namespace {

using stemedb::Result;
using stemedb::Status;
using stemedb::model::OperationKind;

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

// The first word, which is cut off with the blank behind it.
std::string_view Cut(std::string_view& text) {
  const size_t blank = text.find(' ');
  const std::string_view word = text.substr(0, blank);
  text = blank == std::string_view::npos ? "" : text.substr(blank + 1);
  return word;
}

std::optional<OperationKind> KindOf(std::string_view name) {
  for (uint8_t number = 1; number <= stemedb::model::kOperationKindMax; ++number) {
    const auto kind = static_cast<OperationKind>(number);
    if (NameOf(kind) == name) return kind;
  }
  return {};
}

std::string Operation(std::string_view kind_and_json) {
  static stemedb::model::OperationParser parser;
  const auto kind = KindOf(Cut(kind_and_json));
  if (!kind) return "error kind";
  const auto parsed = parser.Parse(*kind, kind_and_json, kind_and_json.size(), {});
  if (!parsed.status.ok()) return Refused(parsed.status);
  if (!parsed.operation.timestamp_ms) return "error no_timestamp";
  std::string canonical;
  AppendCanonicalJson(canonical, parsed.operation);
  const Status verified = VerifySignatures(parsed.operation, canonical);
  if (!verified.ok()) return Refused(verified);
  const auto record = EncodeOperation(parsed.operation, canonical, IdOf(*kind, canonical));
  const auto view = stemedb::model::OperationView::OfRecord(record);
  if (!view) return Refused(view.error());
  return "ok " + stemedb::ToHex(stemedb::AsBytes(view->id())) + " " + std::string(view->canonical_json());
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

std::string Sign(std::string_view domain, std::string_view seed_and_text) {
  uint8_t seed[32];
  if (seed_and_text.size() < 65 || !stemedb::FromHex(seed_and_text.substr(0, 64), seed)) return "error seed";
  const auto key = stemedb::crypto::KeyPair::FromSeed(seed);
  if (!key) return Refused(key.error());
  const auto signature = key->Sign({domain, seed_and_text.substr(65)});
  return "ok " + stemedb::ToHex(key->public_key()) + " " + stemedb::ToHex(signature);
}

std::string SignOperation(std::string_view kind_seed_and_text) {
  const auto kind = KindOf(Cut(kind_seed_and_text));
  return kind ? Sign(DomainOf(*kind), kind_seed_and_text) : "error kind";
}

std::string Answer(std::string_view line) {
  std::string_view rest = line;
  const std::string_view verb = Cut(rest);
  if (verb == "claim") return Claim(rest);
  if (verb == "json") return Json(rest);
  if (verb == "number") return Number(rest);
  if (verb == "sign") return Sign(stemedb::model::kDomain, rest);
  if (verb == "operation") return Operation(rest);
  if (verb == "sign_operation") return SignOperation(rest);
  return "error verb";
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) std::cout << Answer(line) << '\n';
}
