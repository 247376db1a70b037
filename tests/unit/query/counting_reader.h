// SPDX-License-Identifier: Apache-2.0
// A reader that counts what it is asked for.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "store/reader.h"

namespace stemedb::testing {

class CountingReader final : public store::Reader {
 public:
  explicit CountingReader(std::unique_ptr<store::Reader> reader) : reader_(std::move(reader)) {}

  int tallies = 0;  // of votes
  int scans = 0;
  int finds = 0;
  int operations = 0;                 // that were visited
  std::function<void()> before_find;  // if it is given

  Status Refresh() override { return reader_->Refresh(); }
  void Release() override { reader_->Release(); }
  uint64_t sequence() const override { return reader_->sequence(); }
  uint64_t assertion_count() const override { return reader_->assertion_count(); }
  const store::Touches* touches() const override { return reader_->touches(); }
  Result<bool> Scan(const store::Scope& scope, size_t rows_max, std::vector<store::Row>& rows) override {
    ++scans;
    return reader_->Scan(scope, rows_max, rows);
  }
  Result<bool> HasClaims(std::string_view concept_path, bool subtree) override {
    return reader_->HasClaims(concept_path, subtree);
  }
  Result<uint64_t> CountAtMost(const store::Scope& scope) override { return reader_->CountAtMost(scope); }
  Result<uint64_t> ScanNewest(const store::Scope& scope,
                              const std::function<bool(const store::Row&)>& visit) override {
    return reader_->ScanNewest(scope, visit);
  }
  Result<store::Record> Get(uint64_t sequence) override { return reader_->Get(sequence); }
  Result<std::optional<uint64_t>> Find(const Hash256& id) override {
    ++finds;
    if (before_find) before_find();
    return reader_->Find(id);
  }
  bool MayHaveVotes(const store::Row& row) override { return reader_->MayHaveVotes(row); }
  bool MayHaveOperations(const store::Row& row) override { return reader_->MayHaveOperations(row); }
  uint64_t NewestOperation(model::SubjectKind kind) const override { return reader_->NewestOperation(kind); }
  uint64_t NewestEffect(index::Effect effect) const override { return reader_->NewestEffect(effect); }
  Status VisitOperations(const model::SubjectView& subject, uint64_t sequence_min, uint64_t sequence_max,
                         store::From from,
                         const std::function<bool(const store::OperationRow&)>& visit) override {
    return reader_->VisitOperations(subject, sequence_min, sequence_max, from,
                                    [&](const store::OperationRow& row) {
                                      ++operations;
                                      return visit(row);
                                    });
  }
  Result<std::vector<std::string>> Subjects(model::SubjectKind kind, std::string_view after,
                                            size_t limit) override {
    return reader_->Subjects(kind, after, limit);
  }
  Result<index::Tally> VotesOn(std::string_view assertion_id, uint64_t sequence_max) override {
    ++tallies;
    return reader_->VotesOn(assertion_id, sequence_max);
  }
  Result<std::optional<index::Ballot>> BallotOf(std::string_view assertion_id,
                                                std::string_view agent_id) override {
    return reader_->BallotOf(assertion_id, agent_id);
  }
  Status VisitLinks(std::string_view name, index::LinkKind kind, uint64_t sequence_min, uint64_t sequence_max,
                    const std::function<bool(uint64_t)>& visit) override {
    return reader_->VisitLinks(name, kind, sequence_min, sequence_max, visit);
  }
  int64_t closed_time_ms(int64_t now_ms) override { return reader_->closed_time_ms(now_ms); }
  Result<uint64_t> SequenceAt(int64_t time_ms) override { return reader_->SequenceAt(time_ms); }
  Result<std::vector<store::ConceptCount>> Children(std::string_view path, std::string_view after,
                                                    size_t limit) override {
    return reader_->Children(path, after, limit);
  }

 private:
  const std::unique_ptr<store::Reader> reader_;
};

}  // namespace stemedb::testing
