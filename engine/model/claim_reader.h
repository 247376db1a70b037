// SPDX-License-Identifier: Apache-2.0
// Turns one parsed JSON object into an Assertion: field by field, gathering every fault, then the rules that
// join fields (aliases, signers, times). Internal to the room; the public door is ClaimParser.
#pragma once

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>

#include "model/assertion.h"
#include "model/claim_parser.h"
#include "model/field_reader.h"
#include "model/signer_reader.h"

namespace stemedb::model {

// Used for one claim and thrown away.
class ClaimReader : private FieldReader {
 public:
  // `pointer` names the object in the client's document: "" or "/3".
  explicit ClaimReader(std::string pointer) : FieldReader(std::move(pointer)) {}

  ParsedClaim Read(simdjson::dom::element element, const HeaderSignature& header);

 private:
  struct Field {
    Name name;
    void (ClaimReader::*read)(Name, Element);
  };
  static const Field kFields[];

  void ReadMembers(simdjson::dom::object object);
  void RefuseUnknown(Name name);

  // claim_reader_fields.cc
  void ReadConceptPath(Name name, Element element);
  void ReadPredicate(Name name, Element element);
  void ReadConfidence(Name name, Element element);
  void ReadLifecycle(Name name, Element element);
  void ReadParent(Name name, Element element);
  void ReadDerivedFrom(Name name, Element element);
  void ReadEpoch(Name name, Element element);
  void ReadTimestamp(Name name, Element element);
  void ReadValidFrom(Name name, Element element);
  void ReadValidTo(Name name, Element element);
  void ReadMetadata(Name name, Element element);
  void ReadSource(Name name, Element element);

  // claim_reader_value.cc
  void ReadValue(Name name, Element element);
  void ReadObject(Name name, Element element);
  std::optional<Value> BareValue(Name name, Element element);
  std::optional<Value> TaggedValue(Name name, simdjson::dom::object object);
  std::optional<Value> ValueOfType(Name name, std::string_view type, Element element);
  void TakeValue(Name name, std::optional<Value> value);

  void ReadAgentId(Name name, Element element) { signers_.ReadAgentId(name, element); }
  void ReadSignature(Name name, Element element) { signers_.ReadSignature(name, element); }
  void ReadSignatures(Name name, Element element) { signers_.ReadSignatures(name, element); }

  // The last steps of Read.
  void CheckRequired();
  void CheckTimes();

  ParsedClaim parsed_;
  Assertion& claim_ = parsed_.assertion;
  SignerReader signers_{*this, "claim", claim_.agent_id, claim_.signatures};
  bool has_value_ = false;  // a value was read
};

}  // namespace stemedb::model
