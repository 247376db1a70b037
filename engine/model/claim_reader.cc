// SPDX-License-Identifier: Apache-2.0
// Everything is checked in the order in which the client wrote it, so that the first error in the answer is the first
// one in the document. Faults are gathered up to a bound: a hostile body must not make a long answer.
#include "model/claim_reader.h"

#include <algorithm>

#include "base/time.h"
#include "model/json_form.h"
#include "model/text_rules.h"

namespace stemedb::model {
namespace {

using simdjson::dom::element_type;

constexpr size_t kErrorsMax = 16;
constexpr size_t kUnknownNameShownMax = 128;

constexpr std::string_view kServerFields[] = {"id", "sequence", "recorded_at", "status", "hash"};

}  // namespace

const ClaimReader::Field ClaimReader::kFields[] = {
    {"concept_path", &ClaimReader::ReadConceptPath}, {"predicate", &ClaimReader::ReadPredicate},
    {"value", &ClaimReader::ReadValue},              {"confidence", &ClaimReader::ReadConfidence},
    {"agent_id", &ClaimReader::ReadAgentId},         {"source", &ClaimReader::ReadSource},
    {"lifecycle", &ClaimReader::ReadLifecycle},      {"timestamp", &ClaimReader::ReadTimestamp},
    {"signature", &ClaimReader::ReadSignature},      {"metadata", &ClaimReader::ReadMetadata},
    {"parent", &ClaimReader::ReadParent},            {"derived_from", &ClaimReader::ReadDerivedFrom},
    {"epoch", &ClaimReader::ReadEpoch},              {"valid_from", &ClaimReader::ReadValidFrom},
    {"valid_to", &ClaimReader::ReadValidTo},         {"signatures", &ClaimReader::ReadSignatures},
    {"subject", &ClaimReader::ReadConceptPath},      {"object", &ClaimReader::ReadObject},
};

ParsedClaim ClaimReader::Read(Element element, const HeaderSignature& header) {
  simdjson::dom::object object;
  if (element.get(object) != simdjson::SUCCESS) {
    Complain("", "a claim is a JSON object such as {\"concept_path\":…,\"predicate\":…,\"value\":…,\"confidence\":…}");
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
  for (const auto [key, element] : object) {
    const auto field = std::find_if(std::begin(kFields), std::end(kFields), [&](const Field& f) { return f.name == key; });
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
  if (name.size() <= kUnknownNameShownMax) AppendPointer(pointer, name);
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
  const std::string form = "in the canonical form YYYY-MM-DDTHH:MM:SS.mmmZ (UTC, three decimals), as it was signed";
  if (loose_time_) Complain(loose_time_name_, "a signed claim must give its times " + form);
  if (!claim_.timestamp_ms && !loose_time_) Complain("timestamp", "a signed claim must give its timestamp " + form);
}

void ClaimReader::ReadConceptPath(Name name, Element element) {
  const auto text = TextOf(name, element);
  if (!text) return;
  std::string fault = ConceptPathFault(*text);
  if (!fault.empty()) return Complain(name, std::move(fault));
  if (!claim_.concept_path.empty() && claim_.concept_path != *text) {
    return Complain(name, "concept_path and its alias subject differ; give one of them");
  }
  claim_.concept_path = *text;
}

void ClaimReader::ReadPredicate(Name name, Element element) {
  if (const auto text = NameIn(name, element, kPredicateBytesMax)) claim_.predicate = *text;
}

void ClaimReader::ReadConfidence(Name name, Element element) {
  double number = 0;
  if (!element.is_number() || !ReadNumber(element, number) || !(number >= 0 && number <= 1)) {
    return Complain(name, "must be a number from 0 to 1");
  }
  claim_.confidence = number;
}

void ClaimReader::ReadLifecycle(Name name, Element element) {
  const auto text = TextOf(name, element);
  if (!text) return;
  claim_.lifecycle = LifecycleOf(*text);
  if (!claim_.lifecycle) Complain(name, "must be one of proposed, under_review, approved, deprecated, rejected");
}

void ClaimReader::ReadParent(Name name, Element element) { claim_.parent = IdIn(name, element); }

void ClaimReader::ReadDerivedFrom(Name name, Element element) {
  simdjson::dom::array array;
  if (element.get(array) != simdjson::SUCCESS || array.size() == 0) {
    return Complain(name, "must be a list of assertion ids; leave it out when there are none");
  }
  if (array.size() > kDerivedFromMax) {
    return Complain(name, "holds " + std::to_string(array.size()) + " ids; the limit is " + std::to_string(kDerivedFromMax));
  }
  size_t index = 0;
  for (Element item : array) {
    const std::string at = std::string(name) + "/" + std::to_string(index++);
    const auto id = IdIn(at, item);
    if (!id) continue;
    if (std::find(claim_.derived_from.begin(), claim_.derived_from.end(), *id) != claim_.derived_from.end()) {
      Complain(at, "the id stands twice in the list");
    }
    claim_.derived_from.push_back(*id);
  }
}

void ClaimReader::ReadEpoch(Name name, Element element) {
  if (const auto text = NameIn(name, element, kEpochBytesMax)) claim_.epoch = *text;
}

std::optional<int64_t> ClaimReader::ReadTime(Name name, Element element) {
  std::optional<int64_t> time_ms;
  bool is_canonical = false;
  if (element.type() == element_type::STRING) {
    const std::string_view text = element.get_string().value_unsafe();
    time_ms = ParseTime(text);
    is_canonical = time_ms && IsCanonicalTime(text);
  } else if (element.type() == element_type::INT64) {
    const int64_t seconds = element.get_int64().value_unsafe();
    if (seconds >= kTimeMin / 1000 && seconds <= kTimeMax / 1000) time_ms = seconds * 1000;
  }
  if (!time_ms) {
    Complain(name, "must be an RFC 3339 time such as 2026-02-11T10:00:00.000Z, or whole Unix seconds, in the years 0000 to 9999");
  } else if (!is_canonical && !loose_time_) {
    loose_time_ = true;
    loose_time_name_ = name;
  }
  return time_ms;
}

void ClaimReader::ReadTimestamp(Name name, Element element) { claim_.timestamp_ms = ReadTime(name, element); }
void ClaimReader::ReadValidFrom(Name name, Element element) { claim_.valid_from_ms = ReadTime(name, element); }
void ClaimReader::ReadValidTo(Name name, Element element) { claim_.valid_to_ms = ReadTime(name, element); }

void ClaimReader::ReadMetadata(Name name, Element element) {
  if (!element.is_object()) return Complain(name, "must be a JSON object");
  std::string text;
  JsonForm form(text, kJsonDepthMax - 1);  // the claim around it is the first level
  if (!form.Append(element)) return Complain(std::string(name) + form.pointer(), form.detail());
  if (text.size() > kMetadataBytesMax) {
    return Complain(name, "is " + std::to_string(text.size()) + " bytes long in its canonical form; the limit is " +
                              std::to_string(kMetadataBytesMax));
  }
  claim_.metadata_json = std::move(text);
}

void ClaimReader::ReadSource(Name name, Element element) {
  simdjson::dom::object object;
  if (element.get(object) != simdjson::SUCCESS || object.size() == 0) {
    return Complain(name, "must be an object with id, class, hash or url");
  }
  Source source;
  for (const auto [key, item] : object) {
    std::string at(name);
    AppendPointer(at, key.substr(0, kUnknownNameShownMax));
    std::string* const text = key == "id" ? &source.id : key == "hash" ? &source.hash : key == "url" ? &source.url : nullptr;
    if (text != nullptr) {
      const size_t limit = key == "id" ? kSourceIdBytesMax : key == "hash" ? kSourceHashBytesMax : kSourceUrlBytesMax;
      if (!text->empty()) Complain(at, "the key stands twice in its object");
      if (const auto given = NameIn(at, item, limit)) *text = *given;
    } else if (key == "class") {
      if (source.source_class) Complain(at, "the key stands twice in its object");
      const auto class_name = TextOf(at, item);
      if (class_name) source.source_class = SourceClassOf(*class_name);
      if (class_name && !source.source_class) {
        Complain(at, "must be one of regulatory, clinical, observational, expert, community, anecdotal");
      }
    } else {
      Complain(at, "unknown field; allowed are id, class, hash, url");
    }
  }
  claim_.source = std::move(source);
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
  const auto gravity = [](Code c) { return c == Code::kInvalidArgument ? 3 : c == Code::kTooLarge ? 2 : c == Code::kOk ? 0 : 1; };
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
  if (parsed_.errors.size() > 1) message += " (and " + std::to_string(parsed_.errors.size() - 1) + " more; see errors)";
  return Status(code_, reason_, std::move(message));
}

}  // namespace stemedb::model
