// SPDX-License-Identifier: Apache-2.0
#include "model/claim_record.h"

#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/json_writer.h"
#include "model/signers.h"

namespace stemedb::model {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kHasAgent = 1, kHasValidFrom = 2, kHasValidTo = 4, kHasParent = 8;

uint8_t Byte(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

Status Corrupt(std::string detail) {
  return Status(Code::kCorruption, "claim_record", "claim record: " + std::move(detail));
}

// What the head says must be such that every getter's answer can be used without a further check.
Status CheckHead(std::string_view bytes) {
  if (bytes.size() < kRowHeadBytes) return Corrupt("shorter than its head of 128 bytes");
  const ClaimView view = ClaimView::Trusted(bytes);
  if (Byte(bytes, 0) != kVersion)
    return Corrupt("format version " + std::to_string(Byte(bytes, 0)) + "; this program reads 1");
  if (view.value_kind() > Value::Kind::kReference) return Corrupt("unknown kind of value");
  if (view.source_class() > SourceClass::kAnecdotal) return Corrupt("unknown source class");
  if (view.lifecycle() > Lifecycle::kRejected) return Corrupt("unknown lifecycle");
  if (Byte(bytes, 4) > kSignaturesMax) return Corrupt("more signatures than the limit");
  if ((Byte(bytes, kRowFlagsAt) & ~(kHasVotes | kHasOperations)) > 15) return Corrupt("unknown flag");
  if (!(view.confidence() >= 0 && view.confidence() <= 1)) return Corrupt("confidence outside 0 to 1");
  if (!std::isfinite(view.number())) return Corrupt("the number is not finite");
  if (LoadLittle<uint16_t>(bytes.data() + 62) > kDerivedFromMax)
    return Corrupt("derived from more than the limit");
  if (bytes.size() < view.row_size()) return Corrupt("shorter than its row");
  return Status::Ok();
}

size_t ParentBytes(std::string_view bytes) {
  return (Byte(bytes, 5) & kHasParent) != 0 ? sizeof(Hash256) : 0;
}

// Bytes from the start to the first signature.
size_t SignaturesAt(const ClaimView& view) {
  const std::string_view bytes = view.bytes();
  return view.row_size() + view.concept_path().size() + view.predicate().size() + ParentBytes(bytes) +
         LoadLittle<uint16_t>(bytes.data() + 62) * sizeof(Hash256);
}

template <typename Length>
void StoreLength(char* to, size_t length) {
  STEMEDB_CHECK(length <= std::numeric_limits<Length>::max());
  StoreLittle(to, static_cast<Length>(length));
}

void StoreHead(char* head, const Assertion& claim, size_t canonical_size, const Hash256& id) {
  const Source* source = claim.source ? &*claim.source : nullptr;
  const bool is_text = claim.value.kind == Value::Kind::kText || claim.value.kind == Value::Kind::kReference;
  head[0] = kVersion;
  head[1] = static_cast<char>(claim.value.kind);
  head[2] = static_cast<char>(source != nullptr && source->source_class ? *source->source_class
                                                                        : SourceClass::kAnecdotal);
  head[3] = static_cast<char>(claim.lifecycle.value_or(Lifecycle::kProposed));
  StoreLength<uint8_t>(head + 4, claim.signatures.size());
  head[5] = static_cast<char>((claim.agent_id ? kHasAgent : 0) | (claim.valid_from_ms ? kHasValidFrom : 0) |
                              (claim.valid_to_ms ? kHasValidTo : 0) | (claim.parent ? kHasParent : 0));
  StoreLength<uint16_t>(head + 6, source != nullptr ? source->id.size() : 0);
  StoreLittle(head + 8, claim.confidence);
  StoreLittle(head + 16, *claim.timestamp_ms);
  StoreLittle(head + 24, claim.valid_from_ms.value_or(std::numeric_limits<int64_t>::min()));
  StoreLittle(head + 32, claim.valid_to_ms.value_or(std::numeric_limits<int64_t>::max()));
  StoreLittle(head + 40, is_text ? 0.0 : claim.value.number);
  StoreLength<uint32_t>(head + 48, is_text ? claim.value.text.size() : 0);
  StoreLength<uint16_t>(head + 52, claim.concept_path.size());
  StoreLength<uint16_t>(head + 54, claim.predicate.size());
  StoreLength<uint32_t>(head + 56, canonical_size);
  StoreLength<uint16_t>(head + 60, claim.epoch.size());
  StoreLength<uint16_t>(head + 62, claim.derived_from.size());
  StoreLittle(head + 64, id);
  StoreLittle(head + 96, claim.agent_id.value_or(kAnonymousAgent));
}

}  // namespace

Result<ClaimView> ClaimView::OfRow(std::string_view bytes) {
  STEMEDB_RETURN_IF_ERROR(CheckHead(bytes));
  return ClaimView(bytes);
}

Result<ClaimView> ClaimView::OfRecord(std::string_view bytes) {
  STEMEDB_RETURN_IF_ERROR(CheckHead(bytes));
  const ClaimView view(bytes);
  if (view.has_votes() || view.has_operations())
    return Corrupt("a flag that stands in rows of the index alone");
  const size_t names_end = view.row_size() + view.concept_path_size() + view.predicate_size();
  const size_t links = ParentBytes(bytes) + LoadLittle<uint16_t>(bytes.data() + 62) * sizeof(Hash256);
  const size_t size = names_end + links + view.signature_count() * kSignerBytes + view.canonical_size();
  if (size != bytes.size()) {
    return Corrupt(std::to_string(bytes.size()) + " bytes long where its lengths add up to " +
                   std::to_string(size));
  }
  const std::string_view canonical = view.canonical_json();
  if (canonical.size() < 2 || canonical.front() != '{' || canonical.back() != '}')
    return Corrupt("no JSON object at its end");
  return view;
}

std::string_view ClaimView::signature(size_t i) const {
  STEMEDB_CHECK(i < signature_count());
  return bytes_.substr(SignaturesAt(*this) + i * kSignerBytes, kSignerBytes);
}

std::string EncodeClaim(const Assertion& assertion, std::string_view canonical_json, const Hash256& id) {
  STEMEDB_CHECK(assertion.timestamp_ms.has_value());
  const bool is_text =
      assertion.value.kind == Value::Kind::kText || assertion.value.kind == Value::Kind::kReference;
  std::string out;
  out.reserve(kRowHeadBytes + assertion.value.text.size() +
              (assertion.source ? assertion.source->id.size() : 0) + assertion.epoch.size() +
              assertion.concept_path.size() + assertion.predicate.size() +
              (1 + assertion.derived_from.size()) * sizeof(Hash256) +
              assertion.signatures.size() * kSignerBytes + canonical_json.size());
  out.resize(kRowHeadBytes);
  StoreHead(out.data(), assertion, canonical_json.size(), id);
  if (is_text) out.append(assertion.value.text);
  if (assertion.source) out.append(assertion.source->id);
  out.append(assertion.epoch).append(assertion.concept_path).append(assertion.predicate);
  if (assertion.parent) out.append(AsView(*assertion.parent));
  for (const Hash256& derived : assertion.derived_from) out.append(AsView(derived));
  for (const SignedBy& signer : assertion.signatures)
    out.append(AsView(signer.agent_id)).append(AsView(signer.signature));
  out.append(canonical_json);
  return out;
}

void AppendClaimJson(std::string& out, const ClaimView& record, uint64_t sequence, int64_t recorded_at_ms,
                     std::string_view status) {
  // Spliced: the canonical text is stored, so only its closing brace gives way to what the server adds.
  std::string_view canonical = record.canonical_json();
  canonical.remove_suffix(1);
  out.append(canonical);
  if (canonical.size() > 1) out.push_back(',');
  out.append("\"id\":\"");
  AppendHex(out, {record.id(), sizeof(Hash256)});
  out.append("\",\"sequence\":").append(std::to_string(sequence)).append(",\"recorded_at\":");
  JsonWriter(out).Time(recorded_at_ms);
  if (!status.empty()) {
    out.append(",\"status\":");
    AppendJsonString(out, status);
  }
  const size_t count = record.signature_count();
  if (count > 0) AppendSignersJson(out, {record.signature(0).data(), count * kSignerBytes});
  out.push_back('}');
}

void AppendValueJson(std::string& out, const ClaimView& row) {
  switch (row.value_kind()) {
    case Value::Kind::kText:
      AppendJsonString(out, row.value_text());
      break;
    case Value::Kind::kNumber:
      AppendJsonNumber(out, row.number());
      break;
    case Value::Kind::kBoolean:
      out.append(row.number() != 0 ? "true" : "false");
      break;
    case Value::Kind::kReference:
      out.append("{\"ref\":");
      AppendJsonString(out, row.value_text());
      out.push_back('}');
      break;
  }
}

}  // namespace stemedb::model
