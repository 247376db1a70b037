// SPDX-License-Identifier: Apache-2.0
// SnapshotReader: the Reader there is. This is the one place where LMDB's snapshot and the delta are merged.
//
// The order in Refresh is what makes it right without locks: (1) empty the inbox into the delta, (2) take the
// LMDB snapshots and read their checkpoints, the claim index first, (3) forget the delta up to the claim
// index's checkpoint. What was trimmed from the inbox before (1) was committed to LMDB before (2). An entry
// may then be in both; each lookup asks the delta only for what is above the checkpoint of the table it
// merges with, so nothing shows twice.
//
// The index thread writes the record table before the claim index, so of two snapshots taken in the other
// order the record table is never behind, but may be ahead even of the delta. The view therefore ends (at_)
// where the claim index and the delta end together, and what the record table holds beyond it is not looked
// at.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "index/claim_index.h"
#include "index/record_table.h"
#include "store/delta.h"
#include "store/publisher.h"
#include "store/reader.h"

namespace stemedb::store {

inline constexpr std::array kSubjectKinds{
    model::SubjectKind::kAssertion, model::SubjectKind::kVotesOn,  model::SubjectKind::kReplacement,
    model::SubjectKind::kEpoch,     model::SubjectKind::kOldEpoch, model::SubjectKind::kPath,
    model::SubjectKind::kSubtree,   model::SubjectKind::kAlias,    model::SubjectKind::kAliasTarget,
    model::SubjectKind::kSource,    model::SubjectKind::kAgent};

class SnapshotReader final : public Reader {
 public:
  SnapshotReader(Publisher* publisher, index::RecordTable* records, index::ClaimIndex* claims);
  ~SnapshotReader() override;

  Status Refresh() override;
  void Release() override;
  uint64_t sequence() const override { return at_.sequence; }
  uint64_t assertion_count() const override { return at_.assertions; }
  const Touches* touches() const override { return publisher_->touches(); }
  Result<bool> Scan(const Scope& wanted, size_t rows_max, std::vector<Row>& rows) override;
  Result<bool> HasClaims(std::string_view concept_path, bool subtree) override;
  Result<uint64_t> CountAtMost(const Scope& scope) override;
  Result<uint64_t> ScanNewest(const Scope& scope, const std::function<bool(const Row&)>& visit) override;
  Result<Record> Get(uint64_t sequence) override;
  Result<std::optional<uint64_t>> Find(const Hash256& id) override;
  bool MayHaveVotes(const Row& row) override;
  bool MayHaveOperations(const Row& row) override;
  uint64_t NewestOperation(model::SubjectKind kind) const override;
  uint64_t NewestEffect(index::Effect effect) const override;
  Status VisitOperations(const model::SubjectView& subject, uint64_t sequence_min, uint64_t sequence_max,
                         From from, const std::function<bool(const OperationRow&)>& visit) override;
  Result<std::vector<std::string>> Subjects(model::SubjectKind kind, std::string_view after,
                                            size_t limit) override;
  Result<index::Tally> VotesOn(std::string_view assertion_id, uint64_t sequence_max) override;
  Result<std::optional<index::Ballot>> BallotOf(std::string_view assertion_id,
                                                std::string_view agent_id) override;
  Status VisitLinks(std::string_view name, index::LinkKind kind, uint64_t sequence_min, uint64_t sequence_max,
                    const std::function<bool(uint64_t)>& visit) override;
  int64_t closed_time_ms(int64_t now_ms) override;
  Result<uint64_t> SequenceAt(int64_t time_ms) override;
  Result<std::vector<ConceptCount>> Children(std::string_view path, std::string_view after,
                                             size_t limit) override;

 private:
  Status OpenTransactions();
  Status RenewCursors();
  Status ReadCheckpoints();
  size_t BeginKey(const Scope& scope);
  Result<bool> ScanIndex(const Scope& scope, size_t rows_max, std::vector<Row>& rows, bool& in_order);
  Result<bool> ScanPair(const Scope& scope, size_t prefix_size, size_t rows_max, std::vector<Row>& rows);
  bool ScanDelta(const Scope& scope, std::vector<Row>& rows) const;
  bool IsInDelta(const Row& row, model::SubjectKind kind);
  // As VisitOperations, of one of the two places; false: enough.
  Result<bool> VisitIndexed(size_t prefix_size, uint64_t sequence_min, uint64_t sequence_max, From from,
                            const std::function<bool(const OperationRow&)>& visit);
  bool VisitInDelta(std::string_view subject_prefix, uint64_t sequence_min, uint64_t sequence_max, From from,
                    const std::function<bool(const OperationRow&)>& visit) const;
  Result<index::Tally> IndexedVotesOn(std::string_view subject_prefix, uint64_t sequence_max);
  struct Counting;
  Status CountOn(std::string_view assertion_id, std::string_view subject_prefix,
                 const std::vector<const Entry*>& entries, uint64_t sequence_max, Counting& counting);
  Result<std::optional<index::Ballot>> CountedBallot(std::string_view assertion_id, std::string_view agent_id,
                                                     const Counting& counting);
  template <typename Look>
  Status WalkPair(const Scope& scope, Look look);
  template <typename Look>
  Status WalkRecords(const Scope& scope, Look look);

  Publisher* const publisher_;
  index::RecordTable* const records_;
  index::ClaimIndex* const claims_;
  const std::shared_ptr<Inbox> inbox_;
  std::vector<BatchPtr> taken_;
  Delta delta_;

  std::unique_ptr<kv::ReadTxn> record_txn_;
  std::unique_ptr<kv::ReadTxn> claim_txn_;
  std::optional<kv::Cursor> claim_cursor_;
  std::optional<kv::Cursor> concept_cursor_;
  std::optional<kv::Cursor> operation_cursor_;
  std::optional<kv::Cursor> link_cursor_;
  std::optional<kv::Cursor> record_cursor_;
  std::optional<std::pair<uint64_t, uint64_t>>
      snapshots_;  // ids of those that the two checkpoints were read in
  index::Checkpoint records_at_;
  index::Checkpoint claims_at_;
  uint64_t records_to_ = 0;  // checkpoint of the record table's snapshot, at most the end of the view
  uint64_t claims_to_ = 0;   // checkpoint of the claim index's snapshot
  index::Checkpoint at_;     // the view as a whole
  std::array<uint64_t, kSubjectKinds.size()> newest_operations_{};     // of the claim index's snapshot
  std::array<uint64_t, std::size(index::kEffects)> newest_effects_{};  // likewise
  // Votes on a claim whose newest ones are in the delta, counted so far: each is counted once for a snapshot.
  struct Counting {
    uint64_t to = 0;  // the delta's votes up to here are in it
    index::Tally tally;
    std::unordered_map<std::string, index::Ballot> ballots;  // of the delta, by agent
  };
  std::unordered_map<std::string, Counting> countings_;  // by claim; of the claim index's snapshot
  std::string key_;
  std::string operation_key_;  // of its own: operations are asked about in the midst of a scan
};

}  // namespace stemedb::store
