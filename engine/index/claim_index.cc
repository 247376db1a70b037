// SPDX-License-Identifier: Apache-2.0
#include "index/claim_index.h"

#include <algorithm>
#include <map>

#include "base/bytes.h"

namespace stemedb::index {
namespace {

constexpr size_t kCountBytes = 16;
constexpr std::string_view kLayoutKey = "layout", kLayout = "3";  // in "meta"

struct Counts {
  uint64_t here = 0;
  uint64_t below = 0;
};

std::string EncodeNode(const Counts& counts, std::string_view path) {
  std::string value(kCountBytes, '\0');
  StoreLittle(value.data(), counts.here);
  StoreLittle(value.data() + 8, counts.below);
  if (path.size() > kPathKeyBytesMax) value.append(path);
  return value;
}

Result<ConceptNode> DecodeNode(std::string_view key, std::string_view value) {
  if (value.size() < kCountBytes) {
    return Status(Code::kCorruption, "concept_unreadable", "a concept's entry is shorter than its counts");
  }
  ConceptNode node;
  node.path = value.size() > kCountBytes ? value.substr(kCountBytes) : key;
  node.assertions = LoadLittle<uint64_t>(value.data());
  node.assertions_below = LoadLittle<uint64_t>(value.data() + 8);
  return node;
}

}  // namespace

Result<std::unique_ptr<ClaimIndex>> ClaimIndex::Open(RecordTable* records, const std::string& directory,
                                                     uint64_t map_bytes, kv::Access access) {
  auto environment = kv::Environment::Open(
      {.path = directory, .layout = kv::Layout::kDirectory, .access = access, .map_bytes = map_bytes});
  if (!environment) return environment.error();
  std::unique_ptr<ClaimIndex> index(new ClaimIndex(records));
  index->environment_ = std::move(*environment);
  for (auto [name, database] : {std::pair{"claims", &index->claims_},
                                std::pair{"concepts", &index->concepts_}, std::pair{"meta", &index->meta_}}) {
    auto opened = index->environment_->OpenDatabase(name);
    if (!opened) return opened.error();
    *database = *opened;
  }
  STEMEDB_RETURN_IF_ERROR(index->operations_.Open(*index->environment_, index->meta_));
  return index;
}

Result<Checkpoint> ClaimIndex::checkpoint(const kv::Txn& txn) const {
  auto layout = txn.Get(meta_, kLayoutKey);
  if (!layout) return layout.error();
  if (*layout != kLayout) return Checkpoint{};
  return ReadCheckpoint(txn, meta_);
}

Status ClaimIndex::SetCheckpoint(kv::WriteTxn& txn, const Checkpoint& after) {
  STEMEDB_RETURN_IF_ERROR(txn.Put(meta_, kLayoutKey, kLayout));
  return WriteCheckpoint(txn, meta_, after);
}

Status ClaimIndex::Apply(kv::WriteTxn& txn, std::span<const LoggedRecord> records, const Checkpoint& after) {
  auto at = checkpoint(txn);
  if (!at) return at.error();
  if (after.sequence <= at->sequence) return Status::Ok();
  records = Above(records, at->sequence);
  STEMEDB_RETURN_IF_ERROR(ApplyRows(txn, records));
  const auto step = [&] { txn.Step(); };
  const auto add = [&](std::string_view key, std::string_view value) { return AddConcept(txn, key, value); };
  STEMEDB_RETURN_IF_ERROR(CountConcepts(records, step, add));
  STEMEDB_RETURN_IF_ERROR(ApplyLinks(txn, records));
  STEMEDB_RETURN_IF_ERROR(ApplyOperations(txn, records));
  return SetCheckpoint(txn, after);
}

Status ClaimIndex::LinkKeys(const LoggedRecord& claim, const std::function<Status(std::string_view)>& add) {
  std::string key;
  Status status;
  ForEachLink(claim.claim(), [&](std::string_view name, LinkKind kind) {
    if (!status.ok()) return;
    key.clear();
    AppendLinkPrefix(key, name, kind);
    AppendSequence(key, claim.sequence);
    status = add(key);
  });
  return status;
}

Status ClaimIndex::ApplyLinks(kv::WriteTxn& txn, std::span<const LoggedRecord> records) {
  std::vector<std::string> keys;
  for (const LoggedRecord& record : records) {
    if (record.is_operation()) continue;
    STEMEDB_RETURN_IF_ERROR(LinkKeys(record, [&](std::string_view key) {
      keys.emplace_back(key);
      return Status::Ok();
    }));
    txn.Step();
  }
  std::sort(keys.begin(), keys.end(), [&](const std::string& a, const std::string& b) {
    txn.Step();
    return a < b;
  });
  for (const std::string& key : keys)
    STEMEDB_RETURN_IF_ERROR(operations_.PutLink(txn, key, kv::PutMode::kOverwrite));
  return Status::Ok();
}

Status ClaimIndex::AppendLinks(kv::WriteTxn& txn, std::span<const SortedRuns::Pair> pairs) {
  std::string_view last;
  for (const auto& [key, nothing] : pairs) {
    if (key == last) continue;  // a claim may name one id twice
    STEMEDB_RETURN_IF_ERROR(operations_.PutLink(txn, key, kv::PutMode::kAppend));
    last = key;
  }
  return Status::Ok();
}

// The record table's own snapshot is taken once for all, and only when there is an operation.
Status ClaimIndex::ApplyOperations(kv::WriteTxn& txn, std::span<const LoggedRecord> records) {
  std::unique_ptr<kv::ReadTxn> records_txn;
  for (const LoggedRecord& record : records) {
    if (!record.is_operation()) continue;
    if (!records_txn) {
      auto opened = kv::ReadTxn::Open(&records_->environment());
      if (!opened) return opened.error();
      STEMEDB_RETURN_IF_ERROR((*opened)->Renew());
      records_txn = std::move(*opened);
    }
    STEMEDB_RETURN_IF_ERROR(operations_.ApplyOperation(txn, record));
    const model::OperationView operation = record.operation();
    for (const model::SubjectView& subject : {operation.subject(), operation.second_subject()})
      STEMEDB_RETURN_IF_ERROR(MarkClaim(txn, *records_txn, subject));
  }
  return Status::Ok();
}

// An operation about a claim that nobody has made yet stays without a mark; whoever takes operations in sees
// to it that there is none.
Status ClaimIndex::MarkClaim(kv::WriteTxn& txn, const kv::ReadTxn& records_txn,
                             const model::SubjectView& subject) {
  const uint8_t mark = subject.kind == model::SubjectKind::kVotesOn     ? model::kHasVotes
                       : subject.kind == model::SubjectKind::kAssertion ? model::kHasOperations
                                                                        : uint8_t{0};
  if (mark == 0) return Status::Ok();
  auto sequence = records_->Find(records_txn, subject.name);
  if (!sequence) return sequence.error();
  if (!sequence->has_value()) return Status::Ok();
  auto record = records_->Get(records_txn, **sequence);
  if (!record) return record.error();
  if (!record->has_value() || (*record)->is_operation()) return Status::Ok();
  std::string key;
  AppendRowKey(key, **record);
  auto row = txn.Get(claims_, key);
  if (!row) return row.error();
  if (!row->has_value()) return Status::Ok();
  std::string marked(**row);
  if (marked.size() <= model::kRowFlagsAt) return Status::Ok();
  char& flags = marked[model::kRowFlagsAt];
  if ((static_cast<uint8_t>(flags) & mark) != 0) return Status::Ok();
  flags = static_cast<char>(static_cast<uint8_t>(flags) | mark);
  return txn.Put(claims_, key, marked);
}

void ClaimIndex::AppendRowKey(std::string& key, const LoggedRecord& logged) {
  AppendClaimPrefix(key, logged.claim().concept_path(), logged.claim().predicate());
  AppendSequence(key, logged.sequence);
}

Status ClaimIndex::AppendRows(kv::WriteTxn& txn, std::span<const SortedRuns::Pair> pairs) {
  for (const auto& [key, row] : pairs)
    STEMEDB_RETURN_IF_ERROR(txn.Put(claims_, key, row, kv::PutMode::kAppend));
  return Status::Ok();
}

Status ClaimIndex::ApplyRows(kv::WriteTxn& txn, std::span<const LoggedRecord> records) {
  struct Entry {
    std::string key;
    std::string_view row;
  };
  std::vector<Entry> entries;
  entries.reserve(records.size());
  for (const LoggedRecord& logged : records) {
    if (logged.is_operation()) continue;
    Entry& entry = entries.emplace_back();
    AppendRowKey(entry.key, logged);
    entry.row = logged.claim().row();
    txn.Step();
  }
  std::sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
    txn.Step();
    return a.key < b.key;
  });
  for (const Entry& entry : entries) STEMEDB_RETURN_IF_ERROR(txn.Put(claims_, entry.key, entry.row));
  return Status::Ok();
}

Status ClaimIndex::CountConcepts(std::span<const LoggedRecord> records, const std::function<void()>& step,
                                 const std::function<Status(std::string_view, std::string_view)>& add) {
  std::map<std::string_view, Counts> added;
  for (const LoggedRecord& logged : records) {
    if (logged.is_operation()) continue;
    std::string_view path = logged.claim().concept_path();
    ++added[path].here;
    for (path = ParentOf(path); !path.empty(); path = ParentOf(path)) ++added[path].below;
    step();
  }
  std::string key;
  for (const auto& [path, counts] : added) {
    key.clear();
    AppendPathKey(key, path);
    STEMEDB_RETURN_IF_ERROR(add(key, EncodeNode(counts, path)));
  }
  return Status::Ok();
}

Status ClaimIndex::AddConcepts(kv::WriteTxn& txn, std::span<const SortedRuns::Pair> pairs) {
  for (const auto& [key, value] : pairs) STEMEDB_RETURN_IF_ERROR(AddConcept(txn, key, value));
  return Status::Ok();
}

Status ClaimIndex::AddConcept(kv::WriteTxn& txn, std::string_view key, std::string_view value) {
  auto found = txn.Get(concepts_, key);
  if (!found) return found.error();
  if (!found->has_value()) return txn.Put(concepts_, key, value);
  auto node = DecodeNode(key, **found);
  auto more = DecodeNode(key, value);
  if (!node || !more) return node ? more.error() : node.error();
  return txn.Put(
      concepts_, key,
      EncodeNode({node->assertions + more->assertions, node->assertions_below + more->assertions_below},
                 node->path));
}

Status ClaimIndex::Clear(kv::WriteTxn& txn) {
  for (kv::Database database : {claims_, concepts_, meta_}) STEMEDB_RETURN_IF_ERROR(txn.Clear(database));
  return operations_.Clear(txn);
}

Result<ConceptNode> ClaimIndex::Node(const kv::Txn& txn, std::string_view path) const {
  std::string key;
  AppendPathKey(key, path);
  auto found = txn.Get(concepts_, key);
  if (!found) return found.error();
  if (!found->has_value()) return ConceptNode{std::string(path), 0, 0};
  return DecodeNode(key, **found);
}

Result<std::vector<ConceptNode>> ClaimIndex::Children(kv::Cursor& cursor, std::string_view path,
                                                      std::string_view after, size_t limit) const {
  std::vector<ConceptNode> children;
  // Below a path of nearly a key's length, children are told apart by their digests alone.
  const std::string prefix = SubtreePrefix(path).substr(0, kLongPathKept);
  std::string from = prefix;
  if (!after.empty()) {
    from.clear();
    AppendPathKey(from, after);
    from.push_back('\0');  // behind the child itself; what lies below it is skipped as it comes
  }
  if (from.empty())
    from.push_back('\x01');  // LMDB takes no empty key, and no path begins with a control character
  for (Status moved = cursor.Seek(from);;) {
    if (!moved.ok()) return moved;
    if (!cursor.valid() || !cursor.key().starts_with(prefix) || children.size() >= limit) break;
    auto node = DecodeNode(cursor.key(), cursor.value());
    if (!node) return node.error();
    if (!IsBelow(node->path, path)) {
      moved = cursor.Next();
    } else if (ParentOf(node->path) == path) {
      children.push_back(std::move(*node));
      moved = cursor.Next();
    } else {
      const std::string below = SubtreePrefix(ChildOn(node->path, path));
      moved = below.size() > kLongPathKept ? cursor.Next() : cursor.Seek(AfterPrefix(below));
    }
  }
  return children;
}

}  // namespace stemedb::index
