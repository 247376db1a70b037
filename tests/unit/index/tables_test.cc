// SPDX-License-Identifier: Apache-2.0
// The tables against references that are too simple to be wrong, and against LMDB's own tools.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "claims.h"
#include "index/claim_index.h"
#include "index/layout.h"
#include "index/record_table.h"

namespace stemedb::index {
namespace {

using stemedb::testing::Claim;
using stemedb::testing::Encode;
using stemedb::testing::EncodedClaim;
using stemedb::testing::EntriesByMdbStat;
using stemedb::testing::Number;
using stemedb::testing::PrintedRandom;
using stemedb::testing::RandomPath;

class Tables : public ::testing::Test {
 protected:
  Tables() {
    auto records = RecordTable::Open(directory_.path() + "/assertions.kv");
    EXPECT_TRUE(records.has_value());
    records_ = std::move(*records);
    auto claims = ClaimIndex::Open(records_.get(), directory_.path() + "/indexes");
    EXPECT_TRUE(claims.has_value());
    claims_ = std::move(*claims);
  }

  // Adds a claim to the history; nothing is applied yet.
  void Say(const std::string& path, const std::string& predicate, int64_t recorded_at_ms = 0) {
    encoded_.push_back(Encode(Claim(path, predicate, Number(static_cast<double>(encoded_.size())))));
    paths_.push_back(path);
    times_.push_back(recorded_at_ms);
  }

  std::vector<LoggedRecord> Logged(size_t from, size_t to) const {
    std::vector<LoggedRecord> logged;
    for (size_t i = from; i < to; ++i) logged.push_back({i + 1, times_[i], encoded_[i].record});
    return logged;
  }

  static Checkpoint At(size_t count) {
    return {.sequence = count, .assertions = count, .recorded_at_ms = 0, .chain = {}};
  }

  template <typename Table>
  void Apply(Table& table, size_t from, size_t to, size_t checkpoint) {
    auto txn = kv::WriteTxn::Begin(&table.environment());
    ASSERT_TRUE(txn.has_value());
    const auto logged = Logged(from, to);
    const Status applied = table.Apply(**txn, logged, At(checkpoint));
    ASSERT_TRUE(applied.ok()) << applied.message();
    ASSERT_TRUE((*txn)->Commit().ok());
  }

  // In a few transactions of random size.
  template <typename Table>
  void ApplyAll(Table& table, std::mt19937_64& random) {
    for (size_t from = 0; from < encoded_.size();) {
      const size_t to = std::min(encoded_.size(), from + 1 + random() % 200);
      Apply(table, from, to, to);
      from = to;
    }
  }

  std::vector<ConceptNode> ChildrenInPages(std::string_view path, size_t page) {
    auto txn = kv::ReadTxn::Open(&claims_->environment());
    const kv::ReadScope scope(**txn);
    auto cursor = kv::Cursor::Open(**txn, claims_->concepts());
    std::vector<ConceptNode> all;
    for (std::string after;;) {
      auto children = claims_->Children(*cursor, path, after, page);
      EXPECT_TRUE(children.has_value());
      EXPECT_LE(children->size(), page);
      all.insert(all.end(), children->begin(), children->end());
      if (children->size() < page) return all;
      after = all.back().path;
    }
  }

  std::vector<ConceptNode> ChildrenByBruteForce(std::string_view parent) const {
    std::map<std::string, ConceptNode> children;  // by key
    for (const std::string& path : paths_) {
      for (std::string_view at = path, up = ParentOf(at); !at.empty(); at = up, up = ParentOf(at)) {
        if (up != parent) continue;
        std::string key;
        AppendPathKey(key, at);
        ConceptNode& node = children[key];
        node.path = at;
        ++(at == path ? node.assertions : node.assertions_below);
      }
    }
    std::vector<ConceptNode> out;
    for (auto& [key, node] : children) out.push_back(node);
    return out;
  }

  stemedb::testing::TestDirectory directory_;
  std::unique_ptr<RecordTable> records_;
  std::unique_ptr<ClaimIndex> claims_;
  std::vector<EncodedClaim> encoded_;
  std::vector<std::string> paths_;
  std::vector<int64_t> times_;
};

std::string Show(const std::vector<ConceptNode>& nodes) {
  std::string text;
  for (const ConceptNode& node : nodes) {
    text += node.path + " " + std::to_string(node.assertions) + "+" + std::to_string(node.assertions_below) +
            "\n";
  }
  return text;
}

TEST_F(Tables, ChildrenAreThoseOfABruteForceSearch) {
  auto random = PrintedRandom();
  for (int i = 0; i < 600; ++i) Say(RandomPath(random), "p");
  ApplyAll(*claims_, random);
  std::set<std::string> parents = {"", "nowhere", "a/nowhere", "fda:", "fda://"};
  for (const std::string& path : paths_) {
    for (std::string_view at = path; !at.empty(); at = ParentOf(at)) parents.emplace(at);
  }
  for (const std::string& parent : parents) {
    const std::string expected = Show(ChildrenByBruteForce(parent));
    for (size_t page : {1, 2, 3, 7, 1000})
      EXPECT_EQ(Show(ChildrenInPages(parent, page)), expected) << parent << " by " << page;
  }
}

TEST_F(Tables, ChildrenOfSiblingsThatShareAFrontAreKeptApart) {
  for (const char* path : {"a", "a-b", "a-b/c", "a/b", "a/b/c", "a0", "a0/x", "a b"}) Say(path, "p");
  auto random = PrintedRandom();
  ApplyAll(*claims_, random);
  EXPECT_EQ(Show(ChildrenInPages("", 2)), "a 1+2\na b 1+0\na-b 1+1\na0 1+1\n");
  EXPECT_EQ(Show(ChildrenInPages("a", 2)), "a/b 1+1\n");
}

TEST_F(Tables, ApplyingAgainWhatTheCheckpointCoversChangesNothing) {
  for (int i = 0; i < 10; ++i) Say("a/b", "p");
  Apply(*records_, 0, 6, 6);
  Apply(*claims_, 0, 6, 6);
  Apply(*records_, 0, 6, 6);  // all of it again
  Apply(*claims_, 0, 6, 6);
  Apply(*records_, 2, 10, 10);  // and overlapping
  Apply(*claims_, 2, 10, 10);
  Apply(*records_, 0, 3, 3);  // and going back
  Apply(*claims_, 0, 3, 3);
  EXPECT_EQ(Show(ChildrenInPages("", 10)), "a 0+10\n");
  auto txn = kv::ReadTxn::Open(&claims_->environment());
  const kv::ReadScope scope(**txn);
  EXPECT_EQ(*(*txn)->Count(claims_->claims()), 10u);
  EXPECT_EQ(claims_->checkpoint(**txn)->sequence, 10u);
}

TEST_F(Tables, MdbStatCountsWhatWeCount) {
  auto random = PrintedRandom();
  for (int i = 0; i < 300; ++i) Say(RandomPath(random), "p");
  ApplyAll(*claims_, random);
  ApplyAll(*records_, random);
  std::set<std::string> concepts;
  for (const std::string& path : paths_) {
    for (std::string_view at = path; !at.empty(); at = ParentOf(at)) concepts.emplace(at);
  }
  const std::string file = "-n " + directory_.path() + "/assertions.kv", dir = directory_.path() + "/indexes";
  EXPECT_EQ(EntriesByMdbStat(file, "records"), 300u);
  EXPECT_EQ(EntriesByMdbStat(file, "ids"), 300u);
  EXPECT_EQ(EntriesByMdbStat(dir, "claims"), 300u);
  EXPECT_EQ(EntriesByMdbStat(dir, "concepts"), concepts.size());
}

TEST_F(Tables, RecordsAreFoundByIdAndBySequence) {
  auto random = PrintedRandom();
  for (int i = 0; i < 50; ++i) Say(RandomPath(random), "p", 1000 + i);
  ApplyAll(*records_, random);
  auto txn = kv::ReadTxn::Open(&records_->environment());
  const kv::ReadScope scope(**txn);
  for (size_t i = 0; i < encoded_.size(); ++i) {
    ASSERT_EQ(*records_->Find(**txn, AsView(encoded_[i].id)), i + 1);
    const auto stored = records_->Get(**txn, i + 1);
    ASSERT_TRUE(stored.has_value() && stored->has_value());
    EXPECT_EQ((*stored)->bytes, encoded_[i].record);
    EXPECT_EQ((*stored)->recorded_at_ms, times_[i]);
  }
  EXPECT_FALSE(records_->Find(**txn, std::string(32, 'x'))->has_value());
  EXPECT_FALSE(records_->Get(**txn, 51)->has_value());
  EXPECT_FALSE(records_->Get(**txn, 0)->has_value());
}

TEST_F(Tables, SequenceAtIsTheNewestUpToTheTime) {
  auto random = PrintedRandom();
  int64_t time = 100;
  for (int i = 0; i < 200; ++i) Say("a", "p", time += static_cast<int64_t>(random() % 3));
  ApplyAll(*records_, random);
  auto txn = kv::ReadTxn::Open(&records_->environment());
  const kv::ReadScope scope(**txn);
  for (int64_t at = 98; at < time + 3; ++at) {
    uint64_t expected = 0;
    while (expected < times_.size() && times_[expected] <= at) ++expected;
    EXPECT_EQ(*records_->SequenceAt(**txn, at, 200), expected) << at;
    EXPECT_EQ(*records_->SequenceAt(**txn, at, 17), std::min<uint64_t>(expected, 17)) << at;
  }
  EXPECT_EQ(*records_->SequenceAt(**txn, INT64_MAX, 0), 0u);
}

TEST_F(Tables, ClearLeavesAnEmptyIndexWithoutACheckpoint) {
  Say("a/b", "p");
  Apply(*claims_, 0, 1, 1);
  auto txn = kv::WriteTxn::Begin(&claims_->environment());
  ASSERT_TRUE(claims_->Clear(**txn).ok());
  ASSERT_TRUE((*txn)->Commit().ok());
  EXPECT_EQ(Show(ChildrenInPages("", 10)), "");
  auto read = kv::ReadTxn::Open(&claims_->environment());
  const kv::ReadScope scope(**read);
  EXPECT_EQ(claims_->checkpoint(**read)->sequence, 0u);
  EXPECT_EQ(*(*read)->Count(claims_->claims()), 0u);
}

TEST_F(Tables, ACheckpointOfAnotherFormatIsNamedNotUsed) {
  Say("a/b", "p");
  Apply(*claims_, 0, 1, 1);
  const kv::Database meta = *claims_->environment().OpenDatabase("meta");
  auto write = kv::WriteTxn::Begin(&claims_->environment());
  ASSERT_TRUE((*write)->Put(meta, "checkpoint", std::string(64, '\x07')).ok());
  ASSERT_TRUE((*write)->Commit().ok());
  auto read = kv::ReadTxn::Open(&claims_->environment());
  const kv::ReadScope scope(**read);
  const auto checkpoint = claims_->checkpoint(**read);
  ASSERT_FALSE(checkpoint.has_value());
  EXPECT_EQ(checkpoint.error().reason(), "checkpoint_unreadable");
  EXPECT_NE(checkpoint.error().message().find("indexes"), std::string_view::npos)
      << "the message names the file";
}

TEST_F(Tables, AnIndexWithOtherTablesHasNoCheckpointAndIsToBeMadeAnew) {
  Say("a/b", "p");
  Apply(*claims_, 0, 1, 1);
  const kv::Database meta = *claims_->environment().OpenDatabase("meta");
  const auto checkpoint = [&] {
    auto read = kv::ReadTxn::Open(&claims_->environment());
    const kv::ReadScope scope(**read);
    return claims_->checkpoint(**read);
  };
  EXPECT_EQ(checkpoint()->sequence, 1u);
  {
    auto write = kv::WriteTxn::Begin(&claims_->environment());
    ASSERT_TRUE((*write)->Put(meta, "layout", "1").ok());
    ASSERT_TRUE((*write)->Commit().ok());
  }
  EXPECT_EQ(checkpoint()->sequence, 0u);
  {
    auto write = kv::WriteTxn::Begin(&claims_->environment());
    ASSERT_TRUE(*(*write)->Delete(meta, "layout")) << "as those of before had none";
    ASSERT_TRUE((*write)->Commit().ok());
  }
  EXPECT_EQ(checkpoint()->sequence, 0u);
}

}  // namespace
}  // namespace stemedb::index
