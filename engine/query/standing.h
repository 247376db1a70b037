// SPDX-License-Identifier: Apache-2.0
// Standing: what operations make of a claim at a moment of the log: whether it still counts, and how far it
// is trusted. The one place where retraction, supersession, epochs and trust are decided.
//
// Retraction and supersession are final, so each is one number for a claim, whatever moment is asked about:
// the sequence from which on it holds.
//   retracted    by its id; by its path, or one above it, when the claim was there already; by its source,
//                whenever the claim was made; or because it is derived from a claim that a cascade has
//                reached. A cascade reaches what rests on a claim as soon as both are there.
//   derived trust  the least trust of the agents of the claim and of all that it is derived from
// Both are found by going up the lineage, each claim once: what was found is kept until an operation of that
// sort comes in. The claims of a lineage form no circle, since an id is a digest of the ids below it.
//
// One for each thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/status.h"
#include "store/reader.h"

namespace stemedb::query {

enum class ClaimStatus : uint8_t { kActive, kSuperseded, kRetracted };
std::string_view NameOf(ClaimStatus status);

inline constexpr double kTrustAtStart = 0.5;
inline constexpr std::string_view kLineageTooLarge = "lineage_too_large";

struct ClaimStanding {
  ClaimStatus status = ClaimStatus::kActive;
  bool epoch_superseded = false;
  double trust = kTrustAtStart;          // of the primary agent
  double derived_trust = kTrustAtStart;  // never above it
  uint64_t votes = 0;
  double vote_weight = 0;
};

class Standing {
 public:
  static constexpr uint64_t kNever = UINT64_MAX;

  // `steps_max` bounds the claims of lineages that one question may read anew.
  explicit Standing(size_t steps_max) : steps_max_(steps_max) {}

  // Begins a question: the reader is refreshed and outlives its use; the moment is the end of `sequence_max`.
  void Begin(store::Reader& reader, uint64_t sequence_max);

  // False: no operation says anything about any claim.
  bool AnyOperation() const { return stamp_ != Stamp() || has_votes_; }

  // Of a claim in view. kOutOfRange "lineage_too_large".
  Result<ClaimStanding> Of(const store::Row& row);

  // From which sequence on the claim is retracted; kNever. kOutOfRange "lineage_too_large".
  Result<uint64_t> RetractedSince(const store::Row& row);

 private:
  struct Final {  // since when; kNever
    uint64_t retracted = kNever;
    uint64_t cascade = kNever;  // a retraction that goes on to what rests on it
    uint64_t superseded = kNever;
  };
  struct Claim {  // what is needed of a claim of a lineage
    uint64_t sequence = 0;
    std::string id, path, source, agent;
    bool has_operations = true;
    std::vector<std::string> derived_from;
  };
  using Retractions = std::vector<std::pair<uint64_t, bool>>;  // sequence, cascade; ascending

  Status OwnFinal(const Claim& claim, Final& final);
  Result<const Retractions*> RetractionsOf(model::SubjectKind kind, std::string_view name);
  Result<uint64_t> EpochSupersededSince(std::string_view epoch);
  Result<double> TrustOf(std::string_view agent);
  // Nothing when it is no claim.
  Result<std::optional<Claim>> Load(uint64_t sequence);
  // Fills cascades_ for the claim's lineage, and trusts_ when `trust` says so.
  Status Climb(Claim claim, bool trust);
  bool MayBeRetracted() const { return stamp_.retractions != 0; }

  const size_t steps_max_;
  store::Reader* reader_ = nullptr;
  uint64_t sequence_max_ = 0;
  size_t steps_ = 0;

  // What was found, and of which state of the log.
  struct Stamp {
    uint64_t retractions = 0;  // the newest operation that may retract
    uint64_t epochs = 0;
    uint64_t trust = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  } stamp_;
  bool has_votes_ = false;
  std::unordered_map<std::string, Retractions> retractions_;  // by kind and name
  std::unordered_map<std::string, uint64_t> epochs_;
  std::unordered_map<uint64_t, uint64_t> cascades_;  // claim's sequence → since when a cascade reaches it
  // Those of cascades_ whose lineage names ids that nobody has made yet: they hold as long as nothing comes
  // in.
  std::unordered_set<uint64_t> open_;
  uint64_t looked_at_ = 0;  // the end of the view
  // Of one moment alone.
  uint64_t trust_moment_ = 0;
  std::unordered_map<std::string, double> agents_;
  std::unordered_map<uint64_t, double> trusts_;
};

}  // namespace stemedb::query
