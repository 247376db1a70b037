// SPDX-License-Identifier: Apache-2.0
// The members are found in one table, and what joins them is checked once all of them are read.
#include "model/claim_reader.h"

#include <algorithm>

namespace stemedb::model {
namespace {

constexpr std::string_view kServerFields[] = {"id", "sequence", "recorded_at", "status", "hash"};

}  // namespace

const ClaimReader::Field ClaimReader::kFields[] = {
    {"concept_path", &ClaimReader::ReadConceptPath},
    {"predicate", &ClaimReader::ReadPredicate},
    {"value", &ClaimReader::ReadValue},
    {"confidence", &ClaimReader::ReadConfidence},
    {"agent_id", &ClaimReader::ReadAgentId},
    {"source", &ClaimReader::ReadSource},
    {"lifecycle", &ClaimReader::ReadLifecycle},
    {"timestamp", &ClaimReader::ReadTimestamp},
    {"signature", &ClaimReader::ReadSignature},
    {"metadata", &ClaimReader::ReadMetadata},
    {"parent", &ClaimReader::ReadParent},
    {"derived_from", &ClaimReader::ReadDerivedFrom},
    {"epoch", &ClaimReader::ReadEpoch},
    {"valid_from", &ClaimReader::ReadValidFrom},
    {"valid_to", &ClaimReader::ReadValidTo},
    {"signatures", &ClaimReader::ReadSignatures},
    {"subject", &ClaimReader::ReadConceptPath},
    {"object", &ClaimReader::ReadObject},
};

ParsedClaim ClaimReader::Read(Element element, const HeaderSignature& header) {
  simdjson::dom::object object;
  if (element.get(object) != simdjson::SUCCESS) {
    Complain(
        "",
        "a claim is a JSON object such as {\"concept_path\":…,\"predicate\":…,\"value\":…,\"confidence\":…}");
  } else {
    ReadMembers(object);
    CheckRequired();
    signers_.Join(header);
    CheckTimes();
  }
  parsed_.status = Verdict();
  parsed_.errors = TakeErrors();
  return std::move(parsed_);
}

void ClaimReader::ReadMembers(simdjson::dom::object object) {
  for (const simdjson::dom::key_value_pair& member : object) {
    const std::string_view key = member.key;
    const Element element = member.value;
    const auto field =
        std::find_if(std::begin(kFields), std::end(kFields), [&](const Field& f) { return f.name == key; });
    if (field == std::end(kFields)) {
      RefuseUnknown(key);
      continue;
    }
    const auto number = static_cast<size_t>(field - std::begin(kFields));
    if (Takes(number, key, element)) (this->*field->read)(field->name, element);
  }
}

void ClaimReader::RefuseUnknown(Name name) {
  static const std::string allowed = [] {
    std::string list;
    for (const Field& field : kFields) list.append(list.empty() ? "" : ", ").append(field.name);
    return list;
  }();
  FieldReader::RefuseUnknown(name, kServerFields, allowed);
}

void ClaimReader::CheckRequired() {
  const auto given = [this](Name name) {
    for (size_t i = 0; i < std::size(kFields); ++i) {
      if (kFields[i].name == name) return seen(i);
    }
    return false;
  };
  if (!given("concept_path") && !given("subject")) Complain("concept_path", "is required");
  if (!given("predicate")) Complain("predicate", "is required");
  if (!given("value") && !given("object")) Complain("value", "is required");
  if (!given("confidence")) Complain("confidence", "is required: a number from 0 to 1");
}

void ClaimReader::CheckTimes() {
  if (claim_.valid_from_ms && claim_.valid_to_ms && *claim_.valid_from_ms > *claim_.valid_to_ms) {
    Complain("valid_to", "is before valid_from");
  }
  if (!claim_.signatures.empty()) CheckSignedTimes("claim", claim_.timestamp_ms.has_value());
}

}  // namespace stemedb::model
