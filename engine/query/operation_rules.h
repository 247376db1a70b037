// SPDX-License-Identifier: Apache-2.0
// What an operation must find to make sense: the claim that it is about, no circle that it would close, no
// decision that is final already.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "model/operation.h"
#include "query/standing.h"
#include "store/reader.h"

namespace stemedb::query {

// Who makes an operation: whoever works on the server's own machine may do everything; an agent from
// elsewhere votes, and retracts and supersedes what it has signed.
enum class Authority : uint8_t { kOperator, kAgent };

// Whether the operation may be taken in, as the reader sees the database; it is refreshed. kNotFound
// "unknown_assertion", "unknown_source", "unknown_concept"; kPermissionDenied "not_yours"; kConflict
// "stale_vote", "already_superseded", "already_retracted", "epoch_exists", "source_exists", "alias_exists",
// "alias_limit", "would_close_circle". A repeat of an operation that is there already is no conflict.
Status CheckOperation(const model::Operation& operation, const Hash256& id, Authority authority,
                      store::Reader& reader);

// Whether it was judged by what names mean, so that two of them at once could contradict each other
// (store::Submission::names_as_of).
bool DependsOnNames(model::OperationKind kind);

// What a retraction would change.
struct Impact {
  uint64_t retracted = 0;       // claims that aren't retracted now and would be
  uint64_t cascaded = 0;        // of those: because they rest on others
  std::vector<Hash256> sample;  // their ids, oldest first, kSampleMax at most
  bool is_cut = false;          // there are more: looking went no further
};
inline constexpr size_t kSampleMax = 20;

// `standing` has begun at the end of the reader's view. Looks at `claims_max` claims at most.
Result<Impact> ImpactOf(const model::Operation& operation, store::Reader& reader, Standing& standing,
                        size_t claims_max);

}  // namespace stemedb::query
