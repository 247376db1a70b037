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
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "query/patience.h"
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

  // `steps_max` bounds the ids of lineages that one question may look up anew. Of each kind of what was found
  // `kept_max` entries are kept, and those of one claim's lineage; beyond, they begin anew.
  explicit Standing(size_t steps_max, size_t kept_max = 100'000)
      : steps_max_(steps_max), kept_max_(kept_max) {}

  // Begins a question: the reader is refreshed and outlives its use; the moment is the end of `sequence_max`.
  // When the patience ends, so does whatever is called: kUnavailable kHandOverReason.
  void Begin(store::Reader& reader, uint64_t sequence_max, const Patience& patience = {});

  // To be called where claims are looked at that nothing is asked about here.
  Status CheckPatience() { return patience_.Check(); }
  Status CheckPatienceNow() { return patience_.CheckNow(); }         // between pieces of work
  double patience_left() const { return patience_.seconds_left(); }  // in seconds
  // Until the next Begin, it ends so many seconds from now, if not before.
  void ShortenPatience(double seconds) {
    if (seconds < patience_.seconds_left()) patience_ = Patience(telemetry::Stopwatch(), seconds);
  }

  // False: no operation says anything about any claim.
  bool AnyOperation() const { return stamp_ != Stamp() || has_votes_; }

  // Of a claim in view. kOutOfRange "lineage_too_large".
  Result<ClaimStanding> Of(const store::Row& row);

  // The ids that nobody has made yet and that claims rest on which were met since Begin: a claim that comes
  // with one of them may change what was said. There may be others among them. Nothing: they are more than
  // `ids_max`.
  std::optional<std::vector<Hash256>> AwaitedIds(size_t ids_max) const;

  // From which sequences on the claim is retracted and superseded, at whatever moment that is. A claim that
  // was retracted when it came has one that isn't above its own. kOutOfRange "lineage_too_large".
  struct Ends {
    uint64_t retracted = kNever;
    uint64_t superseded = kNever;

    // At the end of a moment.
    ClaimStatus StatusAt(uint64_t sequence) const {
      if (retracted <= sequence) return ClaimStatus::kRetracted;
      return superseded <= sequence ? ClaimStatus::kSuperseded : ClaimStatus::kActive;
    }
  };
  Result<Ends> EndsOf(const store::Row& row);
  // Its status at the moment: Of without votes, epochs and trust.
  Result<ClaimStatus> StatusOf(const store::Row& row);
  // Whether operations about the claim itself, its path or its source have ended it by the moment. Then it
  // doesn't count, whatever it rests on: its lineage isn't looked at.
  Result<bool> HasEndedByItself(const store::Row& row);
  // The first of the two alone.
  Result<uint64_t> RetractedSince(const store::Row& row);
  // By which operation a claim is retracted at the moment, the first that reached it; and which claim that
  // one is about: the claim itself, or one of its lineage, from where a cascade came. Nothing when it isn't.
  struct Cause {
    uint64_t operation = 0;  // both are sequences
    uint64_t claim = 0;
  };
  Result<std::optional<Cause>> CauseOf(const store::Row& row);

  // Entries that are kept, of the kind that has most.
  size_t kept() const;

 private:
  struct Final {  // since when; kNever
    uint64_t retracted = kNever;
    uint64_t cascade = kNever;  // a retraction that goes on to what rests on it
    uint64_t superseded = kNever;
  };
  struct Claim {  // what operations may name; borrows the reader's bytes
    uint64_t sequence = 0;
    std::string_view id, path, source;
    bool has_operations = true;
  };
  using Retractions = std::vector<std::pair<uint64_t, bool>>;  // sequence, cascade; ascending

  Status OwnFinal(const Claim& claim, Final& final);
  // The same of a row. Nothing may be retracted: nothing is found.
  Status OwnFinalOf(const store::Row& row, Final& final);
  Result<const Retractions*> RetractionsOf(model::SubjectKind kind, std::string_view name);
  Result<uint64_t> EpochSupersededSince(std::string_view epoch);
  Result<double> TrustOf(std::string_view agent);
  // A whole record; nothing when it is no claim.
  Result<std::optional<model::ClaimView>> Load(uint64_t sequence);
  // A claim on the way up, whose lineage is being looked at.
  struct Visit;
  // Fills cascades_ for the claim's lineage, and trusts_, if that is wanted too.
  enum class Climbing : uint8_t { kForCascades, kForTrustToo };
  Status Climb(uint64_t sequence, Climbing climbing);
  Result<Visit> Enter(uint64_t sequence, const model::ClaimView& claim, Climbing climbing);
  // Since when a cascade reaches the claim.
  Result<uint64_t> CascadeOn(uint64_t sequence);
  Status LineageTooLarge() const;
  // `mostly`: of the claim with this id; its being retracted would help.
  Status LineageTooLarge(const Hash256& mostly) const;
  void Keep(const Visit& visit, Climbing climbing);
  void Await(const Hash256& id);
  bool HasAwaitedCome(store::Reader& reader) const;
  void ForgetLineages();
  bool MayBeRetracted() const { return stamp_.retractions != 0; }

  const size_t steps_max_;
  const size_t kept_max_;
  store::Reader* reader_ = nullptr;
  uint64_t sequence_max_ = 0;
  size_t steps_ = 0;
  Patience patience_;

  // What was found, and of which state of the log.
  struct Stamp {
    uint64_t retractions = 0;  // the newest operation that may retract or supersede
    uint64_t named = 0;        // that retracts claims by the names of paths and sources
    uint64_t cascades = 0;     // that retracts with a cascade
    uint64_t epochs = 0;
    uint64_t trust = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  } stamp_;
  bool has_votes_ = false;
  std::unordered_map<std::string, Retractions> retractions_;  // by kind and name
  std::unordered_map<std::string, uint64_t> epochs_;
  std::unordered_map<uint64_t, uint64_t> cascades_;  // claim's sequence → since when a cascade reaches it
  // Those of cascades_ whose lineage names ids that nobody has made yet: they hold until one of these comes
  // in.
  std::unordered_set<uint64_t> open_;
  std::set<Hash256> awaited_;  // these ids, and more; others choose them, so they are no good hashes
  bool awaits_more_ = false;   // than there is room for
  bool met_open_ = false;
  uint64_t looked_at_ = 0;  // the end of the view
  // Of one moment alone.
  uint64_t trust_moment_ = 0;
  std::unordered_map<std::string, double> agents_;
  std::unordered_map<uint64_t, double> trusts_;
};

}  // namespace stemedb::query
