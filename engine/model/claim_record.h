// SPDX-License-Identifier: Apache-2.0
// The stored form of an assertion: one run of bytes, made once, when it is accepted, and carried unchanged
// through log, record store and index.
//
//   offset width
//        0     1  format version, 1
//        1     1  value kind            (Value::Kind)
//        2     1  source class          (tier 0..5; 5 when absent)
//        3     1  lifecycle             (0 when absent)
//        4     1  signature count
//        5     1  flags                 bit 0: agent, bit 1: valid_from, bit 2: valid_to, bit 3: parent;
//                                       in rows of the index alone, bit 6: votes on it, bit 7: other
//                                       operations about it
//        6     2  source id length
//        8     8  confidence            IEEE double
//       16     8  timestamp_ms
//       24     8  valid_from_ms         INT64_MIN when absent
//       32     8  valid_to_ms           INT64_MAX when absent
//       40     8  number                kNumber and kBoolean, else 0
//       48     4  value length          bytes of the text, 0 for numbers and booleans
//       52     2  concept path length
//       54     2  predicate length
//       56     4  canonical JSON length
//       60     2  epoch length
//       62     2  derived_from count
//       64    32  id
//       96    32  agent id              zero for the anonymous agent
//      128     …  value text, source id, epoch               <- the index row ends here
//              …  concept path, predicate, parent (32, when present), derived_from (32 each),
//                 signatures (96 each: agent, signature), canonical JSON
//
// The first 128 bytes with value text, source id and epoch are the *row*: all that a lens usually looks at.
// The index keeps rows side by side for each question; the rest is read from the record store only when a
// claim is shown. All integers little-endian. Decoding checks every length against the bytes there are.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"
#include "model/assertion.h"

namespace stemedb::model {

inline constexpr size_t kRowHeadBytes = 128;
inline constexpr size_t kRowFlagsAt = 5;
// Flags that aren't the claim's own.
inline constexpr uint8_t kHasVotes = 64;
inline constexpr uint8_t kHasOperations = 128;

// Reads a row or a whole record in place. A value type: two words; the bytes must outlive it.
class ClaimView {
 public:
  ClaimView() = default;

  // Checks that the row part is whole (a row, or a record of which it is the front).
  static Result<ClaimView> OfRow(std::string_view bytes);
  // Checks that the whole record is there and that nothing follows it.
  static Result<ClaimView> OfRecord(std::string_view bytes);
  // No checks: for bytes that this process has checked or made itself.
  static ClaimView Trusted(std::string_view bytes) { return ClaimView(bytes); }

  // Row part.
  Value::Kind value_kind() const { return static_cast<Value::Kind>(byte(1)); }
  SourceClass source_class() const { return static_cast<SourceClass>(byte(2)); }
  Lifecycle lifecycle() const { return static_cast<Lifecycle>(byte(3)); }
  bool anonymous() const { return (byte(5) & 1) == 0; }
  double confidence() const { return LoadLittle<double>(bytes_.data() + 8); }
  int64_t timestamp_ms() const { return LoadLittle<int64_t>(bytes_.data() + 16); }
  int64_t valid_from_ms() const { return LoadLittle<int64_t>(bytes_.data() + 24); }
  int64_t valid_to_ms() const { return LoadLittle<int64_t>(bytes_.data() + 32); }
  double number() const { return LoadLittle<double>(bytes_.data() + 40); }
  const uint8_t* id() const { return reinterpret_cast<const uint8_t*>(bytes_.data()) + 64; }
  const uint8_t* agent_id() const { return reinterpret_cast<const uint8_t*>(bytes_.data()) + 96; }
  std::string_view value_text() const { return bytes_.substr(kRowHeadBytes, value_size()); }
  std::string_view source_id() const { return bytes_.substr(kRowHeadBytes + value_size(), source_id_size()); }
  std::string_view epoch() const {
    return bytes_.substr(kRowHeadBytes + value_size() + source_id_size(), epoch_size());
  }
  size_t derived_from_count() const { return LoadLittle<uint16_t>(bytes_.data() + 62); }
  // Only in the index: an operation names this claim as what it is about (index/operation_index.h).
  bool has_votes() const { return (byte(kRowFlagsAt) & kHasVotes) != 0; }
  bool has_operations() const { return (byte(kRowFlagsAt) & kHasOperations) != 0; }
  size_t row_size() const { return kRowHeadBytes + value_size() + source_id_size() + epoch_size(); }
  std::string_view row() const { return bytes_.substr(0, row_size()); }

  // Record part: only on a view of a whole record.
  std::string_view concept_path() const { return bytes_.substr(row_size(), concept_path_size()); }
  std::string_view predicate() const {
    return bytes_.substr(row_size() + concept_path_size(), predicate_size());
  }
  std::string_view canonical_json() const {
    return bytes_.substr(bytes_.size() - canonical_size(), canonical_size());
  }
  bool has_parent() const { return (byte(5) & 8) != 0; }
  // The id of the claim that this one changes; needs has_parent().
  std::string_view parent() const { return bytes_.substr(links_at(), sizeof(Hash256)); }
  std::string_view derived_from(size_t i) const {
    return bytes_.substr(links_at() + (has_parent() ? sizeof(Hash256) : 0) + i * sizeof(Hash256),
                         sizeof(Hash256));
  }
  size_t signature_count() const { return byte(4); }
  // Agent (32 bytes) and signature (64 bytes) of the i-th signer.
  std::string_view signature(size_t i) const;
  std::string_view bytes() const { return bytes_; }

 private:
  explicit ClaimView(std::string_view bytes) : bytes_(bytes) {}
  size_t links_at() const { return row_size() + concept_path_size() + predicate_size(); }
  uint8_t byte(size_t at) const { return static_cast<uint8_t>(bytes_[at]); }
  size_t value_size() const { return LoadLittle<uint32_t>(bytes_.data() + 48); }
  size_t source_id_size() const { return LoadLittle<uint16_t>(bytes_.data() + 6); }
  size_t concept_path_size() const { return LoadLittle<uint16_t>(bytes_.data() + 52); }
  size_t predicate_size() const { return LoadLittle<uint16_t>(bytes_.data() + 54); }
  size_t canonical_size() const { return LoadLittle<uint32_t>(bytes_.data() + 56); }
  size_t epoch_size() const { return LoadLittle<uint16_t>(bytes_.data() + 60); }

  std::string_view bytes_;
};

// Canonical text, id and record of an assertion whose timestamp is set. Signatures are not checked.
std::string EncodeClaim(const Assertion& assertion, std::string_view canonical_json, const Hash256& id);

// Appends the JSON object that clients see: the claim's own fields, then `id`, `sequence`, `recorded_at`,
// `status`, unless it is empty, which says that it isn't known, and the signatures. `record` must be a whole
// record.
void AppendClaimJson(std::string& out, const ClaimView& record, uint64_t sequence, int64_t recorded_at_ms,
                     std::string_view status);

// Appends the value alone, in its bare canonical form.
void AppendValueJson(std::string& out, const ClaimView& row);

}  // namespace stemedb::model
