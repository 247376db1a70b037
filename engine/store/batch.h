// SPDX-License-Identifier: Apache-2.0
// Batch: what one fsync made durable. Immutable from the moment it is published; readers, the index thread
// and whoever else needs it share it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "index/checkpoint.h"
#include "model/claim_record.h"
#include "model/operation_record.h"

namespace stemedb::store {

// The types of records in the log, docs/wal-format.md.
inline constexpr uint8_t kTypeAssertion = 1;
inline constexpr uint8_t kTypeOperation = 2;
inline uint8_t TypeOf(std::string_view record) {
  return model::IsOperationRecord(record) ? kTypeOperation : kTypeAssertion;
}

struct Entry {
  uint64_t sequence = 0;
  int64_t recorded_at_ms = 0;
  Hash256 id{};
  std::string record;
  bool is_operation() const { return model::IsOperationRecord(record); }
  model::ClaimView claim() const { return model::ClaimView::Trusted(record); }  // unless is_operation()
  model::OperationView operation() const {
    return model::OperationView::Trusted(record);
  }  // if is_operation()
};

struct Batch {
  std::vector<Entry> entries;  // never empty; sequences follow one another
  index::Checkpoint after;     // how the database stands behind the last entry
  uint64_t first() const { return entries.front().sequence; }
  uint64_t last() const { return entries.back().sequence; }
  size_t bytes() const {
    size_t sum = 0;
    for (const Entry& entry : entries) sum += entry.record.size();
    return sum;
  }
};

// Ids are digests: any eight bytes of them are a good hash.
struct IdHasher {
  size_t operator()(const Hash256& id) const { return LoadLittle<size_t>(id.data()); }
};

}  // namespace stemedb::store
