// SPDX-License-Identifier: Apache-2.0
// Judgement: by what an operation was found to make sense, and the commit thread's look at whether that still
// holds. Whoever judges an operation notes each name whose meaning it relies on; the commit thread knows when
// which names were last given another meaning, and judges nothing itself.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "model/operation_record.h"

namespace stemedb::store {

// A name, shortened: two names with one digest are taken for the same, which costs a judgement more and lets
// none pass.
inline uint64_t DigestOf(const model::SubjectView& subject) {
  const auto kind = static_cast<uint64_t>(static_cast<unsigned char>(subject.kind));
  return std::hash<std::string_view>()(subject.name) ^ (kind * 0x9e3779b97f4a7c15u);
}

struct Judgement {
  uint64_t as_of = 0;           // the end of the view in which the names were looked up
  std::vector<uint64_t> names;  // digests of those that another operation could give another meaning

  void RelyOn(const model::SubjectView& subject) { names.push_back(DigestOf(subject)); }
};

// When names were last given another meaning. A table of fixed size, in which names share places: what is
// found is never earlier than the truth. One thread's.
class RecentNames {
 public:
  // Whether one of the judgement's names has changed since.
  bool HasChanged(const Judgement& judgement) const {
    return std::any_of(judgement.names.begin(), judgement.names.end(),
                       [&](uint64_t name) { return newest_[name % kPlaces] > judgement.as_of; });
  }
  // Sequences don't fall from call to call but by TakeBack.
  void Change(const model::OperationView& operation, uint64_t sequence) {
    newest_[DigestOf(operation.subject()) % kPlaces] = sequence;
    if (operation.has_second_subject()) newest_[DigestOf(operation.second_subject()) % kPlaces] = sequence;
  }
  // Nothing behind the sequence came about.
  void TakeBack(uint64_t sequence) {
    for (uint64_t& newest : newest_) newest = std::min(newest, sequence);
  }

 private:
  static constexpr size_t kPlaces = 65'521;  // a prime; many more than operations that are judged at a time
  std::vector<uint64_t> newest_ = std::vector<uint64_t>(kPlaces);
};

}  // namespace stemedb::store
