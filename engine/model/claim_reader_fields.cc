// SPDX-License-Identifier: Apache-2.0
// One function for each plain field: its type, its limit, and what to say when it is wrong.
#include <algorithm>

#include "model/claim_reader.h"
#include "model/json_form.h"

namespace stemedb::model {

void ClaimReader::ReadConceptPath(Name name, Element element) {
  const auto text = PathIn(name, element);
  if (!text) return;
  if (!claim_.concept_path.empty() && claim_.concept_path != *text) {
    return Complain(name, "concept_path and its alias subject differ; give one of them");
  }
  claim_.concept_path = *text;
}

void ClaimReader::ReadPredicate(Name name, Element element) {
  if (const auto text = NameIn(name, element, kPredicateBytesMax)) claim_.predicate = *text;
}

void ClaimReader::ReadConfidence(Name name, Element element) {
  if (const auto number = FractionIn(name, element)) claim_.confidence = *number;
}

void ClaimReader::ReadLifecycle(Name name, Element element) {
  const auto text = TextOf(name, element);
  if (!text) return;
  claim_.lifecycle = LifecycleOf(*text);
  if (!claim_.lifecycle)
    Complain(name, "must be one of proposed, under_review, approved, deprecated, rejected");
}

void ClaimReader::ReadParent(Name name, Element element) { claim_.parent = IdIn(name, element); }

void ClaimReader::ReadDerivedFrom(Name name, Element element) {
  simdjson::dom::array array;
  if (element.get(array) != simdjson::SUCCESS || array.size() == 0) {
    return Complain(name, "must be a list of assertion ids; leave it out when there are none");
  }
  if (array.size() > kDerivedFromMax) {
    return Complain(name, "holds " + std::to_string(array.size()) + " ids; the limit is " +
                              std::to_string(kDerivedFromMax));
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

void ClaimReader::ReadTimestamp(Name name, Element element) { claim_.timestamp_ms = TimeIn(name, element); }
void ClaimReader::ReadValidFrom(Name name, Element element) { claim_.valid_from_ms = TimeIn(name, element); }
void ClaimReader::ReadValidTo(Name name, Element element) { claim_.valid_to_ms = TimeIn(name, element); }

void ClaimReader::ReadMetadata(Name name, Element element) {
  if (!element.is_object()) return Complain(name, "must be a JSON object");
  std::string text;
  JsonForm form(text, kJsonDepthMax - 1);  // the claim around it is the first level
  if (!form.Append(element)) return Complain(std::string(name) + form.pointer(), form.detail());
  if (text.size() > kMetadataBytesMax) {
    return Complain(name, "is " + std::to_string(text.size()) +
                              " bytes long in its canonical form; the limit is " +
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
    AppendPointer(at, key.substr(0, kNameShownMax));
    std::string* const text = key == "id"     ? &source.id
                              : key == "hash" ? &source.hash
                              : key == "url"  ? &source.url
                                              : nullptr;
    if (text != nullptr) {
      const size_t limit = key == "id"     ? kSourceIdBytesMax
                           : key == "hash" ? kSourceHashBytesMax
                                           : kSourceUrlBytesMax;
      if (!text->empty()) Complain(at, "the key stands twice in its object");
      if (const auto given = NameIn(at, item, limit)) *text = *given;
    } else if (key == "class") {
      if (source.source_class) Complain(at, "the key stands twice in its object");
      const auto class_name = TextOf(at, item);
      if (class_name) source.source_class = SourceClassOf(*class_name);
      if (class_name && !source.source_class) Complain(at, std::string(kSourceClassHint));
    } else {
      Complain(at, "unknown field; allowed are id, class, hash, url");
    }
  }
  claim_.source = std::move(source);
}

}  // namespace stemedb::model
