// SPDX-License-Identifier: Apache-2.0
#include "store/table_feed.h"

#include <utility>

#include "store/indexer.h"

namespace stemedb::store {
namespace {

constexpr size_t kChunkRecords = 65'536;
constexpr size_t kChunkBytes = 64u << 20;

template <typename Table>
index::Transact TransactionsOf(Table& table) {
  return [&table](const std::function<Status(kv::WriteTxn&)>& change) {
    return WriteWithRoom(table.environment(), change);
  };
}

index::SortedRuns::Options ScratchOf(const Options& options) {
  return {.env = options.env, .dir = options.db_dir, .memory_bytes_max = options.sort_bytes_max};
}

}  // namespace

template <typename Table, typename Loader>
TableFeed<Table, Loader>::TableFeed(const Options& options, Table& table, const index::Checkpoint& from)
    : table_(table), loads_(from.sequence == 0), loader_(&table, TransactionsOf(table), ScratchOf(options)) {}

template <typename Table, typename Loader>
TableFeed<Table, Loader>::~TableFeed() {
  if (written_.valid()) written_.wait();
}

template <typename Table, typename Loader>
Status TableFeed<Table, Loader>::Begin() {
  return loads_ ? loader_.Begin() : Status::Ok();
}

template <typename Table, typename Loader>
Status TableFeed<Table, Loader>::Add(uint64_t sequence, int64_t recorded_at_ms, std::string_view record) {
  if (Status checked = index::CheckRecord(record); !checked.ok())
    return std::move(checked).Annotate("sequence " + std::to_string(sequence));
  if (filling_.bytes.capacity() < kChunkBytes)
    filling_.bytes.reserve(kChunkBytes);  // address space, not memory
  filling_.entries.push_back({sequence, recorded_at_ms, filling_.bytes.size(), record.size()});
  filling_.bytes.append(record);
  return Status::Ok();
}

template <typename Table, typename Loader>
bool TableFeed<Table, Loader>::full() const {
  return filling_.entries.size() >= kChunkRecords || filling_.bytes.size() >= kChunkBytes;
}

template <typename Table, typename Loader>
Status TableFeed<Table, Loader>::Flush(const index::Checkpoint& after) {
  STEMEDB_RETURN_IF_ERROR(Wait());
  if (filling_.entries.empty()) return Status::Ok();
  std::swap(filling_, writing_);
  filling_.bytes.clear();
  filling_.entries.clear();
  written_ = std::async(std::launch::async, [this, after] { return Write(writing_, after); });
  return Status::Ok();
}

template <typename Table, typename Loader>
Status TableFeed<Table, Loader>::Finish(const index::Checkpoint& after) {
  STEMEDB_RETURN_IF_ERROR(Flush(after));
  STEMEDB_RETURN_IF_ERROR(Wait());
  return loads_ ? loader_.Finish(after) : Status::Ok();
}

template <typename Table, typename Loader>
Status TableFeed<Table, Loader>::Wait() {
  return written_.valid() ? written_.get() : Status::Ok();
}

template <typename Table, typename Loader>
Status TableFeed<Table, Loader>::Write(const Chunk& chunk, const index::Checkpoint& after) {
  std::vector<index::LoggedRecord> records;
  records.reserve(chunk.entries.size());
  const std::string_view bytes = chunk.bytes;
  for (const Entry& entry : chunk.entries) {
    records.push_back({entry.sequence, entry.recorded_at_ms, bytes.substr(entry.start, entry.size)});
  }
  if (loads_) return loader_.Add(records);
  return WriteWithRoom(table_.environment(),
                       [&](kv::WriteTxn& txn) { return table_.Apply(txn, records, after); });
}

template class TableFeed<index::RecordTable, index::RecordLoader>;
template class TableFeed<index::ClaimIndex, index::ClaimLoader>;

}  // namespace stemedb::store
