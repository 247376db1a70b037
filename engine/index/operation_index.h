// SPDX-License-Identifier: Apache-2.0
// OperationIndex: the part of data/db/indexes/ that finds operations by what they are about, and claims by
// what they rest on.
//
//   operations  SUBJECT 00 SEQUENCE → the operation's row (model/operation_record.h); of a vote, behind it,
//               the tally of its claim with it (16)
//   votes       claim's id (32), agent's key (32) → the agent's vote on it that counts:
//               timestamp_ms (8), weight (8), id (32)
//   links       KIND (1), id (32) or source 00, SEQUENCE → nothing:
//               the claim at that sequence rests on that
//   meta        "newest:KIND" → the newest sequence with a subject of that kind, or with that effect
//               (8, big-endian)
//
// SUBJECT is one letter (model::SubjectKind) and the name, long ones shortened as paths are (layout.h). An
// operation stands under each of its subjects.
//
// Weights are counted in units of 10^-9, as integers: a sum doesn't depend on the order of its parts, and an
// earlier vote can be taken out of it without a trace.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"
#include "index/record_table.h"
#include "kv/environment.h"
#include "kv/txn.h"
#include "model/operation_record.h"

namespace stemedb::index {

// The votes on one claim, of each agent the one that counts.
struct Tally {
  uint64_t count = 0;
  uint64_t weight = 0;  // in units of 10^-9
  double weight_sum() const { return static_cast<double>(weight) / 1e9; }
};

// One agent's vote on one claim.
struct Ballot {
  int64_t timestamp_ms = 0;
  uint64_t weight = 0;  // in units of 10^-9
  Hash256 id{};
};
Ballot BallotOf(const model::OperationView& vote);
// Which of one agent's votes on one claim counts: the one that was made later, and of two of one moment the
// one with the greater id. So it makes no difference which of them came first.
bool OutdatedBy(const Ballot& ballot, const Ballot& other);
// Counts a vote beside the agent's other one, if there is one. True when it takes its place; an old vote that
// comes late changes nothing.
bool Count(Tally& tally, const std::optional<Ballot>& other, const Ballot& ballot);

// What a claim may rest on: another claim, by its id, or a source, by its name.
enum class LinkKind : char { kDerivedFrom = 'd', kParent = 'p', kSource = 's' };

// What SUBJECT 00 is in keys.
void AppendSubjectPrefix(std::string& key, const model::SubjectView& subject);
void AppendLinkPrefix(std::string& key, std::string_view name, LinkKind kind);
// Calls visit(name, kind) for all that the claim, a whole record, rests on.
template <typename Visit>
void ForEachLink(const model::ClaimView& claim, Visit visit) {
  if (claim.has_parent()) visit(claim.parent(), LinkKind::kParent);
  for (size_t i = 0; i < claim.derived_from_count(); ++i)
    visit(claim.derived_from(i), LinkKind::kDerivedFrom);
  if (!claim.source_id().empty()) visit(claim.source_id(), LinkKind::kSource);
}
// What an operation may do beside being about its subjects: of each kind the newest is known, too.
enum class Effect : char {
  kCascade = 'C',           // it retracts, and goes on to what rests on what it retracts
  kSourceRetraction = 'S',  // it retracts the claims of a source
};
inline constexpr Effect kEffects[] = {Effect::kCascade, Effect::kSourceRetraction};
inline bool Has(const model::OperationView& operation, Effect effect) {
  if (!operation.retracts()) return false;
  return effect == Effect::kCascade ? operation.cascade()
                                    : operation.subject().kind == model::SubjectKind::kSource;
}
// The key of an agent's vote.
void AppendBallotKey(std::string& key, std::string_view assertion_id, std::string_view agent_id);

// One value of `operations`.
struct StoredOperation {
  model::OperationView operation;  // its row
  Tally tally;                     // of a vote
};
Result<StoredOperation> DecodeOperation(std::string_view value);
Result<Ballot> DecodeBallot(std::string_view value);

// Thread-safe itself; transactions and cursors belong to their threads. A part of ClaimIndex.
class OperationIndex {
 public:
  Status Open(kv::Environment& environment, kv::Database meta);
  Status Clear(kv::WriteTxn& txn);

  // Keys in ascending order, so that neighbours share pages; with kAppend, behind all that are there.
  Status PutLink(kv::WriteTxn& txn, std::string_view key, kv::PutMode mode) {
    return txn.Put(links_, key, {}, mode);
  }
  // One after the other in the order of the log.
  Status ApplyOperation(kv::WriteTxn& txn, const LoggedRecord& operation);

  kv::Database operations() const { return operations_; }
  kv::Database links() const { return links_; }
  Result<std::optional<Ballot>> FindBallot(const kv::Txn& txn, std::string_view key) const;
  // The newest sequence whose operation has a subject of the kind; 0 when none has.
  Result<uint64_t> Newest(const kv::Txn& txn, model::SubjectKind kind) const;
  // The newest one with the effect.
  Result<uint64_t> Newest(const kv::Txn& txn, Effect effect) const;

 private:
  Result<uint64_t> NewestAt(const kv::Txn& txn, char letter) const;
  Result<Tally> CountVote(kv::WriteTxn& txn, const model::OperationView& vote);

  kv::Database operations_, votes_, links_, meta_;
};

}  // namespace stemedb::index
