// SPDX-License-Identifier: Apache-2.0
// What the two files of SnapshotReader share.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "store/batch.h"
#include "store/reader.h"

namespace stemedb::store {

inline Row RowOf(uint64_t sequence, const model::ClaimView& claim) {
  return {claim.concept_path(), claim.predicate(), sequence, claim};
}

inline bool IsOnePair(const Scope& scope) { return !scope.subtree && !scope.predicate.empty(); }

inline bool WantsSequence(const Scope& scope, uint64_t sequence) {
  return sequence >= scope.sequence_min && sequence <= scope.sequence_max;
}

inline Status Unreadable(std::string_view what) {
  return Status(Code::kCorruption, "index_unreadable",
                std::string(what) +
                    " of the claim index is malformed: stop the server and delete indexes/ in the "
                    "database directory; it is made again from the log at the next start");
}

}  // namespace stemedb::store
