// SPDX-License-Identifier: Apache-2.0
// TableFeed: a start's way of bringing a table up to the log. Records are copied into a chunk; a full chunk
// is written on a thread of its own while the caller reads and checks the next.
//
// A table that has something gets its chunks by Apply, each with its checkpoint. An empty one is filled by
// its loader (index/loaders.h), which sorts first and sets the checkpoint at the end.
//
// One calling thread. After a failure only destroy it; the destructor waits for the chunk that is being
// written.
#pragma once

#include <cstdint>
#include <future>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "index/loaders.h"
#include "store/store.h"

namespace stemedb::store {

template <typename Table, typename Loader>
class TableFeed {
 public:
  // `from` is the table's checkpoint.
  TableFeed(const Options& options, Table& table, const index::Checkpoint& from);
  ~TableFeed();

  Status Begin();
  // kCorruption when the record is none.
  Status Add(uint64_t sequence, int64_t recorded_at_ms, std::string_view record);
  bool full() const;
  // Lets what was added be written; `after` is the checkpoint with it. Gives the failure of an earlier chunk.
  Status Flush(const index::Checkpoint& after);
  // Flush, and wait until everything is durable.
  Status Finish(const index::Checkpoint& after);

 private:
  struct Entry {
    uint64_t sequence = 0;
    int64_t recorded_at_ms = 0;
    size_t start = 0;  // in Chunk::bytes
    size_t size = 0;
  };
  struct Chunk {
    std::string bytes;
    std::vector<Entry> entries;
  };

  Status Write(const Chunk& chunk, const index::Checkpoint& after);
  Status Wait();

  Table& table_;
  const bool loads_;
  Loader loader_;
  Chunk filling_;
  Chunk writing_;
  std::future<Status> written_;
};

using RecordFeed = TableFeed<index::RecordTable, index::RecordLoader>;
using ClaimFeed = TableFeed<index::ClaimIndex, index::ClaimLoader>;

}  // namespace stemedb::store
