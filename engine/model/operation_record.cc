// SPDX-License-Identifier: Apache-2.0
#include "model/operation_record.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "base/check.h"
#include "base/json_writer.h"
#include "model/signers.h"

namespace stemedb::model {
namespace {

constexpr uint8_t kVersion = 129;
constexpr uint8_t kHasAgent = 1, kCascades = 2, kAboutAssertion = 4;
constexpr uint8_t kNoClass = 255;

// Which subjects a kind has: any one of `first`, then `second` ('\0' when it has none).
struct Shape {
  std::string_view first;
  char second;
  bool needs_second;
};
constexpr Shape kShapes[] = {
    {"v", '\0', false},     // vote
    {"a", 'r', true},       // supersession
    {"apbs", '\0', false},  // retraction
    {"e", 'o', false},      // epoch
    {"s", '\0', false},     // source
    {"s", '\0', false},     // source_status
    {"l", 'q', true},       // alias
    {"t", '\0', false},     // trust
};
static_assert(std::size(kShapes) == kOperationKindMax);

bool IsAssertion(SubjectKind kind) {
  return kind == SubjectKind::kAssertion || kind == SubjectKind::kVotesOn;
}

uint8_t Byte(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

Status Corrupt(std::string detail) {
  return Status(Code::kCorruption, "operation_record", "operation record: " + std::move(detail));
}

bool FitsSubject(SubjectKind kind, size_t size) {
  switch (kind) {
    case SubjectKind::kAssertion:
    case SubjectKind::kVotesOn:
    case SubjectKind::kReplacement:
    case SubjectKind::kAgent:
      return size == sizeof(Hash256);
    case SubjectKind::kEpoch:
    case SubjectKind::kOldEpoch:
      return size >= 1 && size <= kEpochBytesMax;
    case SubjectKind::kPath:
    case SubjectKind::kSubtree:
    case SubjectKind::kAlias:
    case SubjectKind::kAliasTarget:
      return size >= 1 && size <= kConceptPathBytesMax;
    case SubjectKind::kSource:
      return size >= 1 && size <= kSourceIdBytesMax;
  }
  return false;
}

bool HasOtherId(OperationKind kind) {
  return kind == OperationKind::kSupersession || kind == OperationKind::kTrust;
}

bool HasNumber(OperationKind kind) { return kind == OperationKind::kVote || kind == OperationKind::kTrust; }

// The subjects' kinds and lengths; only then may they be read.
Status CheckSubjects(std::string_view bytes) {
  const Shape& shape = kShapes[Byte(bytes, 1) - 1];
  if (shape.first.find(bytes[6]) == std::string_view::npos) return Corrupt("a subject that its kind hasn't");
  const bool has_second = bytes[7] != '\0';
  if (has_second ? bytes[7] != shape.second : shape.needs_second) {
    return Corrupt("a second subject that its kind hasn't");
  }
  const size_t first_size = LoadLittle<uint16_t>(bytes.data() + 120);
  const size_t second_size = LoadLittle<uint16_t>(bytes.data() + 122);
  if (!FitsSubject(static_cast<SubjectKind>(bytes[6]), first_size) ||
      (has_second ? !FitsSubject(static_cast<SubjectKind>(bytes[7]), second_size) : second_size != 0)) {
    return Corrupt("a subject of a length that its kind hasn't");
  }
  if (bytes.size() < kOperationHeadBytes + first_size + second_size) return Corrupt("shorter than its row");
  return Status::Ok();
}

// What the head says twice must be the same both times.
Status CheckTwins(const OperationView& view) {
  const OperationKind kind = view.kind();
  const bool is_about_assertion = IsAssertion(view.subject().kind);
  if (is_about_assertion != ((Byte(view.bytes(), 2) & kAboutAssertion) != 0)) {
    return Corrupt("its flags and its subject differ");
  }
  if (kind == OperationKind::kSupersession && view.other_id() != view.second_subject().name) {
    return Corrupt("its replacement and its second subject differ");
  }
  if (kind == OperationKind::kTrust && view.other_id() != view.subject().name) {
    return Corrupt("its agent and its subject differ");
  }
  return Status::Ok();
}

// What the head says must be such that every getter's answer can be used without a further check.
Status CheckHead(std::string_view bytes) {
  if (bytes.size() < kOperationHeadBytes) return Corrupt("shorter than its head of 128 bytes");
  const OperationView view = OperationView::Trusted(bytes);
  if (Byte(bytes, 0) != kVersion) {
    return Corrupt("format version " + std::to_string(Byte(bytes, 0)) + "; this program reads 129");
  }
  const OperationKind kind = view.kind();
  if (Byte(bytes, 1) < 1 || Byte(bytes, 1) > kOperationKindMax) return Corrupt("unknown kind of operation");
  if (Byte(bytes, 2) > 7) return Corrupt("unknown flag");
  if (view.cascade() && kind != OperationKind::kRetraction) return Corrupt("cascades, but retracts nothing");
  if (Byte(bytes, 3) > kSignaturesMax) return Corrupt("more signatures than the limit");
  const auto status_max =
      kind == OperationKind::kSourceStatus ? static_cast<uint8_t>(SourceStatus::kRetracted) : uint8_t{0};
  if (Byte(bytes, 4) > status_max) return Corrupt("unknown status of a source");
  const auto class_max =
      kind == OperationKind::kSource ? static_cast<uint8_t>(SourceClass::kAnecdotal) : uint8_t{0};
  const bool has_no_class = kind == OperationKind::kSource && Byte(bytes, 5) == kNoClass;
  if (Byte(bytes, 5) > class_max && !has_no_class) return Corrupt("unknown source class");
  if (!(view.number() >= 0 && view.number() <= (HasNumber(kind) ? 1 : 0))) {
    return Corrupt("the number is out of its range");
  }
  STEMEDB_RETURN_IF_ERROR(CheckSubjects(bytes));
  return CheckTwins(view);
}

void StoreHead(char* head, const Operation& operation, const std::vector<Subject>& subjects,
               size_t canonical_size, const Hash256& id) {
  const OperationKind kind = operation.kind;
  const bool is_about_assertion = IsAssertion(subjects[0].kind);
  head[0] = static_cast<char>(kVersion);
  head[1] = static_cast<char>(kind);
  head[2] = static_cast<char>((operation.agent_id ? kHasAgent : 0) | (operation.cascade ? kCascades : 0) |
                              (is_about_assertion ? kAboutAssertion : 0));
  head[3] = static_cast<char>(operation.signatures.size());
  if (kind == OperationKind::kSourceStatus) head[4] = static_cast<char>(operation.source_status);
  if (kind == OperationKind::kSource) {
    const std::optional<SourceClass>& source_class = operation.source_class;
    head[5] = static_cast<char>(source_class ? static_cast<uint8_t>(*source_class) : kNoClass);
  }
  head[6] = static_cast<char>(subjects[0].kind);
  if (subjects.size() > 1) head[7] = static_cast<char>(subjects[1].kind);
  StoreLittle(head + 8, *operation.timestamp_ms);
  if (HasNumber(kind)) StoreLittle(head + 16, operation.number);
  StoreLittle(head + 24, id);
  StoreLittle(head + 56, operation.agent_id.value_or(kAnonymousAgent));
  if (HasOtherId(kind)) StoreLittle(head + 88, operation.other_id);
  StoreLittle(head + 120, static_cast<uint16_t>(subjects[0].name.size()));
  if (subjects.size() > 1) StoreLittle(head + 122, static_cast<uint16_t>(subjects[1].name.size()));
  StoreLittle(head + 124, static_cast<uint32_t>(canonical_size));
}

// In canonical order only agent_id and class stand before it, neither of which can hold its name. Behind it
// stand hash, if there is one, and id. They are looked for from the end, so that the content, which may have
// 1 MiB, isn't read: a quote within a string has a backslash before it, so that what they begin with stands
// in no string.
void AppendWithoutContent(std::string& out, std::string_view canonical) {
  constexpr std::string_view kMember = "\"content\":\"", kHash = "\",\"hash\":\"", kId = "\",\"id\":\"";
  constexpr size_t kHashMax = kHash.size() + 6 * kSourceHashBytesMax;  // of a byte JSON makes six at most
  const size_t at = canonical.find(kMember);
  size_t next = at == std::string_view::npos ? at : canonical.rfind(kId);
  if (next == std::string_view::npos) {
    out.append(canonical);
    return;
  }
  const size_t from = next - std::min(next, kHashMax);
  const size_t hash = canonical.substr(from, next - from).rfind(kHash);
  if (hash != std::string_view::npos) next = from + hash;
  out.append(canonical.substr(0, at)).append(canonical.substr(next + 2));
}

}  // namespace

Result<OperationView> OperationView::OfRow(std::string_view bytes) {
  STEMEDB_RETURN_IF_ERROR(CheckHead(bytes));
  return OperationView(bytes);
}

Result<OperationView> OperationView::OfRecord(std::string_view bytes) {
  STEMEDB_RETURN_IF_ERROR(CheckHead(bytes));
  const OperationView view(bytes);
  const size_t size = view.row_size() + view.signature_count() * kSignerBytes + view.canonical_size();
  if (size != bytes.size()) {
    return Corrupt(std::to_string(bytes.size()) + " bytes long where its lengths add up to " +
                   std::to_string(size));
  }
  const std::string_view canonical = view.canonical_json();
  if (canonical.size() < 2 || canonical.front() != '{' || canonical.back() != '}')
    return Corrupt("no JSON object at its end");
  return view;
}

std::string EncodeOperation(const Operation& operation, std::string_view canonical_json, const Hash256& id) {
  STEMEDB_CHECK(operation.timestamp_ms.has_value());
  STEMEDB_CHECK(operation.signatures.size() <= kSignaturesMax);
  STEMEDB_CHECK(canonical_json.size() <= std::numeric_limits<uint32_t>::max());
  const std::vector<Subject> subjects = SubjectsOf(operation);
  size_t row_size = kOperationHeadBytes;
  for (const Subject& subject : subjects) {
    STEMEDB_CHECK(FitsSubject(subject.kind, subject.name.size()));
    row_size += subject.name.size();
  }
  std::string out;
  out.reserve(row_size + operation.signatures.size() * kSignerBytes + canonical_json.size());
  out.resize(kOperationHeadBytes);
  StoreHead(out.data(), operation, subjects, canonical_json.size(), id);
  for (const Subject& subject : subjects) out.append(subject.name);
  for (const SignedBy& signer : operation.signatures)
    out.append(AsView(signer.agent_id)).append(AsView(signer.signature));
  out.append(canonical_json);
  return out;
}

void AppendOperationJson(std::string& out, const OperationView& record, uint64_t sequence,
                         int64_t recorded_at_ms, Content content) {
  // Spliced: the canonical text is stored, so only its closing brace gives way to what the server adds.
  std::string_view canonical = record.canonical_json();
  canonical.remove_suffix(1);
  const size_t start = out.size();
  if (content == Content::kLeftOut && record.kind() == OperationKind::kSource) {
    AppendWithoutContent(out, canonical);
  } else {
    out.append(canonical);
  }
  if (out.size() - start > 1) out.push_back(',');
  const OperationKind kind = record.kind();
  const bool has_own_id = kind == OperationKind::kSource || kind == OperationKind::kSourceStatus;
  out.append("\"kind\":\"").append(NameOf(kind));
  out.append(has_own_id ? "\",\"operation_id\":\"" : "\",\"id\":\"");
  AppendHex(out, AsBytes(record.id()));
  out.append("\",\"sequence\":").append(std::to_string(sequence)).append(",\"recorded_at\":");
  JsonWriter(out).Time(recorded_at_ms);
  const size_t count = record.signature_count();
  if (count > 0) AppendSignersJson(out, {record.signature(0).data(), count * kSignerBytes});
  out.push_back('}');
}

}  // namespace stemedb::model
