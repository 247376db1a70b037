// SPDX-License-Identifier: Apache-2.0
// Any bytes as an operation of every kind. What is accepted must keep its identity: the canonical text is its
// own canonical form, parses back to itself, and the stored record gives back what went in.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "model/canonical.h"
#include "model/operation_parser.h"
#include "model/operation_record.h"

namespace {

using namespace stemedb;
using namespace stemedb::model;

// As a client may send it: the canonical text with the signatures behind it.
std::string BodyOf(const Operation& operation, const std::string& canonical) {
  std::string body = canonical;
  if (operation.signatures.empty()) return body;
  body.back() = ',';
  body += "\"signatures\":[";
  for (const SignedBy& signer : operation.signatures) {
    if (body.back() != '[') body += ',';
    body +=
        R"({"agent_id":")" + ToHex(signer.agent_id) + R"(","signature":")" + ToHex(signer.signature) + "\"}";
  }
  return body + "]}";
}

void CheckRecord(const Operation& operation, const std::string& canonical) {
  const Hash256 id = IdOf(operation.kind, canonical);
  const std::string record = EncodeOperation(operation, canonical, id);
  const auto view = OperationView::OfRecord(record);
  STEMEDB_CHECK(IsOperationRecord(record) && view && view->canonical_json() == canonical);
  STEMEDB_CHECK(view->kind() == operation.kind && view->id() == AsView(id));
  STEMEDB_CHECK(view->anonymous() == operation.signatures.empty());
  const std::vector<Subject> subjects = SubjectsOf(operation);
  STEMEDB_CHECK(view->subject().name == subjects.front().name);
  STEMEDB_CHECK(view->has_second_subject() == (subjects.size() == 2));
  std::string shown;
  AppendOperationJson(shown, *view, 1, 0);
  STEMEDB_CHECK(CanonicalizeJson(shown).has_value());
}

void CheckOperation(OperationParser& parser, ParsedOperation parsed) {
  if (!parsed.status.ok()) {
    STEMEDB_CHECK(!parsed.status.message().empty() && !parsed.status.reason().empty());
    return;
  }
  STEMEDB_CHECK(parsed.errors.empty());
  Operation& operation = parsed.operation;
  if (!operation.timestamp_ms) operation.timestamp_ms = 0;
  std::string canonical, twice;
  AppendCanonicalJson(canonical, operation);
  const auto sorted = CanonicalizeJson(canonical);
  STEMEDB_CHECK(sorted && *sorted == canonical);
  STEMEDB_CHECK(!parsed.dry_run || operation.signatures.empty());
  if (parsed.dry_run && operation.agent_id) return;  // names who would sign it, and is never recorded
  STEMEDB_CHECK(operation.agent_id.has_value() == !operation.signatures.empty());
  const std::string body = BodyOf(operation, canonical);
  const ParsedOperation again = parser.Parse(operation.kind, body, body.size(), {});
  STEMEDB_CHECK(again.status.ok());
  AppendCanonicalJson(twice, again.operation);
  STEMEDB_CHECK(twice == canonical && SubjectsOf(again.operation) == SubjectsOf(operation));
  CheckRecord(operation, canonical);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static OperationParser parser;
  const std::string json(reinterpret_cast<const char*>(data), size);
  for (uint8_t kind = 1; kind <= kOperationKindMax; ++kind) {
    CheckOperation(parser, parser.Parse(static_cast<OperationKind>(kind), json, json.size(), {}));
  }
  CheckOperation(parser, parser.Parse(OperationKind::kSourceStatus, json, json.size(), {}, "s"));
  return 0;
}
