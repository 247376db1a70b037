// SPDX-License-Identifier: Apache-2.0
// What an operation must find to make sense: the claim that it is about, no circle that it would close, no
// decision that is final already.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "model/operation.h"
#include "query/standing.h"
#include "store/judgement.h"
#include "store/reader.h"

namespace stemedb::query {

// Who makes an operation: whoever works on the server's own machine may do everything; an agent from
// elsewhere votes, and retracts and supersedes its own claims: those whose primary agent it is, which their
// ids bind. Whoever else has signed one has no say.
enum class Authority : uint8_t { kOperator, kAgent };

// Links of a chain of supersessions or epochs that are followed to rule a circle out.
inline constexpr size_t kChainMax = 100'000;
inline constexpr std::string_view kChainTooLong = "chain_too_long";

// Whether the operation may be taken in, as the reader sees the database; it is refreshed. When it may,
// `judgement` has the end of that view and the names by which alone other operations could make it otherwise:
// what was found there is final, so these are the names under which nothing was found, and those of aliases,
// whose latest targets count. kNotFound "unknown_assertion", "unknown_source", "unknown_concept";
// kPermissionDenied "not_yours"; kConflict "stale_vote", "already_superseded", "already_retracted",
// "epoch_exists", "source_exists", "alias_exists", "alias_limit", "not_an_alias", "would_close_circle";
// kOutOfRange kChainTooLong, "too_many_aliases". A repeat of an operation that is there already is no
// conflict.
Status CheckOperation(const model::Operation& operation, const Hash256& id, Authority authority,
                      store::Reader& reader, store::Judgement& judgement, size_t chain_max = kChainMax);

// Whether the operation's agent may make it from elsewhere, as far as can be told without counting. kNotFound
// "unknown_assertion", kPermissionDenied "not_yours". CheckOperation asks it of Authority::kAgent.
Status CheckAgent(const model::Operation& operation, store::Reader& reader);

// Whether it was judged by what names mean, so that two of them at once could contradict each other: it goes
// to the store with its judgement (store::Submission::judged).
bool DependsOnNames(model::OperationKind kind);

// What a retraction would change.
struct Impact {
  uint64_t retracted = 0;       // claims that aren't retracted now and would be
  uint64_t cascaded = 0;        // of those: because they rest on others
  uint64_t others = 0;          // of those: claims of other agents than the operation's
  std::vector<Hash256> sample;  // their ids, oldest first, kSampleMax at most
  bool is_cut = false;          // there are more: looking went no further
};
inline constexpr size_t kSampleMax = 20;

struct ImpactBounds {
  size_t claims_max = SIZE_MAX;                                  // that are reached
  double seconds_max = std::numeric_limits<double>::infinity();  // of looking, by the clock on the wall
};

// `standing` has begun at the end of the reader's view; its patience is shortened to the bound. Looks no
// further than the bounds say. kOutOfRange "lineage_too_large"; kUnavailable kHandOverReason when the
// standing's own patience ends before the bound.
Result<Impact> ImpactOf(const model::Operation& operation, store::Reader& reader, Standing& standing,
                        const ImpactBounds& bounds);

// Whether an agent from elsewhere may make a retraction that reaches so much: a cascade is final, so it must
// reach no claims of others, and all that it reaches must have been looked at. kPermissionDenied "not_yours",
// which says how many are others'. What comes to rest on a reached claim later is reached all the same.
Status CheckReach(const model::Operation& operation, const Impact& impact);

}  // namespace stemedb::query
