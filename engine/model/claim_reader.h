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

namespace stemedb::model {

// Of a name that we don't know, no more than this is said back.
inline constexpr size_t kNameShownMax = 128;

// Used for one claim and thrown away.
class ClaimReader {
 public:
  // `pointer` names the object in the client's document: "" or "/3".
  explicit ClaimReader(std::string pointer) : pointer_(std::move(pointer)) {}

  ParsedClaim Read(simdjson::dom::element element, const HeaderSignature& header);

 private:
  using Element = simdjson::dom::element;
  using Name = std::string_view;  // a pointer below the claim, without the first '/'
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
  std::optional<int64_t> ReadTime(Name name, Element element);

  // claim_reader_value.cc
  void ReadValue(Name name, Element element);
  void ReadObject(Name name, Element element);
  std::optional<Value> BareValue(Name name, Element element);
  std::optional<Value> TaggedValue(Name name, simdjson::dom::object object);
  std::optional<Value> ValueOfType(Name name, std::string_view type, Element element);
  void TakeValue(Name name, std::optional<Value> value);

  // claim_reader_signature.cc
  void ReadAgentId(Name name, Element element);
  void ReadSignature(Name name, Element element);
  void ReadSignatures(Name name, Element element);
  void ReadSigner(Name name, Element element);
  void JoinSignatures(const HeaderSignature& header);
  void JoinHeader(const HeaderSignature& header);
  std::optional<AgentId> KeyOf(std::string_view hex, Name name, std::string_view what);
  std::optional<Signature> SignatureOf(std::string_view hex, Name name, std::string_view what);

  // The last steps of Read.
  void CheckRequired();
  void CheckTimes();
  Status Verdict() const;

  // Text of an element; complains when it is none.
  std::optional<std::string_view> TextOf(Name name, Element element);
  // Text that is a name of at most bytes_max bytes; complains otherwise.
  std::optional<std::string_view> NameIn(Name name, Element element, size_t bytes_max);
  std::optional<Hash256> IdIn(Name name, Element element);
  void Complain(Name name, std::string detail);
  void Complain(Name name, Code code, std::string_view reason, std::string detail);

  std::string pointer_;
  ParsedClaim parsed_;
  Assertion& claim_ = parsed_.assertion;
  uint32_t seen_ = 0;        // bit i: kFields[i] was there
  bool has_value_ = false;   // a value was read
  bool loose_time_ = false;  // a time was not in the canonical form
  std::string_view loose_time_name_;
  std::optional<Signature> signature_;  // of the body's `signature`
  Code code_ = Code::kOk;               // the gravest fault so far
  std::string_view reason_;
};

}  // namespace stemedb::model
