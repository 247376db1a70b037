// SPDX-License-Identifier: Apache-2.0
// What the files of FindChanges share: changes.cc (where a question stands, and what becomes of one claim),
// changes_by_claims.cc and changes_along_log.cc (the two ways). Included by them alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "query/changes.h"
#include "query/watching.h"

namespace stemedb::query {

// The smallest of the sequences that it is offered, up to a number of them, each once.
class Smallest {
 public:
  Smallest(size_t count, uint64_t max) : count_(count), max_(max) {}

  void Offer(uint64_t sequence) {
    if (sequence > max_) return;
    sequences_.insert(sequence);
    if (sequences_.size() > count_) sequences_.erase(std::prev(sequences_.end()));
    if (sequences_.size() == count_) max_ = *sequences_.rbegin();
  }
  // Nothing above it is wanted any more.
  void EndAt(uint64_t sequence) {
    if (sequence >= max_) return;
    max_ = sequence;
    is_ended_ = true;
    sequences_.erase(sequences_.upper_bound(sequence), sequences_.end());
  }
  // What is above it needn't be offered.
  uint64_t max() const { return max_; }
  // Whether something above it was, or would have been.
  bool is_cut() const { return is_ended_ || sequences_.size() == count_; }
  const std::set<uint64_t>& sequences() const { return sequences_; }

 private:
  const size_t count_;
  uint64_t max_;
  bool is_ended_ = false;
  std::set<uint64_t> sequences_;
};

// Finds one page; used once. What it is given outlives it.
class ChangeFinder {
 public:
  ChangeFinder(const Question& question, const Viewpoint& viewpoint, const ChangesBounds& bounds,
               store::Reader& reader, Standing& standing, ChangesPage& page);

  Status Find();

 private:
  using Ends = Standing::Ends;
  // An alias of the question's concept, or that was one or has become one.
  struct AliasStep {
    uint64_t sequence = 0;
    std::vector<std::string> joined, left;
    std::set<std::string> paths;  // behind it
  };

  // changes.cc
  Status FindScope();
  Result<std::set<std::string>> PathsAt(uint64_t sequence);
  // Goes from paths_ over the alias with the sequence.
  Status StepOver(uint64_t sequence, AliasStep& step);
  // Tells what has become of a claim of the scope, if the change has changed its status and its path is the
  // question's at that time. Whether it has changed it.
  bool TellStatus(const store::Row& row, const Ends& ends, Change& change) const;
  // Tells a claim of the scope whose path an alias has brought in or taken away, if it has.
  void TellPath(const store::Row& row, const Ends& ends, const AliasStep& step, Change& change) const;
  void Tell(const store::Row& row, std::optional<ClaimStatus> from, std::optional<ClaimStatus> to,
            Change& change) const;
  void Put(Change&& change);
  bool is_full() const {
    return page_.changes.size() >= question_.limit || page_claims_ >= bounds_.claims_of_page_max;
  }
  void EndAfter(uint64_t sequence) {
    page_.has_more = true;
    page_.next_after = sequence;
  }

  // changes_by_claims.cc
  // Fills rows_, if the question covers few enough claims; else leaves it empty.
  Result<bool> CollectClaims();
  Status ByClaims();
  Status FindAliases();
  Result<uint64_t> NextAlias(uint64_t at);
  // Offers what was said about the subject behind the page's beginning, and behind `above`.
  Status FindAbout(const model::SubjectView& subject, uint64_t above = 0);
  Status FindAboutClaims();
  Status FindAboutNames();
  Status AddLineageAgents(std::set<std::string>& agents);
  Status TellByClaims();

  // changes_along_log.cc
  Status AlongLog();
  // Whether the record is one of the changes; if so, fills in what it has changed.
  Result<bool> IsChange(const store::Record& record, Change& change);
  Result<bool> IsAlias(const model::OperationView& operation, Change& change);
  Result<bool> IsRetraction(const model::OperationView& operation, Change& change);
  Result<bool> IsPremise(const store::Record& record, Change& change);
  // What the change is to the claim with the id, or the sequence; told if it is the question's.
  enum class Part : uint8_t { kNotOurs, kNamed, kChanged };
  Result<Part> PartOf(uint64_t sequence, Change& change);
  Result<bool> IsAboutOurs(const model::SubjectView& id, Change& change);

  const Question& question_;
  const Viewpoint& viewpoint_;
  const ChangesBounds& bounds_;
  store::Reader& reader_;
  Standing& standing_;
  ChangesPage& page_;

  const uint64_t since_;         // the window begins behind it,
  const uint64_t after_;         // the page behind this one,
  const uint64_t to_;            // and both end with it
  WatchedScope scope_;           // the question's, with the paths of both ends of the window
  std::set<std::string> paths_;  // of one about a concept: those at the record that was come to
  size_t page_claims_ = 0;       // told so far

  // By the claims.
  std::vector<store::Row> rows_;  // all that the scope has, but those that the question's filters don't take
  std::vector<Ends> ends_;        // beside rows_
  std::vector<AliasStep> steps_;  // from paths_ on
  Smallest first_;                // the page's, and one more

  // Along the log.
  Concern concern_;             // of the record that is looked at
  size_t reach_left_ = 0;       // claims that may be looked at for what operations reach
  size_t path_steps_left_ = 0;  // along the index of paths, on all of the page's way
};

}  // namespace stemedb::query
