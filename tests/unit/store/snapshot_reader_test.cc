// SPDX-License-Identifier: Apache-2.0
// Moments that threads meet too seldom for a test: tables and inbox are put into each state by hand.
#include "store/snapshot_reader.h"

#include <gtest/gtest.h>

#include "../index/claims.h"

namespace stemedb::store {
namespace {

using stemedb::testing::Claim;
using stemedb::testing::Encode;
using stemedb::testing::Number;

class SnapshotReaderStates : public ::testing::Test {
 protected:
  SnapshotReaderStates() {
    records_ = std::move(*index::RecordTable::Open(directory_.path() + "/assertions.kv"));
    claims_ = std::move(*index::ClaimIndex::Open(records_.get(), directory_.path() + "/indexes"));
    for (uint64_t sequence = 1; sequence <= 8; ++sequence) batches_.push_back(MakeBatch(sequence));
  }

  // One claim, recorded at ten times its sequence.
  static BatchPtr MakeBatch(uint64_t sequence) {
    auto encoded = Encode(Claim("a/b", "p", Number(static_cast<double>(sequence))));
    auto batch = std::make_shared<Batch>();
    batch->entries.push_back(
        {sequence, static_cast<int64_t>(sequence) * 10, encoded.id, std::move(encoded.record)});
    batch->after = {.sequence = sequence,
                    .assertions = sequence,
                    .recorded_at_ms = static_cast<int64_t>(sequence) * 10,
                    .chain = {}};
    return batch;
  }

  template <typename Table>
  void ApplyTo(Table& table, uint64_t sequence) {
    std::vector<index::LoggedRecord> logged;
    for (const BatchPtr& batch : batches_) {
      const Entry& entry = batch->entries.front();
      if (entry.sequence <= sequence) logged.push_back({entry.sequence, entry.recorded_at_ms, entry.record});
    }
    auto txn = kv::WriteTxn::Begin(&table.environment());
    ASSERT_TRUE(table.Apply(**txn, logged, batches_[sequence - 1]->after).ok());
    ASSERT_TRUE((*txn)->Commit().ok());
  }

  void Publish(uint64_t from, uint64_t to) {
    for (uint64_t sequence = from; sequence <= to; ++sequence) publisher_.Publish(batches_[sequence - 1]);
  }

  // The view ends at `end`, whatever it is asked.
  void ExpectEnd(Reader& reader, uint64_t end) {
    ASSERT_TRUE(reader.Refresh().ok());
    EXPECT_EQ(reader.sequence(), end);
    EXPECT_EQ(reader.assertion_count(), end);
    std::vector<Row> rows;
    ASSERT_TRUE(reader.Scan({.concept_path = "a/b", .predicate = "p"}, 100, rows).has_value());
    EXPECT_EQ(rows.size(), end);
    EXPECT_EQ(reader.Children("", "", 10)->front().assertions_below, end);
    EXPECT_EQ(*reader.SequenceAt(INT64_MAX), end);
    for (uint64_t sequence = 1; sequence <= 8; ++sequence) {
      const Entry& entry = batches_[sequence - 1]->entries.front();
      const auto record = reader.Get(sequence);
      ASSERT_EQ(record.has_value(), sequence <= end) << sequence;
      EXPECT_EQ(reader.Find(entry.id)->has_value(), sequence <= end) << sequence;
      EXPECT_EQ(*reader.SequenceAt(entry.recorded_at_ms), std::min(sequence, end));
    }
  }

  stemedb::testing::TestDirectory directory_;
  std::unique_ptr<index::RecordTable> records_;
  std::unique_ptr<index::ClaimIndex> claims_;
  Publisher publisher_;
  std::vector<BatchPtr> batches_;
};

TEST_F(SnapshotReaderStates, TheRecordTableIsAheadOfIndexAndInbox) {
  // 6 to 8 came after the inbox was emptied, and the index thread is between its two commits.
  ApplyTo(*records_, 8);
  ApplyTo(*claims_, 5);
  SnapshotReader reader(&publisher_, records_.get(), claims_.get());
  ExpectEnd(reader, 5);
}

TEST_F(SnapshotReaderStates, TheRecordTableIsAheadOfAnInboxThatHoldsSome) {
  ApplyTo(*records_, 8);
  ApplyTo(*claims_, 3);
  Publish(4, 6);
  SnapshotReader reader(&publisher_, records_.get(), claims_.get());
  ExpectEnd(reader, 6);
}

TEST_F(SnapshotReaderStates, TheInboxIsAheadOfBoth) {
  ApplyTo(*records_, 5);
  ApplyTo(*claims_, 3);
  Publish(2, 8);  // not trimmed yet: 2 and 3 are in LMDB as well
  SnapshotReader reader(&publisher_, records_.get(), claims_.get());
  ExpectEnd(reader, 8);
}

TEST_F(SnapshotReaderStates, BothTablesHaveOvertakenTheInbox) {
  ApplyTo(*records_, 3);
  ApplyTo(*claims_, 3);
  SnapshotReader reader(&publisher_, records_.get(), claims_.get());
  Publish(4, 5);
  ExpectEnd(reader, 5);
  ApplyTo(*records_, 8);
  ApplyTo(*claims_, 8);
  ExpectEnd(reader, 8);
  publisher_.Trim(8);
  ExpectEnd(reader, 8);
}

TEST_F(SnapshotReaderStates, AReaderThatSleptThroughATrimGoesOn) {
  SnapshotReader reader(&publisher_, records_.get(), claims_.get());
  Publish(1, 2);
  ExpectEnd(reader, 2);
  Publish(3, 6);
  ApplyTo(*records_, 5);
  ApplyTo(*claims_, 5);
  publisher_.Trim(5);
  ExpectEnd(reader, 6);
}

}  // namespace
}  // namespace stemedb::store
