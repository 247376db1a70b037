// SPDX-License-Identifier: Apache-2.0
// Reader: one thread's consistent view of the database: an LMDB snapshot, and over it a delta of what has
// been acknowledged since. Refresh moves the view to now; everything it hands out (views, spans) is valid
// until the next Refresh or Release.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "index/operation_index.h"
#include "index/record_table.h"
#include "model/claim_record.h"
#include "model/operation_record.h"

namespace stemedb::store {

// One claim as the index holds it.
struct Row {
  std::string_view concept_path;
  std::string_view predicate;
  uint64_t sequence = 0;
  model::ClaimView claim;  // row part only
  // Whether claim.has_votes() and has_operations() can be relied on: false of a row that was read from a
  // record.
  bool has_marks = true;
};

// A claim or an operation, whole.
using Record = index::LoggedRecord;

// A claim's row from its record.
inline Row RowOfRecord(const Record& record) {
  return {record.claim().concept_path(), record.claim().predicate(), record.sequence, record.claim(), false};
}

class Touches;

// An operation as the index holds it.
struct OperationRow {
  uint64_t sequence = 0;
  model::OperationView operation;  // row part only
};

// Which of several operations comes first.
enum class From : uint8_t { kOldest, kNewest };

// A node of the concept tree that has claims at it or below it.
struct ConceptCount {
  std::string path;
  uint64_t assertions = 0;        // at exactly this path
  uint64_t assertions_below = 0;  // at paths below it
};

struct Scope {
  std::string_view concept_path;
  bool subtree = false;                // paths below `concept_path`, not itself
  std::string_view predicate;          // empty: all
  uint64_t sequence_min = 0;           // inclusive
  uint64_t sequence_max = UINT64_MAX;  // inclusive
  // Keys or records that a scan may look at, whether it wants them or not: what bounds its time.
  size_t steps_max = SIZE_MAX;
  size_t* looked_at = nullptr;  // where it is given, Scan adds how many it has looked at
};

class Reader {
 public:
  virtual ~Reader() = default;

  // Sees everything that was acknowledged before the call.
  virtual Status Refresh() = 0;
  // Lets go of the snapshot between questions, so that an idle thread doesn't make the file grow.
  virtual void Release() = 0;

  // The newest record in view; 0 when there is none.
  virtual uint64_t sequence() const = 0;
  virtual uint64_t assertion_count() const = 0;
  // What came in of late is about, this view's records among it; null when nobody keeps that. Lives as long
  // as the store.
  virtual const Touches* touches() const { return nullptr; }

  // Appends the rows of the scope to `rows`, ordered by (concept path, predicate, sequence). Stops after
  // `rows_max`, or after the scope's steps_max, and returns true when there is more to look at. Which rows
  // were come to before the steps were used up isn't said.
  virtual Result<bool> Scan(const Scope& scope, size_t rows_max, std::vector<Row>& rows) = 0;
  // Whether there is any claim at a path, or below it. Costs one search, and, of what isn't indexed yet, a
  // look at the names of its concepts.
  virtual Result<bool> HasClaims(std::string_view concept_path, bool subtree) = 0;

  // How many claims the scope may have at most, whatever their sequences; costs one search.
  virtual Result<uint64_t> CountAtMost(const Scope& scope) = 0;
  // Calls visit for the rows of the scope from the newest on, until it returns false or the scope's steps_max
  // claims were looked at. One (concept, predicate) pair is read by its own rows; any other scope by going
  // back through all records, so use Scan for a small one. Everything from the returned sequence on was
  // looked at; 0: everything.
  virtual Result<uint64_t> ScanNewest(const Scope& scope, const std::function<bool(const Row&)>& visit) = 0;

  // kNotFound when there is none.
  virtual Result<Record> Get(uint64_t sequence) = 0;
  // Of a claim or an operation.
  virtual Result<std::optional<uint64_t>> Find(const Hash256& id) = 0;

  // Whether there may be votes on a claim, or other operations that name it by its id: what is false of
  // nearly all claims, and costs them next to nothing.
  virtual bool MayHaveVotes(const Row& row) = 0;
  virtual bool MayHaveOperations(const Row& row) = 0;
  // The newest sequence whose operation has a subject of the kind; 0 when none has.
  virtual uint64_t NewestOperation(model::SubjectKind kind) const = 0;
  // The newest sequence whose operation has the effect; 0 when none has.
  virtual uint64_t NewestEffect(index::Effect effect) const = 0;
  // Calls visit for the operations about the subject between two sequences, inclusive, until it returns
  // false. It must not ask the reader for anything meanwhile; nor must VisitLinks' visit.
  virtual Status VisitOperations(const model::SubjectView& subject, uint64_t sequence_min,
                                 uint64_t sequence_max, From from,
                                 const std::function<bool(const OperationRow&)>& visit) = 0;
  // The names that operations have a subject of the kind with, in the order of their keys, after `after`.
  virtual Result<std::vector<std::string>> Subjects(model::SubjectKind kind, std::string_view after,
                                                    size_t limit) = 0;
  // The votes on a claim up to the sequence.
  virtual Result<index::Tally> VotesOn(std::string_view assertion_id, uint64_t sequence_max) = 0;
  // The vote of an agent on a claim that counts, at the end of the view.
  virtual Result<std::optional<index::Ballot>> BallotOf(std::string_view assertion_id,
                                                        std::string_view agent_id) = 0;
  // Calls visit with the sequences of claims that rest on the name, between two sequences, inclusive, from
  // the oldest on, until it returns false.
  virtual Status VisitLinks(std::string_view name, index::LinkKind kind, uint64_t sequence_min,
                            uint64_t sequence_max, const std::function<bool(uint64_t)>& visit) = 0;

  // The newest moment before `now_ms` (the wall clock's) that is over: no record that becomes visible later,
  // to whomever, will have a recorded_at at or before it, however the clock may be set. What is recorded at
  // or before it is in view. May move the view as Refresh does, so call it before anything else is read.
  virtual int64_t closed_time_ms(int64_t now_ms) = 0;

  // The newest record with recorded_at <= time_ms; 0 when there is none.
  virtual Result<uint64_t> SequenceAt(int64_t time_ms) = 0;

  // The children of a path ("" for the roots), in byte order (paths over 320 bytes: in the order of their
  // keys), starting after `after` (a child's path), at most `limit`.
  virtual Result<std::vector<ConceptCount>> Children(std::string_view path, std::string_view after,
                                                     size_t limit) = 0;
};

}  // namespace stemedb::store
