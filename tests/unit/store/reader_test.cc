// SPDX-License-Identifier: Apache-2.0
// A reader's answers against a list that is searched from end to end, whichever part of the history is in
// LMDB and which in the delta.
#include <map>
#include <tuple>

#include "index/layout.h"
#include "store_fixture.h"

namespace stemedb::store {
namespace {

using stemedb::testing::Claim;
using stemedb::testing::Encode;
using stemedb::testing::Number;
using stemedb::testing::Prepare;
using stemedb::testing::PrepareAll;
using stemedb::testing::RandomPath;
using stemedb::testing::Write;

struct Said {
  uint64_t sequence;
  int64_t recorded_at_ms;
  model::Assertion claim;
  Hash256 id;
  std::string record;
};

class ReaderAgainstReference : public stemedb::testing::RandomStoreTest {
 protected:
  ReaderAgainstReference() {
    for (int i = 0; i < 25; ++i) paths_.push_back(RandomPath(random_));
  }

  std::string AnyPath() { return AnyOf(paths_); }
  std::string AnyPredicate() { return std::string(1, static_cast<char>('p' + Below(3))); }

  void WriteSome() {
    std::vector<model::Assertion> claims;
    for (uint64_t i = 1 + Below(12); i > 0; --i) {
      claims.push_back(
          Claim(AnyPath(), AnyPredicate(), Number(static_cast<double>(history_.size() + claims.size()))));
    }
    const auto result = Write(*store_, PrepareAll(claims));
    ASSERT_TRUE(result.status.ok()) << result.status.message();
    for (size_t i = 0; i < claims.size(); ++i) {
      auto encoded = Encode(claims[i]);
      history_.push_back(
          {result.items[i].sequence, result.items[i].recorded_at_ms, claims[i], encoded.id, encoded.record});
      ASSERT_EQ(result.items[i].sequence, history_.size());
    }
  }

  void Act() {
    switch (Below(10)) {
      case 0:
        ASSERT_TRUE(store_->Flush().ok());
        break;
      case 1:
        clock_.AdvanceMs(static_cast<int64_t>(Below(5)));
        break;
      case 2:
        clock_.SetNowMs(clock_.NowMs() - static_cast<int64_t>(Below(5)));
        break;
      default:
        WriteSome();
    }
  }

  Scope AnyScope(std::string& path, std::string& predicate) {
    path = AnyPath();
    for (uint64_t up = Below(3); up > 0; --up) path = std::string(index::ParentOf(path));
    predicate = Below(2) == 0 ? "" : AnyPredicate();
    Scope scope{.concept_path = path, .subtree = Below(2) == 0, .predicate = predicate};
    if (Below(3) == 0) scope.sequence_min = Below(history_.size() + 2);
    if (Below(3) == 0) scope.sequence_max = Below(history_.size() + 2);
    return scope;
  }

  std::vector<const Said*> Expected(const Scope& scope) const {
    std::vector<const Said*> rows;
    for (const Said& said : history_) {
      const std::string& path = said.claim.concept_path;
      const bool covered =
          scope.subtree ? index::IsBelow(path, scope.concept_path) : path == scope.concept_path;
      if (covered && (scope.predicate.empty() || said.claim.predicate == scope.predicate) &&
          said.sequence >= scope.sequence_min && said.sequence <= scope.sequence_max) {
        rows.push_back(&said);
      }
    }
    std::sort(rows.begin(), rows.end(), [](const Said* a, const Said* b) {
      return std::tie(a->claim.concept_path, a->claim.predicate, a->sequence) <
             std::tie(b->claim.concept_path, b->claim.predicate, b->sequence);
    });
    return rows;
  }

  void CheckScan(Reader& reader) {
    std::string path, predicate;
    const Scope scope = AnyScope(path, predicate);
    const auto expected = Expected(scope);
    std::vector<Row> rows(1);  // what stands there before stays
    const auto more = reader.Scan(scope, 1'000'000, rows);
    ASSERT_TRUE(more.has_value()) << more.error().message();
    EXPECT_FALSE(*more);
    ASSERT_EQ(rows.size() - 1, expected.size()) << path << (scope.subtree ? "/*" : "") << " " << predicate;
    for (size_t i = 0; i < expected.size(); ++i) {
      const Row& row = rows[i + 1];
      ASSERT_EQ(row.sequence, expected[i]->sequence)
          << path << (scope.subtree ? "/*" : "") << " " << predicate << " row " << i;
      ASSERT_EQ(row.concept_path, expected[i]->claim.concept_path);
      ASSERT_EQ(row.predicate, expected[i]->claim.predicate);
      ASSERT_EQ(row.claim.row(), model::ClaimView::Trusted(expected[i]->record).row());
    }
    const size_t rows_max = Below(expected.size() + 3);
    std::vector<Row> some;
    const auto cut = reader.Scan(scope, rows_max, some);
    ASSERT_TRUE(cut.has_value());
    EXPECT_EQ(*cut, expected.size() > rows_max) << expected.size() << " rows, at most " << rows_max;
    ASSERT_EQ(some.size(), std::min(rows_max, expected.size()));
  }

  void CheckRecords(Reader& reader) {
    ASSERT_EQ(reader.sequence(), history_.size());
    ASSERT_EQ(reader.assertion_count(), history_.size());
    for (int i = 0; i < 20; ++i) {
      const Said& said = history_[Below(history_.size())];
      const auto record = reader.Get(said.sequence);
      ASSERT_TRUE(record.has_value()) << record.error().message();
      ASSERT_EQ(record->bytes, said.record);
      ASSERT_EQ(record->recorded_at_ms, said.recorded_at_ms);
      ASSERT_EQ(*reader.Find(said.id), said.sequence);
    }
    EXPECT_EQ(reader.Get(history_.size() + 1).error().code(), Code::kNotFound);
    EXPECT_EQ(reader.Get(0).error().code(), Code::kNotFound);
    EXPECT_FALSE(reader.Find(Hash256{})->has_value());
  }

  void CheckTimes(Reader& reader) {
    for (int64_t time :
         {history_.front().recorded_at_ms - 1, history_[Below(history_.size())].recorded_at_ms,
          history_.back().recorded_at_ms, history_.back().recorded_at_ms + 1, INT64_MIN, INT64_MAX}) {
      uint64_t expected = 0;
      for (const Said& said : history_) expected = said.recorded_at_ms <= time ? said.sequence : expected;
      ASSERT_EQ(*reader.SequenceAt(time), expected) << time;
    }
  }

  void CheckChildren(Reader& reader, const std::string& parent) {
    std::map<std::string, ConceptCount> counts;  // by key
    for (const Said& said : history_) {
      const std::string& path = said.claim.concept_path;
      for (std::string_view at = path; !at.empty(); at = index::ParentOf(at)) {
        if (index::ParentOf(at) != parent) continue;
        std::string key;
        index::AppendPathKey(key, at);
        ConceptCount& count = counts[key];
        count.path = at;
        ++(at == path ? count.assertions : count.assertions_below);
      }
    }
    const size_t page = 1 + Below(4);
    auto next = counts.begin();
    for (std::string after;;) {
      const auto children = reader.Children(parent, after, page);
      ASSERT_TRUE(children.has_value());
      for (const ConceptCount& child : *children) {
        ASSERT_NE(next, counts.end()) << "beyond the last child of " << parent << ": " << child.path;
        ASSERT_EQ(child.path, next->second.path);
        ASSERT_EQ(child.assertions, next->second.assertions) << child.path;
        ASSERT_EQ(child.assertions_below, next->second.assertions_below) << child.path;
        ++next;
      }
      if (children->size() < page) break;
      after = children->back().path;
    }
    ASSERT_EQ(next, counts.end()) << "children of " << parent << " are missing";
  }

  std::vector<std::string> paths_;
  std::vector<Said> history_;
};

TEST_F(ReaderAgainstReference, AllLookupsAgreeWhateverIsInTheDelta) {
  Open();
  WriteSome();
  std::unique_ptr<Reader> old_reader = store_->NewReader();  // lives through flushes and refreshes
  for (int round = 0; round < 120; ++round) {
    Act();
    if (round == 60) {
      old_reader.reset();
      Open();
      old_reader = store_->NewReader();
    }
    const auto fresh_reader = store_->NewReader();
    for (Reader* reader : {old_reader.get(), fresh_reader.get()}) {
      if (reader == old_reader.get() && Below(3) == 0) continue;  // falls behind now and then
      ASSERT_TRUE(reader->Refresh().ok());
      for (int i = 0; i < 5; ++i) CheckScan(*reader);
      CheckRecords(*reader);
      CheckTimes(*reader);
      std::string parent = AnyPath();
      for (uint64_t up = Below(4); up > 0; --up) parent = std::string(index::ParentOf(parent));
      CheckChildren(*reader, parent);
      reader->Release();
      ASSERT_FALSE(HasFatalFailure()) << "round " << round;
    }
  }
}

TEST_F(ReaderAgainstReference, LongPathsComeInOrderWhereverTheyStand) {
  Open();
  const std::string front(290, 'x');
  // Around the 287 bytes that a long path keeps, and the 320 where it begins to be one.
  const std::vector<std::string> paths = {front + "/z" + std::string(60, 'z'),
                                          front + "/a" + std::string(60, 'a'),
                                          front + "/m",
                                          front + "-b/m",
                                          front + "y",
                                          "x",
                                          "y"};
  for (int round = 0; round < 2; ++round) {
    for (const std::string& path : paths) {
      const auto claim = Claim(path, "p", Number(round));
      const auto result = Say(claim);
      history_.push_back({result.items[0].sequence, 0, claim, Encode(claim).id, Encode(claim).record});
    }
    ASSERT_TRUE(round > 0 || store_->Flush().ok());
    const auto reader = store_->NewReader();
    ASSERT_TRUE(reader->Refresh().ok());
    for (const std::string& root : {std::string(), front, front + "-b", std::string("x")}) {
      const Scope scope{.concept_path = root, .subtree = true};
      const auto expected = Expected(scope);
      std::vector<Row> rows;
      ASSERT_TRUE(reader->Scan(scope, 1000, rows).has_value());
      ASSERT_EQ(rows.size(), expected.size()) << root;
      for (size_t i = 0; i < rows.size(); ++i)
        EXPECT_EQ(rows[i].sequence, expected[i]->sequence) << root << " " << i;
      CheckChildren(*reader, root);
    }
  }
}

TEST_F(ReaderAgainstReference, AScanStopsAfterSoManyStepsWhetherItWantsTheRowsOrNot) {
  Open();
  for (int i = 0; i < 20; ++i) {
    const auto claim = Claim("a/" + std::to_string(i % 3), "p", Number(i));
    const auto result = Say(claim);
    history_.push_back({result.items[0].sequence, 0, claim, Encode(claim).id, Encode(claim).record});
  }
  ASSERT_TRUE(store_->Flush().ok());
  const auto reader = store_->NewReader();
  ASSERT_TRUE(reader->Refresh().ok());
  std::vector<Row> rows;
  Scope scope{.concept_path = "", .subtree = true, .predicate = "unsaid", .steps_max = 19};
  EXPECT_TRUE(*reader->Scan(scope, 1000, rows));
  EXPECT_TRUE(rows.empty());
  scope.steps_max = 20;
  EXPECT_FALSE(*reader->Scan(scope, 1000, rows)) << "all has been looked at";
  scope = {.concept_path = "a/0", .subtree = false, .predicate = "", .sequence_min = 1000, .steps_max = 6};
  EXPECT_TRUE(*reader->Scan(scope, 1000, rows));
  scope = {.concept_path = "a/0", .subtree = false, .predicate = "p", .steps_max = 6};
  EXPECT_TRUE(*reader->Scan(scope, 1000, rows));
  EXPECT_EQ(rows.size(), 6u);
}

TEST_F(ReaderAgainstReference, AScanStopsAfterSoManyStepsAmongWhatIsNotIndexedYetToo) {
  Open();
  const auto say = [&](int from, int to) {
    for (int i = from; i < to; ++i)
      ASSERT_TRUE(Say(Claim("a/" + std::to_string(i % 3), "p", Number(i))).status.ok());
  };
  ASSERT_NO_FATAL_FAILURE(say(0, 20));
  const auto reader = store_->NewReader();
  ASSERT_TRUE(reader->Refresh().ok());
  std::vector<Row> rows;
  size_t looked_at = 0;
  Scope scope{.concept_path = "a", .subtree = true, .steps_max = 7, .looked_at = &looked_at};
  EXPECT_TRUE(*reader->Scan(scope, 1000, rows));
  EXPECT_EQ(rows.size(), 7u);
  EXPECT_EQ(looked_at, 7u);
  scope.steps_max = 20;
  rows.clear();
  EXPECT_FALSE(*reader->Scan(scope, 1000, rows)) << "all has been looked at";
  EXPECT_EQ(rows.size(), 20u);
  EXPECT_EQ(looked_at, 27u);
  // The steps are those of both places together.
  ASSERT_TRUE(store_->Flush().ok());
  ASSERT_NO_FATAL_FAILURE(say(20, 25));
  ASSERT_TRUE(reader->Refresh().ok());
  for (const auto& [steps, is_cut] : {std::pair{size_t{22}, true}, {size_t{25}, false}}) {
    rows.clear();
    scope.steps_max = steps;
    EXPECT_EQ(*reader->Scan(scope, 1000, rows), is_cut);
    EXPECT_EQ(rows.size(), steps);
  }
}

TEST_F(ReaderAgainstReference, WhetherAPathHasClaimsIsKnownWithoutAScan) {
  Open();
  const std::string front = "long/" + std::string(300, 'x');
  const std::string longest = front + "/" + std::string(60, 'z');
  for (const std::string& path : {std::string("a/b/c"), std::string("d://x/y"), longest})
    ASSERT_TRUE(Say(Claim(path, "p", Number(1))).status.ok());
  const auto reader = store_->NewReader();
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(reader->Refresh().ok());
    for (const std::string& at : {std::string("a/b/c"), std::string("d://x/y"), longest}) {
      EXPECT_TRUE(*reader->HasClaims(at, false)) << at << ", round " << round;
      EXPECT_FALSE(*reader->HasClaims(at, true)) << at << ", round " << round;
    }
    EXPECT_TRUE(*reader->HasClaims("", true)) << "round " << round;
    for (const std::string& above : {std::string("a"), std::string("a/b"), std::string("d://"),
                                     std::string("d://x"), std::string("long"), front}) {
      EXPECT_TRUE(*reader->HasClaims(above, true)) << above << ", round " << round;
      EXPECT_FALSE(*reader->HasClaims(above, false)) << above << ", round " << round;
    }
    for (const std::string& beside :
         {std::string("a/bc"), std::string("b"), std::string("d:"), longest + "z"}) {
      EXPECT_FALSE(*reader->HasClaims(beside, false)) << beside << ", round " << round;
      EXPECT_FALSE(*reader->HasClaims(beside, true)) << beside << ", round " << round;
    }
    ASSERT_TRUE(store_->Flush().ok());
  }
}

TEST_F(ReaderAgainstReference, AViewStandsStillUntilItIsRefreshed) {
  Open();
  WriteSome();
  ASSERT_TRUE(store_->Flush().ok());
  const auto reader = store_->NewReader();
  ASSERT_TRUE(reader->Refresh().ok());
  const auto before = reader->Get(1);
  const std::string bytes(before->bytes);
  const uint64_t sequence = reader->sequence();
  for (int i = 0; i < 5; ++i) WriteSome();
  ASSERT_TRUE(store_->Flush().ok());
  EXPECT_EQ(reader->sequence(), sequence);
  EXPECT_EQ(before->bytes, bytes);
  EXPECT_EQ(reader->Get(sequence + 1).error().code(), Code::kNotFound);
  std::vector<Row> rows;
  ASSERT_TRUE(reader->Scan({.concept_path = "", .subtree = true}, 1'000'000, rows).has_value());
  EXPECT_EQ(rows.size(), sequence);
  ASSERT_TRUE(reader->Refresh().ok());
  EXPECT_EQ(reader->sequence(), history_.size());
}

TEST_F(ReaderAgainstReference, AnEmptyStoreAnswersEverything) {
  Open();
  const auto reader = store_->NewReader();
  ASSERT_TRUE(reader->Refresh().ok());
  std::vector<Row> rows;
  EXPECT_FALSE(*reader->Scan({.concept_path = "", .subtree = true}, 10, rows));
  EXPECT_TRUE(rows.empty());
  EXPECT_EQ(reader->sequence(), 0u);
  EXPECT_EQ(*reader->SequenceAt(INT64_MAX), 0u);
  EXPECT_TRUE(reader->Children("", "", 10)->empty());
}

}  // namespace
}  // namespace stemedb::store
