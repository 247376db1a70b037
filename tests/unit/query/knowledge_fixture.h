// SPDX-License-Identifier: Apache-2.0
// A store whose every record is known to a reference as well, histories made at random, and what an engine
// makes of them held against the reference at each moment of the log.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "../store/store_fixture.h"
#include "knowledge_reference.h"
#include "query/aliases.h"
#include "query/operation_rules.h"
#include "query/standing.h"

namespace stemedb::testing {

inline bool WantsLongForm() {
  const char* wish = std::getenv("STEMEDB_TEST_LONG");
  return wish != nullptr && *wish != '\0' && std::string_view(wish) != "0";
}

inline store::PreparedRecord Prepare(const Said& said) {
  EncodedClaim encoded = Encode(said);
  return {encoded.id, std::move(encoded.record)};
}

// As a row that was read from a record.
inline store::Row RowWithoutMarks(const store::Record& record) { return store::RowOfRecord(record); }

class KnowledgeTest : public RandomStoreTest {
 protected:
  static constexpr size_t kStepsMax = 1'000'000;

  // A later time than all before.
  int64_t NextTime() { return kTestNow + ++time_; }

  // Into the store and into the reference; what is there already changes neither.
  void Put(const Said& said) {
    const bool is_there = reference_.Has(Encode(said).id);
    const auto result = Write(*store_, {Prepare(said)});
    ASSERT_TRUE(result.status.ok()) << result.status.message();
    ASSERT_EQ(result.items.at(0).duplicate, is_there);
    if (!is_there) reference_.Add(result.items[0].sequence, said);
  }

  // What the engine says of one claim is what the reference says.
  static void ExpectStanding(const query::ClaimStanding& found, const KnowledgeReference::Standing& wanted,
                             const std::string& where) {
    ASSERT_EQ(NameOf(found.status), wanted.status) << where;
    ASSERT_EQ(found.epoch_superseded, wanted.epoch_superseded) << where;
    ASSERT_EQ(found.trust, wanted.trust) << where;
    ASSERT_EQ(found.derived_trust, wanted.derived_trust) << where;
    ASSERT_EQ(found.votes, wanted.votes) << where;
    ASSERT_EQ(found.vote_weight, static_cast<double>(wanted.vote_thousandths) / 1000) << where;
  }
  // Of every claim that was there, from the index's rows and from the records.
  void ExpectMoment(store::Reader& reader, query::Standing& standing, uint64_t moment,
                    const std::string& when) {
    const auto& wanted = Wanted(moment);
    standing.Begin(reader, moment);
    std::vector<store::Row> rows;
    ASSERT_TRUE(reader.Scan({.concept_path = "", .subtree = true, .sequence_max = moment}, SIZE_MAX, rows)
                    .has_value());
    ASSERT_EQ(rows.size(), wanted.size()) << when;
    for (const store::Row& row : rows) {
      const std::string where =
          when + ": the claim of sequence " + std::to_string(row.sequence) + " at " + std::to_string(moment);
      const auto found = standing.Of(row);
      ASSERT_TRUE(found.has_value()) << found.error().message();
      ExpectStanding(*found, wanted.at(row.sequence), where);
      if (HasFatalFailure()) return;
      const auto record = reader.Get(row.sequence);
      ASSERT_TRUE(record.has_value());
      const auto of_record = standing.Of(RowWithoutMarks(*record));
      ASSERT_TRUE(of_record.has_value()) << of_record.error().message();
      ExpectStanding(*of_record, wanted.at(row.sequence), where + ", from its record");
      if (HasFatalFailure()) return;
      const auto since = standing.RetractedSince(row);
      ASSERT_TRUE(since.has_value()) << since.error().message();
      ASSERT_EQ(*since <= moment, wanted.at(row.sequence).status == "retracted") << where;
      const auto cause = standing.CauseOf(row);
      ASSERT_TRUE(cause.has_value()) << cause.error().message();
      ASSERT_EQ(cause->has_value(), *since <= moment) << where;
      if (*cause) ExpectCause(**cause, row.sequence, moment, where);
      if (HasFatalFailure()) return;
    }
  }
  // The operation is about the claim, which is the one at the sequence or one of its lineage.
  void ExpectCause(const query::Standing::Cause& cause, uint64_t sequence, uint64_t moment,
                   const std::string& where) {
    const auto& operation = EntryAt(cause.operation);
    ASSERT_LE(cause.operation, moment) << where;
    ASSERT_NE(operation.operation(), nullptr) << where;
    ASSERT_TRUE(KnowledgeReference::Retracts(*operation.operation(), cause.operation, EntryAt(cause.claim)))
        << where;
    if (cause.claim == sequence) return;
    ASSERT_TRUE(operation.operation()->cascade) << where;
    std::set<uint64_t> lineage;
    std::vector<uint64_t> todo{sequence};
    while (!todo.empty()) {
      const auto& ids = EntryAt(todo.back()).claim()->derived_from;
      todo.pop_back();
      for (const auto& entry : reference_.entries()) {
        const bool is_above = entry.claim() != nullptr && entry.sequence <= moment &&
                              std::find(ids.begin(), ids.end(), entry.id) != ids.end();
        if (is_above && lineage.insert(entry.sequence).second) todo.push_back(entry.sequence);
      }
    }
    ASSERT_TRUE(lineage.contains(cause.claim)) << where;
  }
  const KnowledgeReference::Entry& EntryAt(uint64_t sequence) const {
    const auto& all = reference_.entries();
    return *std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.sequence == sequence; });
  }
  void ExpectCovers(store::Reader& reader, const std::vector<std::string>& paths, uint64_t moment) {
    for (const std::string& path : paths) {
      const auto wanted = reference_.CoverOf(path, moment);
      ASSERT_FALSE(wanted.is_circle) << "a circle came in, by way of " << path;
      std::string concept_path = path;
      std::vector<std::string> aliases{"what stood there before"};
      const Status covered = query::CoverAliases(reader, moment, concept_path, aliases);
      ASSERT_TRUE(covered.ok()) << path << " at " << moment << ": " << covered.message();
      ASSERT_EQ(concept_path, wanted.concept_path) << path << " at " << moment;
      ASSERT_EQ(aliases, wanted.aliases) << path << " at " << moment;
      const auto stands_for = query::ConceptOf(reader, moment, path);
      ASSERT_TRUE(stands_for.has_value());
      ASSERT_EQ(*stands_for, wanted.concept_path);
    }
  }

  void ForgetHistory() {
    reference_ = {};
    wanted_.clear();
  }
  // What the reference says of a moment that is over; it says the same whenever it is asked.
  const std::map<uint64_t, KnowledgeReference::Standing>& Wanted(uint64_t moment) {
    const auto known = wanted_.find(moment);
    return known != wanted_.end() ? known->second
                                  : wanted_.emplace(moment, reference_.At(moment)).first->second;
  }

  KnowledgeReference reference_;
  int64_t time_ = 0;

 private:
  std::map<uint64_t, std::map<uint64_t, KnowledgeReference::Standing>> wanted_;
};

// Histories of few names, so that much is said about each. Claims are derived from each other by a plan that
// is made before any of them is sent, so that some name ids that come only later, or never.
class RandomKnowledge : public KnowledgeTest {
 protected:
  void Plan(size_t claims) {
    planned_.clear();
    waiting_.clear();
    for (size_t i = 0; i < claims; ++i) {
      auto claim = Claim(AnyOf(paths_), Below(3) == 0 ? "q" : "p", Number(static_cast<double>(i)));
      claim.metadata_json = "{\"plan\":" + std::to_string(plans_) + "}";
      if (Below(2) == 0) claim.source = model::Source{AnyOf(sources_), {}, "", ""};
      if (Below(3) > 0) claim.agent_id = Agent(static_cast<uint8_t>(Below(5)));
      if (Below(3) == 0) claim.epoch = AnyOf(epochs_);
      for (uint64_t parents = planned_.empty() ? 0 : Below(4); parents > 0; --parents) {
        // Mostly of the latest, so that lineages grow long.
        const size_t last = planned_.size();
        const Hash256 id = planned_[last - 1 - Below(std::min<size_t>(last, Below(3) == 0 ? last : 4))];
        if (std::find(claim.derived_from.begin(), claim.derived_from.end(), id) == claim.derived_from.end())
          claim.derived_from.push_back(id);
      }
      if (Below(10) == 0)
        claim.derived_from.push_back(Hash256{static_cast<uint8_t>(1 + Below(200))});  // nobody's
      if (Below(6) == 0 && !planned_.empty()) claim.parent = AnyOf(planned_);
      planned_.push_back(Encode(claim).id);
      waiting_.push_back(claim);
    }
    ++plans_;
    // Half of them stay in the order in which they are derived.
    for (size_t i = 0; i < waiting_.size() / 2; ++i)
      std::swap(waiting_[Below(waiting_.size())], waiting_[Below(waiting_.size())]);
  }
  bool has_waiting() const { return !waiting_.empty(); }
  model::Assertion NextClaim() {
    const model::Assertion claim = waiting_.front();
    waiting_.erase(waiting_.begin());
    return claim;
  }

  Hash256 AnyClaimThere() {
    for (;;) {
      const auto& entry = AnyOf(reference_.entries());
      if (entry.claim() != nullptr) return entry.id;
    }
  }
  bool HasClaims() const {
    return std::any_of(reference_.entries().begin(), reference_.entries().end(),
                       [](const auto& entry) { return entry.claim() != nullptr; });
  }
  // Whether or not it makes sense.
  model::Operation AnyOperation() {
    const auto claim = [&] { return Below(15) == 0 || !HasClaims() ? AnyOf(planned_) : AnyClaimThere(); };
    switch (Below(15)) {
      case 0:
      case 1:
        return Supersession(claim(), claim(), NextTime());
      case 2:
        return RetractionOf(claim(), AnyCascade(), NextTime());
      case 3:
        return RetractionAt(AnyOf(paths_), AnyCascade(), NextTime());
      case 4:
        return RetractionBelow(AnyOf(above_), AnyCascade(), NextTime());
      case 5:
        return RetractionFrom(AnyOf(sources_), AnyCascade(), NextTime());
      case 6:
        return Epoch(AnyOf(epochs_), Below(4) == 0 ? "" : AnyOf(epochs_), NextTime());
      case 7:
        return Registration(AnyOf(sources_), NextTime());
      case 8:
        return ChangeOfStatus(AnyOf(sources_), static_cast<model::SourceStatus>(Below(4)), NextTime());
      case 9:
      case 10:
      case 11:
        return Alias(AnyOf(names_), AnyOf(names_), NextTime());
      case 12:
        return Trust(static_cast<uint8_t>(1 + Below(5)), static_cast<double>(Below(1001)) / 1000, NextTime());
      default:
        return Vote(claim(), static_cast<double>(Below(1001)) / 1000, static_cast<uint8_t>(Below(4)),
                    kTestNow + static_cast<int64_t>(Below(static_cast<uint64_t>(time_) + 2)));
    }
  }
  // What a reader of JSON refuses before anybody asks the database.
  static bool IsWellFormed(const model::Operation& operation) {
    switch (operation.kind) {
      case model::OperationKind::kSupersession:
        return operation.assertion_id != operation.other_id;
      case model::OperationKind::kEpoch:
        return operation.name != operation.other_name;
      default:
        return true;
    }
  }

  const std::vector<std::string> paths_ = {"a", "a/b", "a/b/c", "a/bc", "a-b", "d://x", "d://x/y", "d:", "e"};
  const std::vector<std::string> above_ = {"a", "a/b", "d://", "d://x", "d:", "nowhere"};
  const std::vector<std::string> sources_ = {"s", "t", "u", "v"};
  const std::vector<std::string> epochs_ = {"e1", "e2", "e3", "e4", "e5", "e6"};
  const std::vector<std::string> names_ = {"a", "a/b", "e", "x", "y", "z", "w"};  // what aliases are made of

 private:
  std::vector<Hash256> planned_;
  std::vector<model::Assertion> waiting_;
  int plans_ = 0;
};

}  // namespace stemedb::testing
