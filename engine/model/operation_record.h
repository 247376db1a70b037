// SPDX-License-Identifier: Apache-2.0
// The stored form of an operation: one run of bytes, made once, when it is accepted, and carried unchanged
// through log, record store and index.
//
//   offset width
//        0     1  format version, 129: above 128, where claims (claim_record.h) are below
//        1     1  kind                 (OperationKind)
//        2     1  flags                bit 0: agent, bit 1: cascade, bit 2: the first subject is an assertion
//        3     1  signature count
//        4     1  source status        kSourceStatus, else 0
//        5     1  source class         kSource: tier 0..5, 255 when absent; else 0
//        6     1  first subject's kind (SubjectKind)
//        7     1  second subject's kind, 0 when there is none
//        8     8  timestamp_ms
//       16     8  number               weight of a vote, trust
//       24    32  id
//       56    32  agent id             zero for the anonymous agent
//       88    32  other id             the replacement; the agent that is trusted; else zero
//      120     2  first subject's length
//      122     2  second subject's length
//      124     4  canonical JSON length
//      128     …  first subject's name, second subject's name     <- the row ends here
//              …  signatures (96 each: agent, signature), canonical JSON
//
// The *row* is what the index keeps beside the subject; the rest is read from the record store only when the
// operation is shown. All integers little-endian. Decoding checks every length against the bytes there are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"
#include "model/operation.h"

namespace stemedb::model {

inline constexpr size_t kOperationHeadBytes = 128;

// Whether the bytes of a record are an operation's (else they are a claim's).
inline bool IsOperationRecord(std::string_view bytes) {
  return !bytes.empty() && static_cast<uint8_t>(bytes[0]) > 128;
}

struct SubjectView {
  SubjectKind kind{};
  std::string_view name;
};

// Reads a row or a whole record in place. A value type: two words; the bytes must outlive it.
class OperationView {
 public:
  OperationView() = default;

  // Checks that the row part is whole (a row, or a record of which it is the front).
  static Result<OperationView> OfRow(std::string_view bytes);
  // Checks that the whole record is there and that nothing follows it.
  static Result<OperationView> OfRecord(std::string_view bytes);
  // No checks: for bytes that this process has checked or made itself.
  static OperationView Trusted(std::string_view bytes) { return OperationView(bytes); }

  // Row part.
  OperationKind kind() const { return static_cast<OperationKind>(byte(1)); }
  bool anonymous() const { return (byte(2) & 1) == 0; }
  bool cascade() const { return (byte(2) & 2) != 0; }
  SourceStatus source_status() const { return static_cast<SourceStatus>(byte(4)); }
  // Whether it takes claims back.
  bool retracts() const {
    return kind() == OperationKind::kRetraction ||
           (kind() == OperationKind::kSourceStatus && source_status() == SourceStatus::kRetracted);
  }
  // kSource; absent counts as anecdotal.
  SourceClass source_class() const {
    return byte(5) > 5 ? SourceClass::kAnecdotal : static_cast<SourceClass>(byte(5));
  }
  int64_t timestamp_ms() const { return LoadLittle<int64_t>(bytes_.data() + 8); }
  double number() const { return LoadLittle<double>(bytes_.data() + 16); }
  std::string_view id() const { return bytes_.substr(24, 32); }
  std::string_view agent_id() const { return bytes_.substr(56, 32); }
  std::string_view other_id() const { return bytes_.substr(88, 32); }
  SubjectView subject() const {
    return {static_cast<SubjectKind>(bytes_[6]), bytes_.substr(kOperationHeadBytes, subject_size())};
  }
  bool has_second_subject() const { return bytes_[7] != 0; }
  SubjectView second_subject() const {
    return {static_cast<SubjectKind>(bytes_[7]),
            bytes_.substr(kOperationHeadBytes + subject_size(), second_subject_size())};
  }
  size_t row_size() const { return kOperationHeadBytes + subject_size() + second_subject_size(); }
  std::string_view row() const { return bytes_.substr(0, row_size()); }

  // Record part: only on a view of a whole record.
  std::string_view canonical_json() const {
    return bytes_.substr(bytes_.size() - canonical_size(), canonical_size());
  }
  size_t signature_count() const { return byte(3); }
  // Agent (32 bytes) and signature (64 bytes) of the i-th signer.
  std::string_view signature(size_t i) const { return bytes_.substr(row_size() + i * 96, 96); }
  std::string_view bytes() const { return bytes_; }

 private:
  explicit OperationView(std::string_view bytes) : bytes_(bytes) {}
  uint8_t byte(size_t at) const { return static_cast<uint8_t>(bytes_[at]); }
  size_t subject_size() const { return LoadLittle<uint16_t>(bytes_.data() + 120); }
  size_t second_subject_size() const { return LoadLittle<uint16_t>(bytes_.data() + 122); }
  size_t canonical_size() const { return LoadLittle<uint32_t>(bytes_.data() + 124); }

  std::string_view bytes_;
};

// Canonical text, id and record of an operation whose timestamp is set. Signatures are not checked.
std::string EncodeOperation(const Operation& operation, std::string_view canonical_json, const Hash256& id);

// Whether a source's content is written: it may have 1 MiB.
enum class Content : uint8_t { kKept, kLeftOut };

// Appends the JSON object that clients see: the operation's own fields, then `kind`, `id`, `sequence`,
// `recorded_at` and the signatures. Where `id` is a field of its own, the source's, the operation's is
// `operation_id`. `record` must be a whole record.
void AppendOperationJson(std::string& out, const OperationView& record, uint64_t sequence,
                         int64_t recorded_at_ms, Content content = Content::kKept);

}  // namespace stemedb::model
