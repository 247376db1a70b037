// SPDX-License-Identifier: Apache-2.0
// Everything is checked in the order in which the client wrote it, so that the first error in the answer is
// the first one in the document. Faults are gathered up to a bound: a hostile body must not make a long
// answer.
#include "model/claim_reader.h"

#include <algorithm>

#include "model/json_form.h"
#include "model/text_rules.h"

namespace stemedb::model {
namespace {

using simdjson::dom::element_type;

constexpr size_t kErrorsMax = 16;

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
    JoinSignatures(header);
    CheckTimes();
  }
  parsed_.status = Verdict();
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
    const uint32_t bit = 1U << (field - std::begin(kFields));
    if ((seen_ & bit) != 0) {
      Complain(key, "the key stands twice in its object");
    } else if (element.type() == element_type::NULL_VALUE) {
      Complain(key, "must not be null; leave an absent field out");
    } else {
      (this->*field->read)(field->name, element);
    }
    seen_ |= bit;
  }
}

void ClaimReader::RefuseUnknown(Name name) {
  if (std::find(std::begin(kServerFields), std::end(kServerFields), name) != std::end(kServerFields)) {
    return Complain(name, "is added by the server; leave it out");
  }
  static const std::string allowed = [] {
    std::string list;
    for (const Field& field : kFields) list.append(list.empty() ? "" : ", ").append(field.name);
    return list;
  }();
  std::string pointer;
  if (name.size() <= kNameShownMax) AppendPointer(pointer, name);
  Complain(pointer.empty() ? "" : pointer.substr(1), "unknown field; allowed are " + allowed);
}

void ClaimReader::CheckRequired() {
  const auto given = [this](Name name) {
    for (size_t i = 0; i < std::size(kFields); ++i) {
      if (kFields[i].name == name) return (seen_ >> i & 1) != 0;
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
  if (claim_.signatures.empty()) return;
  const std::string form =
      "in the canonical form YYYY-MM-DDTHH:MM:SS.mmmZ (UTC, three decimals), as it was signed";
  if (loose_time_) Complain(loose_time_name_, "a signed claim must give its times " + form);
  if (!claim_.timestamp_ms && !loose_time_)
    Complain("timestamp", "a signed claim must give its timestamp " + form);
}

std::optional<std::string_view> ClaimReader::TextOf(Name name, Element element) {
  std::string_view text;
  if (element.get(text) == simdjson::SUCCESS) return text;
  Complain(name, "must be a string");
  return {};
}

std::optional<std::string_view> ClaimReader::NameIn(Name name, Element element, size_t bytes_max) {
  const auto text = TextOf(name, element);
  if (!text) return {};
  std::string fault = NameFault(*text, bytes_max);
  if (fault.empty()) return text;
  Complain(name, std::move(fault));
  return {};
}

std::optional<Hash256> ClaimReader::IdIn(Name name, Element element) {
  Hash256 id;
  std::string_view text;
  if (element.get(text) == simdjson::SUCCESS && FromHex(text, id)) return id;
  Complain(name, "must be an assertion id: 64 lower-case hex digits");
  return {};
}

void ClaimReader::Complain(Name name, std::string detail) {
  Complain(name, Code::kInvalidArgument, "invalid_request", std::move(detail));
}

// A claim that is malformed is answered so; only when all else is well do size and signature decide.
void ClaimReader::Complain(Name name, Code code, std::string_view reason, std::string detail) {
  const auto gravity = [](Code c) {
    return c == Code::kInvalidArgument ? 3 : c == Code::kTooLarge ? 2 : c == Code::kOk ? 0 : 1;
  };
  if (gravity(code) > gravity(code_)) {
    code_ = code;
    reason_ = reason;
  }
  if (parsed_.errors.size() >= kErrorsMax) return;
  std::string pointer = pointer_;
  if (!name.empty()) pointer.append("/").append(name);
  parsed_.errors.push_back({std::move(pointer), std::move(detail)});
}

Status ClaimReader::Verdict() const {
  if (code_ == Code::kOk) return Status::Ok();
  const FieldError& first = parsed_.errors.front();
  std::string message = first.pointer.empty() ? first.detail : first.pointer + " " + first.detail;
  if (parsed_.errors.size() > 1)
    message += " (and " + std::to_string(parsed_.errors.size() - 1) + " more; see errors)";
  return Status(code_, reason_, std::move(message));
}

}  // namespace stemedb::model
