// SPDX-License-Identifier: Apache-2.0
// One table says which kind has which fields; the messages list a kind's own in the table's order.
#include "model/operation_reader.h"

#include <algorithm>

#include "model/text_rules.h"

namespace stemedb::model {
namespace {

constexpr unsigned Bit(OperationKind kind) { return 1U << static_cast<unsigned>(kind); }

constexpr unsigned kVote = Bit(OperationKind::kVote);
constexpr unsigned kSupersession = Bit(OperationKind::kSupersession);
constexpr unsigned kRetraction = Bit(OperationKind::kRetraction);
constexpr unsigned kEpoch = Bit(OperationKind::kEpoch);
constexpr unsigned kSource = Bit(OperationKind::kSource);
constexpr unsigned kSourceStatus = Bit(OperationKind::kSourceStatus);
constexpr unsigned kAlias = Bit(OperationKind::kAlias);
constexpr unsigned kTrust = Bit(OperationKind::kTrust);
constexpr unsigned kAll =
    kVote | kSupersession | kRetraction | kEpoch | kSource | kSourceStatus | kAlias | kTrust;

constexpr std::string_view kServerFields[] = {"id", "operation_id", "kind", "sequence", "recorded_at"};
constexpr std::string_view kTargets[] = {"assertion_id", "concept_path", "source_id"};
constexpr std::string_view kSupersessionTypes[] = {"replaces", "corrects", "expires"};

// Whether nothing is left of it once a client has put its path in order, however it is encoded: ".." or "/".
bool IsLostInUrls(std::string_view id) {
  for (size_t slash = 0; slash != std::string_view::npos;) {
    slash = id.find('/');
    const std::string_view segment = id.substr(0, slash);
    if (!segment.empty() && segment != "." && segment != "..") return false;
    id.remove_prefix(slash == std::string_view::npos ? id.size() : slash + 1);
  }
  return true;
}

constexpr size_t kKindBitsMax = kOperationKindMax + 1;  // bit 0 is nobody's
constexpr std::string_view kShapes[kKindBitsMax] = {
    "",
    "a vote is a JSON object such as {\"assertion_id\":…,\"weight\":0.8}",
    "a supersession is a JSON object such as {\"target\":…,\"replacement\":…,\"reason\":…}",
    "a retraction is a JSON object such as {\"assertion_id\":…,\"reason\":…}",
    "an epoch is a JSON object such as {\"name\":…,\"supersedes\":…}",
    "a source is a JSON object such as {\"id\":…,\"class\":\"clinical\",\"title\":…}",
    "a change of status is a JSON object such as {\"status\":\"retracted\",\"reason\":…}",
    "an alias is a JSON object such as {\"alias\":…,\"concept_path\":…}",
    "a statement of trust is a JSON object such as {\"agent\":…,\"trust\":0.8}",
};

}  // namespace

const OperationReader::Field OperationReader::kFields[] = {
    {"assertion_id", kVote | kRetraction, kVote, &OperationReader::ReadAssertionId},
    {"weight", kVote, kVote, &OperationReader::ReadFraction},
    {"target", kSupersession, kSupersession, &OperationReader::ReadAssertionId},
    {"replacement", kSupersession, kSupersession, &OperationReader::ReadReplacement},
    {"alias", kAlias, kAlias, &OperationReader::ReadPath, &Operation::path},
    {"concept_path", kAlias, kAlias, &OperationReader::ReadPath, &Operation::other_name},
    {"concept_path", kRetraction, 0, &OperationReader::ReadRetractedPath},
    {"source_id", kRetraction, 0, &OperationReader::ReadName, &Operation::name, kSourceIdBytesMax},
    {"name", kEpoch, kEpoch, &OperationReader::ReadName, &Operation::name, kEpochBytesMax},
    {"supersedes", kEpoch, 0, &OperationReader::ReadName, &Operation::other_name, kEpochBytesMax},
    {"supersession_type", kEpoch, 0, &OperationReader::ReadSupersessionType},
    {"id", kSource | kSourceStatus, kSource | kSourceStatus, &OperationReader::ReadName, &Operation::name,
     kSourceIdBytesMax},
    {"class", kSource, 0, &OperationReader::ReadClass},
    {"title", kSource, 0, &OperationReader::ReadName, &Operation::detail, kSourceTitleBytesMax},
    {"url", kSource, 0, &OperationReader::ReadName, &Operation::url, kSourceUrlBytesMax},
    {"hash", kSource, 0, &OperationReader::ReadName, &Operation::hash, kSourceHashBytesMax},
    {"content", kSource, 0, &OperationReader::ReadContent},
    {"status", kSourceStatus, kSourceStatus, &OperationReader::ReadStatus},
    {"agent", kTrust, kTrust, &OperationReader::ReadTrusted},
    {"trust", kTrust, kTrust, &OperationReader::ReadFraction},
    {"rank", kTrust, 0, &OperationReader::ReadRank},
    {"reason", kSupersession | kRetraction | kSourceStatus | kTrust, 0, &OperationReader::ReadName,
     &Operation::reason, kReasonBytesMax},
    {"cascade", kRetraction, 0, &OperationReader::ReadCascade},
    {"dry_run", kRetraction | kSourceStatus, 0, &OperationReader::ReadDryRun},
    {"agent_id", kAll, 0, &OperationReader::ReadAgentId},
    {"timestamp", kAll, 0, &OperationReader::ReadTimestamp},
    {"signature", kAll, 0, &OperationReader::ReadSignature},
    {"signatures", kAll, 0, &OperationReader::ReadSignatures},
};

ParsedOperation OperationReader::Read(Element element, const HeaderSignature& header) {
  simdjson::dom::object object;
  if (element.get(object) != simdjson::SUCCESS) {
    Complain("", std::string(kShapes[static_cast<size_t>(operation_.kind)]));
  } else {
    ReadMembers(object);
    CheckRequired();
    if (operation_.kind == OperationKind::kRetraction) CheckTarget();
    if (operation_.kind == OperationKind::kSourceStatus) TakeSourceId();
    if (operation_.kind == OperationKind::kTrust) TakeAgent(), TakeRank();
    CheckSelf();
    signers_.Join(header, parsed_.dry_run ? Naming::kFreely : Naming::kBySignature);
    if (!operation_.signatures.empty()) {
      CheckSignedTimes(NounOf(operation_.kind), operation_.timestamp_ms.has_value());
      if (parsed_.dry_run) {
        Complain("dry_run",
                 "is no part of what is signed: whoever takes it out has a signed order to do it; leave the "
                 "signature out to see what it would do");
      }
    }
  }
  parsed_.status = Verdict();
  parsed_.errors = TakeErrors();
  return std::move(parsed_);
}

void OperationReader::ReadMembers(simdjson::dom::object object) {
  static_assert(std::size(kFields) <= 32);  // what FieldReader tells apart
  for (const auto [key, element] : object) {
    const auto is_it = [this, key = key](const Field& field) {
      return (field.kinds & kind_bit()) != 0 && field.name == key;
    };
    const auto field = std::find_if(std::begin(kFields), std::end(kFields), is_it);
    if (field == std::end(kFields)) {
      RefuseUnknownField(key);
    } else if (Takes(static_cast<size_t>(field - std::begin(kFields)), field->name, element)) {
      (this->*field->read)(*field, element);
    }
  }
}

void OperationReader::RefuseUnknownField(Name name) {
  std::string allowed;
  for (const Field& field : kFields) {
    if (has_all_faults()) break;  // nobody will read the list
    if ((field.kinds & kind_bit()) != 0) allowed.append(allowed.empty() ? "" : ", ").append(field.name);
  }
  RefuseUnknown(name, kServerFields, allowed);
}

void OperationReader::ReadName(const Field& field, Element element) {
  if (const auto text = NameIn(field.name, element, field.bytes_max)) operation_.*field.text = *text;
}

void OperationReader::ReadPath(const Field& field, Element element) {
  if (const auto text = PathIn(field.name, element)) operation_.*field.text = *text;
}

void OperationReader::ReadRetractedPath(const Field& field, Element element) {
  const auto text = TextOf(field.name, element);
  if (!text) return;
  if (*text == "*") {
    return Complain(field.name, "would retract everything; name the concept path above what is retracted");
  }
  // As in a query: with some segment in the asterisk's place the path must be a good one.
  const bool is_subtree = text->ends_with("/*");
  std::string path(*text);
  if (is_subtree) path.back() = 'x';
  std::string fault = ConceptPathFault(path);
  if (!fault.empty()) return Complain(field.name, std::move(fault));
  // Off goes the asterisk, and the slash before it unless that belongs to "scheme://".
  if (is_subtree) path.pop_back();
  if (is_subtree && !path.ends_with("://")) path.pop_back();
  operation_.path = std::move(path);
  operation_.subtree = is_subtree;
}

void OperationReader::ReadAssertionId(const Field& field, Element element) {
  operation_.assertion_id = IdIn(field.name, element);
}

void OperationReader::ReadReplacement(const Field& field, Element element) {
  const auto id = IdIn(field.name, element);
  if (!id) return;
  operation_.other_id = *id;
  has_replacement_ = true;
}

void OperationReader::ReadTrusted(const Field& field, Element element) {
  AgentId key;
  std::string_view text;
  if (element.get(text) != simdjson::SUCCESS || !FromHex(text, key) || key == kAnonymousAgent) {
    return Complain(field.name, "must be an agent's public key: 64 lower-case hex digits, not all zero");
  }
  operation_.other_id = key;
}

void OperationReader::ReadFraction(const Field& field, Element element) {
  if (const auto number = FractionIn(field.name, element)) operation_.number = *number;
}

void OperationReader::ReadRank(const Field& field, Element element) {
  rank_ = FractionIn(field.name, element);
}

std::optional<bool> OperationReader::TruthIn(Name name, Element element) {
  bool truth = false;
  if (element.get(truth) == simdjson::SUCCESS) return truth;
  Complain(name, "must be true or false");
  return {};
}

void OperationReader::ReadCascade(const Field& field, Element element) {
  operation_.cascade = TruthIn(field.name, element).value_or(false);
}

void OperationReader::ReadDryRun(const Field& field, Element element) {
  parsed_.dry_run = TruthIn(field.name, element).value_or(false);
}

void OperationReader::ReadClass(const Field& field, Element element) {
  const auto text = TextOf(field.name, element);
  if (!text) return;
  operation_.source_class = SourceClassOf(*text);
  if (!operation_.source_class) Complain(field.name, std::string(kSourceClassHint));
}

void OperationReader::ReadStatus(const Field& field, Element element) {
  const auto text = TextOf(field.name, element);
  if (!text) return;
  const auto status = SourceStatusOf(*text);
  if (!status) return Complain(field.name, "must be one of active, under_review, deprecated, retracted");
  operation_.source_status = *status;
}

void OperationReader::ReadSupersessionType(const Field& field, Element element) {
  const auto text = TextOf(field.name, element);
  if (!text) return;
  const auto type = std::find(std::begin(kSupersessionTypes), std::end(kSupersessionTypes), *text);
  if (type == std::end(kSupersessionTypes)) {
    return Complain(field.name, "must be one of replaces, corrects, expires");
  }
  operation_.detail = *text;
}

void OperationReader::ReadContent(const Field& field, Element element) {
  const auto text = TextOf(field.name, element);
  if (!text) return;
  if (text->empty()) return Complain(field.name, "must not be empty; leave it out when there is none");
  if (text->size() > kSourceContentBytesMax) {
    return Complain(field.name, Code::kTooLarge, "value_too_large",
                    "is " + std::to_string(text->size()) + " bytes long; the limit is " +
                        std::to_string(kSourceContentBytesMax));
  }
  operation_.content = *text;
}

void OperationReader::ReadTimestamp(const Field& field, Element element) {
  operation_.timestamp_ms = TimeIn(field.name, element);
}

bool OperationReader::given(Name name) const {
  for (size_t i = 0; i < std::size(kFields); ++i) {
    if (seen(i) && kFields[i].name == name) return true;
  }
  return false;
}

void OperationReader::CheckRequired() {
  for (size_t i = 0; i < std::size(kFields); ++i) {
    const Field& field = kFields[i];
    if ((field.required & kind_bit()) == 0 || seen(i)) continue;
    if ((field.name == "id" || field.name == "agent") && !url_id_.empty()) continue;  // the URL has it
    if (field.name == "trust" && given("rank")) continue;
    const Name name = field.name == "trust" && !url_id_.empty() ? "rank" : field.name;  // as that call has it
    Complain(name, field.read == &OperationReader::ReadFraction ? "is required: a number from 0 to 1"
                                                                : "is required");
  }
}

void OperationReader::CheckTarget() {
  Name first;
  for (const Name name : kTargets) {
    if (!given(name)) continue;
    if (!first.empty()) {
      return Complain(name, "is a second target beside " + std::string(first) + "; give one of them");
    }
    first = name;
  }
  if (first.empty()) {
    Complain("", "a retraction must name its target: one of assertion_id, concept_path, source_id");
  }
}

void OperationReader::TakeSourceId() {
  if (url_id_.empty()) return;
  std::string fault = NameFault(url_id_, kSourceIdBytesMax);
  if (!fault.empty()) return Complain("", "the source's id in the URL " + fault);
  if (operation_.name.empty()) operation_.name = url_id_;
  if (operation_.name != url_id_) {
    Complain("id", "differs from the source's id in the URL; leave it out, or repeat that one");
  }
}

void OperationReader::TakeAgent() {
  if (url_id_.empty()) return;
  AgentId key;
  if (!FromHex(url_id_, key) || key == kAnonymousAgent) {
    return Complain("", "the agent in the URL must be its key: 64 lower-case hex digits, not all zero");
  }
  if (!given("agent")) operation_.other_id = key;
  if (operation_.other_id != key) {
    Complain("agent", "differs from the agent in the URL; leave it out, or repeat that one");
  }
}

// What is signed has it as `trust`.
void OperationReader::TakeRank() {
  if (!rank_) return;
  if (!given("trust")) operation_.number = *rank_;
  if (operation_.number != *rank_) {
    Complain("rank", "differs from trust; trust and rank are one field, give one of them");
  }
}

void OperationReader::CheckSelf() {
  const Operation& o = operation_;
  if (o.kind == OperationKind::kSupersession && has_replacement_ && o.assertion_id == o.other_id) {
    Complain("replacement", "is the target; a claim can't take its own place");
  }
  if (o.kind == OperationKind::kEpoch && !o.name.empty() && o.name == o.other_name) {
    Complain("supersedes", "is the epoch's own name; an epoch can't supersede itself");
  }
  if (o.kind == OperationKind::kEpoch && !o.detail.empty() && !given("supersedes")) {
    Complain("supersession_type",
             "says how an epoch is superseded: name that one in supersedes, or leave it out");
  }
  if (o.kind == OperationKind::kSource && !o.name.empty() && IsLostInUrls(o.name)) {
    Complain("id",
             "is of dots and slashes alone, which clients take for a step in the path: nobody could ask for "
             "/v1/sources/ID; give it a name");
  }
}

}  // namespace stemedb::model
