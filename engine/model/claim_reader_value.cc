// SPDX-License-Identifier: Apache-2.0
// Values. `value` is bare, as in the canonical form: "text", 1.5, true, {"ref":"path"}. `object` is the
// dialect that names the type, {"type":"Number","value":1.5} or {"Number":1.5}, and takes the bare form too.
#include "model/claim_reader.h"
#include "model/json_form.h"
#include "model/text_rules.h"

namespace stemedb::model {
namespace {

constexpr std::string_view kBareForms =
    "must be a string, a number, true, false, or {\"ref\":\"concept path\"}";
constexpr std::string_view kTypes = "the type must be one of Text, Number, Boolean, Reference";

bool Same(const Value& a, const Value& b) {
  return a.kind == b.kind && a.number == b.number && a.text == b.text;
}

}  // namespace

void ClaimReader::ReadValue(Name name, Element element) { TakeValue(name, BareValue(name, element)); }

void ClaimReader::ReadObject(Name name, Element element) {
  simdjson::dom::object object;
  const bool is_tagged =
      element.get(object) == simdjson::SUCCESS && object.at_key("ref").error() != simdjson::SUCCESS;
  TakeValue(name, is_tagged ? TaggedValue(name, object) : BareValue(name, element));
}

void ClaimReader::TakeValue(Name name, std::optional<Value> value) {
  if (!value) return;
  if (has_value_ && !Same(claim_.value, *value))
    return Complain(name, "value and its alias object differ; give one of them");
  claim_.value = *std::move(value);
  has_value_ = true;
}

std::optional<Value> ClaimReader::BareValue(Name name, Element element) {
  using simdjson::dom::element_type;
  switch (element.type()) {
    case element_type::STRING:
      return ValueOfType(name, "Text", element);
    case element_type::INT64:
    case element_type::UINT64:
    case element_type::DOUBLE:
      return ValueOfType(name, "Number", element);
    case element_type::BOOL:
      return ValueOfType(name, "Boolean", element);
    default:
      break;
  }
  simdjson::dom::object object;
  Element ref;
  if (element.get(object) == simdjson::SUCCESS && object.size() == 1 &&
      object.at_key("ref").get(ref) == simdjson::SUCCESS) {
    return ValueOfType(std::string(name) + "/ref", "Reference", ref);
  }
  Complain(name, std::string(kBareForms));
  return {};
}

std::optional<Value> ClaimReader::TaggedValue(Name name, simdjson::dom::object object) {
  if (object.size() == 1) {
    const auto [key, element] = *object.begin();
    std::string at(name);
    AppendPointer(at, key.substr(0, kNameShownMax));
    return ValueOfType(at, key, element);
  }
  std::string_view type;
  Element element;
  // Two members, both found: so there is neither a third nor a duplicate.
  if (object.size() == 2 && object.at_key("type").get(type) == simdjson::SUCCESS &&
      object.at_key("value").get(element) == simdjson::SUCCESS) {
    return ValueOfType(std::string(name) + "/value", type, element);
  }
  Complain(name, "must look like {\"type\":\"Number\",\"value\":1.5} or {\"Number\":1.5}");
  return {};
}

std::optional<Value> ClaimReader::ValueOfType(Name name, std::string_view type, Element element) {
  Value value;
  if (type == "Number") {
    value.kind = Value::Kind::kNumber;
    if (!element.is_number()) {
      Complain(name, "must be a number");
    } else if (!ReadNumber(element, value.number)) {
      Complain(name, "this integer beyond 2^53 " + std::string(kNumberHint));
    } else {
      return value;
    }
    return {};
  }
  if (type == "Boolean") {
    bool truth = false;
    value.kind = Value::Kind::kBoolean;
    const bool fits = element.get(truth) == simdjson::SUCCESS;
    value.number = truth ? 1 : 0;
    if (fits) return value;
    Complain(name, "must be true or false");
    return {};
  }
  if (type != "Text" && type != "Reference") {
    Complain(name, std::string(kTypes));
    return {};
  }
  const auto text = TextOf(name, element);
  if (!text) return {};
  if (text->size() > kValueBytesMax) {
    Complain(
        name, Code::kTooLarge, "value_too_large",
        "is " + std::to_string(text->size()) + " bytes long; the limit is " + std::to_string(kValueBytesMax));
    return {};
  }
  value.kind = type == "Text" ? Value::Kind::kText : Value::Kind::kReference;
  std::string fault = type == "Text" ? std::string() : ConceptPathFault(*text);
  value.text = *text;
  if (fault.empty()) return value;
  Complain(name, std::move(fault));
  return {};
}

}  // namespace stemedb::model
