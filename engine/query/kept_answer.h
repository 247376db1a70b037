// SPDX-License-Identifier: Apache-2.0
// KeptAnswer: an answer through a lens, all but its end (as_of and next_cursor, which change with every write
// though nothing else does), and how long it is right.
//
// It is right at every moment of the log from where it was made to where it was last found unchanged, and
// further on as long as what it relies on is untouched. If the lens or the weighing looked at the clock, or
// the answer names it, it is right at that time alone.
//
// Shared by all threads: nothing but the moment of the last look changes, and that without a lock. Its three
// parts may be of different looks; since the answer was the same at all of them, any three are right.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "query/account.h"
#include "query/reliance.h"

namespace stemedb::query {

// A moment at which an answer is known to be right.
struct RightAt {
  uint64_t sequence = 0;
  int64_t now_ms = 0;        // the clock that the answer weighs by
  int64_t monotonic_ns = 0;  // when that was; for its age
};

// What an answer is kept with.
struct AnswerParts {
  std::string body;          // from its brace up to as_of
  uint64_t next_before = 0;  // Listing's: where the assertions go on
  bool had_claims = false;   // so that a lens was asked
  bool tells_time = false;   // another time may have another answer
  Account account;           // without the moment
  Reliance reliance;         // of an answer about the newest moment
};

class KeptAnswer {
 public:
  KeptAnswer(AnswerParts parts, const RightAt& made)
      : parts_(std::move(parts)),
        made_(made),
        sequence_(made.sequence),
        now_ms_(made.now_ms),
        monotonic_ns_(made.monotonic_ns) {}
  KeptAnswer(const KeptAnswer&) = delete;
  KeptAnswer& operator=(const KeptAnswer&) = delete;

  const AnswerParts& parts() const { return parts_; }

  // Whether it is the answer at the moment: the viewpoint's of a question with its key, at a refreshed
  // reader. If the end of the log has moved on, it is from now on known to be right there.
  bool IsRightAt(uint64_t sequence, int64_t now_ms, const store::Reader& reader) const;
  // It was right when somebody asked about now, as IsRightAt said. What tells the time stays where it was
  // made.
  void SetRight(const RightAt& at) const;
  // The last moment of that sort.
  RightAt last_right() const;

  // What it takes of memory.
  size_t bytes() const;

 private:
  const AnswerParts parts_;
  const RightAt made_;
  mutable std::atomic<uint64_t> checked_to_{made_.sequence};  // the same up to here, whoever asked
  mutable std::atomic<uint64_t> sequence_;
  mutable std::atomic<int64_t> now_ms_;
  mutable std::atomic<int64_t> monotonic_ns_;
};

// How old it is in milliseconds, begun ones counted whole, at a time of the monotonic clock.
int64_t AgeMs(const RightAt& right, int64_t monotonic_ns);

}  // namespace stemedb::query
