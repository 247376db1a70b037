// SPDX-License-Identifier: Apache-2.0
// RecentQuestions: what one loop was really asked of late, kept so that a new version of a lens can be put to
// the same questions before anybody gets an answer from it.
//
// The loop's thread offers every question; a few are kept for each lens, all of them while there is room,
// then one in sixteen. An offer that isn't kept costs a counter; a kept one a copy under a lock that nobody
// else holds but a shadow, for as long as it takes to copy the list.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "query/question.h"

namespace stemedb::query {

// A question with its moment fixed: it can be asked again, of another version, and differs in nothing else.
struct RecordedQuestion {
  Question question;
  int64_t asked_at_ms = 0;
};

class RecentQuestions {
 public:
  static constexpr size_t kKeptMax = 32;  // for each lens
  static constexpr size_t kLensesMax = 256;
  static constexpr uint64_t kSampling = 16;

  // The list of one lens.
  class List {
   public:
    // The loop's thread. `sequence` and `now_ms` are the moment for which the question was answered.
    void Offer(const Question& question, uint64_t sequence, int64_t now_ms) {
      if (seen_++ >= kKeptMax && seen_ % kSampling != 0) return;
      Keep(question, sequence, now_ms);
    }

   private:
    friend class RecentQuestions;
    void Keep(const Question& question, uint64_t sequence, int64_t now_ms);

    uint64_t seen_ = 0;  // the loop's thread
    std::mutex mutex_;   // guards kept_
    std::deque<RecordedQuestion> kept_;
  };

  // The loop's thread; the list lives as long as this. Null when there are too many lenses.
  List* ListFor(std::string_view lens);
  // Any thread: appends the questions to this lens, the newest last.
  void CopyTo(std::string_view lens, std::vector<RecordedQuestion>& out) const;

 private:
  mutable std::mutex mutex_;  // guards the map, not the lists
  std::map<std::string, std::unique_ptr<List>, std::less<>> lists_;
};

}  // namespace stemedb::query
