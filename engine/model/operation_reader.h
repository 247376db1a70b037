// SPDX-License-Identifier: Apache-2.0
// Turns one parsed JSON object into an Operation: field by field, gathering every fault, then the rules that
// join fields (targets, self-references, signers, times). Internal to the room; the public door is
// OperationParser.
#pragma once

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>

#include "model/field_reader.h"
#include "model/operation.h"
#include "model/operation_parser.h"
#include "model/signer_reader.h"

namespace stemedb::model {

// Used for one operation and thrown away.
class OperationReader : private FieldReader {
 public:
  // `url_id` is what the URL names: of a change of status the source, of a statement of trust the agent;
  // empty when it names nothing.
  OperationReader(OperationKind kind, std::string_view url_id)
      : FieldReader(""), parsed_{.operation = {.kind = kind}}, url_id_(url_id) {}

  ParsedOperation Read(simdjson::dom::element element, const HeaderSignature& header);

 private:
  struct Field {
    Name name;
    unsigned kinds;     // bit k: the kind k has it
    unsigned required;  // bit k: and can't do without
    void (OperationReader::*read)(const Field&, Element);
    std::string Operation::*text = nullptr;  // where ReadName and ReadPath put it
    size_t bytes_max = 0;                    // of ReadName
  };
  static const Field kFields[];

  void ReadMembers(simdjson::dom::object object);
  void RefuseUnknownField(Name name);

  void ReadName(const Field& field, Element element);
  void ReadPath(const Field& field, Element element);
  void ReadRetractedPath(const Field& field, Element element);
  void ReadAssertionId(const Field& field, Element element);
  void ReadReplacement(const Field& field, Element element);
  void ReadTrusted(const Field& field, Element element);
  void ReadFraction(const Field& field, Element element);
  void ReadRank(const Field& field, Element element);
  void ReadCascade(const Field& field, Element element);
  void ReadDryRun(const Field& field, Element element);
  void ReadClass(const Field& field, Element element);
  void ReadStatus(const Field& field, Element element);
  void ReadSupersessionType(const Field& field, Element element);
  void ReadContent(const Field& field, Element element);
  void ReadTimestamp(const Field& field, Element element);
  void ReadAgentId(const Field& field, Element element) { signers_.ReadAgentId(field.name, element); }
  void ReadSignature(const Field& field, Element element) { signers_.ReadSignature(field.name, element); }
  void ReadSignatures(const Field& field, Element element) { signers_.ReadSignatures(field.name, element); }
  std::optional<bool> TruthIn(Name name, Element element);

  // The last steps of Read.
  void CheckRequired();
  void CheckTarget();
  void CheckSelf();
  void TakeSourceId();
  void TakeAgent();
  void TakeRank();

  unsigned kind_bit() const { return 1U << static_cast<unsigned>(operation_.kind); }
  // Whether a field of this name was there.
  bool given(Name name) const;

  ParsedOperation parsed_;
  Operation& operation_ = parsed_.operation;
  SignerReader signers_{*this, NounOf(operation_.kind), operation_.agent_id, operation_.signatures};
  std::string_view url_id_;
  bool has_replacement_ = false;
  std::optional<double> rank_;
};

}  // namespace stemedb::model
